package cert

import (
	"crypto/tls"
	"crypto/x509"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestHandshakes(t *testing.T) {
	authority := newCA(t)
	table := newTable(t, Entry{Names: []string{"a.example"}, Source: fixed{authority.leaf(t, nil, "a.example")}})
	server := Policy{Protocols: []string{"h2", "http/1.1"}}.ServerConfig(table, NewTickets(0))
	strict := Policy{Minimum: tls.VersionTLS13}.ServerConfig(table, nil)
	client := func(change func(*tls.Config)) *tls.Config {
		c := &tls.Config{ServerName: "a.example", RootCAs: authority.pool()}
		change(c)
		return c
	}
	for what, tt := range map[string]struct {
		server, client *tls.Config
		version        uint16
		protocol       string
		curve          tls.CurveID
		seen, told     Trouble // what the server and what the client make of the failure
	}{
		"modern":    {server: server, client: client(func(c *tls.Config) { c.NextProtos = []string{"http/1.1", "h2"} }), version: tls.VersionTLS13, protocol: "h2", curve: tls.X25519MLKEM768},
		"old":       {server: server, client: client(func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 }), version: tls.VersionTLS12, curve: tls.X25519},
		"too old":   {server: server, client: client(func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 }), seen: VersionMismatch, told: VersionMismatch},
		"strict":    {server: strict, client: client(func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 }), seen: VersionMismatch, told: VersionMismatch},
		"no name":   {server: server, client: client(func(c *tls.Config) { c.ServerName, c.InsecureSkipVerify = "", true }), seen: UnknownName, told: NameDenied},
		"unknown":   {server: server, client: client(func(c *tls.Config) { c.ServerName = "b.example" }), seen: UnknownName, told: NameDenied},
		"protocols": {server: server, client: client(func(c *tls.Config) { c.NextProtos = []string{"smtp"} }), seen: ProtocolMismatch, told: ProtocolMismatch},
		"challenge": {server: server, client: client(func(c *tls.Config) { c.NextProtos = []string{ALPNChallenge} }), seen: ProtocolMismatch, told: ProtocolMismatch},
		"cbc": {server: server, client: client(func(c *tls.Config) {
			c.MaxVersion, c.CipherSuites = tls.VersionTLS12, []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA}
		}), seen: HandshakeFailure, told: HandshakeFailure},
	} {
		m := meet(t, tt.server, tt.client)
		if seen, told := CauseOf(m.serverErr), CauseOf(m.clientErr); seen != tt.seen || told != tt.told {
			t.Errorf("%s: the server says %q (%v), the client %q (%v)", what, seen, m.serverErr, told, m.clientErr)
			continue
		}
		if tt.version != 0 && (m.client.Version != tt.version || m.client.NegotiatedProtocol != tt.protocol || m.client.CurveID != tt.curve) {
			t.Errorf("%s: version %x, protocol %q, key exchange %v", what, m.client.Version, m.client.NegotiatedProtocol, m.client.CurveID)
		}
	}
}

func TestClientCertificates(t *testing.T) {
	authority, others := newCA(t), newCA(t)
	site := func(name string, p *Policy) Entry {
		return Entry{Names: []string{name}, Source: fixed{authority.leaf(t, nil, name)}, Policy: p}
	}
	pool := authority.pool()
	table := newTable(
		t,
		site("off.example", nil),
		site("request.example", &Policy{Verify: Request, ClientCAs: pool}),
		site("require.example", &Policy{Verify: Require, ClientCAs: pool}),
		site("require2.example", &Policy{Verify: Require, ClientCAs: others.pool()}),
	)
	server := Policy{Protocols: []string{"h2"}}.ServerConfig(table, NewTickets(0))
	good, bad := authority.leaf(t, nil), others.leaf(t, nil)
	late := authority.leaf(t, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) })
	small := authority.rsaLeaf(t, 1024)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for what, tt := range map[string]struct {
			name       string
			show       *tls.Certificate
			seen, told Trouble
		}{
			"off":                   {"off.example", good, NoTrouble, NoTrouble},
			"request, none":         {"request.example", nil, NoTrouble, NoTrouble},
			"request, good":         {"request.example", good, NoTrouble, NoTrouble},
			"request, bad":          {"request.example", bad, UnknownAuthority, CertificateDenied},
			"require, none":         {"require.example", nil, CertificateMissing, CertificateAsked},
			"require, good":         {"require.example", good, NoTrouble, NoTrouble},
			"require, bad":          {"require.example", bad, UnknownAuthority, CertificateDenied},
			"require, late":         {"require.example", late, Expired, CertificateDenied},
			"require, small key":    {"require.example", small, BadCertificate, CertificateDenied},
			"request, small key":    {"request.example", small, BadCertificate, CertificateDenied},
			"require, other's good": {"require2.example", good, UnknownAuthority, CertificateDenied},
		} {
			client := &tls.Config{ServerName: tt.name, RootCAs: pool, MaxVersion: version, NextProtos: []string{"h2"}}
			if tt.show != nil {
				client.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return tt.show, nil }
			}
			m := meet(t, server, client)
			told := tt.told
			if told == CertificateAsked && version == tls.VersionTLS12 {
				told = HandshakeFailure // there is no other alert for it
			}
			if got := CauseOf(m.serverErr); got != tt.seen {
				t.Errorf("%x %s: the server says %q: %v", version, what, got, m.serverErr)
			}
			if got := CauseOf(m.clientErr); got != told {
				t.Errorf("%x %s: the client says %q: %v", version, what, got, m.clientErr)
			}
			if shown := len(m.server.PeerCertificates) > 0; m.serverErr == nil && shown != (tt.show != nil && tt.name != "off.example") {
				t.Errorf("%x %s: the client showed a certificate: %v", version, what, shown)
			}
			if m.serverErr == nil && m.server.NegotiatedProtocol != "h2" {
				t.Errorf("%x %s: protocol %q", version, what, m.server.NegotiatedProtocol)
			}
		}
	}
}

// Whoever asks for client certificates without an authority for them lets nobody in, even if nobody checked.
func TestNoAuthorityLetsNobodyIn(t *testing.T) {
	authority := newCA(t)
	table := newTable(t, Entry{Names: []string{"a.example"}, Source: fixed{authority.leaf(t, nil, "a.example")}})
	p := Policy{Verify: Require}
	if p.Check() == nil || (Policy{ClientCAs: authority.pool()}).Check() == nil || (Policy{Minimum: tls.VersionTLS11}).Check() == nil {
		t.Error("impossible policies are not refused")
	}
	m := meet(t, p.ServerConfig(table, nil), &tls.Config{ServerName: "a.example", RootCAs: authority.pool(), Certificates: []tls.Certificate{*authority.leaf(t, nil)}})
	if CauseOf(m.serverErr) != UnknownAuthority {
		t.Errorf("the server says %v", m.serverErr)
	}
}

func TestVerifyWords(t *testing.T) {
	for _, v := range []Verify{Off, Request, Require} {
		if got, ok := ParseVerify(v.String()); !ok || got != v {
			t.Errorf("%q is %v, %v", v, got, ok)
		}
	}
	if _, ok := ParseVerify("on"); ok {
		t.Error(`"on" is a word`)
	}
}

func TestSessionsAreResumed(t *testing.T) {
	authority := newCA(t)
	source := fixed{authority.leaf(t, nil, "a.example", "b.example", "c.example")}
	table := newTable(t, Entry{Names: []string{"a.example", "b.example"}, Source: source},
		Entry{Names: []string{"c.example"}, Source: source, Policy: &Policy{Verify: Request, ClientCAs: authority.pool()}})
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		tickets := NewTickets(time.Hour)
		now := time.Now()
		tickets.now = func() time.Time { return now }
		// One cache for all names, as no browser has it.
		cache := oneSession{tls.NewLRUClientSessionCache(1)}
		resumed := func(name string) bool {
			t.Helper()
			m := meet(t, Policy{}.ServerConfig(table, tickets), &tls.Config{
				ServerName: name, RootCAs: authority.pool(), ClientSessionCache: cache, MaxVersion: version,
			})
			if m.clientErr != nil || m.serverErr != nil || m.client.DidResume != m.server.DidResume {
				t.Fatalf("%v, %v", m.clientErr, m.serverErr)
			}
			return m.client.DidResume
		}
		steps := []struct {
			name  string
			after time.Duration
			want  bool
		}{
			{"a.example", 0, false},
			{"a.example", 0, true},
			{"a.example", 90 * time.Minute, true}, // by the key before
			{"a.example", 0, true},
			{"b.example", 0, false}, // another name
			{"b.example", 0, true},
			{"c.example", 0, false},
			{"c.example", 0, true},
			{"c.example", 4 * time.Hour, false}, // its key is gone
		}
		for i, s := range steps {
			now = now.Add(s.after)
			if got := resumed(s.name); got != s.want {
				t.Errorf("%x step %d: %s resumed: %v", version, i, s.name, got)
			}
		}
		if n := len(*tickets.keys.Load()); n > ticketKeys {
			t.Errorf("%d keys", n)
		}
	}
}

// A client whose chain is too long for a ticket gets a full handshake each time, and is served.
func TestSessionTooLargeForATicket(t *testing.T) {
	authority := newCA(t)
	table := newTable(t, Entry{Source: fixed{authority.leaf(t, nil, "a.example")}, Default: true})
	server := Policy{Verify: Require, ClientCAs: authority.pool()}.ServerConfig(table, NewTickets(0))
	mine := authority.leaf(t, nil)
	for range 70 << 10 / len(authority.certificate.Raw) {
		mine.Certificate = append(mine.Certificate, authority.certificate.Raw)
	}
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		client := ClientPolicy{Roots: authority.pool(), Certificate: fixed{mine}}.Config("a.example:443")
		client.MaxVersion = version
		for range 2 {
			if m := meet(t, server, client); m.clientErr != nil || m.serverErr != nil || m.client.DidResume {
				t.Errorf("%x: %v, %v, resumed %v", version, m.clientErr, m.serverErr, m.client.DidResume)
			}
		}
	}
}

// oneSession gives the same session to every server.
type oneSession struct{ tls.ClientSessionCache }

func (o oneSession) Get(string) (*tls.ClientSessionState, bool) { return o.ClientSessionCache.Get("") }
func (o oneSession) Put(_ string, s *tls.ClientSessionState)    { o.ClientSessionCache.Put("", s) }

func TestTicketsOpenTheirOwnAlone(t *testing.T) {
	tickets := NewTickets(0)
	ticket := tickets.seal([]byte("session"), []byte("a"))
	if got := tickets.open(ticket, []byte("a")); string(got) != "session" {
		t.Errorf("got %q", got)
	}
	if tickets.open(ticket, []byte("b")) != nil || NewTickets(0).open(ticket, []byte("a")) != nil {
		t.Error("opened elsewhere")
	}
	for i := range ticket {
		broken := slices.Clone(ticket)
		broken[i] ^= 1
		if tickets.open(broken, []byte("a")) != nil || tickets.open(ticket[:i], []byte("a")) != nil {
			t.Errorf("opened with byte %d changed or left out", i)
		}
	}
}

// A site whose clients' authority was changed does not know those of before, resumed or not.
func TestChangedAuthorityEndsSessions(t *testing.T) {
	authority, next := newCA(t), newCA(t)
	source := fixed{authority.leaf(t, nil, "a.example")}
	tickets, cache := NewTickets(0), tls.NewLRUClientSessionCache(1)
	mine := authority.leaf(t, nil)
	ask := func(trusted *x509.CertPool) meeting {
		table := newTable(t, Entry{Names: []string{"a.example"}, Source: source})
		return meet(t, Policy{Verify: Require, ClientCAs: trusted}.ServerConfig(table, tickets), &tls.Config{
			ServerName: "a.example", RootCAs: authority.pool(), ClientSessionCache: cache,
			GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return mine, nil },
		})
	}
	for i, resumed := range []bool{false, true} {
		if m := ask(authority.pool()); m.serverErr != nil || m.server.DidResume != resumed {
			t.Fatalf("handshake %d: %v, resumed %v", i, m.serverErr, m.server.DidResume)
		}
	}
	if m := ask(next.pool()); m.serverErr == nil || !strings.Contains(m.serverErr.Error(), "unknown authority") {
		t.Errorf("after the change: %v, resumed %v", m.serverErr, m.server.DidResume)
	}
}
