package fcgi

import (
	"errors"
	"sync/atomic"

	"weir"
	"weir/internal/clock"
	"weir/internal/poll"
	"weir/proto/internal/ask"
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
	err := ask.Copy(up, up.body)
	if err == nil {
		_, err = up.u.Write(appendRecordHead(up.head[:0], typeStdin, 0))
		err = ask.Sink(err)
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

// Write sends p to the server in records.
func (up *upload) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		part := p[:min(len(p), maxContent)]
		p = p[len(part):]
		up.u.SetWriteDeadline(clock.Now() + int64(up.u.stall))
		if err := up.u.WriteBuffers(appendRecordHead(up.head[:0], typeStdin, len(part)), part, nil); err != nil {
			return 0, ask.Sink(err)
		}
	}
	return n, nil
}

// joinUpload waits for the upload's end and reports whether the whole body has gone. stop: break it off.
func (u *conn) joinUpload(stop bool) bool {
	up := u.upload
	if up == nil {
		return true
	}
	wait := ask.UnknownGrace
	if stop {
		wait = 0
	}
	for !ask.EndsWithin(up.done, wait) {
		u.Conn.Cancel()
		up.body.Close()
		wait = ask.WakeEvery
	}
	u.upload = nil
	return up.sent
}
