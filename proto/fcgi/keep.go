package fcgi

import (
	"slices"
	"sync"
	"time"

	"weir"
	"weir/internal/clock"
	"weir/internal/poll"
)

// A shelf keeps the idle connections of one poller, the last one used on top.
type shelf struct {
	mu    sync.Mutex // protects stack
	stack []*conn
	_     [64]byte // keeps the shelves of two cores out of one cache line
}

// Idle returns the number of kept connections.
func (t *Transport) Idle() int { return int(t.idle.Load()) }

// Close closes the kept connections; those under way are closed when their exchange ends.
func (t *Transport) Close() {
	t.closed.Store(true)
	for i := range t.shelves {
		for u := t.shelves[i].pop(); u != nil; u = t.shelves[i].pop() {
			t.idle.Add(-1)
			if u.Reclaim() {
				u.Conn.Close()
			}
		}
	}
}

// take returns a kept connection on which the server has said nothing meanwhile, or nil. It looks at the client's own
// poller first.
func (t *Transport) take(x *weir.Exchange) *conn {
	if t.idle.Load() == 0 {
		return nil
	}
	n := len(t.shelves)
	for i := range n {
		s := &t.shelves[(x.Conn.Shard+i)%n]
		for u := s.pop(); u != nil; u = s.pop() {
			t.idle.Add(-1)
			if !u.Reclaim() {
				continue
			}
			if u.Silent() {
				return u
			}
			u.Conn.Close()
		}
	}
	return nil
}

func (s *shelf) pop() *conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.stack)
	if n == 0 {
		return nil
	}
	u := s.stack[n-1]
	s.stack[n-1] = nil
	s.stack = s.stack[:n-1]
	return u
}

// put keeps a connection on which an exchange has ended well. Not one more is kept than may be: a process of the server
// waits for each.
func (t *Transport) put(u *conn) {
	if t.closed.Load() {
		u.Conn.Close()
		return
	}
	if t.idle.Add(1) > int64(t.cfg.KeepAlive) {
		t.idle.Add(-1)
		u.Conn.Close()
		return
	}
	s := &t.shelves[u.Shard()%len(t.shelves)]
	u.SetReadDeadline(clock.Now() + int64(t.cfg.KeepIdle))
	u.task = idle
	s.mu.Lock()
	kept := u.sleep()
	if kept {
		s.stack = append(s.stack, u)
	}
	s.mu.Unlock()
	switch {
	case !kept:
		t.idle.Add(-1)
		u.Conn.Close()
	case t.closed.Load():
		t.Close()
	}
}

// sleep gives the connection to the poller; false: something has come that nobody asked for.
func (u *conn) sleep() bool {
	if u.Idle(u) {
		return true
	}
	var one [1]byte
	_, err := u.TryRead(one[:])
	return err == poll.ErrAgain && u.Idle(u)
}

// A task is what a connection that woke does.
type task uint8

const (
	idle   task = iota // it is kept
	linger             // its answer is complete, and its request is not
)

// Run implements poll.Task.
func (u *conn) Run(*poll.Worker) {
	if u.task == linger {
		u.linger()
		return
	}
	u.lapse()
}

// lapse ends a kept connection: the server closed it, sent something unasked, or its time is over.
func (u *conn) lapse() {
	s := &u.t.shelves[u.Shard()%len(u.t.shelves)]
	s.mu.Lock()
	if i := slices.Index(s.stack, u); i >= 0 {
		s.stack = slices.Delete(s.stack, i, i+1)
		u.t.idle.Add(-1)
	}
	s.mu.Unlock()
	u.Conn.Close()
}

// lingerMost is how much a script may say after the end of its answer for the connection to be used again.
const lingerMost = 64 << 10

// finishLater has the connection, whose answer is complete, wait for the end of its request without a goroutine. A server
// that is silent for as long as it may be in the middle of an answer is given up.
func (u *conn) finishLater() {
	u.task, u.excess = linger, 0
	u.SetReadDeadline(clock.Now() + int64(min(u.stall, maxStall)))
	u.linger()
}

// linger uses up what has come, until the request has ended.
func (u *conn) linger() {
	for {
		span, err := u.take(lingerMost)
		u.excess += len(span)
		switch {
		case err == errMore && u.excess <= lingerMost:
			if !u.refill() {
				return
			}
		case err != nil, u.excess > lingerMost:
			u.end(err == errEnd)
			return
		}
	}
}

// refill reads what has come; false: nothing has, and the connection sleeps or has ended.
func (u *conn) refill() bool {
	u.grab()
	n, err := u.TryRead(u.room())
	if err == nil {
		u.w += n
		u.SetReadDeadline(clock.Now() + int64(min(u.stall, maxStall)))
		return true
	}
	u.releaseIfEmpty()
	if err == poll.ErrAgain && u.Idle(u) {
		return false
	}
	if err == poll.ErrAgain {
		return true
	}
	u.end(false)
	return false
}

// maxStall bounds the wait for the end of a request whose answer is complete.
const maxStall = 10 * time.Minute
