package poll

import (
	"math/bits"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"weir/internal/clock"
)

// A wheel wakes connections whose deadline has passed. It has two rings of slots: one of 64 ticks
// (about a second) and one of 256 seconds; what lies further ahead waits in the outer ring and is put
// in again. Deadlines move much more often than they pass, so a connection stays in its slot while its
// deadline moves away, and is looked at, and put in again, when the slot's time comes.
type wheel struct {
	mu    sync.Mutex // protects all below, and the wheel links of the connections
	near  ring
	far   ring
	due   int64 // when timer fires; 0: not set
	timer *time.Timer

	fired atomic.Int64 // when slots were emptied last; set before what was in them is woken
}

type ring struct {
	tick  int64
	slots []*sock
	used  [4]uint64 // a bit for each slot that has entries
	done  int64     // the last tick whose slot was emptied
}

func (w *wheel) init() {
	now := clock.Now()
	w.near = ring{tick: int64(Tick), slots: make([]*sock, 64), done: now / int64(Tick)}
	w.far = ring{tick: int64(time.Second), slots: make([]*sock, 256), done: now / int64(time.Second)}
	w.timer = time.AfterFunc(time.Hour, w.fire)
	w.timer.Stop()
}

// put has s looked at at time t or soon after, unless it is looked at earlier anyway.
func (w *wheel) put(s *sock, t int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if at := s.lookAt.Load(); at != 0 {
		if at <= t {
			return
		}
		w.remove(s)
	}
	w.insert(s, t, clock.Now())
}

// drop forgets s for good.
func (w *wheel) drop(s *sock) {
	if s.lookAt.Load() == 0 {
		return
	}
	w.mu.Lock()
	if s.lookAt.Load() != 0 {
		w.remove(s)
	}
	w.mu.Unlock()
}

func (w *wheel) insert(s *sock, t, now int64) {
	r, at := &w.near, t/w.near.tick+1
	if t-now >= int64(len(w.near.slots)-2)*w.near.tick {
		r, at = &w.far, t/w.far.tick // before it is due: then it comes into the inner ring
	}
	at = max(at, r.done+1, now/r.tick+1)
	at = min(at, now/r.tick+int64(len(r.slots))-2)
	r.link(s, at)
	w.schedule(at*r.tick, now)
}

func (w *wheel) schedule(t, now int64) {
	if w.due == 0 || t < w.due {
		w.due = t
		w.timer.Reset(time.Duration(t - now))
	}
}

func (w *wheel) remove(s *sock) {
	r := &w.near
	if s.inFar {
		r = &w.far
	}
	r.unlink(s)
}

// fire empties the slots whose time has come and wakes what is due.
func (w *wheel) fire() {
	now := clock.Now()
	w.mu.Lock()
	w.due = 0
	w.fired.Store(now)
	due := w.near.take(now, w.far.take(now, nil))
	w.mu.Unlock()
	for i, s := range due {
		if i%begunAtOnce == begunAtOnce-1 {
			runtime.Gosched() // thousands may be due at once: workers that have done with some take others
		}
		s.expire(now)
	}
	w.mu.Lock()
	if t := min(w.near.next(), w.far.next()); t != never {
		w.schedule(t, clock.Now())
	}
	w.mu.Unlock()
}

const never = int64(1<<63 - 1)

func (r *ring) link(s *sock, at int64) {
	i := int(at) & (len(r.slots) - 1)
	s.wheelPrev, s.wheelNext = nil, r.slots[i]
	if s.wheelNext != nil {
		s.wheelNext.wheelPrev = s
	}
	r.slots[i] = s
	r.used[i>>6] |= 1 << (i & 63)
	s.slot, s.inFar = uint8(i), len(r.slots) == 256
	s.lookAt.Store(at * r.tick)
}

func (r *ring) unlink(s *sock) {
	if s.wheelNext != nil {
		s.wheelNext.wheelPrev = s.wheelPrev
	}
	if s.wheelPrev != nil {
		s.wheelPrev.wheelNext = s.wheelNext
	} else {
		r.slots[s.slot] = s.wheelNext
		if s.wheelNext == nil {
			r.used[s.slot>>6] &^= 1 << (s.slot & 63)
		}
	}
	s.wheelNext, s.wheelPrev = nil, nil
	s.lookAt.Store(0)
}

// take unlinks everything up to now and appends it to due.
func (r *ring) take(now int64, due []*sock) []*sock {
	last := now / r.tick
	for at := max(r.done+1, last-int64(len(r.slots))+1); at <= last; at++ {
		i := int(at) & (len(r.slots) - 1)
		for s := r.slots[i]; s != nil; s = r.slots[i] {
			r.unlink(s)
			due = append(due, s)
		}
	}
	r.done = max(r.done, last)
	return due
}

// next returns the time of the first slot in use, or never.
func (r *ring) next() int64 {
	n := len(r.slots)
	for k := 1; k <= n; {
		i := int(r.done+int64(k)) & (n - 1)
		if rest := r.used[i>>6] >> (i & 63); rest != 0 {
			return (r.done + int64(k+bits.TrailingZeros64(rest))) * r.tick
		}
		k += 64 - i&63
	}
	return never
}
