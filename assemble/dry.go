package assemble

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"weir"
	"weir/config"
	"weir/observe"
	"weir/proto/h1"
	"weir/server"
)

// A Request is one to try without sending anything.
type Request struct {
	Method   string // "": GET
	URL      string // "http://shop.example.com/a?b=c"; without a scheme, http is meant
	Header   []weir.Field
	Client   netip.Addr // zero: 127.0.0.1
	Listener string     // "": the one with the URL's port, or else the first
}

// A dryRun is what became of a request that was not sent.
type dryRun struct {
	x    *weir.Exchange
	sent *weir.Exchange // as a server would have seen it; nil: weir answers itself
}

// unconnected is the transport of an engine that sends nothing.
type unconnected struct{}

func (unconnected) RoundTrip(*weir.Exchange) error {
	return &weir.Fault{Op: "dry run", Side: weir.SideWeir, Cause: weir.CauseInternal, Err: errors.New("nothing is sent")}
}
func (unconnected) Idle() int { return 0 }
func (unconnected) Close()    {}

// exchange makes an exchange of a request, as a protocol would. A *weir.Fault is the protocol's refusal; the
// exchange is there all the same.
func (g *generation) exchange(q Request) (*weir.Exchange, error) {
	scheme, authority, target, err := splitURL(q.URL)
	if err != nil {
		return nil, err
	}
	if !q.Client.IsValid() {
		q.Client = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	conn := &weir.Conn{
		Listener: q.Listener, Remote: netip.AddrPortFrom(q.Client, 1), RemoteIP: q.Client.String(), Protocol: "HTTP/1.1",
	}
	if trusted := g.snapshot.Trusted; trusted != nil {
		conn.Trusted = trusted(q.Client)
	}
	if conn.Listener == "" {
		conn.Listener = g.listener(scheme, authority)
	} else if !g.has(conn.Listener) {
		return nil, fmt.Errorf("there is no listener %q", conn.Listener)
	}
	x := &weir.Exchange{}
	x.Reset(conn)
	x.Request.Scheme = scheme
	if f := h1.ParseHead(headOf(q, authority, target), g.limits(conn.Listener), &x.Request); f != nil {
		x.Request.Method, x.Request.Authority = q.Method, authority
		x.Request.SetTarget(target)
		return x, f
	}
	return x, g.believe(x)
}

// headOf writes the request as a client would.
func headOf(q Request, authority, target string) string {
	var fields strings.Builder
	for _, f := range q.Header {
		if weir.EqualFold(f.Name, "host") {
			authority = f.Value
			continue
		}
		fields.WriteString(f.Name + ": " + f.Value + "\r\n")
	}
	return cmp.Or(q.Method, "GET") + " " + target + " HTTP/1.1\r\nHost: " + authority + "\r\n" + fields.String() + "\r\n"
}

func (g *generation) has(listener string) bool {
	return slices.ContainsFunc(g.snapshot.Listeners, func(l server.ListenerSpec) bool { return l.Name == listener })
}

// limits returns those of a listener.
func (g *generation) limits(listener string) h1.Limits {
	for i := range g.snapshot.Listeners {
		if l := &g.snapshot.Listeners[i]; l.Name == listener {
			return l.Limits
		}
	}
	return h1.Limits{}
}

// believe applies what a trusted proxy says of the client.
func (g *generation) believe(x *weir.Exchange) error {
	h, err := believe(g.config, g.snapshot.Trusted, weir.HandlerFunc(func(*weir.Exchange) error { return nil }))
	if err != nil {
		return err
	}
	return h.ServeExchange(x)
}

// listener returns the name of the listener with the port that a client of the URL would ask.
func (g *generation) listener(scheme, authority string) string {
	port := "80"
	if scheme == "https" {
		port = "443"
	}
	if i := strings.LastIndexByte(authority, ':'); i > strings.LastIndexByte(authority, ']') {
		port = authority[i+1:]
	}
	for _, l := range g.snapshot.Listeners {
		if strings.HasSuffix(l.Address, ":"+port) {
			return l.Name
		}
	}
	if len(g.snapshot.Listeners) == 0 {
		return ""
	}
	return g.snapshot.Listeners[0].Name
}

// splitURL takes a URL apart without changing anything of its path and query, which are target.
func splitURL(text string) (scheme, authority, target string, err error) {
	scheme, rest, found := strings.Cut(text, "://")
	if !found {
		scheme, rest = "http", text
	}
	if scheme != "http" && scheme != "https" {
		return "", "", "", errors.New("the scheme of a URL is http or https, not \"" + scheme + "\"")
	}
	rest, _, _ = strings.Cut(rest, "#")
	end := strings.IndexAny(rest, "/?")
	if end < 0 {
		end = len(rest)
	}
	authority, target = rest[:end], rest[end:]
	if authority == "" {
		return "", "", "", errors.New("the URL names no host")
	}
	if !strings.HasPrefix(target, "/") {
		target = "/" + target
	}
	return scheme, authority, target, nil
}

// try runs x through the chain of its route, up to where a server would be asked.
func (g *generation) try(e *Engine, x *weir.Exchange, r *config.Route) (dryRun, error) {
	run := dryRun{x: x}
	b := &builder{engine: e, config: g.config, g: g, shared: newShared()}
	end := g.server(r, &run)
	if r.Respond != nil || r.Redirect != nil {
		var err error
		if end, _, err = b.origin(r); err != nil {
			return run, err
		}
	}
	h, _, err := b.chain(g.versionOf(r), r, end)
	if err != nil {
		return run, err
	}
	if err := h.ServeExchange(x); err != nil {
		x.Fail(err)
	}
	return run, nil
}

// server returns what stands in for the server that the route would ask first.
func (g *generation) server(r *config.Route, run *dryRun) weir.Handler {
	var t weir.Transport = captor{run: run}
	if p := g.pools[leads(r)[0]]; p != nil && len(p.config.Servers) > 0 {
		t = named(t, &weir.Endpoint{Name: p.config.Servers[0].Address}, p.config.Host)
	}
	return weir.HandlerFunc(t.RoundTrip)
}

// A captor is a transport that keeps what it is to send.
type captor struct {
	unconnected
	run *dryRun
}

func (c captor) RoundTrip(x *weir.Exchange) error {
	c.run.sent = x.Clone()
	x.Response.Status = 200
	return nil
}

// versionOf returns the site that has the route.
func (g *generation) versionOf(r *config.Route) *siteVersion {
	for _, v := range g.sites {
		if slices.Contains(v.Routes, r) {
			return v
		}
	}
	return &siteVersion{Site: &config.Site{}}
}

// routeConfig returns what the configuration says of a route; nil for the one that a broken site has.
func (g *generation) routeConfig(target *weir.Route) *config.Route {
	for _, v := range g.sites {
		if v.state == observe.SiteBroken {
			continue
		}
		for i, r := range v.routes {
			if r == target {
				return v.Routes[i]
			}
		}
	}
	return nil
}
