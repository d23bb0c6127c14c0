package cert

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/caddyserver/certmagic"
	"github.com/libdns/libdns"
	"github.com/mholt/acmez/v3"
	"github.com/mholt/acmez/v3/acme"
	"github.com/miekg/dns"
)

// recordPause is the time between two looks for a record.
const recordPause = time.Second

// A direct provider sets the TXT record of a full name, in whatever zone that is.
type direct interface {
	change(ctx context.Context, set bool, name, value string) error
}

// dnsSolver makes a solver of the provider, nil: there is none. Only a provider that has to be told the zone makes weir
// look for it.
func (s *settings) dnsSolver() acmez.Solver {
	switch p := s.DNS.(type) {
	case nil:
		return nil
	case direct:
		return directSolver{p, s}
	case RFC2136:
		if p.Zone != "" {
			return directSolver{zoned{p}, s}
		}
	}
	return &certmagic.DNS01Solver{DNSManager: certmagic.DNSManager{
		DNSProvider: s.DNS, PropagationTimeout: max(s.Propagation, -1), Resolvers: s.Resolvers, OverrideDomain: s.DNSName,
	}}
}

// zoned is an RFC2136 that knows its zone.
type zoned struct{ RFC2136 }

func (z zoned) change(ctx context.Context, set bool, name, value string) error {
	record := []libdns.Record{libdns.TXT{Name: dns.Fqdn(name), Text: value, TTL: cloudTTL * time.Second}}
	var err error
	if set {
		_, err = z.AppendRecords(ctx, z.Zone, record)
	} else {
		_, err = z.DeleteRecords(ctx, z.Zone, record)
	}
	return err
}

// directSolver answers by DNS-01.
type directSolver struct {
	direct
	s *settings
}

func (d directSolver) name(c acme.Challenge) string {
	if d.s.DNSName != "" {
		return d.s.DNSName
	}
	return c.DNS01TXTRecordName()
}

func (d directSolver) Present(ctx context.Context, c acme.Challenge) error {
	return d.change(ctx, true, d.name(c), c.DNS01KeyAuthorization())
}

func (d directSolver) CleanUp(ctx context.Context, c acme.Challenge) error {
	return d.change(ctx, false, d.name(c), c.DNS01KeyAuthorization())
}

// Wait waits until the record can be seen.
func (d directSolver) Wait(ctx context.Context, c acme.Challenge) error {
	servers := d.s.nameservers()
	if d.s.Propagation < 0 || len(servers) == 0 {
		return nil
	}
	limited, cancel := context.WithTimeout(ctx, d.s.Propagation)
	defer cancel()
	name, value := d.name(c), c.DNS01KeyAuthorization()
	for {
		if err := pause(limited, recordPause); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return fmt.Errorf("the TXT record of %s does not appear in %v", name, d.s.Propagation)
		}
		if hasTXT(limited, servers, name, value) {
			return nil
		}
	}
}

// hasTXT reports whether one of the servers knows the record, which may be reached by CNAME records.
func hasTXT(ctx context.Context, servers []string, name, value string) bool {
	q := new(dns.Msg)
	q.SetQuestion(dns.Fqdn(name), dns.TypeTXT)
	for _, server := range servers {
		answer, _, err := new(dns.Client).ExchangeContext(ctx, q, server)
		if err != nil {
			continue
		}
		for _, rr := range answer.Answer {
			if txt, ok := rr.(*dns.TXT); ok && strings.Join(txt.Txt, "") == value {
				return true
			}
		}
	}
	return false
}
