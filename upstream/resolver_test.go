package upstream

import (
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// nameServer runs a name server on loopback that knows records (in the zone file's form), and returns
// a resolver that asks it. Names that begin with "long." are too long for UDP, "broken." ones fail.
func nameServer(t *testing.T, records ...string) *resolver {
	t.Helper()
	zone := map[string][]dns.RR{}
	for _, r := range records {
		rr, err := dns.NewRR(r)
		if err != nil {
			t.Fatal(err)
		}
		key := rr.Header().Name + dns.TypeToString[rr.Header().Rrtype]
		zone[key] = append(zone[key], rr)
	}
	answer := func(w dns.ResponseWriter, q *dns.Msg) {
		m := new(dns.Msg).SetReply(q)
		name, kind := q.Question[0].Name, q.Question[0].Qtype
		_, udp := w.RemoteAddr().(*net.UDPAddr)
		if c := zone[name+"CNAME"]; c != nil {
			m.Answer = append(m.Answer, c...)
			name = c[0].(*dns.CNAME).Target
		}
		m.Answer = append(m.Answer, zone[name+dns.TypeToString[kind]]...)
		switch {
		case strings.HasPrefix(name, "broken."):
			m.Rcode = dns.RcodeServerFailure
		case strings.HasPrefix(name, "long.") && udp:
			m.Truncated, m.Answer = true, nil
		case len(m.Answer) == 0 && zone[name+"A"] == nil && zone[name+"AAAA"] == nil:
			m.Rcode = dns.RcodeNameError
		}
		w.WriteMsg(m)
	}
	pc, l := samePort(t)
	for _, s := range []*dns.Server{{PacketConn: pc, Handler: dns.HandlerFunc(answer)}, {Listener: l, Handler: dns.HandlerFunc(answer)}} {
		up := make(chan struct{})
		s.NotifyStartedFunc = func() { close(up) }
		go s.ActivateAndServe()
		<-up
		t.Cleanup(func() { s.Shutdown() })
	}
	_, port, _ := net.SplitHostPort(pc.LocalAddr().String())
	return &resolver{
		conf:  file(t, "resolv.conf", "search example.com\noptions ndots:1 attempts:1\nnameserver 127.0.0.1\n"),
		hosts: file(t, "hosts", "127.0.0.1 localhost # me\n10.9.9.9 Printer printer.local\nfe80::1 printer\nnonsense\n"),
		port:  port,
	}
}

// samePort listens on one port for both UDP and TCP.
func samePort(t *testing.T) (net.PacketConn, net.Listener) {
	t.Helper()
	for range 20 {
		pc, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		if l, err := net.Listen("tcp", pc.LocalAddr().String()); err == nil {
			return pc, l
		}
		pc.Close()
	}
	t.Fatal("no port is free for both")
	return nil, nil
}

func file(t *testing.T, name, text string) string {
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func addrs(list ...string) (out []netip.Addr) {
	for _, a := range list {
		out = append(out, netip.MustParseAddr(a))
	}
	return out
}

func TestAddresses(t *testing.T) {
	r := nameServer(t,
		"app.example.com. 60 A 10.0.0.1", "app.example.com. 50 A 10.0.0.2", "app.example.com. 40 AAAA fd00::1",
		"www.example.com. 7 CNAME app.example.com.",
		"six.example.com. 9 AAAA fd00::2",
		"long.example.com. 30 A 10.0.0.3", "broken.example.com. 30 A 10.0.0.4",
	)
	for _, tt := range []struct {
		host string
		want []netip.Addr
		ttl  time.Duration
		err  string
	}{
		{"app.example.com", addrs("10.0.0.1", "10.0.0.2", "fd00::1"), 40 * time.Second, ""},
		{"app", addrs("10.0.0.1", "10.0.0.2", "fd00::1"), 40 * time.Second, ""},
		{"www.example.com.", addrs("10.0.0.1", "10.0.0.2", "fd00::1"), 7 * time.Second, ""},
		{"six.example.com", addrs("fd00::2"), 9 * time.Second, ""},
		{"long.example.com", addrs("10.0.0.3"), 30 * time.Second, ""},
		{"printer", addrs("10.9.9.9", "fe80::1"), plainTTL, ""},
		{"localhost", addrs("127.0.0.1"), plainTTL, ""},
		{"nobody.example.com.", nil, 0, `name server 127.0.0.1: no such name: "nobody.example.com."`},
		{"broken.example.com.", nil, 0, `name server 127.0.0.1: SERVFAIL for "broken.example.com."`},
	} {
		got, ttl, err := r.Addresses(t.Context(), tt.host)
		if !slices.Equal(got, tt.want) || ttl != tt.ttl {
			t.Errorf("%s: %v for %v, want %v for %v", tt.host, got, ttl, tt.want, tt.ttl)
		}
		if tt.err == "" && err != nil || tt.err != "" && (err == nil || err.Error() != tt.err) {
			t.Errorf("%s: error %v, want %q", tt.host, err, tt.err)
		}
	}
}

func TestServices(t *testing.T) {
	r := nameServer(t,
		"_http._tcp.example.com. 30 SRV 10 5 8080 a.example.com.", "_http._tcp.example.com. 30 SRV 20 0 80 b.example.com.",
		"_http._tcp.example.com. 30 SRV 20 0 80 lost.example.com.", "_http._tcp.example.com. 30 SRV 0 0 0 .",
		"a.example.com. 20 A 10.0.0.1", "b.example.com. 40 AAAA fd00::1",
	)
	got, ttl, err := r.Services(t.Context(), "_http._tcp.example.com")
	if err != nil || ttl != 20*time.Second || len(got) != 2 {
		t.Fatalf("%v for %v: %v", got, ttl, err)
	}
	slices.SortFunc(got, func(a, b Service) int { return int(a.Priority) - int(b.Priority) })
	a, b := got[0], got[1]
	if a.Target != "a.example.com" || a.Port != 8080 || a.Weight != 5 || a.Priority != 10 || !slices.Equal(a.Addresses, addrs("10.0.0.1")) {
		t.Errorf("the first is %+v", a)
	}
	if b.Port != 80 || b.Weight != 0 || !slices.Equal(b.Addresses, addrs("fd00::1")) {
		t.Errorf("the second is %+v", b)
	}
	if _, _, err := r.Services(t.Context(), "_ftp._tcp.example.com."); err == nil {
		t.Error("a service that is not there was found")
	}
}

// A name server that does not answer well is followed by the next one.
func TestSecondNameServer(t *testing.T) {
	var asked atomic.Int32
	pc, err := net.ListenPacket("udp", "127.0.0.2:0")
	if err != nil {
		t.Skip("no second loopback address here")
	}
	s := &dns.Server{PacketConn: pc, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		asked.Add(1)
		w.WriteMsg(new(dns.Msg).SetRcode(q, dns.RcodeRefused))
	})}
	go s.ActivateAndServe()
	t.Cleanup(func() { pc.Close() })
	_, port, _ := net.SplitHostPort(pc.LocalAddr().String())
	good, err := net.ListenPacket("udp", "127.0.0.1:"+port)
	if err != nil {
		t.Skip("the port is taken on the other address")
	}
	rr, _ := dns.NewRR("app.example.com. 60 A 10.0.0.1")
	g := &dns.Server{PacketConn: good, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		m := new(dns.Msg).SetReply(q)
		if q.Question[0].Qtype == dns.TypeA {
			m.Answer = []dns.RR{rr}
		}
		w.WriteMsg(m)
	})}
	go g.ActivateAndServe()
	t.Cleanup(func() { good.Close() })
	r := &resolver{conf: file(t, "resolv.conf", "nameserver 127.0.0.2\nnameserver 127.0.0.1\n"), port: port}
	list, _, err := r.Addresses(t.Context(), "app.example.com")
	if err != nil || !slices.Equal(list, addrs("10.0.0.1")) || asked.Load() == 0 {
		t.Errorf("%v, %v; the first was asked %d times", list, err, asked.Load())
	}
}
