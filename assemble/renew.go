package assemble

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"weir/cert"
	"weir/observe"
)

// A renewal gets a new certificate and waits for it.
type renewal func(ctx context.Context) error

// each passes on the certificates of a generation, and those of names that clients brought: what clients are shown, or
// would be if there were one, and what gets the next one.
func (c *certs) each(g *generation, now time.Time, f func(observe.CertificateStatus, renewal)) {
	add := func(s cert.Status, renew renewal) { f(certificateStatus(s, now), renew) }
	files, internal := g.sources()
	if m := c.manager.Load(); m != nil {
		for _, s := range m.Status() {
			add(s, func(ctx context.Context) error { return m.Renew(ctx, s.Names[0]) })
		}
	}
	if a := c.authority.Load(); a != nil && len(internal) > 0 {
		for _, s := range a.Status(internal...) {
			add(s, func(context.Context) error { return a.Renew(s.Names[0]) })
		}
	}
	for _, pair := range files {
		add(pair.Status(now), func(context.Context) error { return readAnew(pair) })
	}
}

// sources are the files that have certificates of a generation, and the names that weir's own authority signs; each once.
func (g *generation) sources() (files []*cert.Files, internal []string) {
	all := slices.Clone(g.defaults)
	for _, v := range g.sites {
		if v.sealing != nil {
			for _, p := range v.sealing.parts {
				all = append(all, p.source)
			}
		}
	}
	seen := map[*cert.Files]bool{}
	for _, source := range all {
		if f, ok := source.(*cert.Files); ok && !seen[f] {
			seen[f] = true
			files = append(files, f)
		}
		internal = append(internal, g.internal[source]...)
	}
	slices.Sort(internal)
	return files, slices.Compact(internal)
}

func certificateStatus(s cert.Status, now time.Time) observe.CertificateStatus {
	c := observe.CertificateStatus{
		Names: s.Names, Kind: s.Kind, OnDemand: s.Demand, Issuer: s.Issuer, Serial: s.Serial, File: s.File,
		From: s.From, Until: s.Until, Renewal: s.Renewal, Failed: s.Failed, Step: s.Step, Problem: s.Problem, Next: s.Again,
	}
	if c.Names == nil {
		c.Names = []string{}
	}
	c.State = c.StateAt(now)
	return c
}

// status is what there is to tell of certificates.
func (c *certs) status(g *generation, now time.Time) ([]observe.CertificateStatus, observe.ACMEStatus) {
	list := make([]observe.CertificateStatus, 0, len(g.sites))
	c.each(g, now, func(s observe.CertificateStatus, _ renewal) { list = append(list, s) })
	var a observe.ACMEStatus
	if m := c.manager.Load(); m != nil {
		a.Issued, a.Failed = m.Attempts()
	}
	return list, a
}

// readAnew has files be read that somebody else renews.
func readAnew(f *cert.Files) error {
	changed, err := f.Reload()
	if err == nil && !changed {
		err = fmt.Errorf("it comes from a file, %s, which has not changed: whatever writes that has to renew it", f)
	}
	return err
}

// Renew gets new certificates now in the place of those that a name leads to, and waits for them: it orders one from a
// public authority, signs one of weir's own, and reads files anew. It returns what is there then. The error says in
// plain words what kept it from that; it is one of cert.ErrNoName where there is no certificate to renew.
func (e *Engine) Renew(ctx context.Context, name string) ([]observe.CertificateStatus, error) {
	g := e.current.Load()
	if g == nil {
		return nil, errors.New("not started")
	}
	var renewals []renewal
	e.certs.each(g, time.Now(), func(s observe.CertificateStatus, renew renewal) {
		if s.Has(name) {
			renewals = append(renewals, renew)
		}
	})
	if len(renewals) == 0 {
		return nil, fmt.Errorf("%w %q", cert.ErrNoName, name)
	}
	var problems []error
	for _, renew := range renewals {
		problems = append(problems, renew(ctx))
	}
	var now []observe.CertificateStatus
	all, _ := e.certs.status(g, time.Now())
	for _, c := range all {
		if c.Has(name) {
			now = append(now, c)
		}
	}
	return now, errors.Join(problems...)
}

// Root returns the root of weir's own authority in PEM, which is no secret. The error says that there is none.
func (e *Engine) Root() ([]byte, error) {
	if e.certs != nil {
		if a := e.certs.authority.Load(); a != nil {
			return a.RootPEM(), nil
		}
	}
	return nil, errors.New("weir signs no certificate itself: no site wants one of its own authority")
}
