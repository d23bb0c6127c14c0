package cert

import (
	"bufio"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/miekg/dns"
)

const (
	zoneKey    = "weir-key."
	zoneSecret = "c2VjcmV0IG9mIHRoZSB0ZXN0IHpvbmU="
)

// A zone is a name server for weir.test: every name leads to 127.0.0.1 but those below nowhere.weir.test. TXT records are
// set by signed updates (RFC 2136), by hand, or in a file of lines "set|delete NAME VALUE".
type zone struct {
	address string
	file    string

	mu      sync.Mutex // protects the rest
	txt     map[string][]string
	caa     map[string][]string // "0 issue ca.example"
	updates int
	soas    int // questions for the start of a zone
}

func newZone(t *testing.T) *zone {
	t.Helper()
	z := &zone{txt: map[string][]string{}, caa: map[string][]string{}, file: filepath.Join(t.TempDir(), "hook")}
	l, packets := listenTwice(t)
	z.address = l.Addr().String()
	for _, s := range []*dns.Server{{Listener: l}, {PacketConn: packets}} {
		s.Handler, s.TsigSecret = z, map[string]string{zoneKey: zoneSecret}
		s.MsgAcceptFunc = func(dns.Header) dns.MsgAcceptAction { return dns.MsgAccept }
		ended := make(chan struct{})
		ready := make(chan struct{})
		s.NotifyStartedFunc = func() { close(ready) }
		go func() { s.ActivateAndServe(); close(ended) }()
		<-ready
		t.Cleanup(func() { s.Shutdown(); <-ended })
	}
	return z
}

// listenTwice listens on one port for TCP and for UDP. That the kernel gives a port for one does not say that it is free for
// the other.
func listenTwice(t *testing.T) (net.Listener, net.PacketConn) {
	t.Helper()
	for {
		l := listen(t)
		packets, err := net.ListenPacket("udp", l.Addr().String())
		if err == nil {
			return l, packets
		}
		if !errors.Is(err, syscall.EADDRINUSE) {
			t.Fatal(err)
		}
		l.Close()
	}
}

// set has a name answer with these CAA records.
func (z *zone) set(name string, records ...string) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.caa[name+"."] = records
}

func (z *zone) ServeDNS(w dns.ResponseWriter, r *dns.Msg) {
	m := new(dns.Msg)
	m.SetReply(r)
	m.Authoritative, m.RecursionAvailable = true, true
	if r.Opcode == dns.OpcodeUpdate {
		m.Rcode = z.update(w, r)
		if r.IsTsig() != nil {
			m.SetTsig(zoneKey, dns.HmacSHA256, clockFudge, int64(r.IsTsig().TimeSigned))
		}
	} else {
		z.answer(m, r.Question[0])
	}
	w.WriteMsg(m)
}

func (z *zone) update(w dns.ResponseWriter, r *dns.Msg) int {
	if r.IsTsig() == nil || w.TsigStatus() != nil {
		return dns.RcodeNotAuth
	}
	z.mu.Lock()
	defer z.mu.Unlock()
	z.updates++
	for _, rr := range r.Ns {
		txt, ok := rr.(*dns.TXT)
		if !ok {
			return dns.RcodeRefused
		}
		z.change(rr.Header().Class == dns.ClassINET, rr.Header().Name, strings.Join(txt.Txt, ""))
	}
	return dns.RcodeSuccess
}

// change sets or deletes a TXT record. mu is held.
func (z *zone) change(set bool, name, value string) {
	name = dns.Fqdn(strings.ToLower(name))
	var kept []string
	for _, v := range z.txt[name] {
		if v != value {
			kept = append(kept, v)
		}
	}
	if set {
		kept = append(kept, value)
	}
	z.txt[name] = kept
}

// follow reads what a hook wrote. mu is held.
func (z *zone) follow() {
	f, err := os.Open(z.file)
	if err != nil {
		return
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if word := strings.Fields(s.Text()); len(word) == 3 {
			z.change(word[0] == "set", word[1], word[2])
		}
	}
}

// texts are the TXT records that are there now.
func (z *zone) texts() int {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.follow()
	n := 0
	for _, values := range z.txt {
		n += len(values)
	}
	return n
}

func (z *zone) answer(m *dns.Msg, q dns.Question) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.follow()
	name := strings.ToLower(q.Name)
	head := func(t uint16) dns.RR_Header { return dns.RR_Header{Name: q.Name, Rrtype: t, Class: dns.ClassINET} }
	switch {
	case strings.HasSuffix(name, "nowhere.weir.test."):
		m.Rcode = dns.RcodeNameError
	case q.Qtype == dns.TypeA && strings.HasSuffix(name, "weir.test."):
		m.Answer = append(m.Answer, &dns.A{Hdr: head(dns.TypeA), A: net.IPv4(127, 0, 0, 1)})
	case q.Qtype == dns.TypeSOA && name == "weir.test.":
		z.soas++
		m.Answer = append(m.Answer, &dns.SOA{Hdr: head(dns.TypeSOA), Ns: "ns.weir.test.", Mbox: "ops.weir.test.", Refresh: 1})
	case q.Qtype == dns.TypeNS && name == "weir.test.":
		m.Answer = append(m.Answer, &dns.NS{Hdr: head(dns.TypeNS), Ns: "ns.weir.test."})
	case q.Qtype == dns.TypeTXT:
		for _, v := range z.txt[name] {
			m.Answer = append(m.Answer, &dns.TXT{Hdr: head(dns.TypeTXT), Txt: []string{v}})
		}
	case q.Qtype == dns.TypeCAA:
		for _, c := range z.caa[name] {
			if rr, err := dns.NewRR(q.Name + " CAA " + c); err == nil {
				m.Answer = append(m.Answer, rr)
			}
		}
	}
}
