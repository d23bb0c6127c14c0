// Package alpn carries exchanges to servers that choose themselves which version of HTTP they speak, HTTP/2 or HTTP/1.1,
// while a connection is being encrypted (ALPN, RFC 7301).
//
// What a server chose last is remembered in a [Choice], and a transport of that version makes the connections. Each new
// connection offers both versions nevertheless: a server that chooses otherwise than before is believed, the connection is
// given up before anything was said on it, and the exchange goes out by the other transport.
//
//	not known --> HTTP/2 is tried --chosen--> HTTP/2 <--a new connection chooses otherwise--> HTTP/1.1
package alpn

import (
	"crypto/tls"
	"errors"
	"sync/atomic"

	"weir"
	"weir/internal/poll"
)

// The protocols that are offered.
const (
	H2 = "h2"
	H1 = "http/1.1"
)

// mostTurns is how many times in a row a server may choose another protocol than the time before. After that it is offered
// HTTP/1.1 alone: what answers at its address is many servers, not two of which speak alike.
const mostTurns = 3

// errOther says that the server has chosen the other protocol.
var errOther = errors.New("the server has chosen another protocol than before")

// A Choice is what one server chose last. The zero value knows nothing yet. It may be used concurrently.
type Choice struct {
	last atomic.Pointer[string]
}

// Spoken is the protocol as the configuration calls it, "h2" or "h1"; "": not known yet.
func (c *Choice) Spoken() string {
	if p := c.last.Load(); p != nil {
		return *p
	}
	return ""
}

var h1Word, h2Word = "h1", "h2"

// note remembers what a server has chosen.
func (c *Choice) note(protocol string) {
	word := &h1Word
	if protocol == H2 {
		word = &h2Word
	}
	c.last.Store(word)
}

// A Dial makes an encrypted connection to a server at address until deadline, a value of internal/clock.
type Dial = func(x *weir.Exchange, address string, deadline int64) (poll.Conn, error)

// Only returns dial, which offers both protocols, for a transport that speaks want alone: connections on which the server
// chooses the other one are closed, and the error is one that [Transport] knows. A server without ALPN speaks HTTP/1.1.
func (c *Choice) Only(want string, dial Dial) Dial {
	return func(x *weir.Exchange, address string, deadline int64) (poll.Conn, error) {
		conn, err := dial(x, address, deadline)
		if err != nil {
			return nil, err
		}
		got := chosen(conn)
		if c.note(got); got == want {
			return conn, nil
		}
		conn.Close()
		return nil, &weir.Fault{Op: "handshake", Side: weir.SideUpstream, Cause: weir.CauseUpstreamTLSProtocol, Retry: weir.RetryAlways, Err: errOther}
	}
}

// chosen is the protocol that a connection speaks.
func chosen(conn poll.Conn) string {
	if s, ok := conn.(interface{ State() tls.ConnectionState }); ok && s.State().NegotiatedProtocol == H2 {
		return H2
	}
	return H1
}

// A Transport is a weir.Transport to a server that chooses its protocol.
type Transport struct {
	choice        *Choice
	h2, h1, plain weir.Transport
}

var _ weir.Chooser = (*Transport)(nil)

// New returns the transport to a server whose choice is remembered in c. The connections of h2 and h1 are made by what
// [Choice.Only] returns; those of plain, which speaks HTTP/1.1, offer nothing else. They are closed with the transport.
func New(c *Choice, h2, h1, plain weir.Transport) *Transport {
	return &Transport{choice: c, h2: h2, h1: h1, plain: plain}
}

// RoundTrip implements weir.Transport.
func (t *Transport) RoundTrip(x *weir.Exchange) error {
	if x.Request.Upgrade != "" {
		return t.upgrade(x)
	}
	for range mostTurns {
		err := t.now().RoundTrip(x)
		if err == nil || !errors.Is(err, errOther) {
			return err
		}
	}
	return t.plain.RoundTrip(x)
}

// now is the transport for what the server chose last.
func (t *Transport) now() weir.Transport {
	if t.choice.Spoken() == h1Word {
		return t.h1
	}
	return t.h2
}

// upgrade carries an exchange that wants another protocol than HTTP. Few servers know how to over HTTP/2 (RFC 8441), so
// that HTTP/1.1 is asked for; only a server that does not speak that is asked over HTTP/2.
func (t *Transport) upgrade(x *weir.Exchange) error {
	err := t.plain.RoundTrip(x)
	var f *weir.Fault
	if errors.As(err, &f) && f.Cause == weir.CauseUpstreamTLSProtocol && !x.Request.Touched {
		return t.h2.RoundTrip(x)
	}
	return err
}

// Idle is the number of kept connections, whatever they speak.
func (t *Transport) Idle() int { return t.h2.Idle() + t.h1.Idle() + t.plain.Idle() }

// Spoken implements weir.Chooser.
func (t *Transport) Spoken() (protocol string, chooses bool) { return t.choice.Spoken(), true }

// Close implements weir.Transport.
func (t *Transport) Close() {
	t.h2.Close()
	t.h1.Close()
	t.plain.Close()
}
