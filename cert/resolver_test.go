package cert

import (
	"net"
	"testing"

	"github.com/miekg/dns"
)

// nameServer answers every question about an address with one, or with the code that it is given.
func nameServer(t *testing.T, code int) string {
	t.Helper()
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &dns.Server{PacketConn: c, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		m := new(dns.Msg)
		m.SetRcode(q, code)
		m.Authoritative = true
		if code == dns.RcodeSuccess && q.Question[0].Qtype == dns.TypeA {
			m.Answer = []dns.RR{&dns.A{Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeA, Class: dns.ClassINET}, A: net.IPv4(192, 0, 2, 7)}}
		}
		w.WriteMsg(m)
	})}
	go s.ActivateAndServe()
	t.Cleanup(func() { s.Shutdown() })
	return c.LocalAddr().String()
}

// Where a DNS server is not there, or will not answer, the next one is asked.
func TestNextServerIsAsked(t *testing.T) {
	gone, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone.Close()
	good := nameServer(t, dns.RcodeSuccess)
	for what, first := range map[string]string{
		"gone":    gone.LocalAddr().String(),
		"refuses": nameServer(t, dns.RcodeRefused),
		"fails":   nameServer(t, dns.RcodeServerFailure),
	} {
		got, err := resolver([]string{first, good}).LookupHost(t.Context(), "a.example.")
		if err != nil || len(got) != 1 || got[0] != "192.0.2.7" {
			t.Errorf("%s: %v, %v", what, got, err)
		}
	}
}
