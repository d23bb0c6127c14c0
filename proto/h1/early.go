package h1

import (
	"errors"

	"weir/internal/poll"
)

// An early is what the poller has done already of a connection's next exchange.
type early struct {
	polled bool  // it is at it, and has others to look after
	failed error // what reading has ended with
	head   bool  // the head has been read,
	err    error // with this result,
	parsed bool  // and made an exchange
}

// Receive implements poll.Stager. What is encrypted is left to Run: TLS may have something to write, too.
func (c *conn) Receive(on *poll.Worker) {
	if c.facts.TLS != nil {
		return
	}
	w := takeWork(c, on)
	n, err := c.TryRead(w.space())
	switch err {
	case nil:
		w.w += n
		c.touch()
	case poll.ErrAgain, poll.ErrTimeout: // as it will be found again
	default:
		w.early.failed = err
	}
}

// Prepare implements poll.Stager.
func (c *conn) Prepare(on *poll.Worker) bool {
	w, ok := on.Local.(*work)
	if !ok || w.conn != c {
		return true
	}
	w.early.polled = true
	err := w.readHead(true)
	w.early.polled, w.early.failed = false, nil
	switch err {
	case errAsleep:
		w.release()
		return false
	case errMore:
		return true
	}
	w.early.head, w.early.err = true, err
	if err == nil && w.head != preface {
		w.open()
		w.early.parsed = true
	}
	return true
}

// nextHead is readHead where that has not been done early.
func (w *work) nextHead(first bool) error {
	if w.early.head {
		w.early.head = false
		return w.early.err
	}
	return w.readHead(first)
}

// errMore is the end of what the poller reads for one connection: who sends empty lines without end could keep it for himself.
var errMore = errors.New("more may have come")

// read reads more input behind what there is.
func (w *work) read() (int, error) {
	e := &w.early
	if err := e.failed; err != nil {
		e.failed = nil
		return 0, err
	}
	if e.polled {
		e.failed = errMore
	}
	return w.conn.TryRead(w.space())
}

var _ poll.Stager = (*conn)(nil)
