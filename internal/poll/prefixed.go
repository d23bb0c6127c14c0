package poll

import "sync/atomic"

// Prefixed returns a connection that yields p and then what c does: for bytes that were read from a fresh connection
// in order to find out what it is. It is c itself where p is empty. p must not be changed afterwards.
func Prefixed(c Conn, p []byte) Conn {
	if len(p) == 0 {
		return c
	}
	return &prefixed{Conn: c, rest: p}
}

// A prefixed is a Conn with bytes in front of it.
type prefixed struct {
	Conn
	rest []byte      // the reader's
	dead atomic.Bool // canceled
}

func (c *prefixed) TryRead(p []byte) (int, error) {
	if len(c.rest) == 0 {
		return c.Conn.TryRead(p)
	}
	if c.dead.Load() {
		return 0, ErrCanceled
	}
	n := copy(p, c.rest)
	if c.rest = c.rest[n:]; len(c.rest) == 0 {
		c.rest = nil
	}
	return n, nil
}

func (c *prefixed) Read(p []byte) (int, error) {
	if len(c.rest) == 0 {
		return c.Conn.Read(p)
	}
	return c.TryRead(p)
}

func (c *prefixed) WaitReadable() error {
	switch {
	case len(c.rest) == 0:
		return c.Conn.WaitReadable()
	case c.dead.Load():
		return ErrCanceled
	}
	return nil
}

func (c *prefixed) Idle(t Task) bool { return len(c.rest) == 0 && c.Conn.Idle(t) }

func (c *prefixed) Silent() bool { return len(c.rest) == 0 && c.Conn.Silent() }

func (c *prefixed) Cancel() {
	c.dead.Store(true)
	c.Conn.Cancel()
}

// below returns the connection whose next byte is c's next byte.
func below(c Conn) Conn {
	for {
		p, ok := c.(*prefixed)
		if !ok || len(p.rest) > 0 {
			return c
		}
		c = p.Conn
	}
}
