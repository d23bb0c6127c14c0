package poll

import (
	"sync"
	"sync/atomic"
)

// A parker is where one goroutine sleeps until another wakes it.
type parker struct{ ch chan struct{} }

func (p *parker) park() { <-p.ch }
func (p *parker) wake() { p.ch <- struct{}{} }

var parkers = sync.Pool{New: func() any { return &parker{ch: make(chan struct{}, 1)} }}

// A waitWord joins one waiting goroutine with the poller, for one direction of one connection. It is
//
//	nil    nothing has happened, nobody waits
//	ready  something happened while nobody waited
//	idle   nobody waits; the connection's task is to be run when something happens
//	other  the parker of the goroutine that waits
//
// It is the protocol of the runtime's own pollDesc. Whoever swaps a parker or idle out has the right,
// and the duty, to wake it.
type waitWord struct{ atomic.Pointer[parker] }

var wordReady, wordIdle = new(parker), new(parker)

// takeReady clears the ready mark; it is done before the system call whose EAGAIN is to be believed.
func (w *waitWord) takeReady() bool {
	return w.Load() == wordReady && w.CompareAndSwap(wordReady, nil)
}

// notify wakes whoever waits, or leaves the ready mark. It reports whether the idle task is to be run.
func (w *waitWord) notify() (runTask bool) {
	for {
		old := w.Load()
		switch old {
		case wordReady:
			return false
		case nil:
			if w.CompareAndSwap(nil, wordReady) {
				return false
			}
		default:
			if w.CompareAndSwap(old, nil) {
				if old == wordIdle {
					return true
				}
				old.wake()
				return false
			}
		}
	}
}

// wait sleeps until notify; stop is asked once the goroutine can be woken, so that what is set before
// a notify is never missed.
func (w *waitWord) wait(stop func() error) error {
	p := parkers.Get().(*parker)
	defer parkers.Put(p)
	for {
		if w.takeReady() {
			return nil
		}
		if w.CompareAndSwap(nil, p) {
			break
		}
	}
	if err := stop(); err != nil && w.CompareAndSwap(p, nil) {
		return err
	}
	p.park()
	return nil
}
