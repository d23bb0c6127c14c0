package h2

import (
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"weir"
	"weir/internal/clock"
	"weir/internal/poll"
)

// An upConn is one connection to a server. Its reader is a task of the poller: it has a goroutine and a buffer only while
// there is input, and it never waits for anything else. What is to be sent is appended to one buffer by whoever has it,
// and written by one of them at a time (see upconn_output.go).
//
// At most one of mu and Transport.mu is held at a time.
type upConn struct {
	poll.Conn
	t     *Transport
	shard int

	// The reader's.
	in       *upBuffer // input; in[r:w] has been read and not been used; nil: nothing
	r, w     int
	greeted  bool // the server's SETTINGS have come
	fields   *fieldReader
	section  weir.Header // into which the next section is read
	block    []byte      // a field section that has not come whole
	blockOf  uint32      // its stream; 0: there is none
	blockEnd bool        // it ends its stream
	heard    int64       // when something came last
	pingBy   int64       // when an answer to our PING must have come; 0: none is awaited
	doubted  bool        // suspect, as the reader knows it
	tokens   int64       // see spend
	tokensAt int64

	ready chan struct{} // closed when the server's SETTINGS have come, or won't

	mu         sync.Mutex // protects all below
	peer       peerSettings
	resize     bool // the next section has to begin with a new size of the table
	streams    map[uint32]*upStream
	next       uint32 // the next stream's id
	last       uint32 // the last stream that the server acts on, once it has said GOAWAY
	goaway     bool
	freed      int   // places that are to be given back
	room       int64 // bytes that the server takes on the whole connection
	allowed    int64 // bytes that the server may send on the whole connection
	earned     int64 // tokens for the reader
	queue      []*upSender
	out        *upOutput // what is to be sent; nil: nothing
	appended   int64     // bytes ever put into out
	written    int64     // of those, what may have left
	flushing   bool      // somebody writes
	slow       bool      // the last write took its time
	reading    bool      // the reader runs, or is to be woken by the poller
	closing    bool      // no more is read or written but what stands in out
	closed     bool      // Close has been called
	end        error     // why the connection is of no use any more
	endWriting bool      // it is an error of writing
	wakeAt     int64     // the reader looks at the deadlines then, or before
	idleSince  int64     // when the last stream ended

	load    int  // places taken; protected by Transport.mu, like all below
	limit   int  // places there are
	used    bool // an exchange has used it
	suspect bool // it is not known to be alive
	leaving bool // it takes no new streams

	choked atomic.Int64 // since when somebody waits because room is none; 0: nobody does
}

// An upBuffer takes several frames of full size.
type upBuffer [64 << 10]byte

var upBuffers = sync.Pool{New: func() any { return new(upBuffer) }}

const (
	upConnWindow = 16 << 20         // bytes that a server may have on their way to us on one connection
	closeTime    = time.Second      // for the last words to a server
	pingWord     = "weir\x00h2\x00" // the content of our PING
)

var (
	errUpSilent = errors.New("it did not begin in time")
	errUpMute   = errors.New("it does not answer PING")
	errUpClosed = errors.New("the connection is closed")
)

func newUpConn(t *Transport, conn poll.Conn) *upConn {
	now := clock.Now()
	return &upConn{
		Conn: conn, t: t, shard: conn.Shard(),
		fields: newFieldReader(), heard: now, tokens: floodBurst, tokensAt: now,
		ready: make(chan struct{}),
		peer:  newPeerSettings(), streams: map[uint32]*upStream{}, next: 1, room: startWindow, allowed: startWindow,
		reading: true, flushing: true, idleSince: now,
		limit: t.cfg.Streams,
	}
}

// greet begins HTTP/2 and waits for the server to do so. Nothing is asked before: how many streams it takes, and whether
// it is a server of HTTP/2 at all, is known then.
func (c *upConn) greet(by int64) *weir.Fault {
	cfg := &c.t.cfg
	c.mu.Lock()
	c.append(func(p []byte) []byte {
		p = appendSettings(append(p, Preface...), settingValue{settingPush, 0},
			settingValue{settingWindow, uint32(cfg.Window)}, settingValue{settingHeaderList, uint32(cfg.Limits.Head)})
		return appendWindow(p, 0, upConnWindow-startWindow)
	})
	c.allowed = upConnWindow
	c.wakeAt = by
	c.SetReadDeadline(by)
	c.mu.Unlock()
	c.Start(c)
	c.flushAll()
	timer := time.NewTimer(time.Duration(by - clock.Now()))
	defer timer.Stop()
	select {
	case <-c.ready:
	case <-timer.C:
		c.lost(errUpSilent, false)
	}
	c.mu.Lock()
	err, writing := c.end, c.endWriting
	c.mu.Unlock()
	switch err {
	case nil:
		return nil
	case errUpSilent:
		return c.t.fault(weir.CauseUpstreamConnectTimeout, weir.RetryAlways, "begin HTTP/2 with", err)
	}
	return c.t.fault(c.t.cause(err, writing), weir.RetryAlways, "begin HTTP/2 with", err)
}

// Run is the reader. It gives its goroutine and its buffer back when there is nothing more to read.
func (c *upConn) Run(*poll.Worker) {
	for {
		n, err := c.TryRead(c.space())
		switch err {
		case nil:
			c.w += n
			c.hear()
			if err := c.frames(); err != nil {
				c.refuse(err)
				c.stopReading()
				return
			}
			c.settle()
		case poll.ErrAgain:
			c.freeSpace()
			if c.Idle(c) {
				return
			}
		case poll.ErrTimeout:
			if !c.sweep() {
				c.stopReading()
				return
			}
		default:
			c.lost(err, false)
			c.stopReading()
			return
		}
	}
}

// space returns where input may be put. A buffer always has room for what is missing of a frame.
func (c *upConn) space() []byte {
	switch {
	case c.in == nil:
		c.in, c.r, c.w = upBuffers.Get().(*upBuffer), 0, 0
	case c.r == c.w:
		c.r, c.w = 0, 0
	case len(c.in)-c.w < headerSize+minFrameSize:
		c.w = copy(c.in[:], c.in[c.r:c.w])
		c.r = 0
	}
	return c.in[c.w:]
}

// freeSpace gives the buffer back, unless it holds the beginning of a frame.
func (c *upConn) freeSpace() {
	if c.r == c.w && c.in != nil {
		upBuffers.Put(c.in)
		c.in = nil
	}
}

// hear notes that the server is alive.
func (c *upConn) hear() {
	c.heard, c.pingBy = clock.Now(), 0
	if c.doubted {
		c.doubted = false
		c.t.setSuspect(c, false)
	}
}

// settle has what the reader has to say sent.
func (c *upConn) settle() {
	c.mu.Lock()
	c.sendAside()
}

// unlock ends a turn with the connection: it gives the places back that have become free.
func (c *upConn) unlock() {
	n := c.freed
	c.freed = 0
	c.mu.Unlock()
	if n > 0 {
		c.t.release(c, n)
	}
}

// stopReading notes that the reader has ended.
func (c *upConn) stopReading() {
	c.r = c.w
	c.freeSpace()
	c.mu.Lock()
	c.reading = false
	c.mu.Unlock()
	c.closeIfOver()
}

// closeIfOver closes the connection when nobody is inside any more.
func (c *upConn) closeIfOver() {
	c.mu.Lock()
	last := c.closing && !c.reading && !c.flushing && !c.closed
	c.closed = c.closed || last
	c.mu.Unlock()
	if last {
		c.Conn.Close()
	}
}

// lost ends the connection after an error of reading or writing.
func (c *upConn) lost(err error, writing bool) {
	c.mu.Lock()
	first := !c.closing
	c.closing = true
	c.failAll(err, writing)
	c.unlock()
	if first {
		c.Conn.Cancel()
		c.t.remove(c)
	}
}

// refuse ends the connection because of what the server has sent, and tells it.
func (c *upConn) refuse(err *connError) {
	c.leave(err, err.code, err.text)
	c.t.remove(c)
}

// retire closes a connection that carries no streams any more with a last word.
func (c *upConn) retire() { c.leave(errUpClosed, codeNone, "") }

// leave ends all streams because of err, and closes the connection when GOAWAY has been written.
func (c *upConn) leave(err error, code errorCode, text string) {
	c.mu.Lock()
	if c.closing {
		c.mu.Unlock()
		return
	}
	c.closing = true
	c.failAll(err, false)
	c.append(func(p []byte) []byte { return appendGoAway(p, 0, code, text) })
	if !c.flushing {
		c.flushing = true
		c.Start((*upFlusher)(c))
	}
	c.unlock()
}

// retireIfLeft retires a connection that was opened and is not needed any more.
func (c *upConn) retireIfLeft() {
	c.t.mu.Lock()
	empty := c.leaving && c.load == 0
	c.t.mu.Unlock()
	if empty {
		c.retire()
	}
}

// failAll ends all streams because of err, if that has not been done before. mu is held.
func (c *upConn) failAll(err error, writing bool) {
	if c.end != nil {
		return
	}
	c.end, c.endWriting = err, writing
	if !c.isReady() {
		close(c.ready)
	}
	for _, s := range c.streams {
		s.fail(c.streamFault(s))
	}
}

func (c *upConn) isReady() bool {
	select {
	case <-c.ready:
		return true
	default:
		return false
	}
}

// streamFault is the fault of a stream that ended with its connection.
func (c *upConn) streamFault(s *upStream) *weir.Fault {
	err := c.end
	cause, retry := c.t.cause(err, c.endWriting), weir.RetryIdempotent
	switch {
	case s.headDone:
		cause, retry = weir.CauseUpstreamBodyCut, weir.RetryNever
	case c.written <= s.begins:
		retry = weir.RetryAlways // not a byte of it has left
	}
	op := "read from"
	if c.endWriting {
		op = "write to"
	}
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return c.t.fault(cause, retry, op, err)
}
