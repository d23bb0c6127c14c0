package bounded

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestReadFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(name, []byte("12345"), 0o600); err != nil {
		t.Fatal(err)
	}
	for limit, want := range map[int64]string{5: "", 6: "", 4: "is larger than 4 bytes", 0: "is larger than 0 bytes"} {
		b, err := ReadFile(name, limit)
		switch {
		case want == "" && (err != nil || string(b) != "12345"):
			t.Errorf("limit %d: %q, %v", limit, b, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("limit %d: error %v, want %q", limit, err, want)
		}
	}
	if _, err := ReadFile(name+"x", 5); !os.IsNotExist(err) {
		t.Errorf("no file: %v", err)
	}
	if _, err := ReadFile("/dev/zero", 100); err == nil {
		t.Error("a device without an end is read")
	}
}
