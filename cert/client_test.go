package cert

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
	"time"
)

func TestClientPolicy(t *testing.T) {
	authority, others := newCA(t), newCA(t)
	good := authority.leaf(t, nil, "a.example", "127.0.0.1")
	expired := authority.leaf(t, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }, "a.example")
	early := authority.leaf(t, func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Minute) }, "a.example")
	forClients := authority.leaf(t, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }, "a.example")
	sha1 := authority.leaf(t, func(c *x509.Certificate) { c.SignatureAlgorithm = x509.ECDSAWithSHA1 }, "a.example")
	small := authority.rsaLeaf(t, 1024, "a.example")
	mine := fixed{authority.leaf(t, nil)}
	theirs := fixed{others.leaf(t, nil)}
	roots := authority.pool()
	usual := ClientPolicy{Roots: roots}
	for what, tt := range map[string]struct {
		shown   *tls.Certificate
		policy  ClientPolicy
		address string
		verify  Verify
		want    Trouble
	}{
		"good":               {shown: good, policy: usual, address: "a.example:443"},
		"by address":         {shown: good, policy: usual, address: "127.0.0.1:443"},
		"by given name":      {shown: good, policy: ClientPolicy{Roots: roots, ServerName: "a.example"}, address: "unix:/run/x.sock"},
		"socket":             {shown: good, policy: usual, address: "unix:/run/x.sock", want: NameMismatch},
		"wrong address":      {shown: good, policy: usual, address: "[::1]:443", want: NameMismatch},
		"wrong name":         {shown: good, policy: usual, address: "b.example:443", want: NameMismatch},
		"wrong given name":   {shown: good, policy: ClientPolicy{Roots: roots, ServerName: "b.example"}, address: "a.example:443", want: NameMismatch},
		"expired":            {shown: expired, policy: usual, address: "a.example:443", want: Expired},
		"early":              {shown: early, policy: usual, address: "a.example:443", want: NotYetValid},
		"purpose":            {shown: forClients, policy: usual, address: "a.example:443", want: BadCertificate},
		"SHA-1":              {shown: sha1, policy: usual, address: "a.example:443", want: BadCertificate},
		"small key":          {shown: small, policy: usual, address: "a.example:443", want: BadCertificate},
		"small key, pin":     {shown: small, policy: ClientPolicy{Roots: roots, Pins: []Pin{PinOf(small.Leaf)}}, address: "a.example:443", want: BadCertificate},
		"small key, taken":   {shown: small, policy: ClientPolicy{Insecure: true}, address: "a.example:443"},
		"large key":          {shown: authority.rsaLeaf(t, 2048, "a.example"), policy: usual, address: "a.example:443"},
		"unknown":            {shown: good, policy: ClientPolicy{Roots: others.pool()}, address: "a.example:443", want: UnknownAuthority},
		"system":             {shown: good, policy: ClientPolicy{}, address: "a.example:443", want: UnknownAuthority},
		"insecure":           {shown: expired, policy: ClientPolicy{Insecure: true}, address: "b.example:443"},
		"pin":                {shown: good, policy: ClientPolicy{Roots: roots, Pins: []Pin{{}, PinOf(good.Leaf)}}, address: "a.example:443"},
		"pin of CA":          {shown: good, policy: ClientPolicy{Roots: roots, Pins: []Pin{PinOf(authority.certificate)}}, address: "a.example:443"},
		"wrong pin":          {shown: good, policy: ClientPolicy{Roots: roots, Pins: []Pin{PinOf(others.certificate)}}, address: "a.example:443", want: PinMismatch},
		"pin, wrong name":    {shown: good, policy: ClientPolicy{Roots: roots, Pins: []Pin{PinOf(good.Leaf)}}, address: "b.example:443", want: NameMismatch},
		"pin alone":          {shown: expired, policy: ClientPolicy{Insecure: true, Pins: []Pin{PinOf(expired.Leaf)}}, address: "b.example:443"},
		"wrong pin alone":    {shown: expired, policy: ClientPolicy{Insecure: true, Pins: []Pin{PinOf(good.Leaf)}}, address: "b.example:443", want: PinMismatch},
		"certificate":        {shown: good, policy: ClientPolicy{Roots: roots, Certificate: mine}, address: "a.example:443", verify: Require},
		"certificate asked":  {shown: good, policy: usual, address: "a.example:443", verify: Require, want: CertificateAsked},
		"certificate denied": {shown: good, policy: ClientPolicy{Roots: roots, Certificate: theirs}, address: "a.example:443", verify: Require, want: CertificateDenied},
	} {
		table := newTable(t, Entry{Source: fixed{tt.shown}, Default: true})
		p := Policy{Verify: tt.verify}
		if tt.verify != Off {
			p.ClientCAs = roots
		}
		m := meet(t, p.ServerConfig(table, NewTickets(0)), tt.policy.Config(tt.address))
		if got := CauseOf(m.clientErr); got != tt.want || (got == NoTrouble) != (m.clientErr == nil) {
			t.Errorf("%s: %q, want %q: %v", what, got, tt.want, m.clientErr)
		}
	}
}

// Pins hold for resumed sessions too, and sessions are resumed.
func TestPinsWithResumption(t *testing.T) {
	authority := newCA(t)
	good := authority.leaf(t, nil, "a.example")
	server := Policy{}.ServerConfig(newTable(t, Entry{Source: fixed{good}, Default: true}), NewTickets(0))
	client := ClientPolicy{Roots: authority.pool(), Pins: []Pin{PinOf(good.Leaf)}}.Config("a.example:443")
	for i, resumed := range []bool{false, true} {
		if m := meet(t, server, client); m.clientErr != nil || m.client.DidResume != resumed {
			t.Errorf("handshake %d: %v, resumed %v", i, m.clientErr, m.client.DidResume)
		}
	}
}

func TestNewestClientCertificateIsShown(t *testing.T) {
	authority, dir := newCA(t), t.TempDir()
	server := Policy{Verify: Require, ClientCAs: authority.pool()}.ServerConfig(
		newTable(t, Entry{Source: fixed{authority.leaf(t, nil, "a.example")}, Default: true}), nil)
	f, err := NewFiles(write(t, dir, authority.leaf(t, nil)))
	if err != nil {
		t.Fatal(err)
	}
	client := ClientPolicy{Roots: authority.pool(), Certificate: f}.Config("a.example:443")
	for range 2 {
		m := meet(t, server, client)
		if m.serverErr != nil || !m.server.PeerCertificates[0].Equal(f.Leaf()) {
			t.Errorf("%v, or another certificate", m.serverErr)
		}
		write(t, dir, authority.leaf(t, nil))
		if changed, err := f.Reload(); !changed || err != nil {
			t.Fatal(err)
		}
	}
}

// scripted is a server that says something and hangs up, whatever it is asked.
func scripted(t *testing.T, say string) error {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		if c, err := l.Accept(); err == nil {
			io.WriteString(c, say)
			io.CopyN(io.Discard, c, 100)
			c.Close()
		}
	}()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return tls.Client(c, ClientPolicy{}.Config("a.example:443")).HandshakeContext(context.Background())
}

func TestServersThatSpeakNoTLS(t *testing.T) {
	for say, want := range map[string]Trouble{
		"HTTP/1.1 400 Bad Request\r\n\r\n":     NotTLS,
		"SSH-2.0-OpenSSH\r\n":                  NotTLS,
		"\x15\x03\x03\x00\x02\x02\x28":         HandshakeFailure,
		"\x15\x03\x03\x00\x02\x02\x70":         NameDenied,
		"\x15\x03\x03\x00\x02\x02\x46":         VersionMismatch,
		"\x16\x03\x03\x00\x04\x63\x00\x00\x00": HandshakeFailure,
		"":                                     NoTrouble, // it hung up: nothing of TLS
	} {
		err := scripted(t, say)
		if got := CauseOf(err); err == nil || got != want {
			t.Errorf("%q: %q, want %q: %v", say, got, want, err)
		}
	}
}

func TestCausesOfOtherErrors(t *testing.T) {
	for _, err := range []error{nil, io.EOF, net.ErrClosed, context.DeadlineExceeded, &net.OpError{Op: "dial", Err: errors.New("refused")}} {
		if got := CauseOf(err); got != NoTrouble {
			t.Errorf("%v: %q", err, got)
		}
	}
	if got := CauseOf(fmt.Errorf("dial: %w", x509.HostnameError{Certificate: &x509.Certificate{}})); got != NameMismatch {
		t.Errorf("wrapped: %q", got)
	}
	for c := NoTrouble + 1; c < Troubles; c++ {
		if c.String() == "" {
			t.Errorf("trouble %d has no word", c)
		}
	}
}

func TestPins(t *testing.T) {
	p := PinOf(newCA(t).certificate)
	if got, err := ParsePin(p.String()); err != nil || got != p {
		t.Errorf("%v, %v", got, err)
	}
	for _, s := range []string{"", "sha256:", "sha256:00", p.String() + "0", "md5:00"} {
		if _, err := ParsePin(s); err == nil {
			t.Errorf("%q is a pin", s)
		}
	}
}
