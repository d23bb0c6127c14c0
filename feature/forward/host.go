package forward

import (
	"fmt"
	"strings"

	"weir"
	"weir/internal/syntax"
)

type hostTransport struct {
	weir.Transport
	own      string         // the server's
	upstream *weir.Template // nil: the client's
}

// WithHost returns t sending as Host what x.Route.Host asks for: own, the address of the server that t leads
// to, or else host, which its upstream says: "" or "pass" for what Request.Authority holds, "server" for own, or a
// template. A server on a unix socket is called localhost. Where the server sends the client to that host,
// the client's takes its place.
func WithHost(t weir.Transport, own, host string) (weir.Transport, error) {
	if !syntax.IsAuthority(own) {
		own = "localhost"
	}
	h := &hostTransport{Transport: t, own: own}
	switch host {
	case "", "pass":
		return h, nil
	case "server":
		host = own
	}
	var err error
	h.upstream, err = parseHost(host, nil)
	return h, err
}

// parseHost reads a template that makes a host.
func parseHost(host string, params []string) (*weir.Template, error) {
	t, err := weir.ParseTemplate(host, params...)
	if err != nil {
		return nil, fmt.Errorf("host %q: %w", host, err)
	}
	if text, constant := t.Constant(); constant && !syntax.IsAuthority(text) {
		return nil, fmt.Errorf("host %q is no host name or address", host)
	}
	return t, nil
}

// Spoken implements weir.Chooser: what the transport below tells.
func (t *hostTransport) Spoken() (protocol string, chooses bool) {
	if c, ok := t.Transport.(weir.Chooser); ok {
		return c.Spoken()
	}
	return "", false
}

// RoundTrip implements weir.Transport.
func (t *hostTransport) RoundTrip(x *weir.Exchange) error {
	rule := weir.HostAsUpstream
	if x.Route != nil {
		rule = x.Route.Host
	}
	switch {
	case rule == weir.HostAsServer:
		return as(x, t.own, t.Transport.RoundTrip)
	case rule == weir.HostAsRoute || t.upstream == nil:
		return t.Transport.RoundTrip(x)
	}
	return as(x, t.upstream.String(x), t.Transport.RoundTrip)
}

// as asks next with another host. The exchange gets its own back: logs tell what the client asked for.
func as(x *weir.Exchange, host string, next func(*weir.Exchange) error) error {
	own := x.Request.Authority
	if !syntax.IsAuthority(host) {
		return weir.Refuse(weir.CauseRequestHost, fmt.Sprintf("forward: host %q made of %q", host, own))
	}
	x.Request.Authority = host
	err := next(x)
	x.Request.Authority = own
	if err == nil {
		restoreLocation(x, host)
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
