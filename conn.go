package weir

import (
	"crypto/tls"
	"net/netip"
)

// A Conn holds the facts of one client connection. It is made once, when the connection is
// accepted, and does not change while an exchange runs.
type Conn struct {
	Listener string         // name of the listener
	Local    netip.AddrPort // our end
	Remote   netip.AddrPort // the peer, or what the PROXY protocol said of it; zero for a unix socket
	RemoteIP string         // Remote's address as text, made once
	Protocol string         // "HTTP/1.1", "HTTP/2", "HTTP/3"; an HTTP/1.0 request says so itself
	Trusted  bool           // the peer is one of trusted_proxies: its forwarding fields are believed
	TLS      *tls.ConnectionState
	Shard    int   // number of the poller the connection is on; a transport prefers connections of the same
	Opened   int64 // internal/clock nanoseconds
}

// Scheme returns "https" where the connection is encrypted, else "http".
func (c *Conn) Scheme() string {
	if c.TLS != nil {
		return "https"
	}
	return "http"
}
