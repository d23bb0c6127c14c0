package h3

import (
	"sync"
	"sync/atomic"
	"time"

	"weir"
	"weir/internal/clock"
	"weir/internal/poll"
	"weir/proto/internal/ask"
)

// An upload carries a request body to the server on a goroutine of its own, while the exchange's goroutine waits for the
// answer, which may come before the body has gone.
type upload struct {
	r       *round
	body    weir.Body
	framed  bool   // the header of the one DATA frame of a body of known length has gone
	out     []byte // framing
	started sync.Once
	done    chan struct{}              // closed when the upload has ended
	sent    bool                       // all of the body has gone; valid after done
	fault   atomic.Pointer[weir.Fault] // what went wrong on the client's side
}

func (r *round) startUpload() {
	up := &upload{r: r, body: r.x.Request.Body, done: make(chan struct{})}
	r.up = up
	if !r.x.Request.Expect {
		up.proceed()
		return
	}
	time.AfterFunc(ask.ContinueWait, up.proceed)
}

// proceed lets the body go.
func (up *upload) proceed() {
	up.started.Do(func() {
		up.r.x.Request.Touched = true
		up.r.expect(0) // the time to the first byte begins when the body has gone
		go up.run()
	})
}

// never keeps a body that has not gone yet from going.
func (up *upload) never() { up.started.Do(func() { close(up.done) }) }

func (up *upload) run() {
	defer close(up.done)
	err := ask.Copy(up, up.body)
	if err == nil {
		err = up.finish()
	}
	switch e := err.(type) {
	case nil:
		up.sent = true
	case *poll.SinkError: // the server takes no more; it may have answered all the same
	default:
		up.fault.Store(weir.AsFault(e))
		up.r.reset(codeRequestCancelled)
		return
	}
	up.r.expect(up.r.firstByte)
}

// Write sends p to the server.
func (up *upload) Write(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	str := up.r.str
	str.SetWriteDeadline(at(clock.Now() + int64(up.r.stall)))
	n := up.body.Len()
	if n < 0 {
		n = int64(len(p))
	} else if up.framed {
		n = -1
	}
	if up.framed = true; n >= 0 {
		up.out = appendFrame(up.out[:0], frameData, uint64(n))
		if _, err := str.Write(up.out); err != nil {
			return 0, ask.Sink(err)
		}
	}
	n2, err := str.Write(p)
	return n2, ask.Sink(err)
}

func (up *upload) finish() error {
	str := up.r.str
	if t := up.r.x.Request.Trailer(); t != nil {
		up.out = closeHeaders(appendFields(appendPrefix(openHeaders(up.out[:0])), t), 0)
		if _, err := str.Write(up.out); err != nil {
			return ask.Sink(err)
		}
	}
	return ask.Sink(str.Close())
}

// joinUpload waits for the upload's end and reports whether the whole body has gone. stop: break it off.
func (r *round) joinUpload(stop bool) bool {
	up := r.up
	if up == nil {
		return true
	}
	r.up = nil
	up.never()
	wait := ask.UnknownGrace
	if stop {
		wait = 0
	}
	for !ask.EndsWithin(up.done, wait) {
		r.str.CancelWrite(codeRequestCancelled.stream())
		up.body.Close()
		wait = ask.WakeEvery
	}
	return up.sent
}
