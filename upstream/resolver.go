package upstream

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"
)

// A Resolver finds out what a name stands for. It may be called by many goroutines at once. An
// answer without any address is an error.
type Resolver interface {
	// Addresses returns the addresses (A and AAAA) of host and how long they are good.
	Addresses(ctx context.Context, host string) ([]netip.Addr, time.Duration, error)
	// Services returns the SRV records of name and how long they are good.
	Services(ctx context.Context, name string) ([]Service, time.Duration, error)
}

// A Service is one SRV record (RFC 2782), with the addresses of its target.
type Service struct {
	Target    string
	Addresses []netip.Addr
	Port      uint16
	Priority  uint16
	Weight    uint16
}

// SystemResolver returns a resolver that asks the system's name servers, as /etc/resolv.conf names
// them, after a look at /etc/hosts. Both files are read anew for each look-up. Where there is no
// name server to ask it leaves the work to the standard library, which does not tell TTLs.
func SystemResolver() Resolver {
	return &resolver{conf: "/etc/resolv.conf", hosts: "/etc/hosts"}
}

const (
	plainTTL  = 30 * time.Second        // of answers that tell none
	dnsTry    = 1500 * time.Millisecond // for one answer of one name server
	dnsUDP    = 1232                    // bytes of an answer by UDP; what fits everywhere (DNS flag day 2020)
	maxTarget = 64                      // SRV records looked at
)

type resolver struct {
	conf, hosts string
	port        string // of name servers; "": what conf says
}

// Addresses implements Resolver.
func (r *resolver) Addresses(ctx context.Context, host string) ([]netip.Addr, time.Duration, error) {
	if list := r.local(host); len(list) > 0 {
		return list, plainTTL, nil
	}
	conf, ok := r.config()
	if !ok {
		return plainAddresses(ctx, host)
	}
	err := errNoAddress
	for _, name := range conf.NameList(host) {
		list, ttl, e := conf.addresses(ctx, name)
		if len(list) > 0 {
			return list, ttl, nil
		}
		err = cmp.Or(e, err)
	}
	return nil, 0, err
}

// Services implements Resolver.
func (r *resolver) Services(ctx context.Context, name string) ([]Service, time.Duration, error) {
	conf, ok := r.config()
	if !ok {
		return plainServices(ctx, name)
	}
	err := errNoAddress
	for _, n := range conf.NameList(name) {
		m, e := conf.ask(ctx, n, dns.TypeSRV)
		if e == nil && len(m.Answer) > 0 {
			return r.targets(ctx, m)
		}
		err = cmp.Or(e, err)
	}
	return nil, 0, err
}

// targets makes services of an answer. A target that cannot be resolved is left out.
func (r *resolver) targets(ctx context.Context, m *dns.Msg) ([]Service, time.Duration, error) {
	var out []Service
	ttl, err := leastTTL(m.Answer), errNoAddress
	for _, rr := range m.Answer[:min(len(m.Answer), maxTarget)] {
		srv, ok := rr.(*dns.SRV)
		if !ok || srv.Target == "." {
			continue
		}
		list, least := addressesIn(m.Extra, srv.Target)
		if len(list) == 0 {
			var e error
			if list, least, e = r.Addresses(ctx, srv.Target); e != nil {
				err = e
				continue
			}
		}
		ttl = min(ttl, least)
		out = append(out, Service{strings.TrimSuffix(srv.Target, "."), list, srv.Port, srv.Priority, srv.Weight})
	}
	if len(out) == 0 {
		return nil, 0, err
	}
	return out, ttl, nil
}

// config reads which name servers to ask; false: none.
func (r *resolver) config() (nameServers, bool) {
	conf, err := dns.ClientConfigFromFile(r.conf)
	if err != nil || len(conf.Servers) == 0 {
		return nameServers{}, false
	}
	if r.port != "" {
		conf.Port = r.port
	}
	return nameServers{conf}, true
}

// local returns what the machine itself knows: the hosts file, and localhost (RFC 6761).
func (r *resolver) local(host string) (list []netip.Addr) {
	host = strings.TrimSuffix(host, ".")
	if f, err := os.Open(r.hosts); err == nil {
		defer f.Close()
		for lines := bufio.NewScanner(f); lines.Scan(); {
			list = appendHosts(list, lines.Text(), host)
		}
	}
	if len(list) == 0 && strings.EqualFold(host, "localhost") {
		return []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()}
	}
	return list
}

// appendHosts appends the address of a line of a hosts file if it is host's.
func appendHosts(list []netip.Addr, line, host string) []netip.Addr {
	line, _, _ = strings.Cut(line, "#")
	words := strings.Fields(line)
	if len(words) < 2 {
		return list
	}
	addr, err := netip.ParseAddr(words[0])
	if err != nil {
		return list
	}
	for _, name := range words[1:] {
		if strings.EqualFold(strings.TrimSuffix(name, "."), host) {
			return append(list, addr)
		}
	}
	return list
}

// nameServers are those of a resolv.conf.
type nameServers struct{ *dns.ClientConfig }

// addresses asks for both kinds of addresses at once. One kind is enough.
func (s nameServers) addresses(ctx context.Context, name string) ([]netip.Addr, time.Duration, error) {
	var six *dns.Msg
	var errSix error
	var wg sync.WaitGroup
	wg.Go(func() { six, errSix = s.ask(ctx, name, dns.TypeAAAA) })
	four, errFour := s.ask(ctx, name, dns.TypeA)
	wg.Wait()
	var list []netip.Addr
	ttl := time.Duration(1<<63 - 1)
	for _, m := range []*dns.Msg{four, six} {
		if m == nil {
			continue
		}
		if found, _ := addressesIn(m.Answer, ""); len(found) > 0 {
			list = append(list, found...)
			ttl = min(ttl, leastTTL(m.Answer))
		}
	}
	if len(list) == 0 {
		return nil, 0, cmp.Or(errFour, errSix, errNoAddress)
	}
	return list, ttl, nil
}

// ask asks one name server after the other, twice around or as often as resolv.conf says.
func (s nameServers) ask(ctx context.Context, name string, kind uint16) (*dns.Msg, error) {
	q := new(dns.Msg)
	q.SetQuestion(name, kind)
	q.SetEdns0(dnsUDP, false)
	var last error
	for range max(s.Attempts, 1) {
		for _, server := range s.Servers {
			m, err := exchange(ctx, q, net.JoinHostPort(server, s.Port))
			if err == nil && m.Rcode == dns.RcodeNameError {
				return nil, fmt.Errorf("name server %s: no such name: %q", server, name)
			}
			if err == nil && m.Rcode != dns.RcodeSuccess {
				err = fmt.Errorf("name server %s: %s for %q", server, dns.RcodeToString[m.Rcode], name)
			}
			if err == nil {
				return m, nil
			}
			last = err
			if ctx.Err() != nil {
				return nil, last
			}
		}
	}
	return nil, last
}

// exchange asks one name server, by TCP where the answer is too long for UDP.
func exchange(ctx context.Context, q *dns.Msg, server string) (*dns.Msg, error) {
	c := &dns.Client{Net: "udp", Timeout: dnsTry, UDPSize: dnsUDP}
	m, _, err := c.ExchangeContext(ctx, q, server)
	if err == nil && m.Truncated {
		c.Net = "tcp"
		m, _, err = c.ExchangeContext(ctx, q, server)
	}
	return m, err
}

// addressesIn returns the addresses that records give to owner, or to any name where owner is "".
func addressesIn(list []dns.RR, owner string) (out []netip.Addr, ttl time.Duration) {
	ttl = leastTTL(list)
	for _, rr := range list {
		if owner != "" && !strings.EqualFold(rr.Header().Name, owner) {
			continue
		}
		switch v := rr.(type) {
		case *dns.A:
			if a, ok := netip.AddrFromSlice(v.A); ok {
				out = append(out, a.Unmap())
			}
		case *dns.AAAA:
			if a, ok := netip.AddrFromSlice(v.AAAA); ok {
				out = append(out, a)
			}
		}
	}
	return out, ttl
}

// leastTTL returns the shortest life of the records. OPT is none.
func leastTTL(list []dns.RR) time.Duration {
	least := uint32(1<<32 - 1)
	for _, rr := range list {
		if rr.Header().Rrtype != dns.TypeOPT {
			least = min(least, rr.Header().Ttl)
		}
	}
	return time.Duration(least) * time.Second
}

func plainAddresses(ctx context.Context, host string) ([]netip.Addr, time.Duration, error) {
	list, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	return list, plainTTL, err
}

func plainServices(ctx context.Context, name string) ([]Service, time.Duration, error) {
	_, list, err := net.DefaultResolver.LookupSRV(ctx, "", "", name)
	if err != nil {
		return nil, 0, err
	}
	var out []Service
	for _, s := range list {
		addrs, _, e := plainAddresses(ctx, s.Target)
		if e != nil {
			err = e
			continue
		}
		out = append(out, Service{strings.TrimSuffix(s.Target, "."), addrs, s.Port, s.Priority, s.Weight})
	}
	if len(out) == 0 {
		return nil, 0, cmp.Or(err, errNoAddress)
	}
	return out, plainTTL, nil
}

var errNoAddress = errors.New("the name has no address")
