package assemble

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"weir"
	"weir/cert"
	"weir/config"
)

// A demand is a source of certificates for names that clients bring. It lasts as long as generations want the same.
type demand struct {
	cert.Source
	rule *cert.Rule
}

// demanded settles where the certificates of a site come from that clients may bring names to: those of whole names as
// always, those of wildcards, and of any name, on demand.
func (b *builder) demanded(names []string, t *config.SiteTLS, s *sealing, any bool) ([]string, error) {
	rule, err := b.rule(t.OnDemand)
	if err != nil {
		return nil, fmt.Errorf("on_demand: %w", err)
	}
	source, err := b.demand(rule, t.OnDemand)
	if err != nil {
		return nil, fmt.Errorf("on_demand: %w", err)
	}
	var whole, wild []string
	for _, n := range names {
		if strings.HasPrefix(n, "*.") {
			wild = append(wild, n)
		} else {
			whole = append(whole, n)
		}
	}
	if len(wild) > 0 || any {
		s.parts = append(s.parts, part{names: wild, source: source, any: any})
		s.knows = known(whole, rule, b.anything())
	}
	return whole, nil
}

func (b *builder) rule(o *config.OnDemand) (*cert.Rule, error) {
	if b.engine.draft && (slices.Contains(o.Allow, "*") || len(o.Allow) == 0) {
		return &cert.Rule{}, nil // where it allows any name, that has been said
	}
	return cert.NewRule(o.Allow, o.Ask)
}

// known tells hosts for which there may be a certificate from those that are refused without anybody being asked. Who is
// asked is asked in handshakes alone: what comes unencrypted costs its sender too little for that.
func known(whole []string, rule *cert.Rule, anything bool) func(host string) bool {
	return func(host string) bool {
		for _, w := range whole {
			if weir.EqualFold(w, strings.TrimSuffix(host, ".")) {
				return true
			}
		}
		return (anything || isPublic(host)) && !rule.Excludes(host)
	}
}

// demand returns the source for a rule, the one that there is where the rule is the same.
func (b *builder) demand(rule *cert.Rule, o *config.OnDemand) (cert.Source, error) {
	if b.engine.dry {
		return unasked{}, nil
	}
	m, err := b.engine.certs.acme(b)
	if err != nil {
		return nil, err
	}
	d, err := b.engine.certs.demand(m, rule, o, b.anything())
	if err == nil {
		b.g.demands = append(b.g.demands, d)
	}
	return d.Source, err
}

// errPrivate is why nobody is asked for some names.
var errPrivate = errors.New("no public authority certifies names like that")

func (c *certs) demand(m *cert.Manager, rule *cert.Rule, o *config.OnDemand, anything bool) (demand, error) {
	key := fmt.Sprint(o.Allow, o.Ask, o.PerMinute, o.Names, o.Wait, anything)
	c.mu.Lock()
	defer c.mu.Unlock()
	if d, ok := c.demands[key]; ok {
		return d, nil
	}
	source, err := m.OnDemand(cert.OnDemand{PerMinute: o.PerMinute, Names: o.Names, Wait: o.Wait, Allow: func(ctx context.Context, name string) error {
		if !anything && !isPublic(name) {
			return errPrivate
		}
		return rule.Allow(ctx, name)
	}})
	if err != nil {
		return demand{}, err
	}
	if c.demands == nil {
		c.demands = map[string]demand{}
	}
	c.demands[key] = demand{source, rule}
	return c.demands[key], nil
}

// retireDemands ends what a generation does not want any more.
func (c *certs) retireDemands(m *cert.Manager, wanted []demand) {
	var sources []cert.Source
	for _, d := range wanted {
		sources = append(sources, d.Source)
	}
	m.RetireOnDemand(sources...)
	c.mu.Lock()
	defer c.mu.Unlock()
	for key, d := range c.demands {
		if !slices.Contains(sources, d.Source) {
			d.rule.Close()
			delete(c.demands, key)
		}
	}
}
