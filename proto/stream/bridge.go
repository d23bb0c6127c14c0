package stream

import (
	"io"
	"sync"
	"sync/atomic"
	"time"

	"weir/internal/clock"
	"weir/internal/poll"
)

// Bridge is [Relay] for a b that is no connection of a poller: each direction has a goroutine and a buffer until it
// ends. An end of a is passed on by b's CloseWrite where it has that, else by closing b.
func Bridge(a poll.Conn, b io.ReadWriteCloser, early []byte, idle time.Duration, done func(fromA, fromB int64, err error)) {
	g := &bridge{a: a, b: b, idle: int64(idle)}
	g.moved()
	go func() {
		stop := g.watch()
		var back sync.WaitGroup
		back.Go(g.back)
		g.forth(early)
		back.Wait()
		stop()
		a.Close()
		b.Close()
		done(g.sent, g.got, g.err)
	}()
}

type bridge struct {
	a    poll.Conn
	b    io.ReadWriteCloser
	idle int64
	last atomic.Int64 // when bytes last moved

	sent, got int64 // a's bytes, and b's
	once      sync.Once
	err       error // the first one
}

// fail ends both directions.
func (g *bridge) fail(err error) {
	g.once.Do(func() {
		g.err = err
		g.a.Cancel()
		g.b.Close()
	})
}

func (g *bridge) moved() { g.last.Store(clock.Now()) }

// watch ends the bridge when nothing has moved for idle: b has no deadlines of its own.
func (g *bridge) watch() (stop func()) {
	if g.idle <= 0 {
		return func() {}
	}
	over := make(chan struct{})
	var watcher sync.WaitGroup
	watcher.Go(func() {
		timer := time.NewTimer(time.Duration(g.idle))
		defer timer.Stop()
		for {
			select {
			case <-over:
				return
			case <-timer.C:
			}
			left := g.last.Load() + g.idle - clock.Now()
			if left <= 0 {
				g.fail(poll.ErrTimeout)
				return
			}
			timer.Reset(time.Duration(left))
		}
	})
	return func() { close(over); watcher.Wait() }
}

// forth carries a's bytes to b.
func (g *bridge) forth(early []byte) {
	buf := buffers.get()
	defer buffers.put(buf)
	p := early
	for {
		if len(p) > 0 {
			n, err := g.b.Write(p)
			g.moved()
			g.sent += int64(n)
			if err != nil {
				g.fail(err)
				return
			}
		}
		n, err := g.a.Read(buf[:])
		g.moved()
		switch err {
		case nil:
			p = buf[:n]
		case io.EOF:
			g.closeB()
			return
		default:
			g.fail(err)
			return
		}
	}
}

// closeB tells b that a sends no more.
func (g *bridge) closeB() {
	if half, ok := g.b.(interface{ CloseWrite() error }); ok {
		half.CloseWrite()
		return
	}
	g.b.Close()
}

// back carries b's bytes to a.
func (g *bridge) back() {
	buf := buffers.get()
	defer buffers.put(buf)
	for {
		n, err := g.b.Read(buf[:])
		if n > 0 {
			g.moved()
			m, werr := g.a.Write(buf[:n])
			g.moved()
			g.got += int64(m)
			if werr != nil {
				g.fail(werr)
				return
			}
		}
		if err != nil {
			g.a.CloseWrite()
			return
		}
	}
}
