package config

import (
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
)

func (l *loader) upstream(n *node) broken {
	u := l.upstreamOf(n)
	for _, c := range n.children("server") {
		l.server(n, c, u)
	}
	for _, c := range n.children("discover") {
		l.discover(c, u)
	}
	if n.child("server") == nil && n.child("discover") == nil && !n.broken {
		l.report(n.head, in(n, "there is no server"), "", `write server "10.0.0.11:8080" {}`)
	}
	l.sticky(n, u)
	l.health(n, u)
	u.TLS = l.upstreamTLS(n)
	l.protocol(n, u)
	l.config.Upstreams = append(l.config.Upstreams, u)
	return func(b Broken) {
		l.config.Upstreams = l.config.Upstreams[:len(l.config.Upstreams)-1]
		l.config.BrokenUpstreams = append(l.config.BrokenUpstreams, b)
	}
}

// upstreamOf is the part of an upstream that needs no checks beyond those of the table.
func (l *loader) upstreamOf(n *node) *Upstream {
	retry, queue, refresh := n.section("retry"), n.section("queue"), n.section("refresh")
	u := &Upstream{
		Name: n.label, Pos: posOf(n.head),
		Balance: get[string](n, "balance"),
		Retry: Retry{
			Attempts:     get[int](retry, "attempts"),
			Budget:       get[int](retry, "budget"),
			MinPerSecond: get[int](retry, "min_per_second"),
		},
		Queue: Queue{
			PerServer: get[int](queue, "per_server"),
			Length:    get[int](queue, "length"),
			Timeout:   get[time.Duration](queue, "timeout"),
		},
		SlowStart:     get[time.Duration](n, "slow_start"),
		Keepalive:     get[int](n, "keepalive"),
		KeepaliveIdle: get[time.Duration](n, "keepalive_idle"),
		Timeouts:      timeoutsOf(n.section("timeouts")),
		Refresh:       Refresh{get[time.Duration](refresh, "min"), get[time.Duration](refresh, "max")},
		FirstLookup:   get[time.Duration](n, "first_lookup"),
		Host:          get[string](n, "host"),
	}
	if u.Host == "pass" {
		u.Host = ""
	}
	if u.Refresh.Min > u.Refresh.Max {
		l.report(refresh.head, in(refresh, "min is more than max"), "", "")
	}
	if u.Queue.Length > 0 && u.Queue.PerServer == 0 && queue.has("length") {
		l.report(queue.at("length"), in(queue, "length needs per_server"), "without a limit for servers no request waits", "")
	}
	if c := n.child("outlier"); c != nil {
		u.Outlier = &Outlier{
			Errors:     get[int](c, "errors"),
			Within:     get[time.Duration](c, "within"),
			Eject:      get[time.Duration](c, "eject"),
			MaxEjected: get[int](c, "max_ejected"),
		}
	}
	return u
}

func timeoutsOf(n *node) UpstreamTimeouts {
	return UpstreamTimeouts{
		Connect:   get[time.Duration](n, "connect"),
		FirstByte: get[time.Duration](n, "first_byte"),
		Idle:      get[time.Duration](n, "idle"),
	}
}

func (l *loader) server(n, c *node, u *Upstream) {
	address, place := c.label, c.head
	if c.has("address") {
		address, place = get[string](c, "address"), c.at("address")
	}
	if complaint, hint := checkAddress(address); complaint != "" {
		l.report(place, in(n, "server "+quote(address)+" "+complaint), `write "10.0.0.11:8080", "name:80", "[::1]:80" or "unix:/run/app.sock"`, hint)
		return
	}
	for _, s := range u.Servers {
		if s.Address == address {
			l.report(place, in(n, "second server "+quote(address)), "the first one is at "+s.Pos.String(), "weight gives a server a bigger share")
			return
		}
	}
	u.Servers = append(u.Servers, Server{
		Pos: posOf(c.head), Address: address,
		Weight:         get[int](c, "weight"),
		Backup:         get[bool](c, "backup"),
		MaxConnections: get[int](c, "max_connections"),
	})
}

func (l *loader) discover(c *node, u *Upstream) {
	if c.label != "dns" {
		l.report(c.head, c.what+" is not available yet", "allowed: dns", "")
		return
	}
	u.Discover = &Discover{Pos: posOf(c.head), Name: get[string](c, "name")}
	if c.has("name") && !strings.HasPrefix(u.Discover.Name, "_") {
		if complaint, hint := checkAddress(u.Discover.Name); complaint != "" {
			l.report(c.at("name"), in(c, "name: "+quote(u.Discover.Name)+" "+complaint), plain(c.schema.attr("name").doc), hint)
		}
	}
}

func (l *loader) sticky(n *node, u *Upstream) {
	hashes := u.Balance == Hash || u.Balance == Maglev
	c := n.child("sticky")
	if c == nil {
		return
	}
	if c.has("by") && !hashes && !n.broken {
		l.report(c.at("by"), in(c, `by needs balance = "hash" or "maglev"`), "", "")
	}
	u.HashBy = get[string](c, "by")
	if c.has("by") && !c.has("cookie") {
		return
	}
	u.Sticky = &Sticky{
		Cookie:   get[string](c, "cookie"),
		Path:     get[string](c, "path"),
		Domain:   get[string](c, "domain"),
		TTL:      get[time.Duration](c, "ttl"),
		Secure:   get[bool](c, "secure"),
		HTTPOnly: get[bool](c, "http_only"),
		SameSite: capital(get[string](c, "same_site")),
	}
	if u.Sticky.Cookie == "" {
		u.Sticky.Cookie = "weir_" + u.Name
	}
	if i := strings.IndexFunc(u.Sticky.Cookie, noToken); i >= 0 {
		l.report(c.at("cookie"), in(c, "cookie: "+quote(u.Sticky.Cookie)+" is not a cookie's name"), "letters, digits and !#$%&'*+-.^_`|~", "")
	}
}

func capital(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// noToken reports whether a rune may not stand in a token (RFC 9110, section 5.6.2).
func noToken(c rune) bool {
	switch {
	case c >= '0' && c <= '9', c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z':
		return false
	}
	return !strings.ContainsRune("!#$%&'*+-.^_`|~", c)
}

func (l *loader) health(n *node, u *Upstream) {
	c := n.child("health")
	if c == nil {
		return
	}
	u.Health = &Health{
		TCP:      get[bool](c, "tcp"),
		GRPC:     get[bool](c, "grpc"),
		Service:  get[string](c, "grpc_service"),
		Path:     get[string](c, "path"),
		Method:   get[string](c, "method"),
		Host:     get[string](c, "host"),
		Headers:  get[[]Field](c, "headers"),
		Interval: get[time.Duration](c, "interval"),
		Timeout:  get[time.Duration](c, "timeout"),
		Expect:   get[[]StatusRange](c, "expect"),
		Match:    get[string](c, "match"),
		Rise:     get[int](c, "rise"),
		Fall:     get[int](c, "fall"),
	}
	for _, name := range c.fieldNames("headers") {
		l.fieldName(c, "headers", name)
	}
	if !strings.HasPrefix(u.Health.Path, "/") {
		l.report(c.at("path"), in(c, "path: "+quote(u.Health.Path)+" does not begin with a slash"), "", "did you mean "+quote("/"+u.Health.Path)+"?")
	}
	l.healthKind(c, u.Health)
}

// healthKind reports what does not go with the kind of check.
func (l *loader) healthKind(c *node, h *Health) {
	kind, useless := "", []string{"grpc_service"}
	switch {
	case h.TCP:
		kind, useless = "tcp", []string{"grpc", "grpc_service", "path", "method", "host", "headers", "expect", "match"}
	case h.GRPC:
		kind, useless = "grpc", []string{"path", "method", "expect", "match"}
	}
	for _, name := range useless {
		switch {
		case !c.has(name):
		case kind == "":
			l.report(c.at(name), in(c, name+" needs grpc = true"), "", "")
		default:
			l.report(c.at(name), in(c, name+" has no meaning with "+kind), "", "")
		}
	}
}

// anonymous returns the name of the upstream for an address that stands where an upstream may.
func (l *loader) anonymous(d destination, at hcl.Range) string {
	address := d.address
	name := address
	switch {
	case d.scheme != "":
		name = d.scheme + "://" + address
	case l.symbols.find("upstream", name) != nil: // somebody has called an upstream so
		name = "http://" + address
	}
	if l.addresses[name] {
		return name
	}
	l.addresses[name] = true
	c := l.schema.block("upstream")
	u := l.upstreamOf(&node{schema: c, label: name, head: at})
	u.Anonymous, u.Protocol = true, H1
	switch d.scheme {
	case "https":
		u.TLS = &UpstreamTLS{Pos: posOf(at), Minimum: "1.2"}
	case "h2c":
		u.Protocol = H2C
	}
	u.Servers = []Server{{Pos: posOf(at), Address: address, Weight: 1}}
	l.config.Upstreams = append(l.config.Upstreams, u)
	return name
}
