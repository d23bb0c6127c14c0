package cert

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"weir/weirtest/freeport"
)

func TestHTTP01(t *testing.T) {
	p := newPebble(t, pebbleOptions{})
	c := p.usual()
	c.Challenge = HTTP01
	dir := t.TempDir()
	f := newFront(t, p, dir, c, "a.weir.test", "b.weir.test")
	for _, n := range []string{"a.weir.test", "b.weir.test"} {
		leaf := f.get(t, n)
		if shown, err := f.shake(p, n); err != nil || !shown.Equal(leaf) {
			t.Errorf("%s: %v", n, err)
		}
		s := f.statusOf(n)
		if s.Problem != "" || s.Until.IsZero() || !s.Renewal.Before(s.Until) || s.Issuer == "" {
			t.Errorf("status %+v", s)
		}
	}
	if f.hits.Load() < 2 {
		t.Errorf("the CA looked %d times", f.hits.Load())
	}
	for _, name := range []string{"ledger.json", "certificates/a.weir.test.pem"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
	if strings.Contains(f.log.String(), "PRIVATE KEY") {
		t.Error("the log has a key")
	}
}

func TestTLSALPN01(t *testing.T) {
	p := newPebble(t, pebbleOptions{})
	c := p.usual()
	c.Challenge = TLSALPN
	f := newFront(t, p, t.TempDir(), c, "a.weir.test")
	leaf := f.get(t, "a.weir.test")
	if shown, err := f.shake(p, "a.weir.test"); err != nil || !shown.Equal(leaf) {
		t.Error(err)
	}
	if f.hits.Load() != 0 {
		t.Error("the CA looked at port 80")
	}
}

func TestDNS01ByUpdate(t *testing.T) {
	p := newPebble(t, pebbleOptions{})
	c := p.usual()
	c.DNS = RFC2136{Server: p.dns.address, KeyName: "weir-key", Secret: zoneSecret}
	c.NoHTTP, c.NoTLS = true, true
	f := newFront(t, p, t.TempDir(), c, "*.weir.test", "weir.test")
	wild := f.get(t, "x.weir.test")
	if wild.DNSNames[0] != "*.weir.test" {
		t.Errorf("names %q", wild.DNSNames)
	}
	if shown, err := f.shake(p, "x.weir.test"); err != nil || !shown.Equal(wild) {
		t.Error(err)
	}
	f.get(t, "weir.test")
	if n := p.dns.texts(); n != 0 || p.dns.updates < 4 {
		t.Errorf("%d records left, %d updates", n, p.dns.updates)
	}
}

func TestDNS01ByHook(t *testing.T) {
	p := newPebble(t, pebbleOptions{})
	c := p.usual()
	c.Challenge = DNS01
	c.DNS = Exec{Program: "sh", Args: []string{"-c", `echo "$1 $2 $3" >> ` + p.dns.file + `; test "$WEIR_NAME" = "$2"`, "hook"}}
	f := newFront(t, p, t.TempDir(), c, "a.weir.test")
	f.get(t, "a.weir.test")
	eventually(t, "the record to be deleted", func() bool { return p.dns.texts() == 0 })
	if p.dns.soas > 0 {
		t.Error("weir looked for a zone that a program need not be told")
	}
}

func TestHookThatFails(t *testing.T) {
	p := newPebble(t, pebbleOptions{})
	c := p.usual()
	c.Challenge, c.Retry = DNS01, time.Hour
	c.DNS = Exec{Program: "sh", Args: []string{"-c", "echo no such zone >&2; exit 3"}}
	f := newFront(t, p, t.TempDir(), c, "a.weir.test")
	s := f.problem(t, "a.weir.test")
	if s.Step != string(stepRecord) || !strings.Contains(s.Problem, "exit status 3: no such zone") {
		t.Errorf("step %q: %s", s.Step, s.Problem)
	}
}

func TestRecordsThatDoNotAppear(t *testing.T) {
	p := newPebble(t, pebbleOptions{})
	c := p.usual()
	c.Challenge, c.Retry, c.Propagation = DNS01, time.Hour, 2500*time.Millisecond
	c.DNS = Exec{Program: "true"}
	f := newFront(t, p, t.TempDir(), c, "a.weir.test")
	s := f.problem(t, "a.weir.test")
	if s.Step != string(stepRecord) || !strings.Contains(s.Problem, "_acme-challenge.a.weir.test does not appear in 2.5s") {
		t.Errorf("step %q: %s", s.Step, s.Problem)
	}
}

// problem waits for the first failure of a name.
func (f *front) problem(t *testing.T, name string) Status {
	t.Helper()
	var s Status
	eventually(t, "a failure of "+name, func() bool {
		s = f.statusOf(name)
		return s.Problem != ""
	})
	return s
}

// Where one challenge fails another one is tried, in the same attempt.
func TestAutoFallsBack(t *testing.T) {
	p := newPebble(t, pebbleOptions{})
	c := p.usual()
	c.HTTPPort = 1 // weir's own look fails, too, and is no reason to give up
	f := newFront(t, p, t.TempDir(), c, "a.weir.test")
	p.http.Close()
	f.get(t, "a.weir.test")
}

func TestExternalAccountBinding(t *testing.T) {
	key := "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"
	p := newPebble(t, pebbleOptions{eab: map[string]string{"kid-1": key}})
	c := p.usual()
	c.Retry = time.Hour
	dir := t.TempDir()
	f := newFront(t, p, dir, c, "a.weir.test")
	s := f.problem(t, "a.weir.test")
	if s.Step != string(stepAccount) || !strings.Contains(s.Problem, "set eab in the acme block") {
		t.Errorf("step %q: %s", s.Step, s.Problem)
	}
	c.CAs[0].EAB = &EAB{"kid-1", key}
	if err := f.Configure(c); err != nil {
		t.Fatal(err)
	}
	f.get(t, "a.weir.test") // at once, and not an hour later
}

func TestNextCA(t *testing.T) {
	p := newPebble(t, pebbleOptions{})
	c := p.usual()
	c.CAs = []CA{{Name: "gone", Directory: "https://" + freeport.Address(t) + "/dir"}, p.ca()}
	f := newFront(t, p, t.TempDir(), c, "a.weir.test")
	f.get(t, "a.weir.test")
	if b := f.Manager.names["a.weir.test"].current.Load(); b.note.CA != "pebble" {
		t.Errorf("from %q", b.note.CA)
	}
}

func TestOutageAndRecovery(t *testing.T) {
	p := newPebble(t, pebbleOptions{})
	program := p.cmd.Path
	p.stop()
	f := newFront(t, p, t.TempDir(), p.usual(), "a.weir.test")
	s := f.problem(t, "a.weir.test")
	if s.Step != string(stepConnect) || !strings.Contains(s.Problem, "connection refused") {
		t.Errorf("step %q: %s", s.Step, s.Problem)
	}
	if _, err := f.table.Certificate(helloFor("a.weir.test")); err == nil || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("a handshake says %v", err)
	}
	p.start(program)
	f.get(t, "a.weir.test")
	if s := f.statusOf("a.weir.test"); s.Problem != "" || s.Failed != 0 {
		t.Errorf("status %+v", s)
	}
	// A CA that was set up anew does not know the account any more.
	p.stop()
	p.start(program)
	first := f.get(t, "a.weir.test")
	if err := f.Renew(t.Context(), "a.weir.test"); err != nil || f.get(t, "a.weir.test").Equal(first) {
		t.Errorf("after the CA forgot the account: %v", err)
	}
}

// The CA asks another machine: something else answers on the ports.
func TestWrongAnswers(t *testing.T) {
	p := newPebble(t, pebbleOptions{})
	c := p.usual()
	c.Challenge, c.Retry = HTTP01, time.Hour
	f := newFront(t, p, t.TempDir(), c, "a.weir.test")
	_ = f
	other, err := NewManager(t.TempDir(), c, f.log.logger())
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if err := other.Manage([]string{"b.weir.test"}); err != nil {
		t.Fatal(err)
	}
	g := &front{Manager: other}
	s := g.problem(t, "b.weir.test")
	for _, want := range []string{"the CA got another answer than weir's", "something else than this weir answers (status 404)"} {
		if s.Step != string(stepValidate) || !strings.Contains(s.Problem, want) {
			t.Errorf("step %q: %s, want %q", s.Step, s.Problem, want)
		}
	}
}

// What cannot succeed is found out before the CA is asked.
func TestChecksBeforeTheCA(t *testing.T) {
	p := newPebble(t, pebbleOptions{})
	p.dns.set("caa.weir.test", `0 issue "other.example"`)
	p.dns.set("ok.weir.test", `0 issue "pebble.letsencrypt.org; accounturi=x"`)
	c := p.usual()
	c.Challenge, c.Retry = HTTP01, time.Hour
	f := newFront(t, p, t.TempDir(), c, "x.nowhere.weir.test", "deep.caa.weir.test", "ok.weir.test", "*.weir.test")
	for name, want := range map[string]struct {
		step step
		text string
	}{
		"x.nowhere.weir.test": {stepResolve, "has no address in the DNS"},
		"deep.caa.weir.test":  {stepCAA, "they name other.example"},
		"*.weir.test":         {stepChallenge, "a wildcard needs dns-01"},
	} {
		s := f.problem(t, name)
		if s.Step != string(want.step) || !strings.Contains(s.Problem, want.text) {
			t.Errorf("%s: step %q: %s", name, s.Step, s.Problem)
		}
	}
	f.get(t, "ok.weir.test")
	if said := p.said(); strings.Contains(said, "nowhere") || strings.Contains(said, "caa.weir.test") {
		t.Error("the CA was asked nevertheless")
	}
}

// Certificates of 24 seconds are renewed under clients that never see a handshake fail, nor an old certificate.
func TestShortLivedRenewals(t *testing.T) {
	p := newPebble(t, pebbleOptions{life: 24 * time.Second})
	f := newFront(t, p, t.TempDir(), p.usual(), "a.weir.test")
	f.get(t, "a.weir.test")
	const wanted = 3
	var clients sync.WaitGroup
	var mu sync.Mutex
	serials := map[string]bool{}
	seen := func(c *x509.Certificate) (enough bool) {
		mu.Lock()
		defer mu.Unlock()
		serials[c.SerialNumber.String()] = true
		return len(serials) >= wanted
	}
	for range 4 {
		clients.Go(func() {
			for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
				c, err := f.shake(p, "a.weir.test")
				if err != nil {
					t.Errorf("a handshake failed: %v", err)
					return
				}
				if seen(c) {
					return
				}
			}
		})
	}
	clients.Wait()
	if len(serials) < wanted {
		t.Errorf("%d certificates in two minutes", len(serials))
	}
}

func TestRestartKeepsCertificates(t *testing.T) {
	p := newPebble(t, pebbleOptions{})
	dir := t.TempDir()
	f := newFront(t, p, dir, p.usual(), "a.weir.test")
	first := f.get(t, "a.weir.test")
	f.Close()
	p.stop()
	g, err := NewManager(dir, p.usual(), f.log.logger())
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	if err := g.Manage([]string{"a.weir.test"}); err != nil {
		t.Fatal(err)
	}
	c, err := g.certificate("a.weir.test")
	if err != nil || !c.Leaf.Equal(first) {
		t.Errorf("after a restart: %v", err)
	}
	kept, err := Kept(dir)
	if err != nil || len(kept) != 1 || kept[0].Names[0] != "a.weir.test" || !kept[0].Until.Equal(first.NotAfter) {
		t.Errorf("kept %+v, %v", kept, err)
	}
}

func TestForcedRenewal(t *testing.T) {
	p := newPebble(t, pebbleOptions{})
	f := newFront(t, p, t.TempDir(), p.usual(), "a.weir.test")
	first := f.get(t, "a.weir.test")
	eventually(t, "the first attempt to end", func() bool {
		err := f.Renew(t.Context(), "a.weir.test")
		return err == nil
	})
	if next := f.get(t, "a.weir.test"); next.Equal(first) {
		t.Error("the same certificate")
	}
	if err := f.Renew(t.Context(), "b.weir.test"); err == nil {
		t.Error("renewed what is not managed")
	}
	if !strings.Contains(p.said(), "replace") {
		t.Log("the CA does not tell of replacement")
	}
}

func TestOnDemand(t *testing.T) {
	p := newPebble(t, pebbleOptions{})
	m, log := newQuiet(t, t.TempDir(), p.usual())
	var asked sync.Map
	source, err := m.OnDemand(OnDemand{PerMinute: 2, Allow: func(_ context.Context, name string) error {
		asked.Store(name, true)
		if strings.HasPrefix(name, "bad") {
			return fmt.Errorf("%s is nobody's", name)
		}
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	f := &front{Manager: m, log: log, config: Policy{}.ServerConfig(newTable(t, Entry{Source: source, Default: true}), nil)}
	f.serve(t, p)
	var all sync.WaitGroup
	for range 5 {
		all.Go(func() {
			if _, err := f.shake(p, "x1.weir.test"); err != nil {
				t.Errorf("on demand: %v", err)
			}
		})
	}
	all.Wait()
	if _, err := f.shake(p, "bad.weir.test"); err == nil {
		t.Error("a certificate for a name that is not allowed")
	}
	if _, err := f.shake(p, "x2.weir.test"); err != nil {
		t.Error(err)
	}
	if _, err := f.shake(p, "x3.weir.test"); err == nil {
		t.Error("three new names in a minute that has room for two")
	}
	if _, ok := asked.Load("bad.weir.test"); !ok || f.statusOf("bad.weir.test").Names != nil {
		t.Error("names that are not allowed are kept")
	}
	if _, err := f.shake(p, "localhost"); err == nil {
		t.Error("a name without a dot")
	}
}

// A CA that revokes many certificates asks for their renewal (RFC 9773): weir follows without anybody's doing.
func TestRenewalWhenTheCAWants(t *testing.T) {
	p := newPebble(t, pebbleOptions{})
	f := newFront(t, p, t.TempDir(), p.usual(), "a.weir.test")
	first := f.get(t, "a.weir.test")
	eventually(t, "the attempt to end", func() bool { return !f.statusOf("a.weir.test").Renewal.IsZero() && f.idle() })
	p.wants(first, time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour))
	f.mu.Lock()
	r := f.names["a.weir.test"]
	past := time.Now().Add(-time.Minute)
	r.current.Load().note.Renewal.RetryAfter = &past // as after six hours
	r.due = past
	f.mu.Unlock()
	f.poke()
	eventually(t, "another certificate", func() bool { return !f.get(t, "a.weir.test").Equal(first) })
	b, err := readBundle(bundleFile(f.dir, "a.weir.test"))
	if err != nil || b.note.Renewal == nil || b.note.Renewal.SelectedTime.Before(time.Now()) {
		t.Errorf("%+v, %v", b, err)
	}
}

func (m *Manager) idle() bool {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.working == 0
}

// What a CA wants is kept, and asked for again no more often than each hour.
func TestRenewalInfoIsKept(t *testing.T) {
	p := newPebble(t, pebbleOptions{})
	f := newFront(t, p, t.TempDir(), p.usual(), "a.weir.test")
	first := f.get(t, "a.weir.test")
	eventually(t, "the attempt to end", f.idle)
	start := time.Now().Add(20 * 24 * time.Hour).Truncate(time.Second).UTC()
	p.wants(first, start, start.Add(time.Hour))
	f.mu.Lock()
	r := f.names["a.weir.test"]
	f.mu.Unlock()
	old := r.current.Load()
	past := time.Now().Add(-time.Minute)
	old.note.Renewal.RetryAfter = &past
	now, changed := f.refresh(f.settings.Load(), r, old)
	if changed == nil || !now.note.Renewal.SuggestedWindow.Start.Equal(start) || renewAt(now).Before(start) {
		t.Errorf("%+v", now.note.Renewal)
	}
	if kept, err := readBundle(bundleFile(f.dir, "a.weir.test")); err != nil || !renewAt(kept).Equal(renewAt(now)) {
		t.Errorf("%v", err)
	}
	if soon := now.note.Renewal.RetryAfter; soon == nil || time.Until(*soon) < askAgain-time.Minute {
		t.Errorf("asked again at %v", soon)
	}
	if same, changed := f.refresh(f.settings.Load(), r, now); changed != nil || same != now {
		t.Error("asked again at once")
	}
}

// After a failure the staging twin has to give a certificate before the CA is asked.
func TestStagingFirst(t *testing.T) {
	p := newPebble(t, pebbleOptions{})
	twin := newPebble(t, pebbleOptions{twin: p})
	c := p.usual()
	c.CAs = []CA{{Name: "pebble", Directory: p.directory, Roots: both(p, twin), Staging: twin.directory}}
	f := newFront(t, p, t.TempDir(), c, "a.weir.test")
	f.get(t, "a.weir.test")
	if strings.Contains(twin.said(), "Issued certificate") {
		t.Error("the twin was asked before anything had failed")
	}
	a := &attempt{m: f.Manager, s: f.settings.Load(), name: "b.weir.test", failed: 1}
	if _, err := a.run(t.Context()); err != nil || !strings.Contains(twin.said(), "Issued certificate") {
		t.Errorf("%v, or without the twin", err)
	}
	twin.stop()
	issued := func() int { return strings.Count(p.said(), "Issued certificate") }
	eventually(t, "the CA's log", func() bool { return issued() >= 2 })
	before := issued()
	a = &attempt{m: f.Manager, s: f.settings.Load(), name: "c.weir.test", failed: 1}
	if _, err := a.run(t.Context()); err == nil || issued() != before {
		t.Errorf("%v, and the CA was asked", err)
	}
}

func both(p, q *pebble) *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(p.rootsPEM)
	pool.AppendCertsFromPEM(q.rootsPEM)
	return pool
}

// Two processes with one folder order one certificate.
func TestProcessesShareAFolder(t *testing.T) {
	p := newPebble(t, pebbleOptions{})
	dir, c := t.TempDir(), p.usual()
	c.Challenge, c.DNS = DNS01, RFC2136{Server: p.dns.address, KeyName: "weir-key", Secret: zoneSecret, Zone: "weir.test"}
	var list []*Manager
	for range 3 {
		m, _ := newQuiet(t, dir, c)
		list = append(list, m)
	}
	for _, m := range list {
		if err := m.Manage([]string{"a.weir.test"}); err != nil {
			t.Fatal(err)
		}
	}
	var serials []string
	for _, m := range list {
		eventually(t, "a certificate", func() bool { _, err := m.certificate("a.weir.test"); return err == nil })
		serials = append(serials, m.Status()[0].Serial)
	}
	if serials[0] != serials[1] || serials[1] != serials[2] {
		t.Errorf("serials %q", serials)
	}
	if p.dns.soas > 0 {
		t.Error("weir looked for a zone that it was told")
	}
	l, err := openLedger(dir, time.Now)
	if err != nil || len(l.entries["a.weir.test"].Orders) != 1 {
		t.Errorf("%+v, %v", l.entries["a.weir.test"], err)
	}
}

func TestNamesThatGo(t *testing.T) {
	c := Config{CAs: []CA{{Name: "none", Directory: "https://" + freeport.Address(t) + "/dir"}}, Resolvers: []string{freeport.Address(t)}}
	m, _ := newQuiet(t, t.TempDir(), c)
	if err := m.Manage([]string{"a.weir.test", "b.weir.test"}); err != nil {
		t.Fatal(err)
	}
	if err := m.Manage([]string{"b.weir.test"}); err != nil {
		t.Fatal(err)
	}
	if s := m.Status(); len(s) != 1 || s[0].Names[0] != "b.weir.test" {
		t.Errorf("%+v", s)
	}
	if err := m.Manage([]string{"a b"}); err == nil {
		t.Error("managed what is no name")
	}
	if _, err := m.certificate("a.weir.test"); !errors.Is(err, ErrNoName) {
		t.Errorf("%v", err)
	}
	// Closing does not wait for an answer from anybody.
	begun := time.Now()
	m.Close()
	if d := time.Since(begun); d > 5*time.Second {
		t.Errorf("closed after %v", d)
	}
}

func TestStatusOfOthers(t *testing.T) {
	authority := newCA(t)
	f, err := NewFiles(write(t, t.TempDir(), authority.leaf(t, nil, "a.example", "192.0.2.1")))
	if err != nil {
		t.Fatal(err)
	}
	s := f.Status(time.Now())
	if s.Kind != "files" || strings.Join(s.Names, " ") != "a.example 192.0.2.1" || s.Problem != "" || s.Issuer != t.Name() {
		t.Errorf("%+v", s)
	}
	a := newAuthority(t, t.TempDir())
	for _, n := range []string{"b.internal", "a.internal"} {
		if _, err := a.leaf(n); err != nil {
			t.Fatal(err)
		}
	}
	if list := a.Status(); len(list) != 2 || list[0].Names[0] != "a.internal" || list[0].Kind != "internal" {
		t.Errorf("%+v", list)
	}
}
