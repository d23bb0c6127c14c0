package server

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"slices"
	"testing"
	"time"

	"weir/cert"
)

// TestHandshakesAreCounted has clients agree and fail in several ways.
func TestHandshakesAreCounted(t *testing.T) {
	a, err := cert.NewAuthority(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	source, err := a.For("localhost")
	if err != nil {
		t.Fatal(err)
	}
	table, err := cert.NewTable([]cert.Entry{{Names: []string{"localhost"}, Source: source}})
	if err != nil {
		t.Fatal(err)
	}
	p := cert.Policy{Minimum: tls.VersionTLS12, Protocols: []string{"http/1.1"}}
	s := newServer(t, Config{})
	swap(t, s, snapshot(says("x"), ListenerSpec{
		Name: "https", Address: "127.0.0.1:0", TLS: p.ServerConfig(table, cert.NewTickets(0)), Versions: Versions{H1: true},
	}))
	addr := s.Addr("https")
	roots := x509.NewCertPool()
	roots.AddCert(a.Root())
	usual := &tls.Config{RootCAs: roots, ServerName: "localhost", ClientSessionCache: tls.NewLRUClientSessionCache(1)}
	changed := func(change func(*tls.Config)) *tls.Config {
		c := usual.Clone()
		c.ClientSessionCache = nil
		change(c)
		return c
	}

	for range 3 {
		if err := ask(t, addr, usual); err != nil {
			t.Fatal(err)
		}
	}
	if err := ask(t, addr, changed(func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 })); err != nil {
		t.Fatal(err)
	}
	for _, c := range []*tls.Config{
		changed(func(c *tls.Config) { c.ServerName = "other.example" }),
		changed(func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS11, tls.VersionTLS11 }),
	} {
		if ask(t, addr, c) == nil {
			t.Error("a handshake that must fail does not")
		}
	}
	connect(t, addr).send() // HTTP without TLS
	connect(t, addr).Close()

	want := []HandshakeCount{
		{Version: tls.VersionTLS12, Count: 1},
		{Version: tls.VersionTLS13, Count: 1},
		{Version: tls.VersionTLS13, Resumed: true, Count: 2},
		{Trouble: cert.NoTrouble, Count: 1},
		{Trouble: cert.VersionMismatch, Count: 1},
		{Trouble: cert.NotTLS, Count: 1},
		{Trouble: cert.UnknownName, Count: 1},
	}
	var got []HandshakeCount
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if got = s.Listeners()[0].Handshakes; slices.Equal(got, want) {
			return
		}
	}
	t.Errorf("got  %v\nwant %v", got, want)
}

// ask does a handshake and a request, and reads the answer: only then a client has its ticket.
func ask(t *testing.T, addr net.Addr, c *tls.Config) error {
	t.Helper()
	conn, err := tls.Dial("tcp", addr.String(), c)
	if err != nil {
		return err
	}
	defer conn.Close()
	io.WriteString(conn, "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
	_, err = io.ReadAll(conn)
	return err
}
