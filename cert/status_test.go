package cert

import (
	"bytes"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestStatusTellsOfUnreadableFiles(t *testing.T) {
	certificate, key := write(t, t.TempDir(), newCA(t).leaf(t, nil, "a.example"))
	f, err := NewFiles(certificate, key)
	if err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(certificate)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, certificate, []byte("nonsense"))
	if _, err := f.Reload(); err == nil {
		t.Fatal("nonsense is taken")
	}
	if s := f.Status(time.Now()); s.Step != stepRead || !strings.Contains(s.Problem, certificate) || s.Until.IsZero() {
		t.Errorf("with nonsense in the file: %+v", s)
	}
	writeFile(t, certificate, whole)
	if _, err := f.Reload(); err != nil {
		t.Fatal(err)
	}
	if s := f.Status(time.Now()); s.Step != "" || s.Problem != "" {
		t.Errorf("with the file as it was: %+v", s)
	}
}

func TestStatusOfUnaskedNames(t *testing.T) {
	a := newAuthority(t, t.TempDir())
	if _, err := a.leaf("b.internal"); err != nil {
		t.Fatal(err)
	}
	list := a.Status("B.internal", "a.internal")
	if len(list) != 2 || list[0].Names[0] != "a.internal" || !list[0].Until.IsZero() || list[1].Until.IsZero() || list[1].Renewal.IsZero() {
		t.Errorf("%+v", list)
	}
}

func TestAuthorityRenews(t *testing.T) {
	a := newAuthority(t, t.TempDir())
	first, err := a.leaf("a.internal")
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Renew("A.internal"); err != nil {
		t.Fatal(err)
	}
	if next, err := a.leaf("a.internal"); err != nil || next.Leaf.Equal(first.Leaf) {
		t.Errorf("the same certificate, %v", err)
	}
	if err := a.Renew("no name"); err == nil {
		t.Error("renewed what is no name")
	}
}

func TestRootOf(t *testing.T) {
	dir := t.TempDir()
	if _, err := RootOf(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without a root: %v", err)
	}
	a := newAuthority(t, dir)
	if err := os.Remove(filepath.Join(dir, "root.key")); err != nil {
		t.Fatal(err)
	}
	if got, err := RootOf(dir); err != nil || !bytes.Equal(got, a.RootPEM()) {
		t.Errorf("%q, %v", got, err)
	}
	leaf, _ := write(t, t.TempDir(), newCA(t).leaf(t, nil, "a.example"))
	text, err := os.ReadFile(leaf)
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range [][]byte{[]byte("nonsense"), text} {
		writeFile(t, filepath.Join(dir, "root.pem"), bad)
		if got, err := RootOf(dir); err == nil {
			t.Errorf("%q is a root", got)
		}
	}
}

// TestImportedWhileRunning has a manager take up what was imported for a name that it could get nothing for.
func TestImportedWhileRunning(t *testing.T) {
	dir, store := t.TempDir(), t.TempDir()
	m, err := NewManager(dir, Config{NoHTTP: true, NoTLS: true}, slog.New(slog.DiscardHandler)) // no way to a certificate
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	manage := func() Status {
		t.Helper()
		if err := m.Manage([]string{"a.example.com"}); err != nil {
			t.Fatal(err)
		}
		return m.Status()[0]
	}
	manage()
	eventually(t, "the first attempt to fail", func() bool { return m.Status()[0].Failed == 1 })
	if s := m.Status()[0]; s.Step != string(stepChallenge) || s.Problem == "" || s.Again.IsZero() || s.Demand {
		t.Errorf("after a failure: %+v", s)
	}
	if issued, failed := m.Attempts(); issued != 0 || failed != 1 {
		t.Errorf("%d issued and %d failed", issued, failed)
	}
	live := filepath.Join(store, "live", "a")
	if err := os.MkdirAll(live, 0o700); err != nil {
		t.Fatal(err)
	}
	certificate, key := write(t, store, newCA(t).leaf(t, nil, "a.example.com"))
	for from, to := range map[string]string{certificate: "fullchain.pem", key: "privkey.pem"} {
		if err := os.Rename(from, filepath.Join(live, to)); err != nil {
			t.Fatal(err)
		}
	}
	if list, err := Import(dir, store, time.Now()); err != nil || len(list) != 1 || list[0].Skipped != "" {
		t.Fatalf("imported %+v, %v", list, err)
	}
	if s := manage(); s.Until.IsZero() {
		t.Errorf("after a reload: %+v", s)
	}
}
