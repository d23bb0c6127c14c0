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
	own    map[string]*cert.Policy      // by listener; nil: what the listener asks
	verify map[string]cert.Verify       // the same of certificates, with that of listeners
	by     map[string]*cert.Authorities // who certifies them, with those of listeners; nil: nobody
}

// asksOf settles what a site asks that says t.
func (b *builder) asksOf(t *config.SiteTLS, listeners []*config.Listener) (asks, error) {
	a := asks{map[string]*cert.Policy{}, map[string]cert.Verify{}, map[string]*cert.Authorities{}}
	for _, l := range listeners {
		c := l.TLS.Clients
		if t.Clients != (config.ClientTLS{}) && t.From != config.FromNowhere {
			c = overridden(c, t.Clients)
			p, err := b.clientPolicy(c)
			if err != nil {
				return a, err
			}
			a.own[l.Name] = &p
		}
		a.verify[l.Name], _ = cert.ParseVerify(c.Verify)
		a.by[l.Name] = b.authoritiesOf(c)
	}
	return a, nil
}

// authoritiesOf are those that certify clients; nil: nobody is asked, or there are none, which clientPolicy tells.
func (b *builder) authoritiesOf(c config.ClientTLS) *cert.Authorities {
	if verify, _ := cert.ParseVerify(c.Verify); verify == cert.Off || c.CA == "" {
		return nil
	}
	by, _ := b.readAuthorities(c.CA)
	return by
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

// overridden is what a site asks of clients on a listener that asks otherwise.
func overridden(listener, site config.ClientTLS) config.ClientTLS {
	if site.Minimum != "" {
		listener.Minimum = site.Minimum
	}
	if site.CA != "" {
		listener.CA = site.CA
	}
	if site.Verify != "" {
		listener.Verify = site.Verify
	}
	return listener
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
	a, err := b.readAuthorities(file)
	if err != nil {
		return nil, err
	}
	return a.Pool, nil
}

func (b *builder) readAuthorities(file string) (*cert.Authorities, error) {
	if a := b.roots[file]; a != nil {
		return a, nil
	}
	a, err := cert.ReadAuthorities(file)
	if b.engine.certs != nil {
		known := &b.engine.certs.authorities
		if err == nil {
			known.Store(file, a)
		} else if old, ok := known.Load(file); ok {
			b.say(config.Diagnostic{Severity: config.Warning, Summary: fmt.Sprintf("authorities are kept as they were: %v", err)})
			a, err = old.(*cert.Authorities), nil
		}
	}
	if err != nil {
		return nil, err
	}
	b.roots[file] = a
	return a, nil
}

// asked tells what clients of a listener are asked in the handshake, by whatever name, from what they were asked before.
func (b *builder) asked(l *config.Listener) string {
	one := func(name string, c config.ClientTLS, by *cert.Authorities) string {
		digest := ""
		if by != nil {
			digest = by.Digest
		}
		return fmt.Sprintf("%s %s %s %s\n", name, c.Verify, c.Minimum, digest)
	}
	all := []string{one("", l.TLS.Clients, b.authoritiesOf(l.TLS.Clients))}
	for _, v := range b.g.sites {
		if v.asks.own[l.Name] != nil {
			all = append(all, one(strings.Join(v.Hosts, " "), tlsOf(v.Site).Clients, v.asks.by[l.Name]))
		}
	}
	slices.Sort(all)
	return strings.Join(all, "")
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
		case len(c.TLS.VerifiedChains) > 0 && !v.asks.by[c.Listener].Vouch(c.TLS.VerifiedChains):
			return false // by whom its certificate was verified, is asked no more
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
