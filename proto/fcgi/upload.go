package fcgi

import (
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"weir"
	"weir/internal/clock"
	"weir/internal/poll"
)

// An upload carries a request body to the server on a goroutine of its own, while the exchange's goroutine waits for
// the answer, which may come before the body has gone.
type upload struct {
	u     *conn
	body  weir.Body
	head  [recordHead]byte
	done  chan struct{}              // closed when the upload has ended
	sent  bool                       // all of the body has gone; valid after done
	fault atomic.Pointer[weir.Fault] // what went wrong on the client's side
}

func (u *conn) startUpload(x *weir.Exchange) {
	x.Request.Touched = true
	up := &upload{u: u, body: x.Request.Body, done: make(chan struct{})}
	u.upload = up
	go up.run()
}

func (up *upload) run() {
	defer close(up.done)
	err := up.copy()
	if err == nil {
		_, err = up.u.Write(appendRecordHead(up.head[:0], typeStdin, 0))
		err = sink(err)
	}
	var far *poll.SinkError
	switch {
	case err == nil, errors.As(err, &far):
		up.sent = err == nil // if not, the server takes no more; it may have answered all the same
		if !up.u.headed.Load() {
			up.u.expectBy(clock.Now() + int64(up.u.firstByte))
		}
	default:
		up.fault.Store(weir.AsFault(err))
		up.u.Conn.Cancel()
	}
}

var copyBuffers = sync.Pool{New: func() any { return new(buffer) }}

func (up *upload) copy() error {
	if wt, ok := up.body.(io.WriterTo); ok {
		_, err := wt.WriteTo(up)
		return err
	}
	buf := copyBuffers.Get().(*buffer)
	defer copyBuffers.Put(buf)
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

// Write sends p to the server in records.
func (up *upload) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		part := p[:min(len(p), maxContent)]
		p = p[len(part):]
		up.u.SetWriteDeadline(clock.Now() + int64(up.u.stall))
		if err := up.u.WriteBuffers(appendRecordHead(up.head[:0], typeStdin, len(part)), part, nil); err != nil {
			return 0, sink(err)
		}
	}
	return n, nil
}

func sink(err error) error {
	if err == nil {
		return nil
	}
	return &poll.SinkError{Err: err}
}

// How long an upload is waited for when the answer has come whole, in case its last bytes are on their way, and how often
// one that is broken off is woken.
const (
	lastBytesGrace = 5 * time.Millisecond
	wakeEvery      = 10 * time.Millisecond
)

// joinUpload waits for the upload's end and reports whether the whole body has gone. stop: break it off.
func (u *conn) joinUpload(stop bool) bool {
	up := u.upload
	if up == nil {
		return true
	}
	wait := lastBytesGrace
	if stop {
		wait = 0
	}
	for !up.endsWithin(wait) {
		u.Conn.Cancel()
		up.body.Close()
		wait = wakeEvery // whoever was just about to wait has set a deadline of his own
	}
	u.upload = nil
	return up.sent
}

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
