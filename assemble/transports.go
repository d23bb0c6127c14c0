package assemble

import (
	"cmp"
	"crypto/tls"
	"fmt"
	"os"
	"sync"

	"weir"
	"weir/cert"
	"weir/config"
	"weir/internal/clock"
	"weir/internal/poll"
	"weir/proto/alpn"
	"weir/proto/fcgi"
	"weir/proto/h1"
	"weir/proto/h2"
	"weir/proto/h3"
	"weir/proto/proxyproto"
)

// transports returns what makes the connections to one server.
func (b *builder) transports(c *config.Upstream, secure *cert.ClientPolicy, learned *choices) func(*weir.Endpoint) weir.Transport {
	if b.engine.dry {
		return func(ep *weir.Endpoint) weir.Transport { return named(unconnected{}, ep, c.Host) }
	}
	carry := &carrier{c, secure, b.engine.o.Group, b.complaints(c), learned}
	make := map[string]func(*weir.Endpoint) weir.Transport{
		config.H1: carry.h1, config.H2: carry.h2, config.H2C: carry.h2, config.H3: carry.h3, config.FastCGIProtocol: carry.fcgi,
		config.AutoProtocol: carry.auto,
	}[c.Protocol]
	return func(ep *weir.Endpoint) weir.Transport { return named(make(ep), ep, c.Host) }
}

// A carrier makes the transports of one upstream.
type carrier struct {
	*config.Upstream
	secure *cert.ClientPolicy // nil: connections are not encrypted
	group  *poll.Group
	stderr func(line string) // gets what scripts complain of

	learned *choices // of servers that choose their protocol
}

// complaints returns what writes to the event log what scripts complain of.
func (b *builder) complaints(c *config.Upstream) func(string) {
	log, name := b.engine.o.Log, c.Name
	return func(line string) { log.Warn("script complains", "upstream", name, "text", line) }
}

func (c *carrier) h1(ep *weir.Endpoint) weir.Transport {
	var dial proxyproto.Dial
	if c.ProxyProtocol > 0 {
		dial = c.announcing()
	}
	if c.secure != nil {
		dial = (&cert.Dialer{Group: c.group, Config: c.secure.Config(ep.Name), Below: dial}).Dial
	}
	return c.h1By(ep, dial)
}

// h1By speaks HTTP/1.1 on the connections of dial; nil: on ordinary ones.
func (c *carrier) h1By(ep *weir.Endpoint, dial proxyproto.Dial) weir.Transport {
	cfg := h1.TransportConfig{
		Group: c.group, Connect: c.Timeouts.Connect, FirstByte: c.Timeouts.FirstByte, Stall: c.Timeouts.Idle,
		KeepAlive: cmp.Or(c.Keepalive, -1), KeepIdle: c.KeepaliveIdle, Dial: dial,
	}
	if c.ProxyProtocol > 0 {
		cfg.KeepAlive = -1
	}
	if c.secure != nil {
		cfg.CauseOf = cert.UpstreamCause
	}
	return h1.NewTransport(ep, cfg)
}

// auto lets the server choose between HTTP/2 and HTTP/1.1.
func (c *carrier) auto(ep *weir.Endpoint) weir.Transport {
	only := *c.secure
	only.Protocols = []string{alpn.H1}
	both := &cert.Dialer{Group: c.group, Config: c.secure.Config(ep.Name)}
	one := &cert.Dialer{Group: c.group, Config: only.Config(ep.Name)}
	choice := c.learned.of(ep)
	return alpn.New(choice,
		c.h2By(ep, choice.Only(alpn.H2, both.Dial)), c.h1By(ep, choice.Only(alpn.H1, both.Dial)), c.h1By(ep, one.Dial))
}

// choices are those of an upstream's servers.
type choices struct {
	mu sync.Mutex // protects m
	m  map[string]*alpn.Choice
}

// maxChoices is how many are remembered. Servers that come and go by DNS leave theirs behind.
const maxChoices = 10_000

// of is the choice of one server.
func (c *choices) of(ep *weir.Endpoint) *alpn.Choice {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.m == nil || len(c.m) >= maxChoices {
		c.m = map[string]*alpn.Choice{}
	}
	if c.m[ep.Address] == nil {
		c.m[ep.Address] = &alpn.Choice{}
	}
	return c.m[ep.Address]
}

// announcing dials and says whose the connection is.
func (c *carrier) announcing() proxyproto.Dial {
	return proxyproto.Announcing(c.ProxyProtocol, func(x *weir.Exchange, address string, deadline int64) (poll.Conn, error) {
		return c.group.Dial(address, x.Conn.Shard, deadline, func(wait poll.Canceler) { x.Watch(wait) })
	})
}

func (c *carrier) h2(ep *weir.Endpoint) weir.Transport {
	if c.secure == nil {
		return c.h2By(ep, nil)
	}
	return c.h2By(ep, (&cert.Dialer{Group: c.group, Config: c.secure.Config(ep.Name)}).Dial)
}

// h2By speaks HTTP/2 on the encrypted connections of dial; nil: on ordinary ones.
func (c *carrier) h2By(ep *weir.Endpoint, dial proxyproto.Dial) weir.Transport {
	cfg := h2.TransportConfig{
		Group: c.group, Connect: c.Timeouts.Connect, FirstByte: c.Timeouts.FirstByte, Stall: c.Timeouts.Idle,
		KeepIdle: c.KeepaliveIdle,
	}
	if dial != nil {
		cfg.Scheme, cfg.CauseOf = "https", cert.UpstreamCause
		wait := int64(c.Timeouts.Connect)
		cfg.Dial = func(x *weir.Exchange) (poll.Conn, error) { return dial(x, ep.Address, clock.Now()+wait) }
	}
	return h2.NewTransport(ep, cfg)
}

func (c *carrier) h3(ep *weir.Endpoint) weir.Transport {
	return h3.NewTransport(ep, h3.TransportConfig{
		TLS: c.secure.Config(ep.Name), Connect: c.Timeouts.Connect, FirstByte: c.Timeouts.FirstByte, Stall: c.Timeouts.Idle,
		KeepIdle: c.KeepaliveIdle, CauseOf: cert.UpstreamCause,
	})
}

func (c *carrier) fcgi(ep *weir.Endpoint) weir.Transport {
	t, err := fcgi.NewTransport(ep, c.fastCGI())
	if err != nil {
		return unconnected{} // the configuration was checked before
	}
	return t
}

func (c *carrier) fastCGI() fcgi.TransportConfig {
	f := c.FastCGI
	env := map[string]string{}
	for _, v := range f.Env {
		env[v.Name] = v.Value
	}
	keep, dial := f.Keepalive, proxyproto.Dial(nil)
	if c.ProxyProtocol > 0 {
		keep, dial = 0, c.announcing()
	}
	return fcgi.TransportConfig{
		Dial:  dial,
		Group: c.group, Connect: c.Timeouts.Connect, FirstByte: c.Timeouts.FirstByte, Stall: c.Timeouts.Idle,
		KeepAlive: keep, KeepIdle: c.KeepaliveIdle,
		Root: f.Root, Remote: f.Remote, Index: f.Index, SplitPath: f.Split, Env: env, Stderr: c.stderr,
	}
}

// transportKey tells upstreams apart whose connections are not alike.
func transportKey(c *config.Upstream) string {
	key := fmt.Sprint(c.Protocol, c.ProxyProtocol, c.Keepalive, c.KeepaliveIdle, c.Timeouts, c.Host, tlsKey(c.TLS))
	if c.FastCGI != nil {
		key += fmt.Sprint(*c.FastCGI)
	}
	return key
}

// tlsKey tells connections apart that are encrypted otherwise.
func tlsKey(t *config.UpstreamTLS) string {
	if t == nil {
		return ""
	}
	same := *t
	same.Pos, same.Pair.Pos = config.Pos{}, config.Pos{}
	ca := ""
	if info, err := os.Stat(t.CA); err == nil {
		ca = info.ModTime().String()
	}
	return fmt.Sprint(same, ca)
}

// securing returns how connections to the upstream's servers are encrypted; nil: they are not.
func (b *builder) securing(c *config.Upstream) (*cert.ClientPolicy, error) {
	t := c.TLS
	if t == nil {
		return nil, nil
	}
	p := &cert.ClientPolicy{
		ServerName: t.ServerName, Minimum: tls.VersionTLS12, Insecure: t.Insecure, Protocols: []string{"http/1.1"},
	}
	switch c.Protocol {
	case config.H2:
		p.Protocols[0] = alpn.H2
	case config.AutoProtocol:
		p.Protocols = []string{alpn.H2, alpn.H1}
	}
	if t.Minimum == "1.3" {
		p.Minimum = tls.VersionTLS13
	}
	for _, text := range t.Pins {
		pin, err := cert.ParsePin(text)
		if err != nil {
			return nil, &placedError{t.Pos, err}
		}
		p.Pins = append(p.Pins, pin)
	}
	var err error
	if t.CA != "" {
		if p.Roots, err = b.authorities(t.CA); err != nil {
			return nil, &placedError{t.Pos, err}
		}
	}
	if t.Pair.Certificate != "" {
		if p.Certificate, err = b.files(t.Pair); err != nil {
			return nil, &placedError{t.Pair.Pos, err}
		}
	}
	return p, nil
}
