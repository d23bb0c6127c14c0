package cert

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestFilesAreChecked(t *testing.T) {
	authority := newCA(t)
	dir, other := t.TempDir(), t.TempDir()
	certificate, key := write(t, dir, authority.leaf(t, nil, "a.example", "192.0.2.1"))
	_, wrong := write(t, other, authority.leaf(t, nil, "a.example"))
	f, err := NewFiles(certificate, key)
	if err != nil {
		t.Fatal(err)
	}
	if !f.Covers("A.example") || !f.Covers("192.0.2.1") || f.Covers("b.example") || f.Covers("*.example") {
		t.Error("covers other names than those of the certificate")
	}
	if w := f.Warning(time.Now()); w != "" {
		t.Errorf("warning %q", w)
	}
	if w := f.Warning(time.Now().Add(2 * time.Hour)); !strings.HasPrefix(w, "expired on ") {
		t.Errorf("warning %q", w)
	}
	if w := f.Warning(time.Now().Add(-2 * time.Hour)); !strings.HasPrefix(w, "not valid before ") {
		t.Errorf("warning %q", w)
	}
	if _, err := NewFiles(certificate, wrong); err == nil || !strings.Contains(err.Error(), "is not that of the certificate") {
		t.Errorf("a wrong key: %v", err)
	}
	if _, err := NewFiles(certificate, filepath.Join(dir, "none")); !os.IsNotExist(err) {
		t.Errorf("no key: %v", err)
	}
	both := filepath.Join(dir, "both.pem")
	a, _ := os.ReadFile(certificate)
	b, _ := os.ReadFile(key)
	writeFile(t, both, append(a, b...))
	if _, err := NewFiles(both, both); err != nil {
		t.Errorf("both in one file: %v", err)
	}
	writeFile(t, both, make([]byte, maxFile+1))
	if _, err := NewFiles(both, both); err == nil || !strings.Contains(err.Error(), "larger") {
		t.Errorf("an endless file: %v", err)
	}
}

func TestNamelessCertificatesWarn(t *testing.T) {
	f, err := NewFiles(write(t, t.TempDir(), newCA(t).leaf(t, nil)))
	if err != nil {
		t.Fatal(err)
	}
	if w := f.Warning(time.Now()); !strings.Contains(w, "no host") {
		t.Errorf("warning %q", w)
	}
}

// The files are written within the clock tick of the file system, with the same size or another.
func TestFilesAreReadAnew(t *testing.T) {
	authority, dir := newCA(t), t.TempDir()
	f, err := NewFiles(write(t, dir, authority.leaf(t, nil, "a.example")))
	if err != nil {
		t.Fatal(err)
	}
	if changed, err := f.Reload(); changed || err != nil {
		t.Errorf("nothing was done: %v, %v", changed, err)
	}
	next := authority.leaf(t, nil, "a.example")
	certificate, _ := write(t, dir, next)
	if changed, err := f.Reload(); !changed || err != nil || !f.Leaf().Equal(next.Leaf) {
		t.Errorf("another pair: %v, %v", changed, err)
	}
	old := time.Now().Add(-time.Hour)
	os.Chtimes(certificate, old, old)
	if changed, err := f.Reload(); changed || err != nil {
		t.Errorf("another time for the same: %v, %v", changed, err)
	}
}

func TestTornPairsKeepTheLastGood(t *testing.T) {
	authority, dir := newCA(t), t.TempDir()
	first := authority.leaf(t, nil, "a.example")
	certificate, key := write(t, dir, first)
	var log journal
	w := NewWatcher(time.Hour, log.logger())
	defer w.Close()
	f, release, err := w.Files(certificate, key)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	next := authority.leaf(t, nil, "a.example")
	other, _ := write(t, t.TempDir(), next)
	torn, _ := os.ReadFile(other)
	for _, content := range [][]byte{torn, torn, nil, nil, []byte("-----BEGIN")} {
		writeFile(t, certificate, content)
		if n := w.Check(); n != 0 || !f.Leaf().Equal(first.Leaf) {
			t.Fatalf("%d changes, another certificate", n)
		}
	}
	if n := strings.Count(log.String(), "level=WARN"); n != 2 {
		t.Errorf("%d warnings for two kinds of broken files:\n%s", n, log.String())
	}
	write(t, dir, next)
	if n := w.Check(); n != 1 || !f.Leaf().Equal(next.Leaf) {
		t.Errorf("%d changes after they are whole", n)
	}
	if strings.Contains(log.String(), "PRIVATE") {
		t.Error("the log has a key")
	}
}

func TestWatcherShares(t *testing.T) {
	certificate, key := write(t, t.TempDir(), newCA(t).leaf(t, nil, "a.example"))
	var log journal
	w := NewWatcher(0, log.logger())
	defer w.Close()
	a, releaseA, err := w.Files(certificate, key)
	if err != nil {
		t.Fatal(err)
	}
	b, releaseB, err := w.Files(certificate, key)
	if err != nil || a != b {
		t.Fatalf("the same files twice: %v", err)
	}
	releaseA()
	releaseA()
	if len(w.watched) != 1 {
		t.Error("released twice, gone for the other")
	}
	releaseB()
	if len(w.watched) != 0 {
		t.Error("watched by nobody, kept")
	}
}

type counted struct{ n chan struct{} }

func (c counted) Reload() (bool, error) { c.n <- struct{}{}; return false, nil }
func (c counted) String() string        { return "counted" }

func TestWatcherLooksByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log journal
		w := NewWatcher(0, log.logger())
		defer w.Close()
		c := counted{make(chan struct{}, 100)}
		defer w.Add(c)()
		time.Sleep(5*DefaultInterval + time.Second)
		synctest.Wait()
		if len(c.n) != 5 {
			t.Errorf("looked %d times in five intervals", len(c.n))
		}
	})
}

func TestChoiceSuitsTheClient(t *testing.T) {
	authority := newCA(t)
	a, b := authority.leaf(t, nil, "a.example"), authority.leaf(t, nil, "b.example")
	c := Choice{fixed{a}, fixed{b}}
	hello := &tls.ClientHelloInfo{
		ServerName: "b.example", SupportedVersions: []uint16{tls.VersionTLS13},
		SignatureSchemes: []tls.SignatureScheme{tls.ECDSAWithP256AndSHA256},
	}
	if got, err := c.Certificate(hello); err != nil || got != b {
		t.Errorf("got %v, %v", got, err)
	}
	hello.ServerName = "c.example"
	if got, err := c.Certificate(hello); err != nil || got != a {
		t.Errorf("for nobody: %v, %v", got, err)
	}
	if _, err := (Choice{}).Certificate(hello); err == nil {
		t.Error("nothing to choose from, no error")
	}
}

func TestPool(t *testing.T) {
	certificate, key := write(t, t.TempDir(), newCA(t).leaf(t, nil, "a.example"))
	if p, err := Pool(certificate); err != nil || p.Equal(x509.NewCertPool()) {
		t.Errorf("pool %v, %v", p, err)
	}
	if _, err := Pool(key); err == nil {
		t.Error("a pool of no certificates")
	}
}
