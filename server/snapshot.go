package server

import (
	"crypto/tls"
	"net/netip"
	"os"
	"time"

	"weir"
	"weir/proto/h1"
)

// A Snapshot is all that the server serves with at one time. It is immutable once it has been swapped in.
type Snapshot struct {
	Listeners []ListenerSpec
	Router    weir.Handler
	Observer  weir.Observer
	Trusted   func(netip.Addr) bool // whose forwarding fields are believed; nil: nobody's
	Loaded    time.Time
}

// spec returns the specification with that key.
func (s *Snapshot) spec(key string) *ListenerSpec {
	for i := range s.Listeners {
		if s.Listeners[i].key() == key {
			return &s.Listeners[i]
		}
	}
	return nil
}

// A ListenerSpec says where and how to listen.
type ListenerSpec struct {
	Name     string
	Address  string      // ":80", "127.0.0.1:8080", "[::1]:80", "unix:/run/weir.sock"
	Mode     os.FileMode // of a unix socket; 0: 0666 as the umask allows
	Limit    int         // connections at one time; 0: no limit
	Limits   h1.Limits
	Timeouts h1.Timeouts // Header is also for the handshake of TLS
	TLS      *tls.Config // nil: connections are not encrypted
	Versions Versions
	Proxied  Proxied
	Streams  int // of HTTP/2 and 3: requests of one connection at a time; 0: the default

	// Clients tells what is asked of clients in the handshake from what was asked before: connections that were agreed on
	// under another value end as in a drain.
	Clients string
}

// Versions are those of HTTP that a listener speaks. HTTP/2 without TLS is spoken with clients that know it before
// (h2c), HTTP/3 with TLS alone.
type Versions struct{ H1, H2, H3 bool }

func (l *ListenerSpec) speaksH3() bool { return l.Versions.H3 && l.TLS != nil }

// keeps reports whether connections that came under old may go on: they know the listener by its name, have come in the
// way that it wants now, were asked what it asks, and speak what it speaks.
func (l *ListenerSpec) keeps(old *ListenerSpec) bool {
	return l.Name == old.Name && (l.TLS != nil) == (old.TLS != nil) && l.Proxied == old.Proxied && l.Clients == old.Clients &&
		(l.Versions.H1 || !old.Versions.H1) && (l.Versions.H2 || !old.Versions.H2)
}

// key is what makes two specifications one socket. Port 0 stands for a port of its own each time.
func (l *ListenerSpec) key() string {
	network, address := l.network()
	if network != "unix" && hasPortZero(address) {
		return network + " " + address + " " + l.Name
	}
	return network + " " + address
}

// A ListenerStatus is what there is to know of a listener at one moment.
type ListenerStatus struct {
	Name      string
	Address   string
	Inherited bool   // somebody else, such as systemd, opened the socket
	Draining  bool   // accepts no more
	Open      int64  // connections
	Limit     int    // of connections; 0: none
	Accepted  uint64 // connections since it was opened
	Refused   uint64 // connections beyond the limit
	Strangers uint64 // connections without a proper PROXY header
	TLS       bool   // connections are encrypted
	Versions  Versions

	Handshakes []HandshakeCount
}
