package h2

import (
	"runtime"
	"sync"
	"time"

	"weir/internal/clock"
	"weir/internal/poll"
)

// Output of all streams gathers in one buffer. Whoever appends something while nobody writes becomes the one who writes:
// he lets the goroutines that are ready to run have their turn, and then writes what has gathered, while others gather
// the next buffer. Nobody writes more than once for others, and nobody at all while the server takes its time: that is
// left to a worker.

// An upOutput is a buffer of frames.
type upOutput struct{ p []byte }

var upOutputs = sync.Pool{New: func() any { return &upOutput{make([]byte, 0, 4<<10)} }}

const (
	outputData = 64 << 10 // so much waits to be sent, at most, before bodies have to wait
	outputMost = 1 << 20  // so much, before nothing new is begun, and a server that asks for more answers is given up
	outputKept = 96 << 10 // what is kept of a buffer

	slowWrite = int64(2 * time.Millisecond)
)

// waiting returns the number of bytes that gather. mu is held.
func (c *upConn) waiting() int {
	if c.out == nil {
		return 0
	}
	return len(c.out.p)
}

// append appends the frames that add appends. mu is held.
func (c *upConn) append(add func(p []byte) []byte) {
	if c.out == nil {
		c.out = upOutputs.Get().(*upOutput)
	}
	n := len(c.out.p)
	c.out.p = add(c.out.p)
	c.appended += int64(len(c.out.p) - n)
}

// claim makes the caller the one who writes, where there is something to write and nobody else does; he has to call flush
// or to start a flusher. mu is held.
func (c *upConn) claim() bool {
	if c.out == nil || c.flushing || c.closing {
		return false
	}
	c.flushing = true
	return true
}

// send ends a turn with the connection, mu being held, and writes what has gathered.
func (c *upConn) send() {
	mine, slow := c.claim(), c.slow
	c.unlock()
	switch {
	case !mine:
	case slow:
		c.Start((*upFlusher)(c))
	default:
		c.flush()
	}
}

// sendAside is send that has somebody else write: a body's bytes may be more than the server takes at once, and whoever
// brings them has to be free to stop.
func (c *upConn) sendAside() {
	if c.claim() {
		c.Start((*upFlusher)(c))
	}
	c.unlock()
}

// An upFlusher is a connection as the task that writes.
type upFlusher upConn

// Run writes until nothing is left.
func (f *upFlusher) Run(*poll.Worker) { (*upConn)(f).flushAll() }

// flush writes once. What has gathered by then is left to a worker.
func (c *upConn) flush() {
	if c.flushOnce() {
		c.Start((*upFlusher)(c))
	}
}

func (c *upConn) flushAll() {
	for c.flushOnce() {
	}
}

// flushOnce writes what has gathered, and reports whether there is more. Else it is nobody's turn afterwards.
func (c *upConn) flushOnce() bool {
	runtime.Gosched()
	c.mu.Lock()
	b, patience := c.out, int64(c.t.cfg.Stall)
	c.out, c.written = nil, c.appended
	if c.closing {
		patience = int64(closeTime)
	}
	c.mu.Unlock()
	began := clock.Now()
	c.SetWriteDeadline(began + patience)
	err := c.write(b)
	if err != nil {
		c.unwritten(err)
	}
	slow := clock.Now()-began > slowWrite
	c.mu.Lock()
	c.slow = slow
	more := err == nil && c.out != nil
	c.flushing = more
	over := c.closing && !more
	c.passOn()
	c.unlock()
	if over {
		c.Conn.Cancel() // wakes the reader
		c.closeIfOver()
	}
	return more
}

// unwritten deals with an error of writing. A server that ends a connection before it has begun may say why, in an alert of
// TLS: that is the reader's to find, whom the connection's end wakes.
func (c *upConn) unwritten(err error) {
	c.mu.Lock()
	begun := c.isReady()
	c.mu.Unlock()
	if begun || err == poll.ErrTimeout {
		c.lost(err, true)
	}
}

func (c *upConn) write(b *upOutput) error {
	if b == nil {
		return nil
	}
	n, err := c.Conn.Write(b.p)
	if err != nil {
		c.mu.Lock()
		c.written -= int64(len(b.p) - n)
		c.mu.Unlock()
	}
	if cap(b.p) <= outputKept {
		b.p = b.p[:0]
		upOutputs.Put(b)
	}
	return err
}
