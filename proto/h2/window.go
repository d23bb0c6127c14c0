package h2

import "encoding/binary"

func (c *conn) windowUpdate(f *frame, p []byte) *connError {
	if len(p) != 4 {
		return frameSizeError("WINDOW_UPDATE of a wrong length")
	}
	n := int(binary.BigEndian.Uint32(p) & maxWindow)
	c.mu.Lock()
	if f.stream == 0 {
		defer c.mu.Unlock()
		return c.widen(n)
	}
	if f.stream > c.last && c.going != goingFinal {
		c.mu.Unlock()
		return protocolError("WINDOW_UPDATE on a stream that has not begun")
	}
	calm := c.spendUpdate(n)
	s := c.streams[f.stream]
	switch {
	case n == 0 && (s == nil || s.reset):
		c.mu.Unlock()
		return protocolError("WINDOW_UPDATE by nothing")
	case s == nil || s.reset || calm != nil: // a stream that has ended: RFC 9113, section 5.1
		if i := c.remnant(f.stream); i >= 0 {
			c.remnantWindow(i, n)
		}
		c.mu.Unlock()
		return calm
	case n == 0:
		return c.judge(s, s.mark, errWindow, codeProtocol)
	case s.window+n > maxWindow:
		return c.judge(s, s.mark, errWindow, codeFlowControl)
	}
	s.window += n
	c.mu.Unlock()
	s.sending.wake()
	return nil
}

// widen adds to the connection's window. c.mu is held.
func (c *conn) widen(n int) *connError {
	switch {
	case n == 0:
		return protocolError("WINDOW_UPDATE by nothing")
	case c.window+n > maxWindow:
		return &connError{codeFlowControl, "the connection's window overflows"}
	}
	c.window += n
	c.starved.wakeFirst()
	return c.spendUpdate(n)
}

// moveWindows changes the windows of all streams (RFC 9113, section 6.9.2). c.mu is held.
func (c *conn) moveWindows(by int) *connError {
	if by == 0 {
		return nil
	}
	for _, s := range c.streams {
		if s.window += by; s.window > maxWindow {
			return &connError{codeFlowControl, "a stream's window overflows"}
		}
		if by > 0 {
			s.sending.wake()
		}
	}
	return nil
}

// fit is how many of n bytes may be sent in one frame. c.mu is held.
func (s *stream) fit(n int) int {
	return max(min(n, s.c.frameMost(), s.window, s.c.window), 0)
}

// took notes that n of want bytes have been sent. c.mu is held.
func (s *stream) took(n, want int, f *floor) {
	c := s.c
	s.window -= n
	c.window -= n
	c.moved += n
	c.calm.use(n)
	f.progress(n)
	if n >= 1<<10 || n == want {
		c.calm.earn(worthData)
	}
	s.sending.remove()
	if c.window > 0 {
		c.starved.wakeFirst()
	}
}
