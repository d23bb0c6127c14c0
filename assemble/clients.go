package assemble

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"

	"weir"
	"weir/cert"
	"weir/config"
)

// asks are what a site asks of clients on each of the encrypted listeners that it is on.
type asks struct {
	own    map[string]*cert.Policy // by listener; nil: what the listener asks
	verify map[string]cert.Verify  // the same of certificates, with that of listeners
}

// asksOf settles what a site asks that says t.
func (b *builder) asksOf(t *config.SiteTLS, listeners []*config.Listener) (asks, error) {
	a := asks{map[string]*cert.Policy{}, map[string]cert.Verify{}}
	for _, l := range listeners {
		a.verify[l.Name], _ = cert.ParseVerify(l.TLS.Clients.Verify)
		if t.Clients == (config.ClientTLS{}) || t.From == config.FromNowhere {
			continue
		}
		p, err := b.sitePolicy(t.Clients, l.TLS.Clients)
		if err != nil {
			return a, err
		}
		a.own[l.Name], a.verify[l.Name] = &p, p.Verify
	}
	return a, nil
}

// any reports whether the site asks for certificates somewhere, byItself: not because its listener does.
func (a *asks) any(byItself bool) bool {
	for name, v := range a.verify {
		if v != cert.Off && (!byItself || a.own[name] != nil) {
			return true
		}
	}
	return false
}

// sitePolicy is what a site asks of clients on a listener that asks otherwise.
func (b *builder) sitePolicy(site, listener config.ClientTLS) (cert.Policy, error) {
	if site.Minimum != "" {
		listener.Minimum = site.Minimum
	}
	if site.CA != "" {
		listener.CA = site.CA
	}
	if site.Verify != "" {
		listener.Verify = site.Verify
	}
	return b.clientPolicy(listener)
}

// clientPolicy makes a policy of what is asked of clients.
func (b *builder) clientPolicy(c config.ClientTLS) (p cert.Policy, err error) {
	p.Minimum = tls.VersionTLS12
	if c.Minimum == "1.3" {
		p.Minimum = tls.VersionTLS13
	}
	p.Verify, _ = cert.ParseVerify(c.Verify)
	if p.Verify != cert.Off && c.CA != "" {
		if p.ClientCAs, err = b.authorities(c.CA); err != nil {
			return p, err
		}
	}
	return p, p.Check()
}

// authorities reads a file of certificates of authorities. Where it cannot be read any more, what was in it holds on.
func (b *builder) authorities(file string) (*x509.CertPool, error) {
	p, err := cert.Pool(file)
	if b.engine.certs == nil {
		return p, err
	}
	known := &b.engine.certs.authorities
	if err == nil {
		known.Store(file, p)
	} else if old, ok := known.Load(file); ok {
		b.say(config.Diagnostic{Severity: config.Warning, Summary: fmt.Sprintf("authorities are kept as they were: %v", err)})
		return old.(*x509.CertPool), nil
	}
	return p, err
}

// covers tells whether the client of a connection was asked what site v asks; nil where it asks for nothing. One that
// was let in before more was asked is not covered either.
func (g *generation) covers(v *siteVersion) func(*weir.Conn) bool {
	if !v.asks.any(false) {
		return nil
	}
	return func(c *weir.Conn) bool {
		if c.TLS == nil {
			return !v.asks.any(true)
		}
		switch verify, known := v.asks.verify[c.Listener]; {
		case !known: // its listener has another name by now
			return false
		case verify == cert.Off:
			return true
		case verify == cert.Require && len(c.TLS.VerifiedChains) == 0:
			return false
		}
		return g.policyOf(c) == v.asks.own[c.Listener]
	}
}

// policyOf is what a client was asked; nil: what its listener asks. It goes by the name in the handshake as a
// cert.Table does.
func (g *generation) policyOf(c *weir.Conn) *cert.Policy {
	name := c.TLS.ServerName
	if name == "" && c.Local.IsValid() {
		name = c.Local.Addr().Unmap().String()
	}
	_, parent, _ := strings.Cut(name, ".")
	for _, n := range [...]string{name, "*." + parent} {
		for _, v := range g.sites {
			if v.sealing != nil && isOn(v.On, c.Listener) && v.sealing.has(n) {
				return v.asks.own[c.Listener]
			}
		}
	}
	return g.policyOfOthers(c.Listener)
}

// has reports whether one of the certificates is for that name or wildcard itself.
func (s *sealing) has(name string) bool {
	return slices.ContainsFunc(s.parts, func(p part) bool {
		return slices.ContainsFunc(p.names, func(n string) bool { return strings.EqualFold(strings.Trim(n, "[]"), name) })
	})
}

// policyOfOthers is what clients are asked whose name no site has; nil: what their listener asks.
func (g *generation) policyOfOthers(listener string) *cert.Policy {
	for _, v := range g.sites {
		if v.isForAny() && isOn(v.On, listener) && v.asks.own[listener] != nil {
			return v.asks.own[listener]
		}
	}
	return nil
}

// isForAny reports whether the site is for any host.
func (v *siteVersion) isForAny() bool { return slices.Contains(v.Hosts, "*") }
