package upstream

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"weir"
	"weir/internal/poll"
	"weir/proto/h1"
)

// An origin is a real server that counts its connections.
type origin struct {
	*httptest.Server
	address string
	conns   atomic.Int64 // ever
	open    atomic.Int64
}

func newOrigin(t *testing.T, address string) *origin {
	t.Helper()
	o := &origin{}
	o.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.URL.Path)
	}))
	if address != "" {
		l, err := net.Listen("tcp", address)
		if err != nil {
			t.Skip("the port was taken by somebody else")
		}
		o.Listener.Close()
		o.Listener = l
	}
	o.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		switch s {
		case http.StateNew:
			o.conns.Add(1)
			o.open.Add(1)
		case http.StateClosed:
			o.open.Add(-1)
		}
	}
	o.Start()
	o.address = o.Listener.Addr().String()
	t.Cleanup(o.Close)
	return o
}

// fetch sends one request through h, reads the answer and returns it.
func fetch(h weir.Handler, path string) (x *weir.Exchange, body string) {
	x = newExchange("GET")
	x.Request.Authority, x.Request.Path = "shop.example", path
	s := &reader{}
	weir.Serve(h, x, s, weir.Observers(nil))
	return x, s.body
}

// A reader is a client that reads answers.
type reader struct {
	fakeStream
	body string
}

func (r *reader) Respond(x *weir.Exchange) error {
	if x.Response.Body == nil {
		return nil
	}
	var b strings.Builder
	_, err := io.Copy(&b, x.Response.Body)
	x.Response.Body.Close()
	r.body = b.String()
	return err
}

func wirePool(t *testing.T, g *poll.Group, prev *Pool, health *Health, weight int, list ...*origin) *Pool {
	t.Helper()
	c := Config{
		Name: "shop", Health: health, Retry: Retry{Budget: -1},
		Transport: func(ep *weir.Endpoint) weir.Transport { return h1.NewTransport(ep, h1.TransportConfig{Group: g}) },
	}
	for _, o := range list {
		c.Servers = append(c.Servers, Server{Address: o.address, Weight: weight})
	}
	p, err := New(c, Deps{}, prev)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	p.Start()
	return p
}

func group(t *testing.T) *poll.Group {
	t.Helper()
	g, err := poll.NewGroup(1)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// eventually waits for what other machines and timers bring about.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !ok(); {
		if time.Now().After(end) {
			t.Fatalf("after 10 s still not: %s", what)
		}
		<-time.After(time.Millisecond)
	}
}

// Connections to servers that stay outlive reloads; those of servers that leave are closed.
func TestConnectionsOutliveReloads(t *testing.T) {
	a, b := newOrigin(t, ""), newOrigin(t, "")
	g := group(t)
	p := wirePool(t, g, nil, nil, 1, a, b)
	for i := range 100 {
		if i > 0 && i%10 == 0 {
			p = wirePool(t, g, p, nil, i, a, b)
		}
		if x, body := fetch(p, "/x"); body != "/x" || x.Fault != nil {
			t.Fatalf("got %q: %v", body, x.Fault)
		}
	}
	if a.conns.Load() != 1 || b.conns.Load() != 1 {
		t.Errorf("%d and %d connections for 100 requests over 10 reloads", a.conns.Load(), b.conns.Load())
	}
	p = wirePool(t, g, p, nil, 1, a)
	eventually(t, "the connection to the server that left is closed", func() bool { return b.open.Load() == 0 })
	if s := p.Status().Servers; len(s) != 1 || s[0].Idle != 1 {
		t.Errorf("status is %+v", s)
	}
	p.Close()
	eventually(t, "all connections are closed", func() bool { return a.open.Load() == 0 })
}

// The answers of a shadow are read to their end, so that its connections are kept.
func TestMirrorKeepsConnections(t *testing.T) {
	a, b := newOrigin(t, ""), newOrigin(t, "")
	g := group(t)
	main, shadow := wirePool(t, g, nil, nil, 1, a), wirePool(t, g, nil, nil, 1, b)
	h := NewMirror(main, shadow, Mirror{}, nil, nil)
	for i := range 20 {
		if x, body := fetch(h, "/x"); body != "/x" || x.Fault != nil {
			t.Fatalf("got %q: %v", body, x.Fault)
		}
		eventually(t, "the copy is over", func() bool { return h.(*mirror).running.Load() == 0 })
		if n := b.conns.Load(); n != 1 {
			t.Fatalf("%d connections after %d copies", n, i+1)
		}
	}
}

// A server is killed under requests and comes back: nobody sees more than a little delay.
func TestServersDieAndComeBack(t *testing.T) {
	a, b := newOrigin(t, ""), newOrigin(t, "")
	p := wirePool(t, group(t), nil, &Health{Interval: 5 * time.Millisecond, Rise: 1}, 1, a, b)
	must := func() {
		t.Helper()
		if x, body := fetch(p, "/x"); body != "/x" || x.Fault != nil {
			t.Fatalf("got %q after %d attempts: %v", body, x.Attempts, x.Fault)
		}
	}
	for range 10 {
		must()
	}
	a.CloseClientConnections()
	a.Close()
	eventually(t, "the dead server is out", func() bool { must(); return state(p, a.address).State == "down" })
	again := newOrigin(t, a.address)
	eventually(t, "the server is back", func() bool { must(); return state(p, a.address).State == "up" })
	before := again.conns.Load()
	eventually(t, "it gets requests", func() bool { must(); return again.conns.Load() > before })
}
