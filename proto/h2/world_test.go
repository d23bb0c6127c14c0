package h2

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"os"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"weir"
	"weir/internal/clock"
	"weir/internal/poll"
	"weir/weirtest/leak"
)

// A world is a server and a record of what it did. When its test ends, everything is closed, and neither a goroutine nor
// a descriptor may be left.
type world struct {
	t      *testing.T
	kind   string
	group  *poll.Group
	srv    *Server
	addr   string
	seen   chan outcome
	served sync.WaitGroup

	shaking sync.WaitGroup // hands, by TLS
}

// An outcome is what the observer was told of one exchange.
type outcome struct {
	method, path string
	status       int
	cause        weir.Cause
	in, out      int64
}

// soon is how long a test waits for what must happen at once.
const soon = 20 * time.Second

// each runs f over all kinds of client connection.
func each(t *testing.T, f func(t *testing.T, w *world)) {
	for _, kind := range []string{"poller", "net.Conn", "TLS"} {
		t.Run(kind, func(t *testing.T) { f(t, newWorld(t, kind)) })
	}
}

func newWorld(t *testing.T, kind string) *world {
	t.Helper()
	if l, err := net.Listen("tcp", "127.0.0.1:0"); err == nil {
		l.Close() // the first one opens descriptors that stay
	}
	others, files := goleak.IgnoreCurrent(), openFiles(t)
	g, err := poll.NewGroup(2)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		g.Close()
		leak.None(t, others)
		if n := openFiles(t); n > files {
			t.Errorf("%d descriptors are open, %d were before", n, files)
		}
	})
	return &world{t: t, kind: kind, group: g, seen: make(chan outcome, 100000)}
}

func openFiles(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("no /proc here")
	}
	return len(list)
}

// Observe implements weir.Observer.
func (w *world) Observe(x *weir.Exchange) {
	o := outcome{method: x.Request.Method, path: x.Request.Path, status: x.Response.Status, in: x.BytesIn, out: x.BytesOut}
	if x.Fault != nil {
		o.cause = x.Fault.Cause
	}
	w.seen <- o
}

// outcome waits for the end of the next exchange.
func (w *world) outcome() outcome {
	w.t.Helper()
	select {
	case o := <-w.seen:
		return o
	case <-time.After(soon):
		w.t.Fatal("no exchange ended")
	}
	return outcome{}
}

// ended makes sure that the next exchange ended so.
func (w *world) ended(status int, cause weir.Cause) outcome {
	w.t.Helper()
	o := w.outcome()
	if o.status != status || o.cause != cause {
		w.t.Fatalf("the exchange ended with %d, %q: %+v; want %d, %q", o.status, o.cause, o, status, cause)
	}
	return o
}

// serve starts the server.
func (w *world) serve(c ServerConfig) {
	w.t.Helper()
	c.Observer = w
	w.srv = NewServer(c)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.t.Fatal(err)
	}
	w.addr = l.Addr().String()
	stop := w.accept(l)
	w.t.Cleanup(func() {
		stop()
		w.shaking.Wait()
		w.srv.Close()
		w.served.Wait()
		if n := w.srv.Open(); n != 0 {
			w.t.Errorf("%d connections are open", n)
		}
	})
}

// accept hands the connections of l to the server until the function it returns is called.
func (w *world) accept(l net.Listener) func() {
	if w.kind != "net.Conn" {
		pl, err := w.group.Listen(l, w.adopt)
		if err != nil {
			w.t.Fatal(err)
		}
		return func() { pl.Close() }
	}
	var done sync.WaitGroup
	done.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			w.adopt(poll.FromNetConn(c))
		}
	})
	return func() { l.Close(); done.Wait() }
}

func (w *world) adopt(c poll.Conn) {
	w.served.Add(1)
	if w.kind != "TLS" {
		w.srv.Serve(c, factsOf(c), w.served.Done)
		return
	}
	w.shaking.Go(func() {
		s := poll.SealServer(c, &tls.Config{Certificates: []tls.Certificate{certificate()}, NextProtos: []string{"h2"}})
		c.SetReadDeadline(clock.Now() + int64(soon))
		if err := s.Handshake(); err != nil {
			s.Close()
			w.served.Done()
			return
		}
		facts, state := factsOf(c), s.State()
		facts.TLS = &state
		w.srv.Serve(s, facts, w.served.Done)
	})
}

// certificate is that of 127.0.0.1, by nobody.
var certificate = sync.OnceValue(func() tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(24 * time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		panic(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
})

// trusting is how a client speaks to the server of a world over TLS.
func trusting() *tls.Config { return &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}} }

// dial connects as the world's kind asks.
func (w *world) dial() net.Conn {
	w.t.Helper()
	var c net.Conn
	var err error
	if w.kind == "TLS" {
		c, err = tls.Dial("tcp", w.addr, trusting())
	} else {
		c, err = net.Dial("tcp", w.addr)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(soon))
	return c
}

func factsOf(c poll.Conn) weir.Conn {
	remote := netip.MustParseAddrPort("127.0.0.1:1")
	return weir.Conn{Remote: remote, RemoteIP: "127.0.0.1", Protocol: "HTTP/2", Shard: c.Shard(), Opened: clock.Now()}
}

// browser returns a client that is not ours.
func (w *world) browser() *http.Client {
	tr := &http.Transport{Protocols: new(http.Protocols)}
	tr.Protocols.SetUnencryptedHTTP2(w.kind != "TLS")
	tr.Protocols.SetHTTP2(w.kind == "TLS")
	tr.TLSClientConfig = trusting()
	w.t.Cleanup(tr.CloseIdleConnections)
	b := &http.Client{Transport: tr, Timeout: 3 * soon}
	if resp, err := b.Get(w.url("/first")); err == nil { // else it would open a connection for each request that comes meanwhile
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		<-w.seen
	}
	return b
}

func (w *world) url(path string) string {
	if w.kind == "TLS" {
		return "https://" + w.addr + path
	}
	return "http://" + w.addr + path
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
