package h1

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"weir"
	"weir/internal/clock"
	"weir/internal/poll"
	"weir/proto/internal/ask"
)

// An upload carries a request body to the server on a goroutine of its own, while the exchange's
// goroutine waits for the answer, which may come before the body has gone.
type upload struct {
	u       *upConn
	x       *weir.Exchange
	body    weir.Body
	chunked bool
	out     []byte // framing that waits to be sent with the next bytes
	started sync.Once
	pace    poll.Pace                  // that the server has to keep
	done    chan struct{}              // closed when the upload has ended
	sent    bool                       // all of the body has gone; valid after done
	fault   atomic.Pointer[weir.Fault] // what went wrong on the client's side
}

func (u *upConn) startUpload(x *weir.Exchange) {
	up := &upload{u: u, x: x, body: x.Request.Body, done: make(chan struct{})}
	up.chunked = up.body.Len() < 0
	u.upload = up
	u.SetReadDeadline(0) // the time to the first byte begins when the body has gone
	if !x.Request.Expect {
		up.proceed()
		return
	}
	time.AfterFunc(ask.ContinueWait, up.proceed)
}

// proceed lets the body go.
func (up *upload) proceed() {
	up.started.Do(func() { up.x.Request.Touched = true; go up.run() })
}

// never keeps a body that has not gone yet from going.
func (up *upload) never() { up.started.Do(func() { close(up.done) }) }

func (up *upload) run() {
	defer close(up.done)
	up.pace = poll.Pace{Window: up.u.stall}
	up.u.SetWritePace(&up.pace)
	up.u.SetWriteDeadline(0)
	defer up.u.SetWritePace(nil)
	err := ask.Copy(up, up.body)
	if err == nil {
		err = up.finish()
	}
	var sink *poll.SinkError
	switch {
	case err == nil:
		up.sent = true
		up.u.SetReadDeadline(clock.Now() + int64(up.u.firstByte))
	case errors.As(err, &sink):
		// The server takes no more; it may have answered all the same.
		up.u.SetReadDeadline(clock.Now() + int64(up.u.firstByte))
	default:
		up.fault.Store(weir.AsFault(err))
		up.u.Conn.Cancel()
	}
}

// Write sends p to the server.
func (up *upload) Write(p []byte) (int, error) {
	if !up.chunked {
		n, err := up.u.Write(p)
		return n, ask.Sink(err)
	}
	up.out = appendChunkSize(up.out[:0], len(p))
	return len(p), ask.Sink(up.u.WriteBuffers(up.out, p, crlf))
}

func (up *upload) finish() error {
	if !up.chunked {
		return nil
	}
	up.out = append(up.out[:0], "0\r\n"...)
	if t := up.x.Request.Trailer(); t != nil {
		up.out = appendFields(up.out, t)
	}
	up.out = append(up.out, "\r\n"...)
	_, err := up.u.Write(up.out)
	return ask.Sink(err)
}

func (up *upload) spliceFrom(src poll.Conn, n int64, from poll.Pace) (int64, error) {
	if up.chunked {
		return 0, poll.ErrNoSplice
	}
	return up.u.Splice(src, n, from)
}

// joinUpload waits for the upload's end and reports whether the whole body has gone. stop: break it off.
func (u *upConn) joinUpload(stop bool) bool {
	up := u.upload
	if up == nil {
		return true
	}
	u.upload = nil
	up.never()
	wait := time.Duration(0)
	if !stop {
		wait = up.grace()
	}
	for !ask.EndsWithin(up.done, wait) {
		u.Conn.Cancel()
		up.body.Close()
		wait = ask.WakeEvery
	}
	return up.sent
}

// lastBytesGrace is how long an upload is waited for when the answer has come whole and its last bytes are on their way to
// the server.
const lastBytesGrace = time.Second

func (up *upload) grace() time.Duration {
	b, ours := up.body.(*requestBody)
	switch {
	case !ours:
		return ask.UnknownGrace
	case b.over.Load():
		return lastBytesGrace
	}
	return 0
}
