package h3

import (
	"io"
	"sync"
	"sync/atomic"
	"time"

	"weir"
	"weir/internal/clock"
)

// An upload carries a request body to the server on a goroutine of its own, while the exchange's goroutine waits for the
// answer, which may come before the body has gone.
type upload struct {
	r       *round
	body    weir.Body
	framed  bool          // the header of the one DATA frame of a body of known length has gone
	out     []byte        // framing
	start   chan struct{} // closed when the server wants the body, or it is not worth waiting any longer
	started sync.Once
	done    chan struct{}              // closed when the upload has ended
	sent    bool                       // all of the body has gone; valid after done
	fault   atomic.Pointer[weir.Fault] // what went wrong on the client's side
}

// continueWait is how long a server that was sent Expect is waited for before the body goes out anyway
// (RFC 9110, section 10.1.1).
const continueWait = time.Second

func (r *round) startUpload() {
	up := &upload{r: r, body: r.x.Request.Body, start: make(chan struct{}), done: make(chan struct{})}
	r.up = up
	if !r.x.Request.Expect {
		r.str.SetReadDeadline(time.Time{}) // the time to the first byte begins when the body has gone
		up.proceed()
		return
	}
	time.AfterFunc(continueWait, up.proceed)
}

// proceed lets the body go.
func (up *upload) proceed() {
	up.started.Do(func() {
		up.r.x.Request.Touched = true
		up.r.str.SetReadDeadline(time.Time{})
		close(up.start)
		go up.run()
	})
}

// never keeps a body that has not gone yet from going.
func (up *upload) never() { up.started.Do(func() { close(up.start); close(up.done) }) }

func (up *upload) run() {
	defer close(up.done)
	err := up.copy()
	if err == nil {
		err = up.finish()
	}
	switch e := err.(type) {
	case nil:
		up.sent = true
	case *sinkError: // the server takes no more; it may have answered all the same
	default:
		up.fault.Store(weir.AsFault(e))
		up.r.reset(codeRequestCancelled)
		return
	}
	up.r.str.SetReadDeadline(at(clock.Now() + int64(up.r.firstByte)))
}

// A sinkError is one of the side that is written to.
type sinkError struct{ err error }

// Error returns the error's text.
func (e *sinkError) Error() string { return e.err.Error() }

// Unwrap returns the error.
func (e *sinkError) Unwrap() error { return e.err }

func sink(err error) error {
	if err == nil {
		return nil
	}
	return &sinkError{err}
}

func (up *upload) copy() error {
	if wt, ok := up.body.(io.WriterTo); ok {
		_, err := wt.WriteTo(up)
		return err
	}
	buf := inputs.Get().(*[inputSize]byte)
	defer inputs.Put(buf)
	for {
		n, err := up.body.Read(buf[:])
		if n > 0 {
			if _, werr := up.Write(buf[:n]); werr != nil {
				return werr
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
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
			return 0, sink(err)
		}
	}
	n2, err := str.Write(p)
	return n2, sink(err)
}

func (up *upload) finish() error {
	str := up.r.str
	if t := up.body.Trailer(); t != nil {
		up.out = closeHeaders(appendFields(appendPrefix(openHeaders(up.out[:0])), t), 0)
		if _, err := str.Write(up.out); err != nil {
			return sink(err)
		}
	}
	return sink(str.Close())
}

// joinUpload waits for the upload's end and reports whether the whole body has gone. stop: break it off.
func (r *round) joinUpload(stop bool) bool {
	up := r.up
	if up == nil {
		return true
	}
	r.up = nil
	up.never()
	wait := lastBytesGrace
	if stop {
		wait = 0
	}
	for !up.endsWithin(wait) {
		r.str.CancelWrite(codeRequestCancelled.stream())
		up.body.Close()
		wait = wakeEvery
	}
	return up.sent
}

// How long an upload is waited for when the answer has come whole, because its end may not have been seen yet, and how
// often one is woken that was just about to wait when it was told to end.
const (
	lastBytesGrace = 5 * time.Millisecond
	wakeEvery      = 10 * time.Millisecond
)

// endsWithin reports whether the upload ends within d.
func (up *upload) endsWithin(d time.Duration) bool {
	select {
	case <-up.done:
		return true
	default:
	}
	if d <= 0 {
		return false
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-up.done:
		return true
	case <-timer.C:
		return false
	}
}
