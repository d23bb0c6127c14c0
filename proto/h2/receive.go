package h2

import "encoding/binary"

// walk takes whole frames off the beginning of p and returns how much that was.
func (c *conn) walk(p []byte) (used int, err *connError) {
	if !c.greeted {
		n := min(len(p), len(Preface))
		if string(p[:n]) != Preface[:n] {
			return 0, protocolError("no HTTP/2 preface")
		}
		if n < len(Preface) {
			return 0, nil
		}
		c.greeted, used = true, n
		c.mu.Lock()
		c.flushSoon()
		c.mu.Unlock()
	}
	for len(p)-used >= headerSize {
		f := parseFrame(p[used:])
		if err := c.admit(&f); err != nil {
			return used, err
		}
		end := used + headerSize + f.length
		if end > len(p) {
			return used, nil
		}
		if err := c.frame(&f, p[used+headerSize:end]); err != nil {
			return used, err
		}
		used = end
	}
	return used, nil
}

// admit looks at what a frame's header alone tells.
func (c *conn) admit(f *frame) *connError {
	switch {
	case f.length > minFrameSize:
		return frameSizeError("a frame longer than SETTINGS_MAX_FRAME_SIZE")
	case !c.settled && (f.typ != frameSettings || f.has(flagAck)):
		return protocolError("the first frame is not SETTINGS")
	case c.block.open() && (f.typ != frameContinuation || f.stream != c.block.stream):
		return protocolError("a field section is interrupted")
	}
	return nil
}

// frame takes in a whole frame.
func (c *conn) frame(f *frame, p []byte) *connError {
	switch f.typ {
	case frameData:
		return c.data(f, p)
	case frameHeaders:
		return c.headers(f, p)
	case framePriority:
		return c.priority(f, p)
	case frameReset:
		return c.resetByPeer(f, p)
	case frameSettings:
		return c.settings(f, p)
	case framePush:
		return protocolError("PUSH_PROMISE from a client")
	case framePing:
		return c.ping(f, p)
	case frameGoAway:
		return c.goAway(f, p)
	case frameWindow:
		return c.windowUpdate(f, p)
	case frameContinuation:
		return c.continuation(f, p)
	}
	return c.waste(1) // RFC 9113, section 5.5: unknown types are passed over
}

// waste is spend for one who does not hold c.mu.
func (c *conn) waste(n int) *connError {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.spend(n)
}

func (c *conn) data(f *frame, p []byte) *connError {
	if f.stream == 0 {
		return protocolError("DATA on the connection itself")
	}
	if f.length > c.recv {
		return &connError{codeFlowControl, "more DATA than the connection's window"}
	}
	c.recv -= f.length
	c.owed += f.length
	p, err := unpad(f, p)
	if err != nil {
		return err
	}
	c.mu.Lock()
	if c.owed >= connWindow/2 {
		c.out = appendWindow(c.out, 0, c.owed)
		c.recv += c.owed
		c.owed = 0
		c.flushSoon()
	}
	s := c.streams[f.stream]
	if s == nil {
		defer c.mu.Unlock()
		return c.strayData(f, p)
	}
	b := &s.body
	mark, end := s.mark, f.has(flagEndStream)
	switch {
	case s.byPeer:
		c.mu.Unlock()
		return &connError{codeStreamClosed, "DATA on a stream that has ended"}
	case s.reset:
		calm := c.spend(btoi(len(p) == 0))
		c.mu.Unlock()
		return calm
	case s.recvEnd:
		return c.judge(s, mark, errFramed, codeStreamClosed)
	case f.length > b.recv:
		return c.judge(s, mark, errFramed, codeFlowControl)
	case len(p) == 0 && !end:
		if calm := c.spend(1); calm != nil {
			c.mu.Unlock()
			return calm
		}
	}
	b.recv -= f.length
	b.owed += f.length - len(p)
	bad := b.add(p)
	if bad == nil && end {
		bad = s.endBody()
	} else if bad == nil && len(p) > 0 {
		b.wake(c)
	}
	return c.judge(s, mark, bad, codeProtocol)
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// strayData judges DATA on a stream that is not under way: what was sent before the client heard of our reset is no
// fault of its own. c.mu is held.
func (c *conn) strayData(f *frame, p []byte) *connError {
	if i := c.remnant(f.stream); i >= 0 {
		return c.remnantData(i, f, p)
	}
	if f.stream > c.last && c.going != goingFinal || f.stream&1 == 0 {
		return protocolError("DATA on a stream that has not begun")
	}
	if known, ours := c.past.find(f.stream); known && !ours {
		return &connError{codeStreamClosed, "DATA on a stream that has ended"}
	}
	return c.spend(btoi(f.length == 0))
}

// endBody notes the end of the client's side. c.mu is held.
func (s *stream) endBody() error {
	if s.recvEnd || s.reset {
		return nil
	}
	if err := s.body.end(); err != nil {
		return err
	}
	s.recvEnd = true
	s.body.wake(s.c)
	return nil
}

// judge lets go of c.mu, after it has reset s with that code if there is an error.
func (c *conn) judge(s *stream, mark uint64, err error, code errorCode) *connError {
	if err == nil || s.reset {
		c.mu.Unlock()
		return nil
	}
	s.reset, s.dead = true, errWeReset
	s.waiting = false
	c.out = appendReset(c.out, s.id, code)
	c.stop(s)
	calm := c.spend(1)
	c.mu.Unlock()
	s.tell(mark)
	return calm
}

func (c *conn) priority(f *frame, p []byte) *connError {
	switch {
	case f.stream == 0:
		return protocolError("PRIORITY on the connection itself")
	case len(p) != prioritySize:
		return frameSizeError("PRIORITY of a wrong length")
	case binary.BigEndian.Uint32(p)&maxStream == f.stream:
		return protocolError("a stream depends on itself")
	}
	return c.waste(1)
}

func (c *conn) resetByPeer(f *frame, p []byte) *connError {
	switch {
	case len(p) != 4:
		return frameSizeError("RST_STREAM of a wrong length")
	case f.stream == 0:
		return protocolError("RST_STREAM on the connection itself")
	}
	c.mu.Lock()
	if f.stream > c.last && c.going != goingFinal {
		c.mu.Unlock()
		return protocolError("RST_STREAM on a stream that has not begun")
	}
	calm := c.spend(1)
	s := c.streams[f.stream]
	if i := c.remnant(f.stream); i >= 0 {
		c.bury(i, false, codeNone)
	}
	if s == nil || s.reset {
		c.mu.Unlock()
		return calm
	}
	mark := s.mark
	s.reset, s.byPeer, s.waiting = true, true, false
	if s.dead == nil {
		s.dead = errReset
	}
	c.stop(s)
	c.mu.Unlock()
	s.tell(mark)
	return calm
}

func (c *conn) settings(f *frame, p []byte) *connError {
	switch {
	case f.stream != 0:
		return protocolError("SETTINGS on a stream")
	case f.has(flagAck) && len(p) != 0:
		return frameSizeError("SETTINGS acknowledged with a payload")
	case f.has(flagAck):
		return c.waste(1)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.settled = true
	was := c.peer
	if err := c.peer.apply(p); err != nil {
		return err
	}
	if c.peer.tableSize < 4096 && c.peer.tableSize != was.tableSize {
		c.resize = true
	}
	if err := c.moveWindows(int(c.peer.window) - int(was.window)); err != nil {
		return err
	}
	c.out = appendSettingsAck(c.out)
	return c.spend(1 + len(p)/settingSize/8)
}

func (c *conn) ping(f *frame, p []byte) *connError {
	switch {
	case len(p) != 8:
		return frameSizeError("PING of a wrong length")
	case f.stream != 0:
		return protocolError("PING on a stream")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !f.has(flagAck) {
		c.out = appendPing(c.out, true, [8]byte(p))
	}
	return c.spend(1)
}

func (c *conn) goAway(f *frame, p []byte) *connError {
	switch {
	case f.stream != 0:
		return protocolError("GOAWAY on a stream")
	case len(p) < 8:
		return frameSizeError("GOAWAY of a wrong length")
	}
	return c.waste(1)
}
