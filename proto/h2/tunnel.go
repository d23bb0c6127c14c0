package h2

import (
	"io"
	"sync"
	"sync/atomic"
	"time"

	"weir"
	"weir/internal/clock"
	"weir/internal/poll"
	"weir/proto/internal/tell"
)

// A tunnel carries bytes between an upgraded stream and the server's connection, until both have ended. Where that
// connection is a poller's, a tunnel with nothing to carry holds neither a goroutine nor a buffer.
type tunnel struct {
	s     *stream
	other io.ReadWriteCloser
	conn  poll.Conn // other, where it is a poller's connection
	rest  []byte    // what has been read from it already
	up    upFlow
	down  downFlow
	floor floor
	idle  int64
	last  atomic.Int64 // when bytes last moved
	timer *time.Timer

	mu   sync.Mutex // protects over
	over bool       // the stream is no more the tunnel's

	running atomic.Int32 // directions that have not ended
	failed  atomic.Pointer[error]
	in, out int64 // bytes from the client, and from the server
}

// An upFlow is the direction to the server. It runs when there is something to carry.
type upFlow struct{ t *tunnel }

// A downFlow is the direction to the client.
type downFlow struct{ t *tunnel }

func (t *tunnel) begin() {
	t.up.t, t.down.t = t, t
	t.idle = int64(t.s.cfg.Timeouts.Tunnel)
	t.floor = floor{window: time.Duration(t.idle)}
	t.running.Store(2)
	t.moved()
	t.timer = time.AfterFunc(time.Duration(t.idle), t.look)
	c, b := t.s.c, &t.s.body
	c.Start(&t.down)
	c.mu.Lock()
	b.task = &t.up
	b.wake(c)
	c.mu.Unlock()
}

func (t *tunnel) moved() { t.last.Store(clock.Now()) }

// look ends a tunnel in which nothing has moved for too long.
func (t *tunnel) look() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.over {
		return
	}
	left := t.last.Load() + t.idle - clock.Now()
	if left <= 0 {
		t.fail(poll.ErrTimeout)
		return
	}
	t.timer.Reset(time.Duration(left))
}

// fail breaks both directions off.
func (t *tunnel) fail(err error) {
	t.failed.CompareAndSwap(nil, &err)
	if t.conn != nil {
		t.conn.Cancel()
	} else {
		t.other.Close()
	}
	c := t.s.c
	c.mu.Lock()
	c.stop(t.s)
	c.mu.Unlock()
}

// done ends one direction. The last one ends the exchange.
func (t *tunnel) done() {
	if t.running.Add(-1) > 0 {
		return
	}
	t.timer.Stop()
	t.mu.Lock()
	t.over = true
	t.mu.Unlock()
	t.other.Close()
	s, err := t.s, error(nil)
	if p := t.failed.Load(); p != nil {
		err = tunnelFault(*p)
	}
	x := &s.x
	x.BytesIn, x.BytesOut = t.in, t.out
	x.Response.Upgrade = nil
	weir.Finish(x, err, s.cfg.Observer)
	s.end()
}

func tunnelFault(err error) error {
	f := &weir.Fault{Op: "relay", Side: weir.SideClient, Cause: weir.CauseClientGone, Err: err}
	if err == poll.ErrTimeout {
		f.Cause = weir.CauseClientIdle
	}
	return f
}

// Run implements poll.Task: it carries what the client has sent.
func (f *upFlow) Run(*poll.Worker) {
	t, b, c := f.t, &f.t.s.body, f.t.s.c
	buf := tell.Pieces.Get().(*[tell.PieceSize]byte)
	defer tell.Pieces.Put(buf)
	for {
		c.mu.Lock()
		n := b.take(c, buf[:])
		if n == 0 && t.s.dead == nil && !t.s.recvEnd {
			b.rest()
			c.mu.Unlock()
			return
		}
		dead := t.s.dead
		if n == 0 || dead != nil {
			b.task = nil // nothing more is to run
		}
		c.mu.Unlock()
		switch {
		case dead != nil:
			t.fail(dead)
			t.done()
			return
		case n == 0:
			endOf(t.other)
			t.done()
			return
		}
		t.moved()
		t.in += int64(n)
		if t.conn != nil {
			t.conn.SetWriteDeadline(clock.Now() + t.idle)
		}
		if _, err := t.other.Write(buf[:n]); err != nil {
			c.mu.Lock()
			b.task = nil
			c.mu.Unlock()
			t.fail(err)
			t.done()
			return
		}
	}
}

// Run implements poll.Task: it carries what the server has sent.
func (f *downFlow) Run(*poll.Worker) {
	t := f.t
	buf := tell.Pieces.Get().(*[tell.PieceSize]byte)
	asleep, err := f.carry(buf[:])
	tell.Pieces.Put(buf)
	if asleep {
		return
	}
	if err == io.EOF {
		err = f.send(nil, true)
	}
	if err != nil {
		t.fail(err)
	}
	t.done()
}

// carry moves what there is. It returns true when it has given the connection back to the poller.
func (f *downFlow) carry(buf []byte) (asleep bool, err error) {
	t := f.t
	if len(t.rest) > 0 {
		if err := f.send(t.rest, false); err != nil {
			return false, err
		}
		t.rest = nil
	}
	for {
		n, err := f.read(buf)
		if n > 0 {
			if err := f.send(buf[:n], false); err != nil {
				return false, err
			}
		}
		switch {
		case err == poll.ErrAgain:
			if t.conn.Idle(f) {
				return true, nil
			}
		case err != nil:
			return false, err
		}
	}
}

func (f *downFlow) read(buf []byte) (int, error) {
	if f.t.conn != nil {
		return f.t.conn.TryRead(buf)
	}
	return f.t.other.Read(buf)
}

// send hands p to the client, who may let it wait as long as a tunnel may be silent.
func (f *downFlow) send(p []byte, end bool) error {
	t, c := f.t, f.t.s.c
	t.moved()
	t.out += int64(len(p))
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := t.s.send(p, end, &t.floor); err != nil {
		return err
	}
	c.flushHeld()
	return nil
}
