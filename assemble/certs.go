package assemble

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"weir/cert"
	"weir/config"
	"weir/server"
)

// certs is what of certificates lasts from one generation to the next.
type certs struct {
	watcher *cert.Watcher
	tickets *cert.Tickets
	stapler *cert.Stapler
	folder  string // of the state

	authorities sync.Map // the last *cert.Authorities of files that were used, by their names

	log *slog.Logger

	mu        sync.Mutex                     // held while one of the next is made
	authority atomic.Pointer[cert.Authority] // nil: it has not been needed yet
	manager   atomic.Pointer[cert.Manager]   // nil: no site wants its certificate from a public authority
	demands   map[string]demand              // by what they are; mu protects it
}

func newCerts(folder string, log *slog.Logger) *certs {
	return &certs{watcher: cert.NewWatcher(0, log), tickets: cert.NewTickets(0), stapler: cert.NewStapler(log), folder: folder, log: log}
}

// internal returns the authority of weir's own, made at its first use.
func (c *certs) internal() (*cert.Authority, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if a := c.authority.Load(); a != nil {
		return a, nil
	}
	a, err := cert.NewAuthority(caFolder(c.folder))
	if err != nil {
		return nil, fmt.Errorf("the internal authority cannot be used: %w", err)
	}
	c.authority.Store(a)
	return a, nil
}

// A sealing is where the certificates of one site come from.
type sealing struct {
	parts  []part
	port   func() int             // of the listener that the site is encrypted on
	knows  func(host string) bool // nil: there are certificates for all hosts of the site
	public bool                   // clients need not be told to trust its certificate
}

// A part is some names of a site and where their certificates come from. Without names it is for clients that ask for
// no name that another site has.
type part struct {
	names  []string
	source cert.Source
	any    bool // on demand, also for names that no site has
}

// encryptedOn are the encrypted listeners that a site is on.
func (b *builder) encryptedOn(v *siteVersion) []*config.Listener {
	var out []*config.Listener
	for _, l := range b.config.Listeners {
		if l.TLS != nil && isOn(v.On, l.Name) {
			out = append(out, l)
		}
	}
	return out
}

func isOn(on []string, listener string) bool { return len(on) == 0 || slices.Contains(on, listener) }

// tlsOf is what the site says of TLS.
func tlsOf(s *config.Site) config.SiteTLS {
	if s.TLS == nil {
		return config.SiteTLS{}
	}
	return *s.TLS
}

// seal settles how the site is encrypted, if it is.
func (b *builder) seal(v *siteVersion) error {
	v.sealing, v.asks = nil, asks{}
	listeners, t := b.encryptedOn(v), tlsOf(v.Site)
	if len(listeners) == 0 {
		return b.unsealed(v, &t)
	}
	s := &sealing{port: b.portOf(listeners)}
	var err error
	if v.asks, err = b.asksOf(&t, listeners); err == nil && t.From != config.FromNowhere {
		err = b.parts(v, &t, s)
	}
	if err != nil {
		return &placedError{b.posOf(v, &t), fmt.Errorf("site %q: tls: %w", v.Name, err)}
	}
	if len(s.parts) > 0 {
		v.sealing = s
	}
	return nil
}

func (b *builder) posOf(v *siteVersion, t *config.SiteTLS) config.Pos {
	if t.Pair.Pos.Line > 0 {
		return t.Pair.Pos
	}
	if t.Pos.Line > 0 {
		return t.Pos
	}
	return v.Pos
}

// parts settles where the certificates of the site's names come from.
func (b *builder) parts(v *siteVersion, t *config.SiteTLS, s *sealing) error {
	var names []string
	for _, h := range v.Hosts {
		if h != "*" {
			names = append(names, h)
		}
	}
	switch {
	case t.From == config.FromFiles:
		s.public = true
		return s.add(names, func(...string) (cert.Source, error) { return b.filesOf(v, t, names) })
	case t.From == config.FromInternal && len(names) == 0:
		return s.add(nil, func(...string) (cert.Source, error) { return b.internal("localhost") })
	case t.From == config.FromInternal:
		return s.add(names, b.internal)
	}
	if t.OnDemand != nil {
		var err error
		if names, err = b.demanded(names, t, s, v.isForAny()); err != nil {
			return err
		}
	}
	public, own := b.sort(names) // nobody certifies any name at all
	s.public = len(own) == 0
	if len(own) > 0 {
		if err := s.add(own, b.internal); err != nil {
			return err
		}
	}
	b.doubts(v, t, public, own)
	if len(public) == 0 {
		return nil
	}
	return s.add(public, b.acme)
}

func (s *sealing) add(names []string, make func(...string) (cert.Source, error)) error {
	source, err := make(names...)
	if err == nil {
		s.parts = append(s.parts, part{names: names, source: source})
	}
	return err
}

// internal returns the source of names that weir's own authority signs.
func (b *builder) internal(names ...string) (cert.Source, error) {
	if b.engine.dry {
		return unasked{}, nil
	}
	a, err := b.engine.certs.internal()
	if err != nil {
		return nil, err
	}
	source, err := a.For(names...)
	if err == nil {
		b.g.internal[source] = names
	}
	return source, err
}

// An unasked source stands where nothing is served.
type unasked struct{}

// Certificate implements cert.Source.
func (unasked) Certificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	return nil, cert.ErrNoName
}

// files returns the source for a pair of files, which is watched as long as a generation uses it.
func (b *builder) files(p config.KeyPair) (cert.Source, error) {
	if b.engine.draft && p.Certificate == "" {
		return unasked{}, nil // what is wrong with its name has been said
	}
	if b.engine.dry {
		return cert.NewFiles(p.Certificate, p.Key)
	}
	f, release, err := b.engine.certs.watcher.Files(p.Certificate, p.Key)
	if err != nil {
		return nil, err
	}
	b.g.releases = append(b.g.releases, release)
	return f, nil
}

// portOf tells the port of the first listener that has one, once it is open: it may have been left to the system. Who
// is in front of unix sockets has the usual one.
func (b *builder) portOf(listeners []*config.Listener) func() int {
	at := slices.IndexFunc(listeners, func(l *config.Listener) bool { return !strings.HasPrefix(l.Address, "unix:") })
	if at < 0 {
		return func() int { return 443 }
	}
	l := listeners[at]
	e, name, port := b.engine, l.Name, portIn(l.Address)
	return func() int {
		if port == 0 && e.server != nil {
			if a := e.server.Addr(name); a != nil {
				return portIn(a.String())
			}
		}
		return port
	}
}

// sealListeners gives the listeners that encrypt their connections what they need for it. One that cannot have it
// is left out: it must not be open without.
func (b *builder) sealListeners(specs []server.ListenerSpec) []server.ListenerSpec {
	out := specs[:0]
	for _, s := range specs {
		if b.sealListener(&s) {
			out = append(out, s)
		}
	}
	return out
}

func (b *builder) sealListener(s *server.ListenerSpec) bool {
	l := b.listenerOf(s.Name)
	if l == nil || l.TLS == nil {
		return true
	}
	c, err := b.tlsConfig(l)
	if err != nil {
		b.complain(l.TLS.Pos, fmt.Sprintf("listener %q: tls: %v", l.Name, err))
		return b.sealAsBefore(s)
	}
	s.TLS, s.Clients = c, b.asked(l)
	return true
}

// sealAsBefore has the listener encrypt its connections as it does until now; false: it does not.
func (b *builder) sealAsBefore(s *server.ListenerSpec) bool {
	if b.prev != nil {
		for i := range b.prev.snapshot.Listeners {
			if old := &b.prev.snapshot.Listeners[i]; old.Name == s.Name {
				s.TLS, s.Clients = old.TLS, old.Clients
				b.g.tables[s.Name] = b.prev.tables[s.Name]
			}
		}
	}
	return s.TLS != nil
}

func (b *builder) listenerOf(name string) *config.Listener {
	for _, l := range b.config.Listeners {
		if l.Name == name {
			return l
		}
	}
	return nil
}

// tlsConfig makes the configuration of an encrypted listener.
func (b *builder) tlsConfig(l *config.Listener) (*tls.Config, error) {
	p, err := b.clientPolicy(l.TLS.Clients)
	if err != nil {
		return nil, err
	}
	p.Protocols = offers(versionsOf(l))
	if p.ECH, err = b.echKeys(l.TLS.ECH); err != nil {
		return nil, err
	}
	entries, err := b.entries(l)
	if err != nil {
		return nil, err
	}
	if len(entries) == 0 && !l.Usual() && !(b.engine.draft && b.diags.HasErrors()) {
		b.say(config.Diagnostic{
			Severity: config.Warning, Pos: l.TLS.Pos, Summary: fmt.Sprintf("listener %q: tls: there is no certificate for anybody: every handshake fails", l.Name),
			Hint: "give a site a name instead of \"*\", or the listener a certificate",
		})
	}
	table, err := cert.NewTable(entries)
	if err != nil && b.engine.draft && b.diags.HasErrors() {
		return nil, nil // two sites with one name, which has been said
	}
	if err != nil {
		return nil, err
	}
	b.g.tables[l.Name] = table
	var tickets *cert.Tickets
	if b.engine.certs != nil {
		tickets = b.engine.certs.tickets
		table.Staple(b.engine.certs.stapler)
	}
	return p.ServerConfig(table, tickets), nil
}

// offers are what a listener offers over TCP, the best first. A client that names HTTP/1.0 alone would be refused if that
// were not among it.
func offers(v server.Versions) (list []string) {
	if v.H2 {
		list = append(list, "h2")
	}
	if v.H1 {
		list = append(list, "http/1.1", "http/1.0")
	}
	if list == nil && v.H3 {
		list = []string{"h3"} // which nobody speaks over TCP
	}
	return list
}

// entries are the certificates of a listener: its own for who asks for no site's name, and those of its sites.
func (b *builder) entries(l *config.Listener) (list []cert.Entry, err error) {
	own := cert.Entry{Default: true}
	if l.TLS.Default.Certificate != "" {
		if own.Source, err = b.files(l.TLS.Default); err != nil {
			return nil, err
		}
		b.g.defaults = append(b.g.defaults, own.Source)
	}
	for _, v := range b.g.sites {
		if v.sealing == nil || !isOn(v.On, l.Name) {
			continue
		}
		for _, p := range v.sealing.parts {
			switch {
			case p.any && own.Source != nil:
				own.Source = cert.Choice{p.source, own.Source}
			case v.isForAny() && own.Source == nil:
				own.Source = p.source
			}
			if len(p.names) > 0 {
				list = append(list, cert.Entry{Names: p.names, Source: p.source, Policy: v.asks.own[l.Name]})
			}
		}
	}
	own.Policy = b.g.policyOfOthers(l.Name)
	if own.Source != nil {
		list = append(list, own)
	}
	cover, err := b.cover(l, list)
	return append(list, cover...), err
}

// portIn is the port of an address; 0: the system chooses it, or there is none.
func portIn(address string) int {
	_, port, _ := net.SplitHostPort(address)
	n, _ := strconv.Atoi(port)
	return n
}
