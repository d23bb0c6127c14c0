package h2

import (
	"encoding/binary"
	"errors"
	"time"

	"weir"
	"weir/internal/clock"
	"weir/proto/internal/section"
)

// frames uses up the whole frames of the input.
func (c *upConn) frames() *connError {
	for c.w-c.r >= headerSize {
		f := parseFrame(c.in[c.r:])
		if !c.greeted && (f.typ != frameSettings || f.has(flagAck)) {
			return protocolError("it does not begin with SETTINGS")
		}
		if f.length > minFrameSize {
			return frameSizeError("a frame larger than it may be")
		}
		if c.w-c.r < headerSize+f.length {
			return nil
		}
		p := c.in[c.r+headerSize : c.r+headerSize+f.length]
		c.r += headerSize + f.length
		if err := c.frame(&f, p); err != nil {
			return err
		}
	}
	return nil
}

func (c *upConn) frame(f *frame, p []byte) *connError {
	if c.blockOf != 0 && (f.typ != frameContinuation || f.stream != c.blockOf) {
		return protocolError("another frame in the middle of a field section")
	}
	switch f.typ {
	case frameData:
		return c.onData(f, p)
	case frameHeaders:
		return c.onHeaders(f, p)
	case frameContinuation:
		return c.onContinuation(f, p)
	case frameSettings:
		return c.onSettings(f, p)
	case frameWindow:
		return c.onWindow(f, p)
	case frameReset:
		return c.onReset(f, p)
	case framePing:
		return c.onPing(f, p)
	case frameGoAway:
		return c.onGoAway(f, p)
	case framePush:
		return protocolError("PUSH_PROMISE, which it was told not to send")
	case framePriority:
		if f.stream == 0 || f.length != prioritySize {
			return protocolError("malformed PRIORITY")
		}
	}
	return c.pay()
}

// A server that sends much that carries nothing is given up. It may send floodBurst such frames at once, floodRate a
// second, and as many more as we gave it reason to.
const (
	floodBurst = 10_000
	floodRate  = 2_000
	floodMost  = 16 * floodBurst // with what it has not used of that reason: its frames come long after ours
)

// pay takes a token for a frame that carries nothing.
func (c *upConn) pay() *connError {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.spend()
}

// spend is pay with mu held.
func (c *upConn) spend() *connError {
	c.tokens = min(c.tokens+c.earned, floodMost) - 1
	c.earned = 0
	if c.tokens > 0 {
		return nil
	}
	now := clock.Now()
	c.tokens = min((now-c.tokensAt)/int64(time.Second/floodRate), floodBurst)
	c.tokensAt = now
	if c.tokens > 0 {
		return nil
	}
	return &connError{codeCalm, "too many frames that carry nothing"}
}

// idle reports whether a stream has never been begun: nothing may come on it (RFC 9113, section 5.1). mu is held.
func (c *upConn) idle(stream uint32) bool { return stream%2 == 0 || stream >= c.next }

func (c *upConn) onData(f *frame, p []byte) *connError {
	p, err := unpad(f, p)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.unlock()
	if f.stream == 0 || c.idle(f.stream) {
		return protocolError("DATA on an idle stream")
	}
	if c.allowed -= int64(f.length); c.allowed < 0 {
		return &connError{codeFlowControl, "more DATA than the connection's window"}
	}
	if c.allowed < upConnWindow/2 {
		n := int(upConnWindow - c.allowed)
		c.append(func(out []byte) []byte { return appendWindow(out, 0, n) })
		c.allowed = upConnWindow
	}
	s := c.streams[f.stream]
	if s == nil || len(p) == 0 && !f.has(flagEndStream) {
		if err := c.spend(); err != nil {
			return err
		}
	}
	if s != nil {
		s.data(f, p)
	}
	return nil
}

func (c *upConn) onHeaders(f *frame, p []byte) *connError {
	p, err := unpad(f, p)
	if err != nil {
		return err
	}
	p, on, err := unprioritize(f, p)
	switch {
	case err != nil:
		return err
	case f.has(flagPriority) && on == f.stream:
		return protocolError("a stream that depends on itself")
	}
	c.mu.Lock()
	idle := f.stream == 0 || c.idle(f.stream)
	c.mu.Unlock()
	if idle {
		return protocolError("HEADERS on an idle stream")
	}
	if f.has(flagEndHeaders) {
		return c.onSection(f.stream, f.has(flagEndStream), p)
	}
	c.block = append(c.block[:0], p...)
	c.blockOf, c.blockEnd = f.stream, f.has(flagEndStream)
	return c.pay()
}

func (c *upConn) onContinuation(f *frame, p []byte) *connError {
	if c.blockOf == 0 {
		return protocolError("CONTINUATION without HEADERS")
	}
	if len(c.block)+len(p) > c.t.cfg.Limits.blockMost() {
		return &connError{codeCalm, "a field section larger than any limit"}
	}
	c.block = append(c.block, p...)
	if !f.has(flagEndHeaders) {
		return c.pay()
	}
	stream, block := c.blockOf, c.block
	c.blockOf, c.block = 0, nil
	return c.onSection(stream, c.blockEnd, block)
}

// onSection takes in a whole field section.
func (c *upConn) onSection(stream uint32, end bool, block []byte) *connError {
	lim := &c.t.cfg.Limits
	kind, err := c.expects(stream)
	if err != nil {
		return err
	}
	if kind == section.Request { // nobody waits for it
		return asConnError(c.fields.skip(block, lim))
	}
	bad := c.fields.read(block, kind, lim, &c.section)
	if err := asConnError(bad); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.unlock()
	s := c.streams[stream]
	switch {
	case s == nil: // it has been reset meanwhile
	case s.remoteDone:
		s.reject(codeStreamClosed, weir.CauseUpstreamProtocol, errUpAfterEnd)
	case bad != nil:
		s.reject(codeProtocol, sectionCause(bad), bad)
	case kind == section.Trailer:
		s.trail(&c.section, end)
	case c.fields.Status < 200:
		s.inform(c.fields.Status, &c.section, c.fields.size, end)
	default:
		s.begin(c.fields.Status, c.fields.Length, &c.section, end)
	}
	return nil
}

// expects returns what kind of section the stream has to get next, section.Request where nobody waits for any.
func (c *upConn) expects(stream uint32) (section.Kind, *connError) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.streams[stream]
	switch {
	case s == nil:
		return section.Request, c.spend()
	case s.headDone:
		return section.Trailer, nil
	}
	return section.Response, nil
}

func asConnError(err error) *connError {
	var e *connError
	if errors.As(err, &e) {
		return e
	}
	return nil
}

func sectionCause(err error) weir.Cause {
	if err == section.ErrLength {
		return weir.CauseUpstreamFraming
	}
	return weir.CauseUpstreamHeader
}

func (c *upConn) onSettings(f *frame, p []byte) *connError {
	if f.stream != 0 {
		return protocolError("SETTINGS on a stream")
	}
	if f.has(flagAck) {
		if f.length != 0 {
			return frameSizeError("an acknowledgement of SETTINGS with content")
		}
		return c.pay()
	}
	limit, err := c.applySettings(p)
	if err != nil {
		return err
	}
	c.t.setLimit(c, limit)
	if !c.greeted {
		c.greeted = true
		c.mu.Lock()
		if !c.isReady() {
			close(c.ready)
		}
		c.mu.Unlock()
	}
	return nil
}

// applySettings takes in what the server says of itself, acknowledges it, and returns how many streams it takes.
func (c *upConn) applySettings(p []byte) (streams uint32, err *connError) {
	c.mu.Lock()
	defer c.unlock()
	now := c.peer
	now.push = false
	if err := now.apply(p); err != nil {
		return 0, err
	}
	if now.push {
		return 0, protocolError("SETTINGS_ENABLE_PUSH of a server")
	}
	c.resize = c.resize || now.tableSize < c.peer.tableSize
	grown := int64(now.window) - int64(c.peer.window)
	c.peer = now
	for _, s := range c.streams {
		if s.room += grown; s.room > maxWindow {
			return 0, &connError{codeFlowControl, "a stream's window out of range"}
		}
		if grown > 0 {
			s.sender.nudge()
		}
	}
	c.append(appendSettingsAck)
	return now.streams, c.spend()
}

func (c *upConn) onWindow(f *frame, p []byte) *connError {
	if f.length != 4 {
		return frameSizeError("WINDOW_UPDATE of an odd length")
	}
	n := int64(binary.BigEndian.Uint32(p) & maxWindow)
	c.mu.Lock()
	defer c.unlock()
	if f.stream != 0 && c.idle(f.stream) {
		return protocolError("WINDOW_UPDATE on an idle stream")
	}
	if err := c.spend(); err != nil {
		return err
	}
	if f.stream != 0 {
		if s := c.streams[f.stream]; s != nil {
			s.widen(n)
		}
		return nil
	}
	switch c.room += n; {
	case n == 0:
		return protocolError("WINDOW_UPDATE by nothing")
	case c.room > maxWindow:
		return &connError{codeFlowControl, "the connection's window out of range"}
	}
	c.choked.Store(0)
	c.passOn()
	return nil
}

func (c *upConn) onReset(f *frame, p []byte) *connError {
	if f.length != 4 {
		return frameSizeError("RST_STREAM of an odd length")
	}
	c.mu.Lock()
	defer c.unlock()
	if f.stream == 0 || c.idle(f.stream) {
		return protocolError("RST_STREAM on an idle stream")
	}
	s := c.streams[f.stream]
	if s == nil {
		return c.spend()
	}
	s.wasReset(errorCode(binary.BigEndian.Uint32(p)))
	return nil
}

func (c *upConn) onPing(f *frame, p []byte) *connError {
	switch {
	case f.stream != 0:
		return protocolError("PING on a stream")
	case f.length != 8:
		return frameSizeError("PING of an odd length")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.spend(); err != nil || f.has(flagAck) {
		return err
	}
	if c.waiting() > outputMost {
		return &connError{codeCalm, "it asks for more answers than it takes"}
	}
	data := [8]byte(p)
	c.append(func(out []byte) []byte { return appendPing(out, true, data) })
	return nil
}

// onGoAway has the connection take no new streams. Those that the server does not act on can be sent anywhere else.
func (c *upConn) onGoAway(f *frame, p []byte) *connError {
	switch {
	case f.stream != 0:
		return protocolError("GOAWAY on a stream")
	case f.length < 8:
		return frameSizeError("GOAWAY too short")
	}
	last := binary.BigEndian.Uint32(p) & maxStream
	code := errorCode(binary.BigEndian.Uint32(p[4:]))
	c.mu.Lock()
	if c.goaway && last > c.last {
		c.mu.Unlock()
		return protocolError("GOAWAY that takes streams back")
	}
	err := c.spend()
	c.goaway, c.last = true, last
	for id, s := range c.streams {
		if id > last && !s.headDone {
			s.fail(c.t.fault(weir.CauseUpstreamClosed, weir.RetryAlways, "read from", &goneAway{code}))
		}
	}
	c.unlock()
	c.t.remove(c)
	c.retireIfLeft()
	return err
}

// A goneAway says that a server has said goodbye.
type goneAway struct{ code errorCode }

// Error returns what it said.
func (e *goneAway) Error() string { return "it said GOAWAY: " + e.code.String() }
