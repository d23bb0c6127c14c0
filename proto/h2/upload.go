package h2

import (
	"errors"
	"sync"
	"time"

	"weir"
	"weir/internal/clock"
	"weir/internal/poll"
	"weir/proto/internal/ask"
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

func (s *upStream) startUpload(x *weir.Exchange, body weir.Body) {
	up := &upload{s: s, x: x, body: body, done: make(chan struct{})}
	s.upload = up
	if !x.Request.Expect {
		up.proceed()
		return
	}
	time.AfterFunc(ask.ContinueWait, up.proceed)
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
	err := ask.Copy(up, up.body)
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

// Write sends p to the server.
func (up *upload) Write(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if err := up.s.sender.send(p, false); err != nil {
		return 0, ask.Sink(err)
	}
	return len(p), nil
}

// WriteLast sends the last bytes of the body together with its end, unless a trailer follows.
func (up *upload) WriteLast(p []byte) error {
	if up.x.Request.Trailer() != nil {
		_, err := up.Write(p)
		return err
	}
	up.ended = true
	if err := up.s.sender.send(p, true); err != nil {
		return ask.Sink(err)
	}
	return nil
}

// finish sends the end of the body, and its trailer.
func (up *upload) finish() error {
	if up.ended {
		return nil
	}
	t := up.x.Request.Trailer()
	if t == nil {
		return up.WriteLast(nil)
	}
	if err := up.s.sendTrailer(appendFields(nil, t)); err != nil {
		return ask.Sink(err)
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

// join waits for the upload's end. One that has not ended soon is broken off, at once where the answer has not come whole.
func (up *upload) join() {
	up.never()
	s := up.s
	wait := time.Duration(0)
	s.c.mu.Lock()
	if s.remoteDone && !s.closed {
		wait = ask.UnknownGrace
	}
	s.c.mu.Unlock()
	for !ask.EndsWithin(up.done, wait) {
		s.c.mu.Lock()
		s.closed = true
		s.c.mu.Unlock()
		s.sender.nudge()
		up.body.Close()
		wait = ask.WakeEvery
	}
}
