package h2

import (
	"sync"
	"time"

	"weir"
	"weir/internal/clock"
	"weir/internal/poll"
	"weir/proto/internal/tell"
)

// Windows that we give (RFC 9113, section 5.2). The connection's is given back as bytes arrive, so that a stream whose
// body nobody reads holds up no other; what a stream may hold is its own window. That is small until somebody reads the
// body, and large then, for a few streams at a time. So one connection with Limits' 128 streams makes us hold 10 MiB of
// bodies at the very most.
const (
	connWindow = 1 << 20
	bigWindow  = 256 << 10 // of a stream whose body is being read
	bigStreams = 8         // that may have it at a time
)

// A conn is the server's side of one client connection. One goroutine at a time, the reader's, reads and takes frames
// apart; between bursts there is none. Each stream has a goroutine of its own. Whoever has something to send appends it
// to the output, and one of them at a time writes what all have appended.
type conn struct {
	poll.Conn
	srv   *Server
	facts weir.Conn
	done  func()

	prev, next *conn // of srv.conns

	// The reader's.
	fields  *fieldReader
	partial []byte // a frame that has begun and not ended while the connection sleeps
	began   int64  // when it began; 0: none has
	greeted bool   // the preface has come
	settled bool   // and the client's first SETTINGS
	block   gathering
	trail   weir.Header // a trailer being decoded
	opened  []*stream   // whose goroutines have not been started
	recv    int         // window that the client has left
	owed    int         // window that it gets back

	mu      sync.Mutex // protects what follows, and in the streams what their type says
	users   int        // the reader, the streams, and others who may use the connection: the last one closes it
	peer    peerSettings
	resize  bool // the client has made its compression table smaller than ours never was: say so
	streams map[uint32]*stream
	last    uint32 // the highest number of a stream that the client has begun
	remains []remnant
	past    history
	big     int   // streams with a large window
	rested  int64 // when the last stream ended, or the connection was opened
	calm    patience
	window  int // what may be sent on the connection
	moved   int // bytes of DATA sent, ever; wraps around
	starved queue
	crowded queue
	output
	going  goingAway
	final  *time.Timer // until the last of it; it uses the connection
	burial *time.Timer // until the oldest remnant is reset; it uses the connection
	gone   bool        // no stream can go on
	leaves bool        // the reader is to end the connection
	spoilt error       // why nothing more can be read, where that is not the client's doing
}

// goingAway is how far a connection's end has been announced.
type goingAway uint8

const (
	goingNot   goingAway = iota
	goingSoon            // GOAWAY has been sent that refuses nothing
	goingFinal           // GOAWAY has been sent with the last stream's number
)

func (c *conn) begin(cfg *ServerConfig) {
	c.users = 1
	c.peer = newPeerSettings()
	c.window, c.recv = startWindow, connWindow
	c.rested = c.facts.Opened
	c.calm.begin(c.facts.Opened)
	c.out = appendSettings(
		nil,
		settingValue{settingStreams, uint32(cfg.Limits.Streams)},
		settingValue{settingHeaderList, uint32(cfg.Limits.Head)},
		settingValue{settingConnect, 1},
	)
	c.out = appendWindow(c.out, 0, connWindow-startWindow)
}

// inputs are the reader's buffers. A frame fits in more than once.
var inputs = sync.Pool{New: func() any { return new([32 << 10]byte) }}

// Run reads what the client has sent, until it sends no more or the connection ends.
func (c *conn) Run(*poll.Worker) {
	buf := inputs.Get().(*[32 << 10]byte)
	c.serve(buf[:])
	inputs.Put(buf)
}

func (c *conn) serve(buf []byte) {
	r, w := 0, copy(buf, c.partial)
	c.partial = nil
	for {
		used, err := c.walk(buf[r:w])
		c.startOpened()
		if err != nil {
			c.fail(err)
			return
		}
		if used > 0 {
			c.began = c.Woken()
			c.mu.Lock()
			c.flushSoon()
			c.mu.Unlock()
		}
		if r += used; r == w {
			r, w, c.began = 0, 0, 0
		}
		if len(buf)-w < len(buf)/4 {
			r, w = 0, copy(buf, buf[r:w])
		}
		n, rerr := c.TryRead(buf[w:])
		switch {
		case rerr == nil:
			if c.began == 0 {
				c.began = c.Woken()
			}
			w += n
		case rerr == poll.ErrTimeout && c.overdue(buf[r:w]):
			return
		case rerr == poll.ErrAgain || rerr == poll.ErrTimeout:
			if c.sleep(buf[r:w]) {
				return
			}
		default:
			c.lost(rerr)
			return
		}
	}
}

// sleep gives the connection back to the poller, keeping rest, or ends it where that has been asked for. False: there is
// more to read.
func (c *conn) sleep(rest []byte) bool {
	c.mu.Lock()
	if c.leaves {
		c.mu.Unlock()
		c.leave()
		return true
	}
	c.flushSoon()
	c.SetReadDeadline(c.deadline(rest))
	if len(rest) > 0 {
		c.partial = append([]byte(nil), rest...)
	}
	asleep := c.Idle(c)
	if !asleep {
		c.partial = nil
	}
	c.mu.Unlock()
	return asleep
}

// deadline is when the reader has to look at the connection though nothing has come: a frame that has begun, or a head,
// must end in time, and without streams the connection ends, too. c.mu is held.
func (c *conn) deadline(rest []byte) int64 {
	t := &c.srv.config.Load().Timeouts
	switch {
	case len(rest) >= headerSize && c.greeted && !c.block.open() && parseFrame(rest).typ == frameData:
		return c.began + int64(floorWindow) + minFrameSize*int64(time.Second)/t.BodyFloor
	case len(rest) > 0:
		return c.began + int64(t.Header)
	case c.block.open():
		return c.block.began + int64(t.Header)
	case len(c.streams) > 0:
		return clock.Now() + int64(t.Idle) // who has streams is not idle; but see later
	}
	return c.rested + int64(t.Idle)
}

// overdue ends a connection whose deadline has passed: that which holds by now, and not the one that was set when it last
// slept. rest is as in sleep.
func (c *conn) overdue(rest []byte) bool {
	c.mu.Lock()
	by := c.deadline(rest)
	c.mu.Unlock()
	switch {
	case clock.Now() < by:
		return false
	case len(rest) > 0 || c.block.open():
		c.fail(&connError{codeCalm, "a frame did not arrive in time"})
	default:
		c.fail(&connError{codeNone, "idle"})
	}
	return true
}

// fail ends the connection with a GOAWAY that says why.
func (c *conn) fail(err *connError) {
	c.mu.Lock()
	if c.broken == nil {
		c.out = appendGoAway(c.out, c.last, err.code, err.text)
	}
	c.going = goingFinal
	c.mu.Unlock()
	c.stopAll()
	c.leave()
}

// lost ends a connection that the client has ended, or that broke.
func (c *conn) lost(err error) {
	if tell.Unsealed(err) {
		c.mu.Lock()
		c.spoilt = errUnsealed
		c.mu.Unlock()
	}
	c.Conn.Cancel()
	c.stopAll()
	c.mu.Lock()
	waits := 0
	for _, timer := range []*time.Timer{c.final, c.burial} {
		if timer != nil && timer.Stop() {
			waits++
		}
	}
	c.mu.Unlock()
	for range waits {
		c.release()
	}
	c.release()
}

// leave ends the connection after what has been appended to its output has been sent.
func (c *conn) leave() {
	now := clock.Now()
	c.SetWriteDeadline(now + int64(lingerTime))
	if c.drainOutput() && c.CloseWrite() == nil {
		c.linger(now + int64(lingerTime))
	}
	c.lost(nil)
}

// lingerTime and lingerMost bound how long a closed connection is still read, so that the client gets what was sent to it
// before the reset that unread input would cause. An honest client has no more on its way than the connection's window,
// which it is not given back any more, and some frames beside.
const (
	lingerTime = 2 * time.Second
	lingerMost = 2 * connWindow
)

func (c *conn) linger(end int64) {
	buf := inputs.Get().(*[32 << 10]byte)
	defer inputs.Put(buf)
	c.SetReadDeadline(end)
	for left := lingerMost; left > 0 && clock.Now() < end; { // a deadline alone ends no read that never has to wait
		n, err := c.Read(buf[:])
		if err != nil {
			return
		}
		left -= n
	}
}

// stopAll breaks off every stream.
func (c *conn) stopAll() {
	c.mu.Lock()
	c.gone = true
	list := make([]*stream, 0, len(c.streams))
	marks := make([]uint64, 0, len(c.streams))
	for _, s := range c.streams {
		c.stop(s)
		list, marks = append(list, s), append(marks, s.mark)
	}
	c.mu.Unlock()
	for i, s := range list {
		s.tell(marks[i])
	}
}

// retain notes one more user of the connection; false: it has ended. c.mu is held.
func (c *conn) retain() bool {
	if c.users == 0 {
		return false
	}
	c.users++
	return true
}

// release notes one user less, and closes the connection after the last one.
func (c *conn) release() {
	c.mu.Lock()
	c.users--
	last := c.users == 0
	if last {
		c.dropOutput()
	}
	c.mu.Unlock()
	if last {
		c.Conn.Close()
		c.srv.forget(c)
	}
}

// drainPatience is how long requests that were on their way at a drain's beginning are still taken.
const drainPatience = time.Second

// drain announces the connection's end.
func (c *conn) drain() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.going != goingNot || c.gone || !c.retain() {
		return
	}
	c.going = goingSoon
	c.out = appendGoAway(c.out, maxStream, codeNone, "")
	c.flushSoon()
	c.final = time.AfterFunc(drainPatience, func() {
		c.goFinally()
		c.release()
	})
}

// goFinally refuses all streams that have not begun.
func (c *conn) goFinally() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.going == goingFinal || c.gone {
		return
	}
	c.going = goingFinal
	c.out = appendGoAway(c.out, c.last, codeNone, "")
	c.flushSoon()
	c.closeIfDone()
}

// closeIfDone has the reader end a connection that has announced its end and has no streams any more. c.mu is held.
func (c *conn) closeIfDone() {
	if c.going != goingFinal || len(c.streams) > 0 || c.leaves || c.gone {
		return
	}
	c.leaves = true
	if c.Reclaim() {
		c.Start(c)
	}
}

var _ poll.Task = (*conn)(nil)
