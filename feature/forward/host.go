package forward

import (
	"fmt"
	"strings"

	"weir"
	"weir/internal/syntax"
)

// serveAs asks next with another host. The exchange gets its own back: logs tell what the client asked for,
// and where the server sends the client to the host that it was asked for, the client's takes its place.
func (w *writer) serveAs(x *weir.Exchange) error {
	own := x.Request.Authority
	host := w.host.String(x)
	if !syntax.IsAuthority(host) {
		return weir.Refuse(weir.CauseRequestHost, fmt.Sprintf("forward: host %q made of %q", host, own))
	}
	x.Request.Authority = host
	err := w.next.ServeExchange(x)
	x.Request.Authority = own
	if err == nil {
		restoreLocation(x, host)
	}
	return err
}

type hostTransport struct {
	weir.Transport
	host string
}

// ServerHost returns t sending host instead of the client's Host: for a server that answers to its own name.
// Where the server sends the client to that host, the client's takes its place.
func ServerHost(t weir.Transport, host string) (weir.Transport, error) {
	if !syntax.IsAuthority(host) {
		return nil, fmt.Errorf("host %q is no host name or address", host)
	}
	return &hostTransport{t, host}, nil
}

// RoundTrip implements weir.Transport.
func (t *hostTransport) RoundTrip(x *weir.Exchange) error {
	own := x.Request.Authority
	x.Request.Authority = t.host
	err := t.Transport.RoundTrip(x)
	x.Request.Authority = own
	if err == nil {
		restoreLocation(x, t.host)
	}
	return err
}

// restoreLocation turns a Location on host, "http://host/path", into one on the host that the client has
// asked, with the scheme that the client has used.
func restoreLocation(x *weir.Exchange, host string) {
	location, ok := x.Response.Header.LookupKnown(weir.FieldLocation)
	if !ok || x.Request.Authority == "" {
		return
	}
	scheme, after, found := strings.Cut(location, "://")
	if !found || schemeOf(scheme) == "" || len(after) < len(host) || !weir.EqualFold(after[:len(host)], host) {
		return
	}
	if rest := after[len(host):]; rest == "" || strings.IndexByte("/?#", rest[0]) >= 0 {
		x.Response.Header.SetKnown(weir.FieldLocation, x.Request.Scheme+"://"+x.Request.Authority+rest)
	}
}
