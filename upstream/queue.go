package upstream

import (
	"sync"
	"sync/atomic"
	"time"

	"weir"
)

// A queue is where requests wait until a server has room. Who ends an exchange hands its place over
// to the first that waits, so that nobody who comes later can snatch it.
//
// waiting is what others look at: a place that becomes free while somebody is about to wait is seen
// by one of the two, because a waiter enters first and looks for room once more after that.
type queue struct {
	waiting atomic.Int32         // length of the list
	set     *atomic.Pointer[set] // memory.set

	mu          sync.Mutex // protects the list
	first, last *waiter
}

// A waiter is a request in the queue.
type waiter struct {
	next, prev *waiter
	want       *condition   // of the only server it waits for; nil: any
	avoid      []*condition // servers it has tried
	queued     bool         // guarded by queue.mu, as is the next
	got        *server      // the place it was given
	wakeup
}

// limits reports whether some server takes only so many exchanges at a time.
func (c *Config) limits() bool {
	if c.Queue.PerServer > 0 {
		return true
	}
	for _, s := range c.Servers {
		if s.MaxRequests > 0 {
			return true
		}
	}
	return false
}

// limitOf is the limit of one server; 0: none.
func (c *Config) limitOf(s Server) int64 {
	if s.MaxRequests > 0 {
		return int64(s.MaxRequests)
	}
	return int64(max(c.Queue.PerServer, 0))
}

// admit begins an exchange at the best server that has room, and waits for one where none has. A client
// with a sticky cookie waits for its own server, and goes to another one where that takes too long.
func (p *Pool) admit(x *weir.Exchange, set *set, key uint64) (*server, *weir.Fault) {
	want := p.keys.want(set, key)
	if p.mem.queue.waiting.Load() == 0 {
		if s, ok := set.servers[set.bal.first(key)].tryBegin(); ok {
			return s, nil
		}
		if want == nil {
			if s, _ := p.another(key, nil); s != nil {
				return s, nil
			}
		}
	}
	s, f := p.wait(x, &waiter{want: want})
	if f != nil && want != nil && f.Side == weir.SideUpstream {
		if s, _ := p.another(key, nil); s != nil {
			return s, nil
		}
	}
	return s, f
}

// wait waits in the queue.
func (p *Pool) wait(x *weir.Exchange, w *waiter) (*server, *weir.Fault) {
	q := &p.mem.queue
	w.c = make(chan struct{}, 1)
	if !q.enter(w, p.cfg.Queue.Length) {
		return nil, p.queueFault(weir.CauseQueueFull)
	}
	q.offer()
	t := time.NewTimer(p.cfg.Queue.Timeout)
	defer t.Stop()
	x.Watch(w)
	late := false
	select {
	case <-w.c:
	case <-t.C:
		late = true
	}
	x.Watch(nil)
	s, queued := q.leave(w)
	switch {
	case s != nil:
		return s, nil
	case late:
		return nil, p.queueFault(weir.CauseQueueTimeout)
	case queued:
		return nil, &weir.Fault{Op: "wait in the queue of upstream \"" + p.cfg.Name + "\"", Side: weir.SideClient, Cause: weir.CauseClientGone}
	}
	return nil, p.nobody()
}

// queueFault tells the client to come back when those who wait now will have been served.
func (p *Pool) queueFault(c weir.Cause) *weir.Fault {
	f := p.refuse(c)
	f.RetryAfter = max(1, int((p.cfg.Queue.Timeout+time.Second-1)/time.Second))
	return f
}

// enter puts w at the end, if there is a place.
func (q *queue) enter(w *waiter, length int) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if int(q.waiting.Load()) >= length {
		return false
	}
	w.queued, w.prev = true, q.last
	if q.last != nil {
		q.last.next = w
	} else {
		q.first = w
	}
	q.last = w
	q.waiting.Add(1)
	return true
}

// leave ends w's waiting. It returns the server that w was given, or whether it was still waiting.
func (q *queue) leave(w *waiter) (s *server, queued bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	queued = w.queued
	q.remove(w)
	return w.got, queued
}

// remove takes w out of the list. mu is held.
func (q *queue) remove(w *waiter) {
	if !w.queued {
		return
	}
	if w.prev != nil {
		w.prev.next = w.next
	} else {
		q.first = w.next
	}
	if w.next != nil {
		w.next.prev = w.prev
	} else {
		q.last = w.prev
	}
	w.queued, w.next, w.prev = false, nil, nil
	q.waiting.Add(-1)
}

// freed gives the place that has become free at s to the first that takes it.
func (q *queue) freed(s *server) {
	if q.set.Load().index[s.ep] == s {
		q.give(s)
	}
}

// give begins an exchange at s for the first that takes it, and reports whether there was room and
// somebody.
func (q *queue) give(s *server) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	for w := q.first; w != nil; w = w.next {
		if w.want != nil && w.want != s.cond || contains(w.avoid, s.cond) {
			continue
		}
		got, ok := s.tryBegin()
		if !ok {
			return false
		}
		w.got = got
		q.remove(w)
		w.Cancel()
		return true
	}
	return false
}

// offer hands out all the room there is. Where no server is left to wait for, those who wait are
// sent away; where the one that somebody insists on is not asked any more, any will do.
func (q *queue) offer() {
	if q.waiting.Load() == 0 {
		return
	}
	set := q.set.Load()
	q.release(set)
	for _, s := range set.servers {
		for q.give(s) {
		}
	}
}

// release looks through the list for those who wait for what will not come.
func (q *queue) release(set *set) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for w := q.first; w != nil; {
		next := w.next
		switch {
		case set.bal == nil, w.hasTriedAll(set):
			q.remove(w)
			w.Cancel()
		case w.want != nil && !set.has(w.want):
			w.want = nil
		}
		w = next
	}
}

// hasTriedAll reports whether there is no server left for w.
func (w *waiter) hasTriedAll(set *set) bool {
	if len(w.avoid) == 0 {
		return false
	}
	for _, s := range set.servers {
		if !contains(w.avoid, s.cond) {
			return false
		}
	}
	return true
}

// has reports whether a server in condition c is asked.
func (s *set) has(c *condition) bool {
	for _, m := range s.servers {
		if m.cond == c {
			return true
		}
	}
	return false
}
