package h3

import (
	"net"
	"sync/atomic"
	"testing"

	"weir"
)

// counted counts the datagrams that leave a socket, or rather the calls that send them.
type counted struct {
	*net.UDPConn
	sent atomic.Int64
}

func (c *counted) WriteMsgUDP(p, oob []byte, to *net.UDPAddr) (int, int, error) {
	c.sent.Add(1)
	return c.UDPConn.WriteMsgUDP(p, oob, to)
}

// An answer leaves in one packet, with all that QUIC has to say besides.
func TestPackets(t *testing.T) {
	leaks(t)
	pc := &counted{UDPConn: listenUDP(t)}
	w := start(t, ServerConfig{Handler: weir.HandlerFunc(echo)}, Socket{Conn: pc})
	c := w.client()
	get(t, c, "/")
	before := pc.sent.Load()
	const n = 300
	for range n {
		if _, body := get(t, c, "/1"); body != "GET /1 " {
			t.Fatal(body)
		}
	}
	if sent := pc.sent.Load() - before; sent < n || sent > n*3/2 {
		t.Errorf("%d answers took %d packets", n, sent)
	}
}
