package h2

import (
	"errors"
	"io"
	"sync"
	"time"

	"weir"
	"weir/internal/clock"
	"weir/internal/poll"
)

// An upload carries a request body to the server on a goroutine of its own, while the exchange's goroutine waits for the
// answer, which may come before the body has gone.
type upload struct {
	s       *upStream
	x       *weir.Exchange
	body    weir.Body
	started sync.Once
	ended   bool          // the end of the stream has been sent
	done    chan struct{} // closed when the upload has ended
}

// continueWait is how long a server that was sent Expect is waited for before the body goes out anyway (RFC 9110, section
// 10.1.1).
const continueWait = time.Second

func (s *upStream) startUpload(x *weir.Exchange, body weir.Body) {
	up := &upload{s: s, x: x, body: body, done: make(chan struct{})}
	s.upload = up
	if !x.Request.Expect {
		up.proceed()
		return
	}
	time.AfterFunc(continueWait, up.proceed)
}

// proceed lets the body go.
func (up *upload) proceed() {
	up.started.Do(func() { up.x.Request.Touched = true; up.s.c.Start(up) })
}

// never keeps a body that has not gone yet from going.
func (up *upload) never() { up.started.Do(func() { close(up.done) }) }

// tooLate keeps a body from going that the server has refused before it asked for it.
func (up *upload) tooLate(status int) {
	if status >= 300 {
		up.never()
	}
}

// Run implements poll.Task.
func (up *upload) Run(*poll.Worker) {
	defer close(up.done)
	s := up.s
	s.c.mu.Lock()
	if s.due = (upDeadline{}); s.deadline != 0 { // the time to the first byte begins when the body has gone
		s.await(s.deadline)
	}
	s.c.mu.Unlock()
	err := up.copy()
	if err == nil {
		err = up.finish()
	}
	var sink *poll.SinkError
	s.c.mu.Lock()
	if err == nil || errors.As(err, &sink) { // where the server takes no more, it may have answered all the same
		up.answerDue()
	} else {
		s.sender.fault = weir.AsFault(err)
		s.nudge()
	}
	s.c.unlock()
}

// answerDue begins the time to the first byte. mu is held.
func (up *upload) answerDue() {
	if s := up.s; !s.headDone {
		s.await(clock.Now() + s.firstByte)
	}
}

func (up *upload) copy() error {
	if wt, ok := up.body.(io.WriterTo); ok {
		_, err := wt.WriteTo(up)
		return err
	}
	buf := upCopies.Get().(*[upPiece]byte)
	defer upCopies.Put(buf)
	for {
		n, err := up.body.Read(buf[:])
		if werr := up.pass(buf[:n], err == io.EOF); werr != nil {
			return werr
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

var upCopies = sync.Pool{New: func() any { return new([upPiece]byte) }}

func (up *upload) pass(p []byte, last bool) error {
	if last {
		return up.WriteLast(p)
	}
	_, err := up.Write(p)
	return err
}

// Write sends p to the server.
func (up *upload) Write(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if err := up.s.sender.send(p, false); err != nil {
		return 0, &poll.SinkError{Err: err}
	}
	return len(p), nil
}

// WriteLast sends the last bytes of the body together with its end, unless a trailer follows.
func (up *upload) WriteLast(p []byte) error {
	if t := up.body.Trailer(); t != nil && t.Len() > 0 {
		_, err := up.Write(p)
		return err
	}
	up.ended = true
	if err := up.s.sender.send(p, true); err != nil {
		return &poll.SinkError{Err: err}
	}
	return nil
}

// finish sends the end of the body, and its trailer.
func (up *upload) finish() error {
	t := up.body.Trailer()
	switch {
	case up.ended:
		return nil
	case t == nil || t.Len() == 0:
		return up.WriteLast(nil)
	}
	if err := up.s.sendTrailer(appendFields(nil, t)); err != nil {
		return &poll.SinkError{Err: err}
	}
	return nil
}

// sendTrailer ends the request with a field section.
func (s *upStream) sendTrailer(block []byte) error {
	c := s.c
	c.mu.Lock()
	if err := s.sender.stopped(); err != nil {
		c.unlock()
		return err
	}
	c.appendSection(s.id, true, block)
	s.localDone = true
	s.leaveIfDone()
	c.send()
	return nil
}

// How long an upload is waited for when the answer has come whole, since its end may not have been seen yet; and how long
// before one that does not stop is told so again.
const (
	uploadGrace = 5 * time.Millisecond
	uploadAgain = 10 * time.Millisecond
)

// join waits for the upload's end. One that has not ended soon is broken off, at once where the answer has not come whole.
func (up *upload) join() {
	up.never()
	s := up.s
	wait := time.Duration(0)
	s.c.mu.Lock()
	if s.remoteDone && !s.closed {
		wait = uploadGrace
	}
	s.c.mu.Unlock()
	for !up.endsWithin(wait) {
		s.c.mu.Lock()
		s.closed = true
		s.c.mu.Unlock()
		s.sender.nudge()
		up.body.Close()
		wait = uploadAgain
	}
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
