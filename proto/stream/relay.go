// Package stream relays bytes between two connections that have no messages to look at: upgraded HTTP
// connections and, later, TCP.
package stream

import (
	"io"
	"sync/atomic"
	"time"

	"weir/internal/clock"
	"weir/internal/poll"
)

// Relay carries bytes between a and b in both directions until both have ended, then closes both and
// calls done with the number of bytes that a sent and that b sent, and the error that ended it, if one did.
// early has been read from a already. An end of one side is passed on as such. When nothing has moved
// either way for idle, the relay ends with poll.ErrTimeout. It returns at once; a relay with nothing to
// carry holds no goroutine and no buffer.
func Relay(a, b poll.Conn, early []byte, idle time.Duration, done func(fromA, fromB int64, err error)) {
	r := &relay{idle: int64(idle), done: done}
	r.ab = flow{r: r, src: a, dst: b, early: early}
	r.ba = flow{r: r, src: b, dst: a}
	r.running.Store(2)
	r.last.Store(clock.Now())
	a.Start(&r.ab)
	b.Start(&r.ba)
}

type relay struct {
	ab, ba  flow
	idle    int64
	last    atomic.Int64 // when bytes last moved
	running atomic.Int32 // flows that have not ended
	err     atomic.Pointer[error]
	done    func(fromA, fromB int64, err error)
}

// A flow is one direction.
type flow struct {
	r        *relay
	src, dst poll.Conn
	early    []byte
	n        int64
}

const bufferSize = 32 << 10

// Run moves what there is, and gives the connection back to the poller.
func (f *flow) Run(*poll.Worker) {
	buf := buffers.get()
	err := f.move(buf[:])
	buffers.put(buf)
	if err != nil {
		f.end(err)
	}
}

func (f *flow) move(buf []byte) error {
	if len(f.early) > 0 {
		if err := f.pass(f.early); err != nil {
			return err
		}
		f.early = nil
	}
	for {
		n, err := f.src.TryRead(buf)
		switch {
		case err == nil:
			if err := f.pass(buf[:n]); err != nil {
				return err
			}
		case err == poll.ErrTimeout && !f.expired():
		case err != poll.ErrAgain:
			return err
		case f.sleep():
			return nil
		}
	}
}

func (f *flow) pass(p []byte) error {
	now := clock.Now()
	f.r.last.Store(now)
	f.n += int64(len(p))
	f.dst.SetWriteDeadline(f.r.by(now))
	_, err := f.dst.Write(p)
	return err
}

// by is when a connection that last moved at t has been silent too long.
func (r *relay) by(t int64) int64 {
	if r.idle <= 0 {
		return 0
	}
	return t + r.idle
}

// expired reports whether both directions have been silent, and moves the deadline where they have not.
func (f *flow) expired() bool {
	by := f.r.by(f.r.last.Load())
	if by != 0 && clock.Now() >= by {
		return true
	}
	f.src.SetReadDeadline(by)
	return false
}

func (f *flow) sleep() bool {
	f.src.SetReadDeadline(f.r.by(f.r.last.Load()))
	return f.src.Idle(f)
}

// end notes why the flow ended. The end of one side is handed on; anything else ends the other flow, too.
// The last one closes the connections.
func (f *flow) end(err error) {
	r := f.r
	if err == io.EOF {
		f.dst.CloseWrite()
	} else {
		r.err.CompareAndSwap(nil, &err)
	}
	if r.running.Add(-1) > 0 {
		if err != io.EOF {
			f.src.Cancel()
			f.dst.Cancel()
		}
		return
	}
	f.src.Close()
	f.dst.Close()
	var first error
	if p := r.err.Load(); p != nil {
		first = *p
	}
	r.done(r.ab.n, r.ba.n, first)
}
