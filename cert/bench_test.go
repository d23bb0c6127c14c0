package cert

import (
	"crypto/tls"
	"io"
	"net"
	"testing"
)

// BenchmarkHandshake is both sides of a handshake in memory: with what weir makes of a policy, and with what crypto/tls
// does by itself.
func BenchmarkHandshake(b *testing.B) {
	authority := newCA(b)
	leaf := authority.leaf(b, nil, "a.example")
	table := newTable(b, Entry{Names: []string{"a.example"}, Source: fixed{leaf}}, Entry{Names: []string{"b.example"}, Source: fixed{leaf}, Policy: &Policy{}})
	for name, server := range map[string]*tls.Config{
		"policy": Policy{}.ServerConfig(table, NewTickets(0)),
		"plain":  {Certificates: []tls.Certificate{*leaf}},
	} {
		for kind, cache := range map[string]tls.ClientSessionCache{"full": nil, "resumed": tls.NewLRUClientSessionCache(1)} {
			client := &tls.Config{ServerName: "a.example", RootCAs: authority.pool(), ClientSessionCache: cache}
			b.Run(name+"/"+kind, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					handshake(b, server, client)
				}
			})
		}
	}
}

func handshake(b *testing.B, server, client *tls.Config) {
	s, c := net.Pipe()
	done := make(chan error, 1)
	go func() {
		t := tls.Server(s, server)
		err := t.Handshake()
		io.WriteString(t, "x")
		s.Close()
		done <- err
	}()
	t := tls.Client(c, client)
	if err := t.Handshake(); err != nil {
		b.Fatal(err)
	}
	io.ReadAll(t) // and with it the session ticket
	c.Close()
	if err := <-done; err != nil {
		b.Fatal(err)
	}
}
