package h1

import "weir/internal/poll"

// An early is what the poller has done already of a connection's next exchange.
type early struct {
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
	err := w.readHead(true)
	if err == errAsleep {
		w.release()
		return false
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

// read reads more input behind what there is.
func (w *work) read() (int, error) {
	if err := w.early.failed; err != nil {
		w.early.failed = nil
		return 0, err
	}
	return w.conn.TryRead(w.space())
}

var _ poll.Stager = (*conn)(nil)
