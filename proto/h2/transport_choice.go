package h2

import (
	"errors"
	"time"

	"weir"
	"weir/internal/clock"
)

// An upWaiter is an exchange that waits for room on a connection. Whoever makes room gives it to the first that waits.
type upWaiter struct {
	wake    chan struct{} // there is news
	shard   int
	content bool // there is a body to send
	avoid   *upConn

	next, prev *upWaiter // protected by Transport.mu, like all below
	queued     bool
	conn       *upConn     // what it was given
	fault      *weir.Fault // why it is given nothing
}

// Cancel implements weir.Canceler: the client has gone.
func (w *upWaiter) Cancel() { upWake(w.wake) }

// upWake wakes who waits at c, or is about to.
func upWake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

var (
	errUpNoRoom = errors.New("every connection carries as many requests as it may")
	errUpQueue  = errors.New("too many requests wait for a connection")
)

// acquire returns a connection with room for x, which is kept for it: open or release must follow. It waits where there
// is no room. fresh: nobody has used the connection yet.
func (t *Transport) acquire(x *weir.Exchange, avoid *upConn) (c *upConn, fresh bool, f *weir.Fault) {
	shard, content := x.Conn.Shard, x.Request.Body != nil
	t.mu.Lock()
	if c := t.pick(shard, content, avoid); c != nil {
		fresh = c.reserve()
		warm := t.warm(c, shard)
		t.mu.Unlock()
		if warm {
			t.open(x)
		}
		return c, fresh, nil
	}
	if t.waiting >= t.cfg.Connections*t.cfg.Streams {
		t.mu.Unlock()
		return nil, false, t.fault(weir.CauseQueueFull, weir.RetryAlways, "wait for room at", errUpQueue)
	}
	w := &upWaiter{wake: make(chan struct{}, 1), shard: shard, content: content, avoid: avoid}
	t.enter(w)
	more := t.wantsMore()
	t.mu.Unlock()
	if more {
		t.open(x)
	}
	return t.wait(x, w)
}

// pick returns the connection for an exchange of that shard: one of its own poller before any other, and of those the
// one with the fewest streams. An exchange with content passes over one that takes none, unless there can be no other. mu
// is held.
func (t *Transport) pick(shard int, content bool, avoid *upConn) *upConn {
	var best, choked *upConn
	for _, c := range t.conns {
		if c == avoid || c.suspect || c.load >= c.limit {
			continue
		}
		if content && c.isChoked() {
			choked = c
			continue
		}
		if best == nil || (c.shard == shard) != (best.shard == shard) && c.shard == shard || (c.shard == shard) == (best.shard == shard) && c.load < best.load {
			best = c
		}
	}
	if best == nil && choked != nil && t.opening == 0 && (!t.canOpen() || t.isStuck()) {
		return choked
	}
	if best == nil && avoid != nil && !avoid.leaving && !avoid.suspect && avoid.load < avoid.limit && !t.canOpen() {
		return avoid
	}
	return best
}

// chokeTime is how long a connection may take no content at all before exchanges that have some go elsewhere: somebody
// else's upload, which the server does not read, may have filled the window that all of them share (RFC 9113, section
// 5.2.1).
const chokeTime = int64(50 * time.Millisecond)

// isChoked reports whether the server has taken no content on c for some time, though there is some.
func (c *upConn) isChoked() bool {
	since := c.choked.Load()
	return since != 0 && clock.Now()-since > chokeTime
}

// isStuck reports whether it is too early to try again to open a further connection. mu is held.
func (t *Transport) isStuck() bool { return t.stuck != 0 && clock.Now()-t.stuck < warmEvery }

// reserve takes a place on c. mu is held. It reports whether it is the first one.
func (c *upConn) reserve() (fresh bool) {
	fresh = !c.used
	c.used = true
	c.load++
	return fresh
}

func (t *Transport) canOpen() bool { return len(t.conns)+t.opening < t.cfg.Connections }

// wantsMore notes, where it returns true, that a connection is being opened for those who wait: those under way are too
// few for them. mu is held.
func (t *Transport) wantsMore() bool {
	if !t.canOpen() || t.waiting <= t.opening*t.cfg.Streams {
		return false
	}
	t.opening++
	return true
}

// warmEvery is how often at most a connection is opened for nobody.
const warmEvery = int64(time.Second)

// warm notes, where it returns true, that a connection is being opened on the poller of an exchange that has been given c,
// of another poller: those that follow need not wake the other core then. mu is held.
func (t *Transport) warm(c *upConn, shard int) bool {
	if c.shard == shard || t.closed || t.opening > 0 || !t.canOpen() || shard >= t.cfg.Group.Shards() {
		return false
	}
	now := clock.Now()
	if t.warmed != 0 && now-t.warmed < warmEvery {
		return false
	}
	t.warmed = now
	t.opening++
	return true
}

// open opens a connection for those who wait, on a goroutine of its own: no client takes the connection with it when it
// goes. Where that leaves some of them waiting, it opens another one.
func (t *Transport) open(x *weir.Exchange) {
	x = x.Clone()
	go func() {
		for more := true; more; {
			c, f := t.connect(x)
			t.mu.Lock()
			t.opening--
			if f == nil {
				f = t.admit(c)
			}
			if f != nil {
				t.failWaiters(f)
			} else {
				more = c.limit > 0 && t.wantsMore()
			}
			t.mu.Unlock()
			if c != nil {
				c.retireIfLeft()
			}
			more = more && f == nil
		}
	}()
}

// admit makes a connection one that takes streams. mu is held.
func (t *Transport) admit(c *upConn) *weir.Fault {
	if c.leaving {
		return t.fault(weir.CauseUpstreamClosed, weir.RetryAlways, "use the connection to", errUpNotBegun)
	}
	if !t.closed {
		t.conns = append(t.conns, c)
		t.grant()
		return nil
	}
	for w := t.first; w != nil && c.load < c.limit; w = t.first {
		t.give(w, c)
	}
	c.leaving = true
	return nil
}

// grant gives the room that there is to those who wait. mu is held.
func (t *Transport) grant() {
	for w := t.first; w != nil; w = t.first {
		c := t.pick(w.shard, w.content, w.avoid)
		if c == nil {
			return
		}
		t.give(w, c)
	}
}

func (t *Transport) give(w *upWaiter, c *upConn) {
	t.leave(w)
	c.reserve()
	w.conn = c
	upWake(w.wake)
}

// failWaiters tells those who wait that a connection could not be opened, where nothing else will give them room. mu is
// held.
func (t *Transport) failWaiters(f *weir.Fault) {
	if t.opening > 0 {
		return
	}
	if len(t.conns) > 0 {
		t.stuck = clock.Now()
		t.grant()
		return
	}
	for w := t.first; w != nil; w = t.first {
		t.leave(w)
		own := *f
		w.fault = &own
		upWake(w.wake)
	}
}

// wait waits in the queue until w is given something, at most as long as a connection may take.
func (t *Transport) wait(x *weir.Exchange, w *upWaiter) (*upConn, bool, *weir.Fault) {
	timer := time.NewTimer(t.connectTime(x.Route))
	defer timer.Stop()
	x.Watch(w)
	late := false
	select {
	case <-w.wake:
	case <-timer.C:
		late = true
	}
	x.Watch(nil)
	t.mu.Lock()
	t.leave(w)
	opening := len(t.conns) == 0
	t.mu.Unlock()
	switch {
	case w.conn != nil:
		return w.conn, false, nil
	case w.fault != nil:
		return nil, false, w.fault
	case !late:
		return nil, false, t.goneFault()
	case opening:
		return nil, false, t.fault(weir.CauseUpstreamConnectTimeout, weir.RetryAlways, "dial", errUpSilent)
	}
	return nil, false, t.fault(weir.CauseQueueTimeout, weir.RetryAlways, "wait for room at", errUpNoRoom)
}

// enter puts w at the end of the queue. mu is held.
func (t *Transport) enter(w *upWaiter) {
	w.queued, w.prev = true, t.last
	if t.last != nil {
		t.last.next = w
	} else {
		t.first = w
	}
	t.last = w
	t.waiting++
}

// leave takes w out of the queue, if it is in it. mu is held.
func (t *Transport) leave(w *upWaiter) {
	if !w.queued {
		return
	}
	if w.prev != nil {
		w.prev.next = w.next
	} else {
		t.first = w.next
	}
	if w.next != nil {
		w.next.prev = w.prev
	} else {
		t.last = w.prev
	}
	w.next, w.prev, w.queued = nil, nil, false
	t.waiting--
}

// release gives n places on c back.
func (t *Transport) release(c *upConn, n int) {
	t.mu.Lock()
	c.load -= n
	if t.first != nil {
		t.grant()
	}
	empty := c.leaving && c.load == 0
	t.mu.Unlock()
	if empty {
		c.retire()
	}
}

// remove takes c out of those that take new streams. Those who waited for room on it get another one.
func (t *Transport) remove(c *upConn) {
	t.mu.Lock()
	t.unlist(c)
	more, shard := t.wantsMore(), 0
	if more {
		shard = t.first.shard
	}
	t.mu.Unlock()
	if more {
		t.open(&weir.Exchange{Conn: &weir.Conn{Shard: shard}})
	}
}

func (t *Transport) unlist(c *upConn) {
	c.leaving = true
	for i := range t.conns {
		if t.conns[i] == c {
			t.conns = append(t.conns[:i], t.conns[i+1:]...)
			return
		}
	}
}

// setLimit takes in how many streams the server allows on c.
func (t *Transport) setLimit(c *upConn, streams uint32) {
	t.mu.Lock()
	c.limit = int(min(streams, uint32(t.cfg.Streams)))
	t.grant()
	t.mu.Unlock()
}

// setSuspect takes c out of the choice while it is not known to be alive.
func (t *Transport) setSuspect(c *upConn, suspect bool) {
	t.mu.Lock()
	c.suspect = suspect
	if !suspect {
		t.grant()
	}
	t.mu.Unlock()
}

// unused takes c out of those that take new streams where it carries none; false: it does.
func (t *Transport) unused(c *upConn) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if c.load > 0 || c.leaving {
		return false
	}
	t.unlist(c)
	return true
}
