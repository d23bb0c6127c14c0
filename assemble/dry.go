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
	"weir/proto/h2"
	"weir/server"
)

// A Request is one to try without sending anything.
type Request struct {
	Method   string // "": GET
	URL      string // "http://shop.example.com/a?b=c"; without a scheme, http is meant
	Target   string // what is asked for in place of the URL's path and query: "*"
	Header   []weir.Field
	Client   netip.Addr // zero: 127.0.0.1
	Listener string     // "": the one with the URL's port, or else the first
	Version  string     // "1.0", "1.1", "2", "3"; "": the first of 1.1, 2 and 3 that the listener speaks
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
	u, err := splitURL(q.URL)
	if err != nil {
		return nil, err
	}
	if !q.Client.IsValid() {
		q.Client = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	l, _, err := g.choose(q.Listener, u)
	if err != nil {
		return nil, err
	}
	u.target, q.Version = cmp.Or(q.Target, u.target), cmp.Or(q.Version, version(l, u))
	conn := &weir.Conn{
		Listener: l.Name, Remote: netip.AddrPortFrom(q.Client, 1), RemoteIP: q.Client.String(), Protocol: protocolOf[q.Version],
	}
	if trusted := g.snapshot.Trusted; trusted != nil {
		conn.Trusted = trusted(q.Client)
	}
	x := &weir.Exchange{}
	x.Reset(conn)
	x.Request.Scheme = u.scheme
	if err := readRequest(&q, u, l, &x.Request); err != nil {
		x.Request.Method, x.Request.Authority = cmp.Or(q.Method, "GET"), u.authority
		x.Request.SetTarget(u.target)
		return x, err
	}
	return x, g.believe(x)
}

// protocolOf names what a connection of a version speaks.
var protocolOf = map[string]string{"1.0": "HTTP/1.1", "1.1": "HTTP/1.1", "2": "HTTP/2", "3": "HTTP/3"}

// readRequest has a request read by the server of its version.
func readRequest(q *Request, u url, l *server.ListenerSpec, r *weir.Request) error {
	if q.Version == "1.0" || q.Version == "1.1" {
		if f := h1.ParseHead(headOf(q, u), l.Limits, r); f != nil {
			return f
		}
		return nil
	}
	r.Protocol = protocolOf[q.Version]
	f, reset := h2.ParseFields(fieldsOf(q, u), h2.Limits{Line: l.Limits.Line, Head: l.Limits.Head, Fields: l.Limits.Fields}, r)
	switch {
	case f == nil:
		return nil
	case reset:
		f.Err = &resetError{f.Err}
	}
	return f
}

// A resetError is why a stream ends without an answer.
type resetError struct{ error }

func (e *resetError) Unwrap() error { return e.error }

// hostOf splits off the Host field: said is false where it is to be left out.
func (q *Request) hostOf(u url) (host string, said bool, rest []weir.Field) {
	host, said = u.authority, true
	for _, f := range q.Header {
		if weir.EqualFold(f.Name, "host") {
			host, said = f.Value, f.Value != ""
			continue
		}
		rest = append(rest, f)
	}
	return host, said, rest
}

// headOf writes the request as a client would.
func headOf(q *Request, u url) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/%s\r\n", cmp.Or(q.Method, "GET"), u.target, q.Version)
	host, said, rest := q.hostOf(u)
	if said {
		b.WriteString("Host: " + host + "\r\n")
	}
	for _, f := range rest {
		b.WriteString(f.Name + ": " + f.Value + "\r\n")
	}
	return b.String() + "\r\n"
}

// fieldsOf are those of the request as a client of HTTP/2 or HTTP/3 would send it.
func fieldsOf(q *Request, u url) []weir.Field {
	host, said, rest := q.hostOf(u)
	out := []weir.Field{{Name: ":method", Value: cmp.Or(q.Method, "GET")}}
	if said {
		out = append(out, weir.Field{Name: ":authority", Value: host})
	}
	if q.Method != "CONNECT" {
		out = append(out, weir.Field{Name: ":scheme", Value: u.scheme}, weir.Field{Name: ":path", Value: u.target})
	}
	for _, f := range rest {
		out = append(out, weir.Field{Name: strings.ToLower(f.Name), Value: f.Value})
	}
	return out
}

func (g *generation) has(listener string) bool { return g.spec(listener) != nil }

// spec is the listener of that name, or nil.
func (g *generation) spec(listener string) *server.ListenerSpec {
	for i := range g.snapshot.Listeners {
		if l := &g.snapshot.Listeners[i]; l.Name == listener {
			return l
		}
	}
	return nil
}

// believe applies what a trusted proxy says of the client.
func (g *generation) believe(x *weir.Exchange) error {
	h, err := believe(g.config, g.snapshot.Trusted, weir.HandlerFunc(func(*weir.Exchange) error { return nil }))
	if err != nil {
		return err
	}
	return h.ServeExchange(x)
}

// A url is an address taken apart, with nothing of its path and query changed, which are target.
type url struct{ scheme, authority, target, fragment string }

// split takes the host, without brackets, and the port that a client asks apart.
func (u url) split() (host, port string) {
	host = u.authority
	if i := strings.LastIndexByte(host, ':'); i > strings.LastIndexByte(host, ']') {
		host, port = host[:i], host[i+1:]
	}
	usual := map[string]string{"http": "80", "https": "443"}
	return strings.Trim(host, "[]"), cmp.Or(port, usual[u.scheme])
}

// String returns the address without its fragment.
func (u url) String() string { return u.scheme + "://" + u.authority + u.target }

func splitURL(text string) (u url, err error) {
	scheme, rest, found := strings.Cut(text, "://")
	if !found {
		scheme, rest = "http", text
	}
	u.scheme = strings.ToLower(scheme)
	if u.scheme != "http" && u.scheme != "https" {
		return u, errors.New("the scheme of a URL is http or https, not \"" + scheme + "\"")
	}
	rest, u.fragment, _ = strings.Cut(rest, "#")
	end := strings.IndexAny(rest, "/?")
	if end < 0 {
		end = len(rest)
	}
	u.authority, u.target = rest[:end], rest[end:]
	if u.authority == "" || u.authority[0] == ':' {
		return u, errors.New("the URL names no host: without one a client knows nobody to ask; -H 'Host:' leaves the field out of a request")
	}
	if u.authority == "*" {
		return u, errors.New("* is no URL: write --target '*' and the URL of the host")
	}
	if !strings.HasPrefix(u.target, "/") {
		u.target = "/" + u.target
	}
	return u, nil
}

// try runs x through the chain of its route, up to where a server would be asked.
func (g *generation) try(e *Engine, x *weir.Exchange, r *config.Route) (dryRun, error) {
	return g.tryOf(e, x, g.versionOf(r), r)
}

// tryOf is try for a route of which the site is known.
func (g *generation) tryOf(e *Engine, x *weir.Exchange, v *siteVersion, r *config.Route) (dryRun, error) {
	run := dryRun{x: x}
	b := &builder{engine: e, config: g.config, g: g, shared: newShared()}
	end := g.server(r, &run)
	if r.Respond != nil || r.Redirect != nil {
		var err error
		if end, _, err = b.origin(r); err != nil {
			return run, err
		}
	}
	h, _, err := b.chain(v, r, end)
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
