package cert

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// maxAttempts is how many names are worked on at once.
	maxAttempts = 8

	// closeWait is how long Close waits for attempts to end.
	closeWait = 10 * time.Second

	// maxPause is the longest time that a certificate is left alone.
	maxPause = 24 * time.Hour
)

// Manager gets certificates from public CAs by ACME and renews them. It keeps them, its accounts and a ledger of what
// it asked for in a folder. One manager lives as long as the process: a reload gives it another Config by Configure
// and other names by Manage, and nothing that it has is lost. It may be used concurrently.
//
//	wanted -> kept on disk? -> check -> ledger -> CA (the next one where it fails) -> kept -> renewed in time
//	             a failure: again after a minute, two, four ... six hours
type Manager struct {
	dir      string
	log      *slog.Logger
	now      func() time.Time
	settings atomic.Pointer[settings]
	answers  *answers
	ledger   *ledger
	locks    *locks

	ctx    context.Context
	cancel context.CancelFunc
	wake   chan struct{} // has one element where something is due anew
	ended  sync.WaitGroup

	issued, failed atomic.Uint64 // attempts since the start, by how they ended

	mu      sync.RWMutex // protects the rest
	names   map[string]*managed
	working int // names that are worked on
	demand  []*demandSource
}

// managed is a name and its certificate.
type managed struct {
	name    string
	current atomic.Pointer[bundle] // nil: none yet

	// Guarded by Manager.mu.

	// allow is asked before an attempt for a name that a client brought to by; nil: none.
	allow func(ctx context.Context, name string) error
	by    *demandSource

	wanted   bool // by the configuration; otherwise by clients
	due      time.Time
	busy     bool
	forced   bool          // a person wants a new one now
	failed   int           // attempts in a row
	problem  error         // of the last attempt
	finished chan struct{} // closed when the attempt under way ends; nil: none
}

// NewManager makes a manager that keeps its things in dir, usually state_dir/acme. It does nothing until there are
// names; it is ended by Close.
func NewManager(dir string, c Config, log *slog.Logger) (*Manager, error) {
	return newManager(dir, c, log, time.Now)
}

func newManager(dir string, c Config, log *slog.Logger, now func() time.Time) (*Manager, error) {
	l, err := openLedger(dir, now)
	if err != nil {
		return nil, err
	}
	m := &Manager{
		dir: dir, log: log, now: now, ledger: l, answers: newAnswers(), locks: newLocks(dir + "/locks"),
		wake: make(chan struct{}, 1), names: map[string]*managed{},
	}
	if err := m.Configure(c); err != nil {
		return nil, err
	}
	m.ctx, m.cancel = context.WithCancel(context.Background())
	m.ended.Go(m.run)
	return m, nil
}

// Configure changes how certificates are got from now on. Attempts under way end as they began. Where it is another
// configuration than before, names that failed are tried again at once.
func (m *Manager) Configure(c Config) error {
	s, err := newSettings(m.dir, c, m.log)
	if err != nil {
		return err
	}
	if old := m.settings.Swap(s); old != nil && old.fingerprint() != s.fingerprint() {
		m.retry()
	}
	return nil
}

// retry makes the names due that failed last time.
func (m *Manager) retry() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range m.names {
		if r.problem != nil {
			r.due, r.failed = m.now(), 0
		}
	}
	m.poke()
}

// Manage says which names the configuration wants: exact host names, wildcards and addresses. Others that it wanted
// before are left alone from now on, while their certificates stay on disk. What is on disk is read before Manage
// returns, so that listeners may begin at once.
func (m *Manager) Manage(names []string) error {
	wanted := map[string]bool{}
	for _, raw := range names {
		n, err := normalName(raw)
		if err != nil {
			return err
		}
		wanted[n] = true
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for n, r := range m.names {
		if r.wanted && !wanted[n] {
			m.forget(r, errNotManaged)
		}
	}
	for n := range wanted {
		r := m.names[n]
		if r == nil {
			r = m.enter(n)
		}
		if r.current.Load() == nil && m.recall(r) && !r.busy { // it may have been imported since
			r.due, r.failed, r.problem = m.now(), 0, nil
		}
		r.wanted, r.allow, r.by = true, nil, nil
	}
	m.poke()
	return nil
}

var errNotManaged = errors.New("the name is not managed any more")

// forget leaves a name alone from now on. mu is held.
func (m *Manager) forget(r *managed, why error) {
	delete(m.names, r.name)
	if r.finished != nil && !r.busy {
		r.problem = why
		close(r.finished)
		r.finished = nil
	}
}

// enter makes a record that is due at once. mu is held.
func (m *Manager) enter(name string) *managed {
	r := &managed{name: name, due: m.now()}
	m.names[name] = r
	return r
}

// recall reads what is kept of a name, and reports whether there is a certificate.
func (m *Manager) recall(r *managed) bool {
	b, err := readBundle(bundleFile(m.dir, r.name))
	if err == nil {
		r.current.Store(b)
		return true
	}
	if !errors.Is(err, fs.ErrNotExist) {
		m.log.Warn("certificate on disk cannot be used", "name", r.name, "error", err)
	}
	return false
}

// poke has the scheduler look again.
func (m *Manager) poke() {
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// Close ends the manager. Attempts under way are broken off, and records that were set for them deleted; it waits ten
// seconds for that at most. Handshakes still get what is there.
func (m *Manager) Close() {
	m.cancel()
	ended := make(chan struct{})
	go func() {
		m.ended.Wait()
		close(ended)
	}()
	late := time.NewTimer(closeWait)
	defer late.Stop()
	select {
	case <-ended:
	case <-late.C:
		m.log.Warn("an attempt to get a certificate does not end")
	}
}

// For is the source for some names, as an [Entry] has them. They have to be managed, too.
func (m *Manager) For(names ...string) (Source, error) {
	list, err := normalNames(names)
	if err != nil {
		return nil, err
	}
	return &managedSource{m, list}, nil
}

type managedSource struct {
	m     *Manager
	names []string
}

func (s *managedSource) Certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	return s.m.certificate(pickName(s.names, hello))
}

func (s *managedSource) challenge(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	return s.m.answers.tls(hello.ServerName), nil
}

// certificate returns what there is for a managed name.
func (m *Manager) certificate(name string) (*tls.Certificate, error) {
	m.mu.RLock()
	r := m.names[name]
	m.mu.RUnlock()
	if r == nil {
		return nil, noName(name)
	}
	if b := r.current.Load(); b != nil {
		return b.pair, nil
	}
	return nil, m.pending(r)
}

// pending says why there is no certificate.
func (m *Manager) pending(r *managed) error {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if r.problem == nil {
		return fmt.Errorf("no certificate for %q yet", r.name)
	}
	return fmt.Errorf("no certificate for %q yet: %w", r.name, r.problem)
}

// Challenge returns the answer to a CA that looks at http://host/path (HTTP-01, RFC 8555 8.3), to be sent as
// application/octet-stream with status 200. It is asked before anything else is done with a request, on plain HTTP;
// ok is false for everything that is no answer to a CA.
func (m *Manager) Challenge(host, path string) (body string, ok bool) {
	if !strings.HasPrefix(path, challengePath) {
		return "", false
	}
	return m.answers.http(host, path)
}

// Attempts returns how many times a certificate was got since the start, and how many times that failed at a CA or on
// the way to it.
func (m *Manager) Attempts() (issued, failed uint64) { return m.issued.Load(), m.failed.Load() }

// count counts an attempt. fresh is what it brought, old what there was before.
func (m *Manager) count(old, fresh *bundle, err error) {
	var wait *deferral
	switch {
	case errors.As(err, &wait) || m.ctx.Err() != nil: // nothing was asked for, or nobody wants to know any more
	case err != nil:
		m.failed.Add(1)
	case fresh != nil && (old == nil || !equalPairs(old.pair, fresh.pair)):
		m.issued.Add(1)
	}
}

// Renew gets a new certificate for a managed name now, whatever is left of the one before, and waits for it. Where an
// attempt is under way it waits for that one, and leaves it at what that brought: another certificate, or an error. The
// number of failures that CAs allow is kept to nevertheless.
func (m *Manager) Renew(ctx context.Context, name string) error {
	n, err := normalName(name)
	if err != nil {
		return err
	}
	var before *bundle
	for first := true; ; first = false {
		m.mu.Lock()
		r := m.names[n]
		if r == nil {
			m.mu.Unlock()
			return noName(name)
		}
		now := r.current.Load()
		if !first && now != nil && (before == nil || !equalPairs(before.pair, now.pair)) {
			m.mu.Unlock()
			return nil
		}
		before = now
		busy, done := r.busy, r.expect()
		if !busy {
			r.forced, r.due = true, m.now()
		}
		m.mu.Unlock()
		m.poke()
		if err := m.wait(ctx, r, done); err != nil || !busy {
			return err
		}
	}
}

// expect returns what is closed at the end of the next attempt. Manager.mu is held.
func (r *managed) expect() chan struct{} {
	if r.finished == nil {
		r.finished = make(chan struct{})
	}
	return r.finished
}

// wait waits for the end of an attempt and returns its error.
func (m *Manager) wait(ctx context.Context, r *managed, done <-chan struct{}) error {
	select {
	case <-done:
	case <-ctx.Done():
		return ctx.Err()
	case <-m.ctx.Done():
		return m.ctx.Err()
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	return r.problem
}
