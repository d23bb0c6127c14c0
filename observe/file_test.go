package observe

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

func rotating(t *testing.T, r Rotate) (*file, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "access.log")
	f, err := openFile(path, r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.close() })
	return f, path
}

func mustWrite(t *testing.T, f *file, lines string) {
	t.Helper()
	if lost, err := f.write([]byte(lines)); lost != 0 || err != nil {
		t.Fatalf("write %q: %d lost, %v", lines, lost, err)
	}
}

func wantFiles(t *testing.T, dir string, want map[string]string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if _, ok := want[e.Name()]; !ok {
			t.Errorf("there is a file %s", e.Name())
		}
	}
	for name, text := range want {
		if got := read(t, filepath.Join(dir, name)); got != text {
			t.Errorf("%s holds %q, want %q", name, got, text)
		}
	}
}

func TestRotateBySize(t *testing.T) {
	f, path := rotating(t, Rotate{Size: 10, Keep: 2})
	for _, lines := range []string{"one\n", "two\n", "three\n", "four\n", "a line beyond the size\n", "six\n"} {
		mustWrite(t, f, lines)
	}
	wantFiles(t, filepath.Dir(path), map[string]string{
		"access.log":   "six\n",
		"access.log.1": "a line beyond the size\n",
		"access.log.2": "four\n",
	})
}

func TestRotateKeepsWhatStoodThereBefore(t *testing.T) {
	f, path := rotating(t, Rotate{Size: 8, Keep: 1})
	mustWrite(t, f, "before\n")
	f.close()
	for i := 2; i < 5; i++ { // a larger Keep has left these
		if err := os.WriteFile(f.numbered(i), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	again, err := openFile(path, Rotate{Size: 8, Keep: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer again.close()
	mustWrite(t, again, "after\n")
	wantFiles(t, filepath.Dir(path), map[string]string{"access.log": "after\n", "access.log.1": "before\n"})
}

func TestRotateByAge(t *testing.T) {
	f, path := rotating(t, Rotate{Age: 24 * time.Hour})
	day := time.Date(2026, 11, 21, 23, 59, 59, 0, time.UTC)
	f.now = func() time.Time { return day }
	f.period = f.periodOf(day)
	mustWrite(t, f, "saturday\n")
	day = day.Add(2 * time.Second)
	mustWrite(t, f, "sunday\n")
	mustWrite(t, f, "sunday, too\n")
	wantFiles(t, filepath.Dir(path), map[string]string{"access.log": "sunday\nsunday, too\n", "access.log.1": "saturday\n"})
}

// TestRotationThatFails: lines go on into the file there is, and the reason is told.
func TestRotationThatFails(t *testing.T) {
	f, path := rotating(t, Rotate{Size: 8, Keep: 1})
	if err := os.MkdirAll(filepath.Join(path+".1", "in the way"), 0o700); err != nil {
		t.Fatal(err)
	}
	mustWrite(t, f, "first\n")
	lost, err := f.write([]byte("second\n"))
	if lost != 0 || err == nil {
		t.Errorf("%d lines lost, error %v; want none lost and an error", lost, err)
	}
	if got := read(t, path); got != "first\nsecond\n" {
		t.Errorf("the file holds %q", got)
	}
}

func TestATornLineIsEnded(t *testing.T) {
	f, path := rotating(t, Rotate{})
	mustWrite(t, f, "whole\nto")
	if !f.torn {
		t.Fatal("a torn line is not noticed")
	}
	mustWrite(t, f, "next\n")
	if got := read(t, path); got != "whole\nto\nnext\n" {
		t.Errorf("the file holds %q", got)
	}
}

func TestFileMode(t *testing.T) {
	_, path := rotating(t, Rotate{})
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm()&0o007 != 0 {
		t.Errorf("others may read it: %v %v", info.Mode(), err)
	}
}
