package poll

import (
	"bytes"
	"net"
	"syscall"
	"testing"
	"time"
)

// narrow bounds what the kernel takes of what is written to c: else that is up to tcp_wmem, which differs between systems.
func narrow(t *testing.T, c Conn, n int) {
	if s, ok := c.(*Sealed); ok {
		c = s.Conn
	}
	must(t, syscall.SetsockoptInt(int(c.(*sock).fd), syscall.SOL_SOCKET, syscall.SO_SNDBUF, n))
}

// A peer that keeps the pace gets everything in one write, though the kernel's buffer has room but once in several windows.
func TestWritePaceKept(t *testing.T) {
	paced(t, judges, func(t *testing.T, c Conn, far net.Conn) {
		pace := &Pace{Window: 400 * time.Millisecond, Bytes: 10 << 10}
		c.SetWritePace(pace)
		narrow(t, c, 64<<10)
		far.(halves).SetReadBuffer(16 << 10)        // else it takes large lumps, and nothing between them
		got := sip(far, 8<<10, 20*time.Millisecond) // sixteen times as fast
		data := randomBytes(5, 3<<18)
		began := time.Now()
		if n, err := c.Write(data); n != len(data) || err != nil {
			t.Fatalf("%d bytes after %v: %v", n, time.Since(began), err)
		}
		if time.Since(began) < pace.Window {
			t.Error("nobody has had to wait")
		}
		c.CloseWrite()
		if !bytes.Equal(<-got, data) {
			t.Error("what has come differs")
		}
	})
}
