package cert

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func newAuthority(t *testing.T, dir string, permitted ...string) *Authority {
	t.Helper()
	a, err := NewAuthority(dir, permitted...)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func sourceFor(t *testing.T, a *Authority, names ...string) Source {
	t.Helper()
	s, err := a.For(names...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func rootsOf(a *Authority) *x509.CertPool {
	p := x509.NewCertPool()
	p.AppendCertsFromPEM(a.RootPEM())
	return p
}

func TestAuthorityServes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ca")
	a := newAuthority(t, dir, "internal", "example.com")
	names := []string{"wiki.internal", "*.apps.internal", "127.0.0.1"}
	table := newTable(t, Entry{Names: names, Source: sourceFor(t, a, names...)})
	server := Policy{}.ServerConfig(table, nil)
	for _, name := range []string{"wiki.internal", "x.apps.internal", "127.0.0.1"} {
		m := meet(t, server, &tls.Config{ServerName: name, RootCAs: rootsOf(a)})
		if m.clientErr != nil || m.serverErr != nil {
			t.Errorf("%s: %v, %v", name, m.clientErr, m.serverErr)
		}
	}
	if m := meet(t, server, &tls.Config{ServerName: "other.internal", RootCAs: rootsOf(a)}); CauseOf(m.clientErr) != NameDenied {
		t.Errorf("another name: %v", m.clientErr)
	}
	info, err := os.Stat(filepath.Join(dir, "root.key"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("key: %v, %v", info, err)
	}
	if again := newAuthority(t, dir, "other"); !again.Root().Equal(a.Root()) {
		t.Error("another root after a restart")
	}
}

func TestAuthorityKeepsToItsNames(t *testing.T) {
	a := newAuthority(t, t.TempDir(), "example.com")
	for name, want := range map[string]bool{
		"example.com": true, "a.example.com": true, "*.example.com": true, "192.0.2.1": true,
		"badexample.com": false, "example.org": false, "*.com": false, "a b.example.com": false, "": false,
	} {
		if _, err := a.For(name); (err == nil) != want {
			t.Errorf("%q: %v", name, err)
		}
	}
	if _, err := a.For(); err == nil {
		t.Error("a source of no names")
	}
	// What the constraint promises does not rest on weir keeping to it.
	leaf, err := a.issue("example.org")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := leaf.Leaf.Verify(x509.VerifyOptions{Roots: rootsOf(a), DNSName: "example.org"}); err == nil {
		t.Error("clients take a name outside of the constraint")
	}
}

func TestLeavesAreRenewed(t *testing.T) {
	a := newAuthority(t, t.TempDir())
	now := time.Now()
	a.now = func() time.Time { return now }
	s := sourceFor(t, a, "a.internal")
	first, err := s.Certificate(&tls.ClientHelloInfo{ServerName: "a.internal"})
	if err != nil {
		t.Fatal(err)
	}
	if life := first.Leaf.NotAfter.Sub(now); life > leafLifetime || life < leafLifetime-time.Minute {
		t.Errorf("lasts %v", life)
	}
	for _, tt := range []struct {
		after time.Duration
		same  bool
	}{{4 * 24 * time.Hour, true}, {5 * 24 * time.Hour, false}, {400 * 24 * time.Hour, false}} {
		now = first.Leaf.NotAfter.Add(-leafLifetime + tt.after)
		c, err := s.Certificate(&tls.ClientHelloInfo{ServerName: "a.internal"})
		if err != nil || (c == first) != tt.same || !now.Before(c.Leaf.NotAfter) {
			t.Errorf("after %v: the same %v, until %v, %v", tt.after, c == first, c.Leaf.NotAfter, err)
		}
	}
}

func TestRootsThatEnd(t *testing.T) {
	a := newAuthority(t, t.TempDir())
	now := time.Now()
	a.now = func() time.Time { return now }
	if w := a.Warning(); w != "" {
		t.Errorf("warning %q", w)
	}
	now = a.Root().NotAfter.Add(-24 * time.Hour)
	if w := a.Warning(); !strings.Contains(w, "ends on") {
		t.Errorf("warning %q", w)
	}
	if c, err := a.leaf("a.internal"); err != nil || c.Leaf.NotAfter.After(a.Root().NotAfter) {
		t.Errorf("a leaf until %v, %v", c.Leaf.NotAfter, err)
	}
}

func TestLeavesAreBounded(t *testing.T) {
	a := newAuthority(t, t.TempDir())
	made := &tls.Certificate{Leaf: &x509.Certificate{NotAfter: time.Now().Add(leafLifetime)}}
	for i := range maxLeaves {
		a.leaves[fmt.Sprintf("%d.internal", i)] = made
	}
	if _, err := a.leaf("one.more.internal"); err != nil || len(a.leaves) != maxLeaves {
		t.Errorf("%d leaves, %v", len(a.leaves), err)
	}
}

func TestLeavesAreMadeOnce(t *testing.T) {
	a := newAuthority(t, t.TempDir())
	got := make([]*tls.Certificate, 20)
	var all sync.WaitGroup
	for i := range got {
		all.Go(func() { got[i], _ = a.leaf("a.internal") })
	}
	all.Wait()
	for _, c := range got {
		if c == nil || c != got[0] {
			t.Fatal("several certificates for one name")
		}
	}
}

func TestAuthorityPicks(t *testing.T) {
	names := []string{"a.internal", "*.b.internal", "192.0.2.7"}
	local := localConn{local: &net.TCPAddr{IP: net.IPv4(192, 0, 2, 7), Port: 443}}
	for _, tt := range []struct {
		hello tls.ClientHelloInfo
		want  string
	}{
		{tls.ClientHelloInfo{ServerName: "A.internal"}, "a.internal"},
		{tls.ClientHelloInfo{ServerName: "x.b.internal"}, "*.b.internal"},
		{tls.ClientHelloInfo{ServerName: "other"}, "a.internal"},
		{tls.ClientHelloInfo{Conn: local}, "192.0.2.7"},
		{tls.ClientHelloInfo{}, "a.internal"},
	} {
		if got := pickName(names, &tt.hello); got != tt.want {
			t.Errorf("%q: %q, want %q", tt.hello.ServerName, got, tt.want)
		}
	}
}

// A root that clients trust already is never replaced silently.
func TestBrokenRootsAreErrors(t *testing.T) {
	for what, breaks := range map[string]func(dir string) error{
		"no key": func(dir string) error { return os.Remove(filepath.Join(dir, "root.key")) },
		"other key": func(dir string) error {
			return copyFile(filepath.Join(newDir(t), "root.key"), filepath.Join(dir, "root.key"))
		},
		"torn root":  func(dir string) error { return os.Truncate(filepath.Join(dir, "root.pem"), 50) },
		"public key": func(dir string) error { return os.Chmod(filepath.Join(dir, "root.key"), 0o644) },
	} {
		dir := newDir(t)
		if err := breaks(dir); err != nil {
			t.Fatal(err)
		}
		if _, err := NewAuthority(dir); err == nil {
			t.Errorf("%s: no error", what)
		}
	}
	dir := newDir(t)
	os.Remove(filepath.Join(dir, "root.pem")) // as after a crash between the two
	newAuthority(t, dir)
}

// newDir is a folder with a root.
func newDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	newAuthority(t, dir)
	return dir
}

func copyFile(from, to string) error {
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, b, 0o600)
}

func TestAuthoritiesOfOneFolder(t *testing.T) {
	dir := t.TempDir()
	roots := make([]*x509.Certificate, 8)
	var all sync.WaitGroup
	for i := range roots {
		all.Go(func() {
			if a, err := NewAuthority(dir); err == nil {
				roots[i] = a.Root()
			}
		})
	}
	all.Wait()
	for _, r := range roots {
		if r == nil || !r.Equal(roots[0]) {
			t.Fatal("one folder, several roots")
		}
	}
}

func TestLocks(t *testing.T) {
	l := newLocks(t.TempDir())
	other := newLocks(l.dir) // as another process has it
	if err := l.lock(context.Background(), "a"); err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithTimeout(context.Background(), 3*lockPause/2)
	defer cancel()
	for _, who := range []*locks{l, other} {
		if err := who.lock(short, "a"); err == nil {
			t.Fatal("two have one lock")
		}
	}
	got := make(chan error, 2)
	for _, who := range []*locks{l, other} {
		go func() {
			err := who.lock(context.Background(), "a")
			got <- err
			who.unlock("a")
		}()
	}
	if err := l.unlock("a"); err != nil {
		t.Error(err)
	}
	for range 2 {
		if err := <-got; err != nil {
			t.Error(err)
		}
	}
	if err := l.unlock("b"); err == nil {
		t.Error("unlocked what was not locked")
	}
}
