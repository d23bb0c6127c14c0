package h3

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"go.uber.org/goleak"

	"weir"
	"weir/weirtest/leak"
)

// A world is a server, what stands behind it, and a record of what it did. When its test ends, everything is closed, and
// no goroutine may be left.
type world struct {
	t    *testing.T
	srv  *Server
	addr *net.UDPAddr
	seen chan outcome
	over chan error // what ServePacket returned
}

// An outcome is what the observer was told of one exchange.
type outcome struct {
	method, path string
	status       int
	cause        weir.Cause
	in, out      int64
}

// patience is how long a test waits for what must happen at once.
const patience = 20 * time.Second

// Observe implements weir.Observer.
func (w *world) Observe(x *weir.Exchange) {
	o := outcome{method: x.Request.Method, path: x.Request.Path, status: x.Response.Status, in: x.BytesIn, out: x.BytesOut}
	if x.Fault != nil {
		o.cause = x.Fault.Cause
	}
	w.seen <- o
}

// ended makes sure that the next exchange ended so.
func (w *world) ended(status int, cause weir.Cause) outcome {
	w.t.Helper()
	select {
	case o := <-w.seen:
		if o.status != status || o.cause != cause {
			w.t.Fatalf("the exchange ended with %d, %q: %+v; want %d, %q", o.status, o.cause, o, status, cause)
		}
		return o
	case <-time.After(patience):
		w.t.Fatal("no exchange ended")
	}
	return outcome{}
}

// quiet makes sure that no further exchange has been seen.
func (w *world) quiet() {
	w.t.Helper()
	select {
	case o := <-w.seen:
		w.t.Fatalf("one exchange too many: %+v", o)
	default:
	}
}

// leaks makes sure that what the test starts from here on has ended when it ends.
func leaks(t *testing.T) {
	others := goleak.IgnoreCurrent()
	t.Cleanup(func() { leak.None(t, others) })
}

// serve starts a server.
func serve(t *testing.T, c ServerConfig) *world {
	t.Helper()
	leaks(t)
	return start(t, c, Socket{})
}

// start is serve with some of the socket given, and without a look at goroutines.
func start(t *testing.T, c ServerConfig, k Socket) *world {
	t.Helper()
	w := &world{t: t, seen: make(chan outcome, 10000), over: make(chan error, 1)}
	c.Observer = w
	w.srv = NewServer(c)
	if k.Conn == nil {
		k.Conn = listenUDP(t)
	}
	w.addr = k.Conn.LocalAddr().(*net.UDPAddr)
	k.TLS = serverTLS()
	k.Facts = func(remote, local netip.AddrPort) weir.Conn {
		return weir.Conn{Remote: remote, Local: local, RemoteIP: remote.Addr().String(), Listener: "test"}
	}
	go func() { w.over <- w.srv.ServePacket(k) }()
	t.Cleanup(func() {
		w.srv.Close()
		select {
		case err := <-w.over:
			if err != nil {
				t.Errorf("ServePacket: %v", err)
			}
		case <-time.After(patience):
			t.Error("ServePacket did not return")
		}
		k.Conn.Close()
		if n := w.srv.Open(); n != 0 {
			t.Errorf("%d connections are open", n)
		}
	})
	return w
}

func listenUDP(t testing.TB) *net.UDPConn {
	t.Helper()
	pc, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	return pc
}

var certificate = sync.OnceValue(func() tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, DNSNames: []string{"a.test", "b.test"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		panic(err)
	}
	leaf, _ := x509.ParseCertificate(der)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
})

func serverTLS() *tls.Config { return &tls.Config{Certificates: []tls.Certificate{certificate()}} }

func clientTLS() *tls.Config {
	pool := x509.NewCertPool()
	pool.AddCert(certificate().Leaf)
	return &tls.Config{RootCAs: pool, ServerName: "a.test"}
}

// client returns a client of quic-go's, all of whose requests go to the server, whatever their host.
func (w *world) client() *http.Client {
	tr := w.transport()
	return &http.Client{Transport: tr, Timeout: patience}
}

func (w *world) transport() *http3.Transport {
	tr := &http3.Transport{
		TLSClientConfig: clientTLS(), DisableCompression: true,
		Dial: func(ctx context.Context, _ string, t *tls.Config, c *quic.Config) (*quic.Conn, error) {
			return w.dialQUIC(ctx, t, c)
		},
	}
	w.t.Cleanup(func() { tr.Close() })
	return tr
}

// dialQUIC connects to the server from a socket that is closed with the test.
func (w *world) dialQUIC(ctx context.Context, t *tls.Config, c *quic.Config) (*quic.Conn, error) {
	pc := listenUDP(w.t)
	tr := &quic.Transport{Conn: pc}
	w.t.Cleanup(func() { tr.Close(); pc.Close() })
	return tr.DialEarly(ctx, w.addr, t, c)
}

// get asks for a path, and returns the answer with its body.
func get(t *testing.T, c *http.Client, path string) (*http.Response, string) {
	t.Helper()
	r, err := c.Get("https://a.test" + path)
	if err != nil {
		t.Fatal(err)
	}
	return r, readAll(t, r)
}

func readAll(t *testing.T, r *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(r.Body)
	r.Body.Close()
	if err != nil {
		t.Fatalf("read the body: %v", err)
	}
	return string(b)
}

// echo answers with what was asked: method, path and body.
var echo = weir.HandlerFunc(func(x *weir.Exchange) error {
	body := ""
	if x.Request.Body != nil {
		b, err := io.ReadAll(x.Request.Body)
		if err != nil {
			return err
		}
		body = string(b)
	}
	x.Response.Text(200, fmt.Sprintf("%s %s %s", x.Request.Method, x.Request.Path, body))
	return nil
})

// content returns n bytes, all pieces of which differ.
func content(n int) string {
	var b strings.Builder
	for i := 0; b.Len() < n; i++ {
		fmt.Fprintf(&b, "%d,", i)
	}
	return b.String()[:n]
}
