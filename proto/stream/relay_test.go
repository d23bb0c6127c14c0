package stream

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"testing"
	"time"

	"go.uber.org/goleak"

	"weir/internal/poll"
	"weir/weirtest/leak"
)

// An ending is what a relay said when it was over.
type ending struct {
	fromA, fromB int64
	err          error
}

// A rig is a relay with a plain connection at each of its ends.
type rig struct {
	t    *testing.T
	a, b *net.TCPConn // the far ends
	near [2]poll.Conn
	over chan ending
}

// each runs f over every pair of kinds of connections.
func each(t *testing.T, f func(t *testing.T, r *rig)) {
	for _, kinds := range []string{"poller poller", "net.Conn net.Conn", "net.Conn poller"} {
		t.Run(kinds, func(t *testing.T) {
			others := goleak.IgnoreCurrent()
			g, err := poll.NewGroup(2)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { g.Close(); leak.None(t, others) })
			r := &rig{t: t, over: make(chan ending, 2)}
			r.near[0], r.a = connect(t, g, kinds[0] == 'p')
			r.near[1], r.b = connect(t, g, kinds[len(kinds)-1] == 'r')
			f(t, r)
		})
	}
}

// connect returns the two ends of a connection.
func connect(t *testing.T, g *poll.Group, poller bool) (poll.Conn, *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	near := make(chan poll.Conn, 1)
	if poller {
		pl, err := g.Listen(l, func(c poll.Conn) { near <- c })
		if err != nil {
			t.Fatal(err)
		}
		defer pl.Close()
	} else {
		defer l.Close()
		go func() {
			if c, err := l.Accept(); err == nil {
				near <- poll.FromNetConn(c)
			}
		}()
	}
	far, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { far.Close() })
	far.SetDeadline(time.Now().Add(20 * time.Second))
	return <-near, far.(*net.TCPConn)
}

func (r *rig) relay(early string, idle time.Duration) {
	Relay(r.near[0], r.near[1], []byte(early), idle, func(fromA, fromB int64, err error) { r.over <- ending{fromA, fromB, err} })
}

// ended waits for the relay's end, which must come once.
func (r *rig) ended() ending {
	r.t.Helper()
	select {
	case e := <-r.over:
		if len(r.over) > 0 {
			r.t.Fatal("it ended twice")
		}
		return e
	case <-time.After(20 * time.Second):
		r.t.Fatal("the relay does not end")
	}
	return ending{}
}

func (r *rig) read(c net.Conn, want string) {
	r.t.Helper()
	buf := make([]byte, len(want))
	if _, err := io.ReadFull(c, buf); err != nil || string(buf) != want {
		r.t.Fatalf("read %q, %v; want %q", buf, err, want)
	}
}

// all reads to the end.
func (r *rig) all(c net.Conn, want string) {
	r.t.Helper()
	if got, err := io.ReadAll(c); err != nil || string(got) != want {
		r.t.Fatalf("read %d bytes, %v; want %d", len(got), err, len(want))
	}
}

func random(n int, seed byte) []byte {
	p := make([]byte, n)
	rand.NewChaCha8([32]byte{seed}).Read(p)
	return p
}

func TestRelayBothWays(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.relay("early ", 0)
		up, down := random(5<<20, 1), random(7<<20, 2)
		go func() { r.a.Write(up); r.a.CloseWrite() }()
		go func() { r.b.Write(down); r.b.CloseWrite() }()
		got := make(chan []byte, 1)
		go func() { p, _ := io.ReadAll(r.a); got <- p }()
		r.all(r.b, "early "+string(up))
		if !bytes.Equal(<-got, down) {
			t.Error("what b sent is not what a got")
		}
		if e := r.ended(); e.err != nil || e.fromA != int64(len(up)+6) || e.fromB != int64(len(down)) {
			t.Errorf("%+v", e)
		}
	})
}

// The end of one side is told to the other, which may go on.
func TestRelayHalfClose(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.relay("", time.Minute)
		r.a.Write([]byte("question"))
		r.a.CloseWrite()
		r.all(r.b, "question")
		for range 3 {
			r.b.Write([]byte("answer"))
			r.read(r.a, "answer")
		}
		r.b.Close()
		r.all(r.a, "")
		if e := r.ended(); e != (ending{8, 18, nil}) {
			t.Errorf("%+v", e)
		}
	})
	each(t, func(t *testing.T, r *rig) {
		r.relay("", time.Minute)
		r.b.CloseWrite()
		r.all(r.a, "")
		r.a.Write([]byte("still"))
		r.a.CloseWrite()
		r.all(r.b, "still")
		if e := r.ended(); e != (ending{5, 0, nil}) {
			t.Errorf("%+v", e)
		}
	})
}

// A reset ends both sides, also where the other has ended already.
func TestRelayReset(t *testing.T) {
	for _, half := range []bool{false, true} {
		each(t, func(t *testing.T, r *rig) {
			r.relay("", time.Minute)
			r.a.Write([]byte("x"))
			r.read(r.b, "x")
			if half {
				r.b.CloseWrite()
				r.all(r.a, "")
			}
			r.a.SetLinger(0)
			r.a.Close()
			io.Copy(io.Discard, r.b)
			if e := r.ended(); e.err == nil || e.fromA != 1 {
				t.Errorf("%+v", e)
			}
		})
	}
}

// A receiver that takes nothing holds the sender back; when it goes, so does the relay.
func TestRelayHoldsBack(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.b.SetReadBuffer(16 << 10)
		r.relay("", time.Minute)
		r.a.SetWriteDeadline(time.Now().Add(200 * time.Millisecond))
		n, err := r.a.Write(make([]byte, 64<<20))
		if n == 64<<20 || err == nil {
			t.Errorf("64 MiB were taken: %d, %v", n, err)
		}
		r.b.SetLinger(0)
		r.b.Close()
		if e := r.ended(); e.err == nil {
			t.Errorf("%+v", e)
		}
	})
}

// Silence ends a relay, and movement in either direction is none.
func TestRelayIdle(t *testing.T) {
	const idle = time.Second
	each(t, func(t *testing.T, r *rig) {
		r.relay("", idle)
		var last time.Time
		for range 6 {
			time.Sleep(idle / 5)
			last = time.Now()
			r.b.Write([]byte("x"))
			r.read(r.a, "x")
		}
		r.all(r.a, "")
		if d := time.Since(last); d < idle {
			t.Errorf("it ended after %v", d)
		}
		if e := r.ended(); e.err != poll.ErrTimeout || e.fromB != 6 {
			t.Errorf("%+v", e)
		}
	})
}

// Cancel of either connection ends the relay.
func TestRelayCancel(t *testing.T) {
	for side := range 2 {
		each(t, func(t *testing.T, r *rig) {
			r.relay("", 0)
			r.a.Write([]byte("x"))
			r.read(r.b, "x")
			r.near[side].Cancel()
			io.Copy(io.Discard, r.a)
			io.Copy(io.Discard, r.b)
			if e := r.ended(); !errors.Is(e.err, poll.ErrCanceled) {
				t.Errorf("%+v", e)
			}
		})
	}
}
