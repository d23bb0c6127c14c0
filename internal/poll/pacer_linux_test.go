package poll

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// A sipper is a peer whose kernel buffers next to nothing, and who takes a little now and then as long as slow is set.
type sipper struct {
	net.Conn
	slow atomic.Bool
}

const (
	sipSize  = 1 << 10
	sipPause = 20 * time.Millisecond
)

func (s *sipper) Read(p []byte) (int, error) {
	if s.slow.Load() {
		time.Sleep(sipPause)
		p = p[:min(len(p), sipSize)]
	}
	return s.Conn.Read(p)
}

// sipped makes a connection to a sipper. What is acknowledged at a time is as large as the buffer with which it connected.
func sipped(t *testing.T) (*sock, *sipper) {
	got := make(chan Conn, 1)
	l, err := newGroup(t).Listen(listen(t), func(c Conn) { got <- c })
	must(t, err)
	t.Cleanup(func() { l.Close() })
	d := net.Dialer{Control: func(_, _ string, rc syscall.RawConn) error {
		return rc.Control(func(fd uintptr) { syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 4<<10) })
	}}
	far, err := d.Dial("tcp", l.Addr().String())
	must(t, err)
	t.Cleanup(func() { far.Close() })
	return (<-got).(*sock), &sipper{Conn: far}
}

// narrow sets what the kernel takes of what is written to s: else that is up to tcp_wmem, which differs between systems.
func narrow(t *testing.T, s *sock, n int) {
	must(t, syscall.SetsockoptInt(int(s.fd), syscall.SOL_SOCKET, syscall.SO_SNDBUF, n))
}

// secured puts TLS around both ends.
func secured(t *testing.T, s *sock, far net.Conn) (Conn, net.Conn) {
	c, other := SealServer(s, testTLS()), tls.Client(far, testTLS())
	done := make(chan error, 1)
	go func() { done <- other.Handshake() }()
	must(t, c.Handshake())
	must(t, <-done)
	return c, other
}

// A peer that keeps the pace gets everything, though the kernel's buffer has no room for several windows.
func TestWritePaceKept(t *testing.T) {
	const (
		first  = 128 << 10
		second = 80 << 10                       // more than the kernel adds to what it has in hand
		window = first / 4 / sipSize * sipPause // in which a sipper takes a quarter of that at most
	)
	for _, name := range judges {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, far := sipped(t)
			defer s.Close()
			c, from := Conn(s), net.Conn(far)
			if name == "TLS server" {
				c, from = secured(t, s, far)
			}
			far.slow.Store(true)
			got := make(chan []byte, 1)
			go func() {
				all, _ := io.ReadAll(from)
				got <- all
			}()
			narrow(t, s, 192<<10)
			data := randomBytes(5, first+second)
			began := time.Now()
			_, err := c.Write(data[:first])
			must(t, err)
			narrow(t, s, 16<<10)
			c.SetWritePace(&Pace{Window: window, Bytes: sipSize}) // forty times as slow
			if n, err := c.Write(data[first:]); err != nil {
				t.Fatalf("%d bytes after %v: %v", n, time.Since(began), err)
			}
			if took := time.Since(began); took < 2*window {
				t.Errorf("there was room after %v", took)
			}
			far.slow.Store(false)
			c.CloseWrite()
			if !bytes.Equal(<-got, data) {
				t.Error("what has come differs")
			}
		})
	}
}
