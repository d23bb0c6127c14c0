package h3

import (
	"io"
	"net/http"
	"net/netip"
	"testing"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"weir"
)

// BenchmarkGet is a small request on one connection, client included.
func BenchmarkGet(b *testing.B) {
	for name, serve := range map[string]func(b *testing.B) string{"weir": benchServer, "quic-go": benchTheirs} {
		b.Run(name, func(b *testing.B) {
			addr := serve(b)
			tr := NewTransport(&weir.Endpoint{Upstream: "u", Name: "o", Address: addr}, TransportConfig{TLS: clientTLS()})
			b.Cleanup(tr.Close)
			b.ReportAllocs()
			x := &weir.Exchange{}
			c := &weir.Conn{Remote: netip.MustParseAddrPort("127.0.0.1:1")}
			s := &stream{}
			h := forward(tr)
			for b.Loop() {
				x.Reset(c)
				x.Request.Method, x.Request.Path, x.Request.Authority = "GET", "/", "a.test"
				x.Request.Header.Add("User-Agent", "bench")
				x.Request.Header.Add("Accept", "*/*")
				weir.Serve(h, x, s, weir.Observers(nil))
				if x.Fault != nil {
					b.Fatal(x.Fault)
				}
			}
		})
	}
}

func benchServer(b *testing.B) string {
	s := NewServer(ServerConfig{Observer: weir.Observers(nil), Handler: weir.HandlerFunc(func(x *weir.Exchange) error {
		x.Response.Text(200, "hello")
		return nil
	})})
	pc := listenUDP(b)
	over := make(chan error)
	go func() {
		over <- s.ServePacket(Socket{Conn: pc, TLS: serverTLS(), Facts: func(r, l netip.AddrPort) weir.Conn { return weir.Conn{Remote: r} }})
	}()
	b.Cleanup(func() { s.Close(); <-over; pc.Close() })
	return pc.LocalAddr().String()
}

func benchTheirs(b *testing.B) string {
	pc := listenUDP(b)
	s := &http3.Server{
		TLSConfig: http3.ConfigureTLSConfig(serverTLS()), QUICConfig: &quic.Config{},
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/plain; charset=utf-8")
			io.WriteString(w, "hello")
		}),
	}
	over := make(chan error)
	go func() { over <- s.Serve(pc) }()
	b.Cleanup(func() { s.Close(); <-over; pc.Close() })
	return pc.LocalAddr().String()
}

// BenchmarkLarge is an answer of 10 MiB, client included.
func BenchmarkLarge(b *testing.B) {
	body := content(10 << 20)
	s := NewServer(ServerConfig{Observer: weir.Observers(nil), Handler: weir.HandlerFunc(func(x *weir.Exchange) error {
		x.Response.Text(200, body)
		return nil
	})})
	pc := listenUDP(b)
	over := make(chan error)
	go func() {
		over <- s.ServePacket(Socket{Conn: pc, TLS: serverTLS(), Facts: func(r, l netip.AddrPort) weir.Conn { return weir.Conn{Remote: r} }})
	}()
	b.Cleanup(func() { s.Close(); <-over; pc.Close() })
	tr := NewTransport(&weir.Endpoint{Upstream: "u", Name: "o", Address: pc.LocalAddr().String()}, TransportConfig{TLS: clientTLS()})
	b.Cleanup(tr.Close)
	b.SetBytes(10 << 20)
	b.ReportAllocs()
	x := &weir.Exchange{}
	st := &discard{}
	for b.Loop() {
		x.Reset(&weir.Conn{})
		x.Request.Method, x.Request.Path, x.Request.Authority = "GET", "/", "a.test"
		weir.Serve(forward(tr), x, st, weir.Observers(nil))
		if x.Fault != nil || st.n != len(body) {
			b.Fatal(x.Fault, st.n)
		}
	}
}

// discard is a weir.Stream that counts.
type discard struct {
	stream
	n int
}

func (s *discard) Respond(x *weir.Exchange) error {
	n, err := io.Copy(io.Discard, x.Response.Body)
	s.n = int(n)
	x.Response.Body.Close()
	return err
}
