package h2

import (
	"errors"
	"strings"

	"weir"
	"weir/internal/clock"
)

var (
	errUpBusy     = errors.New("it takes no more")
	errUpHeadSize = errors.New("the head is larger than the server takes")
	errUpNoTunnel = errors.New("it takes no WebSockets over HTTP/2")
)

// request sends the head and, where there is a body, begins an upload. After a fault the stream has not begun. careful: the
// connection must not be a stale one.
func (s *upStream) request(x *weir.Exchange, careful bool) *weir.Fault {
	c := s.c
	body := x.Request.Body
	if s.tunnel {
		body = nil
	}
	x.Scratch = s.encode(x.Scratch[:0], &x.Request)
	c.mu.Lock()
	f := c.refuses(x, careful)
	if f == nil {
		s.start(x.Scratch, body == nil && !s.tunnel)
		if s.begun = clock.Now(); body == nil || x.Request.Expect {
			s.await(s.begun + s.firstByte)
		}
		if c.t.cfg.Ping > 0 {
			c.arm(s.begun + int64(c.t.cfg.Ping))
		}
	} else {
		c.freed++
	}
	last := c.next > maxStream
	c.goaway = c.goaway || last
	if f == nil && body != nil {
		c.mu.Unlock()
		s.startUpload(x, body) // its first bytes may leave together with the head
		c.mu.Lock()
	}
	c.send()
	if last {
		c.t.remove(c)
		c.retireIfLeft() // the answer may have come whole by now
	}
	x.Timing.Sent = s.begun
	return f
}

// encode appends the field section of the request.
func (s *upStream) encode(dst []byte, r *weir.Request) []byte {
	q := *r
	if q.Authority == "" { // HTTP/1.0 has to name none, HTTP/2 has
		q.Authority = s.c.t.authority()
	}
	if s.tunnel {
		q.Method, q.Header = "CONNECT", r.Header.Clone()
		q.Header.Del("Sec-WebSocket-Key")
		dst = appendLiteral(dst, hpackLiteral, ":protocol", q.Upgrade)
		return appendRequest(dst, &q, s.c.t.cfg.Scheme)
	}
	dst = appendRequest(dst, &q, s.c.t.cfg.Scheme)
	switch {
	case r.Body != nil && r.Body.Len() >= 0:
		dst = appendLength(dst, r.Body.Len())
	case r.Body == nil && (r.Method == "POST" || r.Method == "PUT" || r.Method == "PATCH"):
		dst = appendLength(dst, 0)
	}
	if r.Body != nil && r.Expect {
		dst = appendNamed(dst, hpackLiteral, int(staticField[weir.FieldExpect]), "100-continue")
	}
	if r.TETrailers {
		dst = appendLiteral(dst, hpackLiteral, "te", "trailers")
	}
	return dst
}

// authority is what a server is called that nobody calls anything.
func (t *Transport) authority() string {
	if strings.HasPrefix(t.ep.Address, "unix:") {
		return "localhost"
	}
	return t.ep.Address
}

// refuses returns why x can't be sent on the connection. mu is held.
func (c *upConn) refuses(x *weir.Exchange, careful bool) *weir.Fault {
	t := c.t
	switch {
	case c.closing, c.end != nil, c.goaway, c.next > maxStream, careful && c.stale(x.Timing.Start):
		return t.fault(weir.CauseUpstreamClosed, weir.RetryAlways, "write to", errUpNotBegun)
	case c.waiting() > outputMost:
		return t.fault(weir.CauseUpstreamWrite, weir.RetryAlways, "write to", errUpBusy)
	case x.Request.Upgrade == "websocket" && !c.peer.connect:
		return t.fault(weir.CauseUpstreamUpgrade, weir.RetryNever, "write to", errUpNoTunnel)
	case c.peer.headerList != 1<<32-1 && headSize(&x.Request) > int64(c.peer.headerList):
		return &weir.Fault{Op: "write to " + t.ep.Name, Side: weir.SideClient, Cause: weir.CauseRequestHeaderTooLarge, Err: errUpHeadSize}
	}
	return nil
}

// headSize is about what a server counts against its limit (RFC 9113, section 10.5.1).
func headSize(r *weir.Request) int64 {
	n := len(r.Method) + len(r.Authority) + len(r.Path) + len(r.Query) + 5*32
	for i := range r.Header.Len() {
		f := r.Header.At(i)
		n += len(f.Name) + len(f.Value) + 32
	}
	return int64(n)
}

// trustFor is how long a connection that carries nothing is known to be open without asking the kernel: the poller has
// seen what the server did before that.
const trustFor = int64(20e6)

// stale reports whether a connection that has carried something, and carries nothing now, has something to say that nobody
// has looked at: most likely that the server has closed it. It may be something else; so this is asked once, and the next
// connection is taken as it is. mu is held.
func (c *upConn) stale(now int64) bool {
	if len(c.streams) > 0 || c.next == 1 || now-c.idleSince < trustFor || !c.Reclaim() {
		return false
	}
	silent := c.Silent()
	if !c.Idle(c) {
		c.Start(c)
	}
	return !silent
}

// start begins the stream with its field section. mu is held.
func (s *upStream) start(block []byte, end bool) {
	c := s.c
	s.id, s.open = c.next, true
	c.next += 2
	c.streams[s.id] = s
	s.begins = c.appended
	s.room, s.allowed = int64(c.peer.window), int64(c.t.cfg.Window)
	s.localDone = end
	c.appendSection(s.id, end, block)
}

// appendSection appends a field section. mu is held.
func (c *upConn) appendSection(stream uint32, end bool, block []byte) {
	if c.resize {
		c.resize = false
		block = append([]byte{hpackResize}, block...) // our table has no entries anyway
	}
	c.append(func(p []byte) []byte {
		return appendHeaders(p, stream, end, block, min(c.peer.frameSize, minFrameSize))
	})
}

// await sets how long the exchange's goroutine waits, and never longer than its client. mu is held.
func (s *upStream) await(by int64) {
	if s.deadline != 0 {
		by = min(by, s.deadline)
	}
	s.due = upDeadline{at: by}
	s.c.arm(by)
}
