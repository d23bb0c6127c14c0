package h2

import (
	"runtime"
	"sync"

	"weir/internal/poll"
)

// outMost is how much may wait in a connection's output before those who send bodies wait.
const outMost = 128 << 10

// gatherMost is how much waits at most for others to append theirs.
const gatherMost = 64 << 10

// An output is what is to be sent on a connection. The conn's mutex protects it.
type output struct {
	out      []byte     // appended, not being written yet
	spare    []byte     // the memory that the next out uses
	boxes    [2]*buffer // where the memory of both came from; nil: from nowhere
	flushing bool       // somebody writes, and will write what is appended meanwhile
	broken   error      // why nothing can be written any more
	flushed  chan struct{}
}

// buffers keep the memory of outputs while nobody uses it.
var buffers = sync.Pool{New: func() any { return new(buffer) }}

type buffer struct{ b []byte }

// takeOutput gets memory for the output, if it has none.
func (o *output) takeOutput() {
	if o.boxes[0] != nil || o.flushing {
		return
	}
	for i := range o.boxes {
		o.boxes[i] = buffers.Get().(*buffer)
	}
	o.out = append(o.boxes[0].b, o.out...)
	o.spare = o.boxes[1].b
}

// dropOutput gives the memory of an output back that has nothing to send.
func (o *output) dropOutput() {
	if o.flushing || o.broken == nil && len(o.out) > 0 {
		return
	}
	if o.boxes[0] != nil {
		o.boxes[0].b, o.boxes[1].b = o.out[:0], o.spare[:0]
		buffers.Put(o.boxes[0])
		buffers.Put(o.boxes[1])
	}
	o.boxes, o.out, o.spare = [2]*buffer{}, nil, nil
}

// flush writes what has been appended, and what is appended meanwhile, unless somebody does so already.
func (c *conn) flush() {
	c.mu.Lock()
	c.flushHeld()
	c.mu.Unlock()
}

// flushHeld is flush for one who holds c.mu; it lets go of it while it writes.
func (c *conn) flushHeld() {
	if c.flushing || len(c.out) == 0 {
		return
	}
	c.flushing = true
	c.writeOut()
}

// flushSoon has somebody else flush. c.mu is held.
func (c *conn) flushSoon() {
	if c.flushing || len(c.out) == 0 || !c.retain() {
		return
	}
	c.flushing = true
	c.Start((*flusher)(c))
}

// A flusher is a connection's output to be written by a goroutine that has nothing else to do.
type flusher conn

// Run implements poll.Task.
func (f *flusher) Run(*poll.Worker) {
	c := (*conn)(f)
	c.mu.Lock()
	c.writeOut()
	c.mu.Unlock()
	c.release()
}

// writeOut writes until there is nothing to write. c.flushing is the caller's; c.mu is held.
func (c *conn) writeOut() {
	for len(c.out) > 0 && c.broken == nil {
		if len(c.out) < gatherMost && len(c.streams) > 1 {
			c.mu.Unlock()
			runtime.Gosched() // others are about to append theirs
			c.mu.Lock()
		}
		p := c.out
		c.out, c.spare = c.spare[:0], nil
		leaving := c.gone
		c.wakeCrowded(outMost / minFrameSize) // they fill the next one meanwhile
		c.mu.Unlock()
		err := c.write(p, leaving)
		c.mu.Lock()
		c.spare = p[:0]
		if err != nil {
			c.broken = err
			c.Conn.Cancel() // the reader ends the connection
		}
		if c.broken != nil {
			c.crowded.wakeAll()
		}
		c.wakeCrowded((outMost - len(c.out) + minFrameSize - 1) / minFrameSize)
	}
	c.flushing = false
	if c.flushed != nil {
		close(c.flushed)
		c.flushed = nil
	}
	if len(c.streams) == 0 {
		c.dropOutput()
	}
}

// write sends p, which the client must take at the floor's speed. A connection that is being ended has a deadline as well.
func (c *conn) write(p []byte, leaving bool) error {
	c.SetWritePace(&c.srv.config.Load().pace)
	if leaving {
		_, err := c.Conn.Write(p)
		return err
	}
	_, err := c.Conn.Post(p)
	return err
}

// drainOutput sends what there is to send and reports whether it has been.
func (c *conn) drainOutput() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.flushing {
		if c.flushed == nil {
			c.flushed = make(chan struct{})
		}
		wait := c.flushed
		c.mu.Unlock()
		<-wait
		c.mu.Lock()
	}
	c.flushHeld()
	return c.broken == nil
}
