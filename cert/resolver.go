package cert

import (
	"context"
	"net"
	"sync/atomic"

	"github.com/miekg/dns"
)

// resolver asks these servers, or the system's where there are none.
func resolver(servers []string) *net.Resolver {
	if len(servers) == 0 {
		return net.DefaultResolver
	}
	a := &askedServers{list: servers}
	return &net.Resolver{PreferGo: true, Dial: a.dial}
}

// askedServers are DNS servers, of which one is asked until it fails; then it is the next one's turn. net's resolver tries
// a question more than once. It may be used concurrently.
type askedServers struct {
	list []string
	turn atomic.Uint32 // modulo the number of servers
}

func (a *askedServers) dial(ctx context.Context, network, _ string) (c net.Conn, err error) {
	var d net.Dialer
	for range a.list {
		turn := a.turn.Load()
		if c, err = d.DialContext(ctx, network, a.list[int(turn)%len(a.list)]); err == nil {
			return a.watched(c, turn), nil
		}
		a.failed(turn)
	}
	return nil, err
}

// failed ends the turn of a server, once for all that ask it at the same time.
func (a *askedServers) failed(turn uint32) { a.turn.CompareAndSwap(turn, turn+1) }

// watched looks at what comes over UDP, where connecting tells nothing of the server.
func (a *askedServers) watched(c net.Conn, turn uint32) net.Conn {
	if u, ok := c.(*net.UDPConn); ok {
		return &watchedServer{u, a, turn}
	}
	return c
}

type watchedServer struct {
	*net.UDPConn
	of   *askedServers
	turn uint32
}

func (w *watchedServer) Read(b []byte) (int, error) {
	n, err := w.UDPConn.Read(b)
	if err != nil || refuses(b[:n]) {
		w.of.failed(w.turn)
	}
	return n, err
}

// refuses reports whether a DNS message says that its server cannot or will not answer. RFC 1035 4.1.1
func refuses(message []byte) bool {
	if len(message) < 4 {
		return true
	}
	code := int(message[3] & 0x0f)
	return code == dns.RcodeServerFailure || code == dns.RcodeRefused
}
