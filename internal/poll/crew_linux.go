package poll

import (
	"sync"
	"time"
)

// A Worker is a goroutine that runs tasks of connections that woke. Workers are kept: their stacks have
// grown to what a task needs, and Local holds what the last task left for the next, such as buffers.
type Worker struct {
	Local any

	word waitWord
	task Task
	runs bool // it has a goroutine
	next *Worker
}

// A crew is the workers of one poller.
type crew struct {
	mu     sync.Mutex // protects all below
	free   *Worker    // sleeping ones, the last to fall asleep first
	nfree  int
	lowest int // the smallest nfree since the last trim: so many were not needed
	timer  *time.Timer
	closed bool
}

// Every trimEvery half of the workers that were not needed meanwhile go, down to trimTo.
const (
	trimEvery = 2 * time.Second
	trimTo    = 16
)

// run has t run on a worker.
func (p *poller) run(t Task) { p.start(p.hire(t)) }

// hire gives t to a worker that sleeps, or to a new one.
func (p *poller) hire(t Task) *Worker {
	w := p.crew.take()
	if w == nil {
		w = new(Worker)
	}
	w.task = t
	return w
}

// start has w run its task.
func (p *poller) start(w *Worker) {
	if w.runs {
		w.word.notify()
		return
	}
	w.runs = true
	go p.work(w)
}

// spare takes back a worker whose task is not to be run.
func (p *poller) spare(w *Worker) {
	w.task = nil
	if !p.crew.put(w) && w.runs {
		w.word.notify()
	}
}

func (p *poller) work(w *Worker) {
	for w.task != nil {
		t := w.task
		w.task = nil
		t.Run(w)
		if !p.crew.put(w) {
			return
		}
		w.word.wait(nil)
	}
}

func (c *crew) take() *Worker {
	c.mu.Lock()
	w := c.free
	if w != nil {
		c.free, w.next = w.next, nil
		if c.nfree--; c.nfree < c.lowest {
			c.lowest = c.nfree
		}
	}
	c.mu.Unlock()
	return w
}

// put takes w as a free worker. False: w is to end.
func (c *crew) put(w *Worker) bool {
	c.mu.Lock()
	stay := !c.closed
	if stay {
		c.keep(w)
	}
	c.mu.Unlock()
	return stay
}

// keep takes w as a free worker. mu is held.
func (c *crew) keep(w *Worker) {
	w.next, c.free = c.free, w
	if c.nfree++; c.nfree > trimTo && c.timer == nil {
		c.lowest = c.nfree
		c.timer = time.AfterFunc(trimEvery, c.trim)
	}
}

// trim lets workers go that nobody has needed for a while.
func (c *crew) trim() {
	c.mu.Lock()
	n := min((c.lowest+1)/2, c.nfree-trimTo)
	list := c.cut(n)
	c.lowest = c.nfree
	if c.nfree > trimTo && !c.closed {
		c.timer.Reset(trimEvery)
	} else {
		c.timer = nil
	}
	c.mu.Unlock()
	dismiss(list)
}

// cut takes n workers off the list.
func (c *crew) cut(n int) *Worker {
	var list *Worker
	for ; n > 0 && c.free != nil; n-- {
		w := c.free
		c.free, w.next = w.next, list
		list = w
		c.nfree--
	}
	return list
}

// dismiss wakes workers that have no task, which ends them.
func dismiss(list *Worker) {
	for w := list; w != nil; {
		next := w.next
		w.word.notify()
		w = next
	}
}

func (c *crew) close() {
	c.mu.Lock()
	c.closed = true
	list := c.cut(c.nfree)
	if c.timer != nil {
		c.timer.Stop()
	}
	c.mu.Unlock()
	dismiss(list)
}
