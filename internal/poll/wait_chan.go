//go:build linux && (race || !go1.26 || go1.27)

package poll

import (
	"sync"
	"sync/atomic"
)

// A waitWord joins one waiting goroutine with the poller, for one direction of one connection. It is
//
//	nil    nothing has happened, nobody waits
//	ready  something happened while nobody waited
//	idle   nobody waits; the connection's task is to be run when something happens
//	other  the parker of the goroutine that waits
//
// It is the protocol of the runtime's own pollDesc. Whoever swaps a parker or idle out has the right,
// and the duty, to wake it. This is the form for the race detector, which sees channels, and for
// versions of Go whose scheduler wait_park.go has not been tried with.
type waitWord struct{ v atomic.Pointer[parker] }

// A parker is where one goroutine sleeps until another wakes it.
type parker struct{ ch chan struct{} }

var parkers = sync.Pool{New: func() any { return &parker{ch: make(chan struct{}, 1)} }}

var wordReady, wordIdle = new(parker), new(parker)

// isReady reports whether something has happened that nobody has taken note of.
func (w *waitWord) isReady() bool { return w.v.Load() == wordReady }

// takeReady clears the ready mark; it is done before the system call whose EAGAIN is to be believed.
func (w *waitWord) takeReady() bool {
	return w.v.Load() == wordReady && w.v.CompareAndSwap(wordReady, nil)
}

// setIdle makes the word idle; false: something has happened, and is taken note of now.
func (w *waitWord) setIdle() bool {
	for {
		if w.takeReady() {
			return false
		}
		if w.v.CompareAndSwap(nil, wordIdle) {
			return true
		}
	}
}

// endIdle takes idle back; false: somebody else has swapped it out.
func (w *waitWord) endIdle() bool { return w.v.CompareAndSwap(wordIdle, nil) }

// notify wakes whoever waits, or leaves the ready mark.
func (w *waitWord) notify() woken {
	for {
		old := w.v.Load()
		switch old {
		case wordReady:
			return wokeNobody
		case nil:
			if w.v.CompareAndSwap(nil, wordReady) {
				return wokeNobody
			}
		default:
			if w.v.CompareAndSwap(old, nil) {
				if old == wordIdle {
					return wokeTask
				}
				old.ch <- struct{}{}
				return wokeWaiter
			}
		}
	}
}

// wait sleeps until notify. stop, if not nil, is asked once the goroutine can be woken, so that what is set
// before a notify is never missed.
func (w *waitWord) wait(stop func() error) error {
	p := parkers.Get().(*parker)
	defer parkers.Put(p)
	for {
		if w.takeReady() {
			return nil
		}
		if w.v.CompareAndSwap(nil, p) {
			break
		}
	}
	if stop != nil {
		if err := stop(); err != nil && w.v.CompareAndSwap(p, nil) {
			return err
		}
	}
	<-p.ch
	return nil
}
