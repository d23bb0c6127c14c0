package h1

import (
	"slices"
	"sync"
	"sync/atomic"
)

// An idleShard keeps the idle connections of one poller, the last one used on top. All methods may be called
// concurrently.
type idleShard struct {
	mu    sync.Mutex // protects what follows
	stack []*upConn
	spare int      // places taken for connections that have left since
	_     [64]byte // keeps the shards of two cores out of one cache line
}

// push puts u to sleep and keeps it. False: there is no place for it, or it has something to say.
func (s *idleShard) push(u *upConn, p *places) bool {
	s.mu.Lock()
	kept := s.room(p) && u.asleep()
	if kept {
		s.spare--
		s.stack = append(s.stack, u)
	}
	s.mu.Unlock()
	return kept
}

// room sees to it that a place is spare. mu is held.
func (s *idleShard) room(p *places) bool {
	if s.spare == 0 {
		s.spare = p.take()
	}
	return s.spare > 0
}

// pop takes the top connection, which may be awake by now; nil: there is none.
func (s *idleShard) pop(p *places) (u *upConn) {
	s.mu.Lock()
	if n := len(s.stack) - 1; n >= 0 {
		u = s.stack[n]
		s.stack[n] = nil
		s.stack = s.stack[:n]
		s.free(1, p)
	}
	s.mu.Unlock()
	return u
}

// remove forgets u if it is there.
func (s *idleShard) remove(u *upConn, p *places) {
	s.mu.Lock()
	if i := slices.Index(s.stack, u); i >= 0 {
		s.stack = slices.Delete(s.stack, i, i+1)
		s.free(1, p)
	}
	s.mu.Unlock()
}

// empty takes all.
func (s *idleShard) empty(p *places) []*upConn {
	s.mu.Lock()
	list := s.stack
	s.stack = nil
	s.free(len(list), p)
	s.mu.Unlock()
	return list
}

// free makes n places spare, and gives back what is more than is soon taken again. mu is held.
func (s *idleShard) free(n int, p *places) {
	if s.spare += n; s.spare > 2*p.batch {
		p.left.Add(int64(s.spare - p.batch))
		s.spare = p.batch
	}
}

func (s *idleShard) size() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.stack)
}

// places are how many more connections may be kept. The shards take them by the batch, so that they need not agree on
// each connection, and an upstream that is at its limit may keep less than that by an eighth.
type places struct {
	left  atomic.Int64
	batch int // 0: the limit is too small for batches
}

func (p *places) init(most, shards int) {
	p.left.Store(int64(max(most, 0)))
	p.batch = min(max(most, 0)/(16*shards), 16)
}

// take returns up to a batch of places; 0: there is none left.
func (p *places) take() int {
	for {
		have := p.left.Load()
		n := min(have, int64(max(p.batch, 1)))
		if n == 0 || p.left.CompareAndSwap(have, have-n) {
			return int(n)
		}
	}
}
