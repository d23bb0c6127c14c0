package poll

import (
	"bytes"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"weir/internal/clock"
)

// Kinds of connection that differ in how they keep a pace. A net.Conn is judged by what the kernel takes.
var (
	judges    = []string{"poller", "TLS server"}
	everyKind = append([]string{"net.Conn", "TLS over net.Conn"}, judges...)
)

func paced(t *testing.T, kinds []string, f func(t *testing.T, c Conn, far net.Conn)) {
	for _, name := range kinds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, far := kind(name)(t)(t)
			defer c.Close()
			f(t, c, far)
		})
	}
}

// A peer that takes nothing is given up after one window, however much is to be written.
func TestWritePaceStall(t *testing.T) {
	const window = 500 * time.Millisecond
	for name, write := range map[string]func(c Conn, p []byte) error{
		"Write":        func(c Conn, p []byte) error { _, err := c.Write(p); return err },
		"Post":         func(c Conn, p []byte) error { _, err := c.Post(p); return err },
		"WriteBuffers": func(c Conn, p []byte) error { return c.WriteBuffers([]byte("head"), p, []byte("tail")) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			paced(t, everyKind, func(t *testing.T, c Conn, far net.Conn) {
				c.SetWritePace(&Pace{Window: window, Bytes: 100})
				began := time.Now()
				if err := write(c, make([]byte, 64<<20)); err != ErrTimeout {
					t.Fatal(err)
				}
				if took := time.Since(began); took < window || took > 10*window {
					t.Errorf("it took %v", took)
				}
			})
		})
	}
}

// sip reads n bytes at a time with pauses between, until the end, and hands over all that came.
func sip(far net.Conn, n int, pause time.Duration) <-chan []byte {
	got := make(chan []byte, 1)
	go func() {
		var all bytes.Buffer
		for {
			if _, err := io.CopyN(&all, far, int64(n)); err != nil {
				got <- all.Bytes()
				return
			}
			time.Sleep(pause)
		}
	}()
	return got
}

// A peer that takes a little now and then does not keep it.
func TestWritePaceTooSlow(t *testing.T) {
	paced(t, everyKind, func(t *testing.T, c Conn, far net.Conn) {
		c.SetWritePace(&Pace{Window: time.Second, Bytes: 4 << 20})
		sip(far, 16<<10, 20*time.Millisecond)
		began := time.Now()
		if n, err := c.Write(make([]byte, 64<<20)); err != ErrTimeout {
			t.Fatalf("%d bytes after %v: %v", n, time.Since(began), err)
		}
		if took := time.Since(began); took < time.Second || took > 5*time.Second {
			t.Errorf("it took %v", took)
		}
		far.Close()
	})
}

// A deadline holds beside a pace, and without one a peer may be slow.
func TestWritePaceAndDeadline(t *testing.T) {
	paced(t, everyKind, func(t *testing.T, c Conn, far net.Conn) {
		c.SetWritePace(&Pace{Window: time.Hour})
		c.SetWriteDeadline(clock.Now() + int64(200*time.Millisecond))
		if _, err := c.Write(make([]byte, 64<<20)); err != ErrTimeout {
			t.Fatal(err)
		}
	})
	paced(t, everyKind, func(t *testing.T, c Conn, far net.Conn) {
		c.SetWritePace(&Pace{Window: 50 * time.Millisecond})
		c.SetWritePace(nil)
		time.AfterFunc(500*time.Millisecond, c.Cancel)
		if _, err := c.Write(make([]byte, 64<<20)); !errors.Is(err, ErrCanceled) {
			t.Fatal(err)
		}
	})
}
