package assemble

import (
	"crypto/tls"
	"fmt"

	"weir"
	"weir/cert"
	"weir/config"
	"weir/feature/forward"
	"weir/upstream"
)

// pool returns the pool of an upstream, made at its first use.
func (b *builder) pool(name string) (*pool, error) {
	if p := b.g.pools[name]; p != nil {
		return p, nil
	}
	if err := b.failed[name]; err != nil {
		return nil, err
	}
	p, err := b.makePool(name)
	if err != nil {
		b.failed[name] = err
		return nil, err
	}
	b.g.pools[name] = p
	return p, nil
}

func (b *builder) makePool(name string) (*pool, error) {
	var old *pool
	var prev *upstream.Pool
	if b.prev != nil && b.prev.pools[name] != nil {
		old = b.prev.pools[name]
		prev = old.Pool
	}
	c := b.upstream(name)
	if c == nil && old != nil {
		c = old.config // a site that was kept needs it
	}
	if c == nil && b.engine.draft {
		c = &config.Upstream{Name: name, Protocol: config.H1, Balance: config.RoundRobin, Servers: []config.Server{{Address: "127.0.0.1:1", Weight: 1}}}
	}
	if c == nil {
		return nil, fmt.Errorf("upstream %q cannot be used", name)
	}
	cfg, err := b.upstreamConfig(c)
	if err != nil {
		return nil, err
	}
	p, err := upstream.New(cfg, b.deps(), prev)
	if err != nil {
		return nil, err
	}
	return &pool{c, p}, nil
}

func (b *builder) deps() upstream.Deps {
	return upstream.Deps{Log: b.engine.o.Log, Secret: b.engine.secret}
}

// upstream returns what the configuration says of an upstream, or nil.
func (b *builder) upstream(name string) *config.Upstream {
	for _, u := range b.config.Upstreams {
		if u.Name == name {
			return u
		}
	}
	return nil
}

// hostOf returns whose word counts for the Host that the route's servers see, and the template of a route
// that has its own; "": the client's.
func hostOf(r *config.Route) (rule weir.HostRule, text string) {
	switch r.Settings.Host { // r.Host is the host that is matched
	case "":
		return weir.HostAsUpstream, ""
	case config.HostServer:
		return weir.HostAsServer, ""
	}
	return weir.HostAsRoute, r.Settings.Host
}

func (b *builder) upstreamConfig(c *config.Upstream) (upstream.Config, error) {
	by, err := template(c.HashBy)
	if err != nil {
		return upstream.Config{}, err
	}
	if _, err := forward.WithHost(nil, "", c.Host); err != nil {
		return upstream.Config{}, err
	}
	secure, err := b.securing(c)
	if err != nil {
		return upstream.Config{}, fmt.Errorf("upstream %q: tls: %w", c.Name, err)
	}
	if c.FastCGI != nil {
		if err := (&carrier{Upstream: c}).fastCGI().Check(); err != nil {
			return upstream.Config{}, fmt.Errorf("upstream %q: fastcgi: %w", c.Name, err)
		}
	}
	learned := &choices{}
	cfg := upstream.Config{
		Name: c.Name, Protocol: c.Protocol, Balance: c.Balance, HashBy: by, SlowStart: c.SlowStart,
		Sticky: sticky(c.Sticky), Health: b.health(c, secure, learned), Outlier: outlier(c.Outlier),
		Retry:        retry(c.Retry),
		Queue:        upstream.Queue{PerServer: c.Queue.PerServer, Length: c.Queue.Length, Timeout: c.Queue.Timeout},
		Refresh:      upstream.Refresh(c.Refresh),
		FirstLookup:  c.FirstLookup,
		Transport:    b.transports(c, secure, learned),
		TransportKey: transportKey(c),
	}
	for _, s := range c.Servers {
		cfg.Servers = append(cfg.Servers, upstream.Server{
			Address: s.Address, Weight: s.Weight, Backup: s.Backup, MaxRequests: s.MaxConnections,
		})
	}
	if d := c.Discover; d != nil {
		cfg.Discover = &upstream.Discover{Name: d.Name}
	}
	return cfg, nil
}

// named returns t sending the Host that routes and upstream ask for; host has been found good.
func named(t weir.Transport, ep *weir.Endpoint, host string) weir.Transport {
	if n, err := forward.WithHost(t, ep.Name, host); err == nil {
		return n
	}
	return t
}

func sticky(s *config.Sticky) *upstream.Sticky {
	if s == nil {
		return nil
	}
	return &upstream.Sticky{
		Cookie: s.Cookie, Path: s.Path, Domain: s.Domain, TTL: s.TTL, Secure: s.Secure, HTTPOnly: s.HTTPOnly,
		SameSite: s.SameSite,
	}
}

func (b *builder) health(c *config.Upstream, secure *cert.ClientPolicy, learned *choices) *upstream.Health {
	h := c.Health
	if h == nil {
		return nil
	}
	out := &upstream.Health{
		TCP: h.TCP, GRPC: h.GRPC, Service: h.Service, Method: h.Method, Path: h.Path, Host: h.Host, Expect: ranges(h.Expect), Match: h.Match,
		Interval: h.Interval, Timeout: h.Timeout, Rise: h.Rise, Fall: h.Fall,
	}
	for _, f := range h.Headers {
		out.Header = append(out.Header, weir.Field{Name: f.Name, Value: f.Value})
	}
	if secure != nil {
		plain := *secure
		plain.Protocols = []string{"http/1.1"} // which checks speak
		out.TLS = func(ep *weir.Endpoint) *tls.Config { return plain.Config(ep.Name) }
	}
	out.Transport = b.checking(c, secure, learned)
	return out
}

// checking makes what carries checks in the servers' own protocol; nil: checks of HTTP/1.1 need none.
func (b *builder) checking(c *config.Upstream, secure *cert.ClientPolicy, learned *choices) func(*weir.Endpoint) weir.Transport {
	carry := &carrier{checked(c), secure, b.engine.o.Group, nil, learned}
	switch {
	case c.Health.TCP:
		return nil
	case c.Health.GRPC, c.Protocol == config.H2, c.Protocol == config.H2C:
		return carry.h2
	case c.Protocol == config.H3:
		return carry.h3
	case c.Protocol == config.AutoProtocol:
		return carry.auto
	}
	return nil
}

// checked is c with the time of a check for all that a server may take.
func checked(c *config.Upstream) *config.Upstream {
	own := *c
	t := c.Health.Timeout
	own.Timeouts, own.KeepaliveIdle = config.UpstreamTimeouts{Connect: t, FirstByte: t, Idle: t}, t
	return &own
}

func ranges(list []config.StatusRange) []upstream.StatusRange {
	var out []upstream.StatusRange
	for _, r := range list {
		out = append(out, upstream.StatusRange{From: r.Low, To: r.High})
	}
	return out
}

func outlier(o *config.Outlier) *upstream.Outlier {
	if o == nil {
		return nil
	}
	return &upstream.Outlier{Errors: o.Errors, Within: o.Within, Eject: o.Eject, MaxEjected: o.MaxEjected}
}

func retry(r config.Retry) upstream.Retry {
	return upstream.Retry(r)
}
