// Package server is the part of weir that holds sockets: it listens, accepts connections, hands them to
// the protocol, and exchanges what they are served with without touching them.
//
// What is served is a [Snapshot]: immutable, made whole by package assemble, swapped in by [Server.Swap].
// A listener keeps its socket from one snapshot to the next as long as its address stays the same, and its
// connections do not notice. An exchange takes its handler and its observer once, with one atomic load, when
// its request begins, and keeps them to its end; a snapshot that nobody serves from any more is collected as
// any memory is.
//
// A listener is in one of these states:
//
//	opened --Swap--> serving --Swap without it, Drain--> draining --last connection ends--> gone
//
// Opened sockets queue connections in the kernel and accept none.
package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"sync"
	"sync/atomic"

	"weir/internal/poll"
)

// Config is what a server is made of.
type Config struct {
	Group *poll.Group  // whose pollers carry the connections; required
	Log   *slog.Logger // events; nil: none

	// Inherited are sockets that somebody else opened, such as systemd's. A listener that has the name or the
	// address of one of them takes it instead of opening its own.
	Inherited []Inherited

	// Bound, if not nil, is called once, when the first snapshot's sockets are open and before a connection
	// is accepted: the place to give up privileges.
	Bound func() error
}

// A Server serves the connections of its listeners from the current snapshot. All methods may be called
// concurrently.
type Server struct {
	config  Config
	current atomic.Pointer[Snapshot]

	mu        sync.Mutex // protects all below
	listeners []*listener
	leaving   []*listener // drain, because a snapshot came without them
	inherited []Inherited // not taken yet
	bound     bool
	stopped   bool
}

// New returns a server without listeners.
func New(c Config) *Server {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return &Server{config: c, inherited: slices.Clone(c.Inherited)}
}

// Snapshot returns the current snapshot; nil before the first Swap.
func (s *Server) Snapshot() *Snapshot { return s.current.Load() }

var errStopped = errors.New("the server is being stopped")

// Swap serves from next on: sockets that next wants and nobody has are opened, those that it does not want
// any more stop accepting and drain, all others stay as they are and only learn what is new. An error means
// that nothing has changed.
func (s *Server) Swap(next *Snapshot) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return errStopped
	}
	c, err := s.prepare(next)
	if err != nil {
		return err
	}
	if !s.bound && s.config.Bound != nil {
		if err := s.config.Bound(); err != nil {
			c.undo(s)
			return err
		}
	}
	s.bound = true
	return s.commit(next, c)
}

// A change is what Swap is about to do.
type change struct {
	next   []*listener // in the order of the snapshot
	opened []*listener // those of next that are new
	left   []*listener // those that next does not have
	taken  []Inherited // what stood in Server.inherited before
}

// prepare finds or opens a socket for each of the snapshot's listeners; s.mu is held.
func (s *Server) prepare(next *Snapshot) (*change, error) {
	c := &change{taken: s.inherited}
	have := map[string]*listener{}
	for _, l := range s.listeners {
		have[l.key] = l
	}
	var missing []*ListenerSpec
	for i := range next.Listeners {
		spec := &next.Listeners[i]
		if l := have[spec.key()]; l != nil {
			delete(have, spec.key())
			c.next = append(c.next, l)
			continue
		}
		c.next = append(c.next, nil)
		missing = append(missing, spec)
	}
	for _, l := range s.listeners {
		if have[l.key] != nil {
			c.left = append(c.left, l)
		}
	}
	return c, s.open(c, missing)
}

// open opens what is missing, and fails with all that can't be.
func (s *Server) open(c *change, missing []*ListenerSpec) error {
	var errs []error
	for _, spec := range missing {
		l, err := s.openOne(c, spec)
		if err != nil {
			errs = append(errs, fmt.Errorf("listener %q: %w", spec.Name, err))
			continue
		}
		c.opened = append(c.opened, l)
		c.next[slices.Index(c.next, nil)] = l
	}
	if err := errors.Join(errs...); err != nil {
		c.undo(s)
		return err
	}
	return nil
}

// undo closes what was opened for nothing; s.mu is held.
func (c *change) undo(s *Server) {
	for _, l := range c.opened {
		l.abandon()
	}
	s.inherited = c.taken
	for _, l := range c.left {
		l.resume(s)
	}
}

// commit makes the change; s.mu is held.
func (s *Server) commit(next *Snapshot, c *change) error {
	for _, l := range c.opened {
		l.configure(next, next.spec(l.key))
		if err := l.start(); err != nil {
			c.undo(s)
			return fmt.Errorf("listener %q: %w", l.name(), err)
		}
	}
	before := slices.Concat(c.left, s.leaving)
	for i, l := range c.next {
		l.configure(next, &next.Listeners[i], before...)
		l.adopt(next, &next.Listeners[i])
	}
	s.current.Store(next)
	s.listeners = c.next
	for _, l := range c.left {
		s.leave(l)
	}
	for _, l := range c.opened {
		s.config.Log.Info("listening", "listener", l.name(), "address", l.address(), "inherited", l.inherited)
	}
	return nil
}

// leave has a listener drain; s.mu is held.
func (s *Server) leave(l *listener) {
	s.config.Log.Info("listener leaves", "listener", l.name(), "address", l.address(), "connections", l.open.Load())
	s.leaving = append(s.leaving, l)
	l.drain()
	go func() {
		<-l.empty
		s.mu.Lock()
		defer s.mu.Unlock()
		s.leaving = slices.DeleteFunc(s.leaving, func(o *listener) bool { return o == l })
	}()
}

// Addr returns the address that a listener listens on, or nil: what port 0 became.
func (s *Server) Addr(name string) net.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.listeners {
		if l.name() == name {
			return l.source.Addr()
		}
	}
	return nil
}

// Listeners returns what there is to know of each listener, those that drain at the end.
func (s *Server) Listeners() []ListenerStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]ListenerStatus, 0, len(s.listeners)+len(s.leaving))
	for _, l := range s.listeners {
		out = append(out, l.status())
	}
	for _, l := range s.leaving {
		out = append(out, l.status())
	}
	return out
}

// Drain stops accepting, closes connections that are idle, and has the others close after the answer under
// way. It returns when there are no connections any more, or with ctx's error.
func (s *Server) Drain(ctx context.Context) error {
	for _, l := range s.stop() {
		select {
		case <-l.empty:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// Close stops accepting, breaks off all connections, and returns when they have ended or with ctx's error.
func (s *Server) Close(ctx context.Context) error {
	all := s.stop()
	for _, l := range all {
		l.closeConns()
	}
	return s.Drain(ctx)
}

// stop has every listener drain and returns them all.
func (s *Server) stop() []*listener {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopped = true
	for _, l := range s.listeners {
		l.drain()
	}
	return append(slices.Clone(s.listeners), s.leaving...)
}
