//go:build !linux

package poll

import (
	"context"
	"net"
	"strings"
	"sync"
	"time"

	"weir/internal/clock"
)

// A Worker is the goroutine that a task runs on. Local holds what the last task left for the next.
type Worker struct{ Local any }

// A Group is the source of connections; on this system they are ordinary ones of package net.
type Group struct{}

// NewGroup returns a group.
func NewGroup(int) (*Group, error) { return &Group{}, nil }

// Close does nothing.
func (g *Group) Close() {}

// Shards returns 1.
func (g *Group) Shards() int { return 1 }

// Collect does nothing.
func (g *Group) Collect(int) {}

// A Listener accepts connections for a group.
type Listener struct {
	source net.Listener
	done   sync.WaitGroup
}

// Listen has accept called for every connection that l is offered; accept must not block.
func (g *Group) Listen(l net.Listener, accept func(Conn)) (*Listener, error) {
	ln := &Listener{source: l}
	ln.done.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			accept(FromNetConn(c))
		}
	})
	return ln, nil
}

// Close stops accepting.
func (l *Listener) Close() error {
	err := l.source.Close()
	l.done.Wait()
	return err
}

// Detach stops accepting and leaves open the listener that Listen was given. A connection may be accepted meanwhile.
func (l *Listener) Detach() {
	if d, ok := l.source.(interface{ SetDeadline(time.Time) error }); ok {
		d.SetDeadline(time.Unix(1, 0))
		l.done.Wait()
		d.SetDeadline(time.Time{})
	}
}

// Addr returns the address it listens on.
func (l *Listener) Addr() net.Addr { return l.source.Addr() }

// Source returns the listener that Listen was given.
func (l *Listener) Source() net.Listener { return l.source }

type dialCanceler struct{ cancel context.CancelFunc }

func (c dialCanceler) Cancel() { c.cancel() }

// Dial connects to address: "host-address:port" or "unix:path". The wait ends at deadline (a value of
// clock.Now; 0: never) with ErrTimeout, or with ErrCanceled through the Canceler that watch is given.
func (g *Group) Dial(address string, _ int, deadline int64, watch func(Canceler)) (Conn, error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if deadline != 0 {
		var stop context.CancelFunc
		ctx, stop = context.WithDeadline(ctx, clock.Wall(deadline))
		defer stop()
	}
	if watch != nil {
		watch(dialCanceler{cancel})
		defer watch(nil)
	}
	network := "tcp"
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		network, address = "unix", path
	}
	c, err := (&net.Dialer{}).DialContext(ctx, network, address)
	switch {
	case err == nil:
		return FromNetConn(c), nil
	case ctx.Err() == context.DeadlineExceeded:
		return nil, ErrTimeout
	case ctx.Err() == context.Canceled:
		return nil, ErrCanceled
	}
	return nil, err
}

// DialTimeout is Dial for code that has no exchange at hand, such as a health check.
func (g *Group) DialTimeout(ctx context.Context, address string, d time.Duration) (Conn, error) {
	var deadline int64
	if d > 0 {
		deadline = clock.Now() + int64(d)
	}
	return g.Dial(address, -1, deadline, nil)
}
