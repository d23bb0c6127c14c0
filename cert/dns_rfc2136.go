package cert

import (
	"context"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/libdns/libdns"
	"github.com/miekg/dns"
)

// clockFudge is by how many seconds the clocks of both sides of a signed update may differ, RFC 8945 10.
const clockFudge = 300

// RFC2136 is a [Provider] that sends dynamic updates (RFC 2136) to a name server, signed with a key where there is
// one (TSIG, RFC 8945).
type RFC2136 struct {
	Server    string // "host:port" of the primary server
	Zone      string // to be changed; "": the one that the name is found to be in
	KeyName   string // "": updates are not signed
	Algorithm string // "hmac-sha256", the default, or "hmac-sha224", "hmac-sha384", "hmac-sha512", "hmac-sha1"
	Secret    string // base64
}

var tsigAlgorithms = map[string]string{
	"":            dns.HmacSHA256,
	"hmac-sha256": dns.HmacSHA256,
	"hmac-sha224": dns.HmacSHA224,
	"hmac-sha384": dns.HmacSHA384,
	"hmac-sha512": dns.HmacSHA512,
	"hmac-sha1":   dns.HmacSHA1,
}

// Check says what makes it impossible.
func (p RFC2136) Check() error {
	if _, _, err := net.SplitHostPort(p.Server); err != nil {
		return fmt.Errorf("name server %q: want host:port", p.Server)
	}
	if _, ok := tsigAlgorithms[lower(p.Algorithm)]; !ok {
		return fmt.Errorf("%q is no algorithm for updates: want hmac-sha256 or the like", p.Algorithm)
	}
	if (p.KeyName == "") != (p.Secret == "") {
		return fmt.Errorf("updates are signed with a key name and a secret, or not at all")
	}
	return nil
}

// AppendRecords sets records.
func (p RFC2136) AppendRecords(ctx context.Context, zone string, records []libdns.Record) ([]libdns.Record, error) {
	m, list, err := p.update(zone, records)
	if err != nil {
		return nil, err
	}
	m.Insert(list)
	return records, p.send(ctx, m)
}

// DeleteRecords deletes records.
func (p RFC2136) DeleteRecords(ctx context.Context, zone string, records []libdns.Record) ([]libdns.Record, error) {
	m, list, err := p.update(zone, records)
	if err != nil {
		return nil, err
	}
	m.Remove(list)
	return records, p.send(ctx, m)
}

func (p RFC2136) update(zone string, records []libdns.Record) (*dns.Msg, []dns.RR, error) {
	var list []dns.RR
	for _, r := range records {
		rr := r.RR()
		if rr.Type != "TXT" {
			return nil, nil, fmt.Errorf("%s records are not set by weir", rr.Type)
		}
		list = append(list, &dns.TXT{
			Hdr: dns.RR_Header{Name: dns.Fqdn(libdns.AbsoluteName(rr.Name, zone)), Rrtype: dns.TypeTXT, Class: dns.ClassINET, Ttl: uint32(rr.TTL.Seconds())},
			Txt: []string{rr.Data},
		})
	}
	if p.Zone != "" {
		zone = p.Zone
	}
	m := new(dns.Msg)
	m.SetUpdate(dns.Fqdn(zone))
	return m, list, nil
}

func (p RFC2136) send(ctx context.Context, m *dns.Msg) error {
	c := &dns.Client{Net: "tcp", Timeout: lookTimeout}
	if p.KeyName != "" {
		name := dns.Fqdn(lower(p.KeyName))
		c.TsigSecret = map[string]string{name: p.Secret}
		m.SetTsig(name, tsigAlgorithms[lower(p.Algorithm)], clockFudge, time.Now().Unix())
	}
	answer, _, err := c.ExchangeContext(ctx, m, p.Server)
	if err != nil {
		return fmt.Errorf("name server %s: %w", p.Server, err)
	}
	if answer.Rcode != dns.RcodeSuccess {
		return fmt.Errorf("name server %s refused the change of zone %s: %s", p.Server, strings.TrimSuffix(m.Question[0].Name, "."), dns.RcodeToString[answer.Rcode])
	}
	return nil
}
