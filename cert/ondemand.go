package cert

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

const (
	// DefaultOnDemandPerMinute is how many new names clients may bring per minute.
	DefaultOnDemandPerMinute = 10

	// DefaultOnDemandNames is how many names that clients brought are kept in memory.
	DefaultOnDemandNames = 10_000

	// DefaultOnDemandWait bounds the wait of a handshake for a new certificate.
	DefaultOnDemandWait = 10 * time.Second

	// maxWaiting is how many handshakes wait for certificates at once, for each source.
	maxWaiting = 1000

	// Names that are not allowed are remembered for a while, so that who asks again and again does not have the rule be
	// asked as often.
	refusedTime = time.Minute
	maxRefused  = 10_000

	warnPause = time.Minute
)

// ErrNotAsked is for a rule that could not find out whether a name is allowed.
var ErrNotAsked = errors.New("cannot be asked")

// OnDemand says for which names, besides those of the configuration, a certificate is got when a client asks for
// it. Names come from anybody who can connect: Allow is what keeps the CA's limits from being used up.
type OnDemand struct {
	// Allow returns an error for names that no certificate is to be got for, [ErrNotAsked] where it could not find that
	// out. It is asked for a name that is new since the start, and again before a renewal. It should take less than a
	// second.
	Allow func(ctx context.Context, name string) error

	PerMinute int           // new names that are ordered, 0: DefaultOnDemandPerMinute
	Names     int           // in memory, 0: DefaultOnDemandNames; further ones are refused
	Wait      time.Duration // of a handshake for a new certificate, 0: DefaultOnDemandWait
}

// OnDemand is a source for any name that o allows, for an entry of wildcards or a default one. The names of the
// configuration are not its concern.
func (m *Manager) OnDemand(o OnDemand) (Source, error) {
	if o.Allow == nil {
		return nil, errors.New("certificates on demand need a rule that says which names are allowed")
	}
	if o.PerMinute <= 0 {
		o.PerMinute = DefaultOnDemandPerMinute
	}
	if o.Names <= 0 {
		o.Names = DefaultOnDemandNames
	}
	if o.Wait <= 0 {
		o.Wait = DefaultOnDemandWait
	}
	s := &demandSource{m: m, OnDemand: o, orders: bucket{size: o.PerMinute, refill: time.Minute}, refused: map[string]time.Time{}}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.demand = append(m.demand, s)
	return s, nil
}

type demandSource struct {
	m *Manager
	OnDemand
	waiting atomic.Int64
	warned  atomic.Int64 // when a warning was last logged, in nanoseconds of Unix time

	// Guarded by Manager.mu.

	orders  bucket
	refused map[string]time.Time // names that are not allowed, and until when that holds
	retired bool
}

// RetireOnDemand forgets the names that clients brought to sources other than these: their rule holds no longer. Their
// certificates stay on disk, where another source finds them if its rule allows them.
func (m *Manager) RetireOnDemand(except ...Source) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.demand = slices.DeleteFunc(m.demand, func(s *demandSource) bool {
		s.retired = !slices.Contains(except, Source(s))
		return s.retired
	})
	for _, r := range m.names {
		if r.by != nil && r.by.retired {
			m.forget(r, errNotManaged)
		}
	}
}

func (s *demandSource) challenge(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	return s.m.answers.tls(hello.ServerName), nil
}

func (s *demandSource) Certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	name, err := normalName(hello.ServerName)
	if err != nil || isAddress(name) || strings.HasPrefix(name, "*.") || !strings.Contains(name, ".") {
		return nil, noName(hello.ServerName)
	}
	if s.waiting.Add(1) > maxWaiting {
		s.waiting.Add(-1)
		return nil, fmt.Errorf("no certificate on demand for %q: %d handshakes wait for one already", name, maxWaiting)
	}
	defer s.waiting.Add(-1)
	ctx, cancel := context.WithTimeout(hello.Context(), s.Wait)
	defer cancel()
	r, err := s.record(ctx, name)
	if err != nil {
		return nil, err
	}
	if b := r.current.Load(); b != nil && s.m.now().Before(b.pair.Leaf.NotAfter) {
		return b.pair, nil
	}
	return s.await(ctx, r)
}

// record returns what is known of a name, after a look at the rule where it is new.
func (s *demandSource) record(ctx context.Context, name string) (*managed, error) {
	s.m.mu.RLock()
	r, until := s.m.names[name], s.refused[name]
	known := r != nil && (r.wanted || r.by == s)
	s.m.mu.RUnlock()
	if known {
		return r, nil
	}
	if s.m.now().Before(until) {
		return nil, fmt.Errorf("%w: %q is not allowed", ErrNoName, name)
	}
	if err := s.Allow(ctx, name); err != nil {
		return nil, s.denied(ctx, name, err)
	}
	r, err := s.admit(name)
	if err != nil && !errors.Is(err, ErrNoName) {
		s.warn(err)
	}
	return r, err
}

// denied is the error for a name that the rule does not allow. Where nobody has answered it is no verdict, and the next
// handshake asks again.
func (s *demandSource) denied(ctx context.Context, name string, err error) error {
	if errors.Is(err, ErrNotAsked) || ctx.Err() != nil {
		err = fmt.Errorf("no certificate on demand for %q: %w", name, err)
		s.warn(err)
		return err
	}
	s.refuse(name)
	s.m.log.Debug("no certificate on demand", "name", name, "error", err)
	return fmt.Errorf("%w: %q is not allowed: %w", ErrNoName, name, err)
}

// warn tells of what keeps names from certificates that may be wanted, once in a while: names come from anybody.
func (s *demandSource) warn(err error) {
	now := s.m.now()
	last := s.warned.Load()
	if now.UnixNano()-last < int64(warnPause) || !s.warned.CompareAndSwap(last, now.UnixNano()) {
		return
	}
	s.m.log.Warn("names without a certificate on demand", "error", err)
}

// refuse remembers that a name is not allowed.
func (s *demandSource) refuse(name string) {
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	if len(s.refused) >= maxRefused {
		clear(s.refused)
	}
	s.refused[name] = s.m.now().Add(refusedTime)
}

// admit makes a record for a new name.
func (s *demandSource) admit(name string) (*managed, error) {
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	if s.retired {
		return nil, noName(name)
	}
	if r := s.m.names[name]; r != nil {
		if !r.wanted {
			r.by, r.allow = s, s.Allow
		}
		return r, nil
	}
	if len(s.m.names) >= s.Names {
		return nil, fmt.Errorf("no certificate on demand for %q: there are %d names already", name, len(s.m.names))
	}
	r := &managed{name: name, allow: s.Allow, by: s}
	if !s.m.recall(r) && !s.orders.take(s.m.now()) {
		return nil, fmt.Errorf("no certificate on demand for %q: more than %d new names in a minute", name, s.PerMinute)
	}
	r.due = s.m.now()
	s.m.names[name] = r
	s.m.poke()
	return r, nil
}

// await waits for the attempt that is under way or due; one that failed is not waited for again.
func (s *demandSource) await(ctx context.Context, r *managed) (*tls.Certificate, error) {
	s.m.mu.Lock()
	if !r.busy && r.problem != nil && r.due.After(s.m.now()) {
		s.m.mu.Unlock()
		return nil, s.m.pending(r)
	}
	done := r.expect()
	s.m.mu.Unlock()
	if err := s.m.wait(ctx, r, done); err != nil {
		return nil, fmt.Errorf("no certificate for %q: %w", r.name, err)
	}
	return s.m.certificate(r.name)
}

// A bucket lets size things through per refill, all at once at most. It is guarded by its owner.
type bucket struct {
	size   int
	refill time.Duration
	left   float64
	last   time.Time
}

func (b *bucket) take(now time.Time) bool {
	if b.last.IsZero() {
		b.left = float64(b.size)
	} else {
		b.left = min(float64(b.size), b.left+float64(b.size)*now.Sub(b.last).Seconds()/b.refill.Seconds())
	}
	b.last = now
	if b.left < 1 {
		return false
	}
	b.left--
	return true
}
