package h2

import (
	"time"

	"weir/internal/clock"
)

// A waiter is where one goroutine of a stream sleeps until something changes for it. The conn's mutex protects it but for
// its channel and its timer.
type waiter struct {
	ch    chan struct{}
	timer *time.Timer
	next  *waiter // in a queue
	in    *queue  // which one; nil: none
}

func (w *waiter) init() {
	w.ch = make(chan struct{}, 1)
	w.timer = time.NewTimer(time.Hour)
	w.timer.Stop()
}

// wake lets the waiter go on, or not begin to wait.
func (w *waiter) wake() {
	select {
	case w.ch <- struct{}{}:
	default:
	}
}

// wait sleeps until wake, or d has passed, and returns how long it was. c.mu is held, but not meanwhile. Who is woken
// looks himself whether what he waits for has happened.
func (w *waiter) wait(c *conn, d time.Duration) time.Duration {
	began := clock.Now()
	c.mu.Unlock()
	if d > 0 {
		w.timer.Reset(d)
		select {
		case <-w.ch:
			w.timer.Stop()
		case <-w.timer.C:
		}
	}
	c.mu.Lock()
	return time.Duration(clock.Now() - began)
}

// A queue is waiters in the order in which they came.
type queue struct{ first, last *waiter }

func (q *queue) empty() bool { return q.first == nil }

// add puts w at the end, if it is in no queue.
func (q *queue) add(w *waiter) {
	if w.in != nil {
		return
	}
	w.in = q
	if q.last == nil {
		q.first = w
	} else {
		q.last.next = w
	}
	q.last = w
}

// remove takes w out, wherever in its queue it is.
func (w *waiter) remove() {
	q := w.in
	if q == nil {
		return
	}
	var before *waiter
	for at := q.first; at != w; at = at.next {
		before = at
	}
	if before == nil {
		q.first = w.next
	} else {
		before.next = w.next
	}
	if q.last == w {
		q.last = before
	}
	w.next, w.in = nil, nil
}

// wakeFirst lets the first one look; it stays in the queue until it takes itself out.
func (q *queue) wakeFirst() {
	if q.first != nil {
		q.first.wake()
	}
}

// wakeAll empties the queue and lets all of them look.
func (q *queue) wakeAll() {
	for q.first != nil {
		w := q.first
		w.remove()
		w.wake()
	}
}
