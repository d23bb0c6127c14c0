package stream

import (
	"bytes"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"weir/internal/poll"
)

// An end is b of a bridge, and what stands behind it.
type end struct {
	io.ReadWriteCloser
	far net.Conn
}

// eachEnd runs f over both kinds of a and over ends that can, and that can't, be closed by half.
func eachEnd(t *testing.T, f func(t *testing.T, r *rig, b end, half bool)) {
	for _, half := range []bool{true, false} {
		each(t, func(t *testing.T, r *rig) {
			r.near[1].Close()
			var b end
			if half {
				l, err := net.Listen("tcp", "127.0.0.1:0")
				if err != nil {
					t.Fatal(err)
				}
				defer l.Close()
				near, err := net.Dial("tcp", l.Addr().String())
				if err != nil {
					t.Fatal(err)
				}
				far, err := l.Accept()
				if err != nil {
					t.Fatal(err)
				}
				b = end{near, far}
			} else {
				near, far := net.Pipe()
				b = end{near, far}
			}
			b.far.SetDeadline(time.Now().Add(20 * time.Second))
			t.Cleanup(func() { b.far.Close() })
			f(t, r, b, half)
		})
	}
}

func (r *rig) bridge(b end, early string, idle time.Duration) {
	Bridge(r.near[0], b.ReadWriteCloser, []byte(early), idle, func(fromA, fromB int64, err error) { r.over <- ending{fromA, fromB, err} })
}

func TestBridgeBothWays(t *testing.T) {
	eachEnd(t, func(t *testing.T, r *rig, b end, half bool) {
		r.bridge(b, "early ", time.Minute)
		up, down := random(2<<20, 1), random(3<<20, 2)
		go r.a.Write(up)
		go b.far.Write(down)
		got := make(chan []byte, 1)
		go func() {
			p := make([]byte, len(down))
			io.ReadFull(r.a, p)
			got <- p
		}()
		r.read(b.far, "early "+string(up))
		if !bytes.Equal(<-got, down) {
			t.Error("what b sent is not what a got")
		}
		r.a.CloseWrite()
		r.all(b.far, "")
		b.far.Close()
		r.all(r.a, "")
		if e := r.ended(); e.fromA != int64(len(up)+6) || e.fromB != int64(len(down)) || e.err != nil {
			t.Errorf("%+v", e)
		}
	})
}

func TestBridgeHalfClose(t *testing.T) {
	eachEnd(t, func(t *testing.T, r *rig, b end, half bool) {
		if !half {
			return
		}
		r.bridge(b, "", time.Minute)
		r.a.Write([]byte("question"))
		r.a.CloseWrite()
		r.all(b.far, "question")
		b.far.Write([]byte("answer"))
		b.far.Close()
		r.all(r.a, "answer")
		if e := r.ended(); e != (ending{8, 6, nil}) {
			t.Errorf("%+v", e)
		}
	})
}

// The other end goes first: a is told, and may still send.
func TestBridgeEndOfB(t *testing.T) {
	eachEnd(t, func(t *testing.T, r *rig, b end, half bool) {
		r.bridge(b, "", time.Minute)
		b.far.Close()
		r.all(r.a, "")
		r.a.Close()
		r.ended()
	})
}

// Silence ends a bridge, and movement is none.
func TestBridgeIdle(t *testing.T) {
	const idle = 750 * time.Millisecond
	eachEnd(t, func(t *testing.T, r *rig, b end, half bool) {
		r.bridge(b, "", idle)
		for range 4 {
			time.Sleep(idle / 3)
			go b.far.Write([]byte("x"))
			r.read(r.a, "x")
		}
		if e := r.ended(); e.err != poll.ErrTimeout || e.fromB != 4 {
			t.Errorf("%+v", e)
		}
	})
}

// A bridge ends though there is something for b, who takes nothing.
func TestBridgeIdleOfB(t *testing.T) {
	eachEnd(t, func(t *testing.T, r *rig, b end, half bool) {
		r.bridge(b, "", 250*time.Millisecond)
		r.a.SetWriteDeadline(time.Now().Add(10 * time.Second))
		go r.a.Write(make([]byte, 64<<20))
		if e := r.ended(); e.err != poll.ErrTimeout || e.fromB != 0 {
			t.Errorf("%+v", e)
		}
	})
}

func TestBridgeCancel(t *testing.T) {
	eachEnd(t, func(t *testing.T, r *rig, b end, half bool) {
		r.bridge(b, "", 0)
		r.a.Write([]byte("x"))
		r.read(b.far, "x")
		r.near[0].Cancel()
		io.Copy(io.Discard, b.far)
		if e := r.ended(); !errors.Is(e.err, poll.ErrCanceled) {
			t.Errorf("%+v", e)
		}
	})
}
