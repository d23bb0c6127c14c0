package assemble

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"weir"
	"weir/cert"
	"weir/config"
	"weir/observe"
)

// sort tells names that public authorities certify from those that only weir's own can. One that the configuration
// names may certify anything.
func (b *builder) sort(names []string) (public, own []string) {
	anything := b.anything()
	for _, n := range names {
		if anything || isPublic(n) {
			public = append(public, n)
		} else {
			own = append(own, n)
		}
	}
	return public, own
}

// anything reports whether an authority is named that may certify any name.
func (b *builder) anything() bool {
	return b.config.ACME != nil && slices.ContainsFunc(b.config.ACME.CAs, isURL)
}

func isURL(ca string) bool { return strings.Contains(ca, "://") }

// privateEnds are the ends of names that are nobody's in the public DNS (RFC 2606, 6761, 6762, 8375 and ICANN's).
var privateEnds = []string{
	"localhost", "local", "internal", "test", "example", "invalid", "home.arpa", "lan", "home", "corp", "mail", "intranet", "private", "localdomain",
	"example.com", "example.net", "example.org",
}

func isPublic(name string) bool {
	name = strings.TrimSuffix(strings.ToLower(strings.TrimPrefix(name, "*.")), ".")
	if a, err := netip.ParseAddr(strings.Trim(name, "[]")); err == nil {
		return a.IsGlobalUnicast() && !a.IsPrivate()
	}
	return strings.Contains(name, ".") && !slices.ContainsFunc(privateEnds, func(end string) bool {
		return name == end || strings.HasSuffix(name, "."+end)
	})
}

// acme returns the source of names that public authorities certify.
func (b *builder) acme(names ...string) (cert.Source, error) {
	if b.engine.dry {
		return unasked{}, nil
	}
	m, err := b.engine.certs.acme(b)
	if err != nil {
		return nil, err
	}
	source, err := m.For(names...)
	if err == nil {
		b.g.public[source] = names
	}
	return source, err
}

// ordered are the names whose certificates public authorities are asked for: those of the sites that are served.
func (g *generation) ordered() (names []string) {
	for _, v := range g.sites {
		if v.sealing == nil || v.state == observe.SiteBroken {
			continue
		}
		for _, p := range v.sealing.parts {
			names = append(names, g.public[p.source]...)
		}
	}
	return names
}

// acme returns the manager of certificates, made at its first use.
func (c *certs) acme(b *builder) (*cert.Manager, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if m := c.manager.Load(); m != nil {
		return m, nil
	}
	cfg, err := acmeConfig(b.config)
	if err != nil {
		return nil, err
	}
	m, err := cert.NewManager(acmeFolder(c.folder), cfg, c.log)
	if err == nil {
		c.manager.Store(m)
	}
	return m, err
}

// manage has certificates be got as the generation wants them.
func (c *certs) manage(g *generation) {
	m := c.manager.Load()
	if m == nil {
		return
	}
	c.retireDemands(m, g.demands)
	if g.config.BrokenACME {
		return
	}
	cfg, err := acmeConfig(g.config)
	if err == nil {
		err = m.Configure(cfg)
	}
	if err == nil {
		err = m.Manage(g.acmeNames)
	}
	if err != nil {
		c.log.Error("certificates are not got as the configuration says", "error", err)
	}
}

func (c *certs) close() {
	if m := c.manager.Load(); m != nil {
		m.Close()
	}
	c.watcher.Close()
	c.stapler.Close()
}

// checkACME says what is wrong with how certificates are to be got.
func (b *builder) checkACME() {
	if b.config.ACME == nil {
		return
	}
	if _, err := acmeConfig(b.config); err != nil {
		b.complain(placeOf(err, b.config.ACME.Pos), "acme: "+err.Error())
	}
}

// acmeConfig makes of the configuration what the manager takes.
func acmeConfig(c *config.Config) (cert.Config, error) {
	cfg := cert.Config{NoHTTP: true, NoTLS: true}
	a := c.ACME
	if a == nil {
		a = &config.ACME{}
	}
	cfg.Email, cfg.Resolvers, cfg.HTTPPort = a.Email, a.Resolvers, a.HTTPPort
	if a.Challenge != "" {
		cfg.Challenge, _ = cert.ParseChallenge(a.Challenge)
	}
	for _, l := range c.Listeners {
		if l.TLS == nil {
			cfg.NoHTTP = false
		} else {
			cfg.NoTLS = false
		}
	}
	for _, name := range a.CAs {
		ca, err := authority(a, name)
		if err != nil {
			return cfg, err
		}
		cfg.CAs = append(cfg.CAs, ca)
	}
	if a.DNS != nil {
		var err error
		if cfg.DNS, err = dnsProvider(a.DNS); err != nil {
			return cfg, &placedError{a.DNS.Pos, fmt.Errorf("dns: %w", err)}
		}
		cfg.DNSName = a.DNS.Name
		if p, ok := cfg.DNS.(interface{ Check() error }); ok {
			if err := p.Check(); err != nil {
				return cfg, &placedError{a.DNS.Pos, fmt.Errorf("dns: %w", err)}
			}
		}
	}
	return cfg, cfg.Check()
}

// authority returns the public authority of that name or URL.
func authority(a *config.ACME, name string) (cert.CA, error) {
	ca, known := cert.KnownCA(name)
	if !known {
		ca = cert.CA{Name: name, Directory: name}
		if a.Roots != "" {
			roots, err := cert.Pool(a.Roots)
			if err != nil {
				return ca, err
			}
			ca.Roots = roots
		}
	}
	ca.Profile = a.Profile
	if a.EABID != "" {
		ca.EAB = &cert.EAB{ID: a.EABID, Key: a.EABKey}
	}
	return ca, ca.Check()
}

func dnsProvider(d *config.ACMEDNS) (cert.Provider, error) {
	switch d.Kind {
	case "acme-dns":
		return cert.ACMEDNS{Server: d.Server, Username: d.Username, Password: d.Password, Subdomain: d.Subdomain}, nil
	case "exec":
		return cert.Exec{Program: d.Program, Args: d.Args}, nil
	case "rfc2136":
		return cert.RFC2136{Server: d.Server, Zone: d.Zone, KeyName: d.KeyName, Algorithm: d.Algorithm, Secret: d.Key}, nil
	}
	return cert.NewCloudDNS(d.Kind, d.Token, d.Server)
}

// challenges answers authorities that look at a name by HTTP, before anything else is done with a request. Nobody else
// asks for what is below that path.
type challenges struct {
	next  weir.Handler
	certs *certs
}

const challengePath = "/.well-known/acme-challenge/"

// ServeExchange implements weir.Handler.
func (c *challenges) ServeExchange(x *weir.Exchange) error {
	r := &x.Request
	if r.Scheme == "http" && strings.HasPrefix(r.Path, challengePath) && r.Method == "GET" {
		if m := c.certs.manager.Load(); m != nil {
			if body, ok := m.Challenge(r.Host(), r.Path); ok {
				x.Response.Discard()
				x.Response.Status = 200
				x.Response.Header.Add("Content-Type", "application/octet-stream")
				x.Response.Body = weir.NewBody(body)
				return nil
			}
		}
	}
	return c.next.ServeExchange(x)
}
