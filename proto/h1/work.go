package h1

import (
	"bytes"
	"errors"
	"io"
	"sync"
	"time"

	"weir"
	"weir/internal/clock"
	"weir/internal/poll"
)

// A work is what it takes to serve exchanges on one connection: the exchange, the input and output
// buffers, the state of the request body. It is the Stream of its exchanges. It belongs to a worker; a
// connection has one only while there is something to do.
type work struct {
	conn *conn
	cfg  *ServerConfig
	x    weir.Exchange

	first []byte // the usual memory of in
	in    []byte // input; in[r:w] has been read from the connection and not been used
	r, w  int
	out   []byte // the answer's head, and small bodies behind it

	head      string   // the request head
	lines     headMap  // its map
	drawn     *headMap // lines, if it has been drawn, or nil
	headBegan int64
	fault     *weir.Fault // why there is no proper head
	early     early
	refused   *weir.Fault // why there is no proper request
	framing   framing
	body      requestBody
	writer    answerWriter

	saying sync.Mutex // protects said, and that interim answers do not mix
	said   bool       // none may follow

	keep     bool // the connection may carry another request
	answered bool // a final answer has begun
	cut      bool // and was broken off
}

// inSize is what a connection with work buffers. A larger head gets memory of its own.
const inSize = 16 << 10

var errAsleep = errors.New("asleep")

// takeWork returns the worker's work, or makes one.
func takeWork(c *conn, on *poll.Worker) *work {
	w, ok := on.Local.(*work)
	if !ok {
		w = &work{first: make([]byte, inSize)}
		on.Local = w
	}
	w.conn = c
	w.in = w.first
	if len(c.partial) >= inSize {
		w.in = append(c.partial, make([]byte, inSize)...)
	}
	w.r, w.w = 0, copy(w.in, c.partial)
	w.headBegan = c.headBegan
	c.partial, c.headBegan = nil, 0
	return w
}

// release makes w hold nothing of the connection.
func (w *work) release() {
	w.conn, w.cfg, w.in = nil, nil, nil
	w.head, w.drawn, w.refused = "", nil, nil
	w.x.Request.Body, w.x.Response.Body = nil, nil
	if cap(w.x.Scratch) > keepScratch {
		w.x.Scratch = nil
	}
	w.out = nil
}

// keepScratch is how large an output buffer is kept for the next exchange.
const keepScratch = 64 << 10

func (w *work) buffered() int { return w.w - w.r }

// space returns where input may be put; there always is some.
func (w *work) space() []byte {
	switch {
	case w.r == w.w:
		w.r, w.w = 0, 0
	case w.w < len(w.in):
	case w.r > 0:
		w.w = copy(w.in, w.in[w.r:w.w])
		w.r = 0
	default:
		w.in = append(w.in, make([]byte, len(w.in))...)
	}
	return w.in[w.w:]
}

// mostBlank is how many bytes of empty lines may come before a request. One line is usual, after a body; who sends them without
// end wants nothing.
const mostBlank = 4 << 10

// skipBlank drops empty lines before a request line (RFC 9112, section 2.2).
func (w *work) skipBlank() (n int) {
	for w.buffered() >= 2 && w.in[w.r] == '\r' && w.in[w.r+1] == '\n' {
		w.r += 2
		n += 2
	}
	return n
}

// scanHead returns the length of the head at the beginning of the input, 0 where it has not ended yet.
func (w *work) scanHead(from int) (int, *weir.Fault) {
	lim := &w.conn.srv.config.Load().Limits
	buf := w.in[w.r:w.w]
	n := 0
	if w.drawn = nil; from == 0 {
		n = w.lines.draw(w.in[w.r:], len(buf))
	}
	if n > 0 {
		w.drawn = &w.lines
	} else {
		n = headEnd(buf, from)
	}
	switch {
	case n > lim.Head, n < 0 && len(buf) > lim.Head, n < 0 && len(buf) > lim.Line+1 && bytes.IndexByte(buf[:lim.Line+2], '\n') < 0:
		return 0, tooLarge(buf, lim)
	case n < 0 && buf[0] == handshake:
		return 0, badRequest(weir.CauseRequestLine, errSealed) // at once: its client waits for an answer, and sends no line
	}
	return max(n, 0), nil
}

// handshake is what TLS begins with (RFC 8446, section 5.1).
const handshake = 22

// sleep gives the connection back to the poller and returns errAsleep, or nil when there is input after
// all. What has come of a head is kept. first: no exchange has ended since the connection slept.
func (w *work) sleep(first bool) error {
	c, t := w.conn, &w.conn.srv.config.Load().Timeouts
	if n := w.buffered(); n > 0 {
		c.partial = append([]byte(nil), w.in[w.r:w.w]...)
		c.headBegan = w.headBegan
		c.SetReadDeadline(w.headBegan + int64(t.Header))
	} else {
		draining := c.srv.draining.Load() && !c.fresh.Load()
		if draining && c.Silent() {
			return io.EOF
		}
		if draining && !first {
			c.SetReadDeadline(clock.Now() + int64(t.Header)) // for the rest of what has come of a request
		} else if !first { // else only empty lines have come since it slept, and do not count
			c.SetReadDeadline(max(w.x.Timing.End, c.Woken()) + int64(t.Idle))
		}
	}
	if c.Idle(c) {
		return errAsleep
	}
	c.partial, c.headBegan = nil, 0
	return nil
}

// end closes a connection on which no further request came.
func (w *work) end(err error) {
	if err == poll.ErrTimeout && w.buffered() > 0 {
		w.fault = weir.Refuse(weir.CauseClientHeaderTimeout, "read request head")
		w.r = w.w // nothing else has come, and so nobody has to linger over it
		if w.exchange(); w.conn != nil {
			if c := w.conn; !c.Silent() { // but for what crosses the answer, which would else make a reset of the end
				c.TryRead(w.in)
			}
			w.hangUp()
		}
		return
	}
	w.conn.close()
}

// lingerTime bounds how long a closed connection is still read, so that the client gets the answer before
// the reset that unread input would cause (RFC 9112, section 9.6). How much comes meanwhile does not matter:
// many clients look for an answer only when they have sent all of their upload.
const lingerTime = 5 * time.Second

// hangUp closes the connection after an answer.
func (w *work) hangUp() {
	c := w.conn
	switch {
	case w.cut:
		c.OnHangup(nil)
		c.Abort()
		c.srv.forget(c)
		return
	case !w.body.unread() && w.buffered() == 0:
		c.close()
		return
	}
	c.OnHangup(nil)
	if c.CloseWrite() != nil {
		c.close()
		return
	}
	end := clock.Now() + int64(lingerTime)
	c.SetReadDeadline(end)
	for clock.Now() < end { // a deadline alone ends no read that never has to wait
		if _, err := c.Read(w.in); err != nil {
			break
		}
	}
	c.close()
}

// Inform implements weir.Stream.
func (w *work) Inform(status int, h *weir.Header) error {
	if w.x.Request.Protocol == "HTTP/1.0" || w.answered {
		return nil
	}
	out := appendResponseHead(make([]byte, 0, 512), status, h)
	return w.say(append(out, "\r\n"...))
}

// say writes an interim answer, unless the final one has begun. An upload may want to say 100 (Continue) at any time.
func (w *work) say(p []byte) error {
	w.saying.Lock()
	defer w.saying.Unlock()
	if w.said {
		return nil
	}
	_, err := w.conn.Write(p)
	return err
}

// Reset implements weir.Stream: the connection can't be used any more, and the client shall see that
// an answer that had begun was cut.
func (w *work) Reset(*weir.Fault) {
	w.keep = false
	w.cut = w.answered
}

// Watch implements weir.Stream.
func (w *work) Watch(c weir.Canceler) { w.conn.watch.set(c) }

var (
	_ weir.Stream = (*work)(nil)
	_ io.Writer   = (*answerWriter)(nil)
)
