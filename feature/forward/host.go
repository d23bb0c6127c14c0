package forward

import (
	"fmt"

	"weir"
	"weir/internal/syntax"
)

// serveAs asks next with another host. The exchange gets its own back: logs tell what the client asked for.
func (w *writer) serveAs(x *weir.Exchange) error {
	own := x.Request.Authority
	host := w.host.String(x)
	if !syntax.IsAuthority(host) {
		return weir.Refuse(weir.CauseRequestHost, fmt.Sprintf("forward: host %q made of %q", host, own))
	}
	x.Request.Authority = host
	err := w.next.ServeExchange(x)
	x.Request.Authority = own
	return err
}

type hostTransport struct {
	weir.Transport
	host string
}

// ServerHost returns t sending host instead of the client's Host: for a server that answers to its own name.
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
	return err
}
