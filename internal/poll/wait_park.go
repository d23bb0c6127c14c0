//go:build linux && !race && go1.26 && !go1.27

package poll

import (
	"sync/atomic"
	"unsafe"
)

// A waitWord joins one waiting goroutine with the poller, for one direction of one connection. It is
//
//	none   nothing has happened, nobody waits
//	ready  something happened while nobody waited
//	idle   nobody waits; the connection's task is to be run when something happens
//	other  the goroutine that is parked
//
// It is nearly the protocol, and it is the parking, of the runtime's own pollDesc: about 900 instructions a request
// cheaper than a channel, which wait_chan.go uses in its place. A goroutine's descriptor is never freed,
// so that its address may stand in a word the collector does not see.
type waitWord struct{ v atomic.Uintptr }

const (
	wordNone uintptr = iota
	wordReady
	wordIdle
)

// isReady reports whether something has happened that nobody has taken note of.
func (w *waitWord) isReady() bool { return w.v.Load() == wordReady }

// takeReady clears the ready mark; it is done before the system call whose EAGAIN is to be believed.
func (w *waitWord) takeReady() bool {
	return w.v.Load() == wordReady && w.v.CompareAndSwap(wordReady, wordNone)
}

// setIdle makes the word idle; false: something has happened, and is taken note of now.
func (w *waitWord) setIdle() bool {
	for {
		if w.v.CompareAndSwap(wordNone, wordIdle) {
			return true
		}
		if w.takeReady() {
			return false
		}
	}
}

// endIdle takes idle back; false: somebody else has swapped it out.
func (w *waitWord) endIdle() bool { return w.v.CompareAndSwap(wordIdle, wordNone) }

// notify wakes whoever waits, or leaves the ready mark.
func (w *waitWord) notify() woken {
	for {
		switch old := w.v.Load(); old {
		case wordReady:
			return wokeNobody
		case wordNone:
			if w.v.CompareAndSwap(wordNone, wordReady) {
				return wokeNobody
			}
		case wordIdle:
			if w.v.CompareAndSwap(old, wordNone) {
				return wokeTask
			}
		default:
			if w.v.CompareAndSwap(old, wordNone) {
				goready(old, 1)
				return wokeWaiter
			}
		}
	}
}

// wait sleeps until notify. stop, if not nil, is asked before: what is set before a notify is never missed, since one
// that comes after stop was asked leaves the ready mark, and with that the goroutine does not park.
func (w *waitWord) wait(stop func() error) error {
	if w.takeReady() {
		return nil
	}
	if stop != nil {
		if err := stop(); err != nil {
			return err
		}
	}
	gopark(commitPark, unsafe.Pointer(&w.v), waitReasonIOWait, traceBlockNet, 1)
	w.takeReady()
	return nil
}

// commitPark runs on the scheduler's stack once the goroutine gp counts as waiting. False, where the ready mark has been
// set: do not park.
//
//go:nosplit
func commitPark(gp uintptr, word unsafe.Pointer) bool {
	return atomic.CompareAndSwapUintptr((*uintptr)(word), wordNone, gp)
}

// Values of the runtime's own enumerations (runtime2.go, traceruntime.go).
const (
	waitReasonIOWait = 2
	traceBlockNet    = 2
)

//go:linkname gopark runtime.gopark
func gopark(unlock func(gp uintptr, lock unsafe.Pointer) bool, lock unsafe.Pointer, reason uint8, traceReason uint8, skip int)

//go:linkname goready runtime.goready
func goready(gp uintptr, skip int)
