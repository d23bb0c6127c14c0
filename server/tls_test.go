package server

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"weir"
	"weir/cert"
	"weir/weirtest/dialect"
	"weir/weirtest/freeport"
)

// secured makes listeners' TLS for localhost.
func secured(t *testing.T, p cert.Policy) *tls.Config {
	t.Helper()
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
	return p.ServerConfig(table, nil)
}

func anybody() *tls.Config { return &tls.Config{ServerName: "localhost", InsecureSkipVerify: true} }

// connectH3 is connect by HTTP/3.
func connectH3(t *testing.T, a net.Addr) *client {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	c, err := dialect.H3(ctx, a.String(), nil, anybody())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Abort() })
	c.Settle()
	return &client{c, bufio.NewReader(c)}
}

// connectTLS is connect by TLS.
func connectTLS(t *testing.T, a net.Addr) *client {
	t.Helper()
	c := connect(t, a)
	s := tls.Client(c.Conn, anybody())
	if err := s.Handshake(); err != nil {
		t.Fatal(err)
	}
	return &client{s, bufio.NewReader(s)}
}

func everybody(netip.Addr) bool { return true }

// within waits for what must happen at once.
func within(t *testing.T, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !f(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("not so in time: " + what)
		}
	}
}

// nameOf is a handler that answers with the name of the listener.
var nameOf = weir.HandlerFunc(func(x *weir.Exchange) error { return says(x.Conn.Listener).ServeExchange(x) })

func h3Spec(t *testing.T, name, addr string) ListenerSpec {
	return ListenerSpec{
		Name: name, Address: addr, TLS: secured(t, cert.Policy{Protocols: []string{"h2", "http/1.1"}}),
		Versions: Versions{H1: true, H2: true, H3: true},
	}
}

// Connections of HTTP/3 end, too, when their listener gets another name, and go by it at once.
func TestListenerRenamedH3(t *testing.T) {
	s := newServer(t, Config{})
	spec := h3Spec(t, "old", freeport.Address(t))
	swap(t, s, snapshot(nameOf, spec))
	c := connectH3(t, s.Addr("old"))
	if got := c.get(t); got != "old" {
		t.Fatalf("got %q", got)
	}
	spec.Name = "new"
	swap(t, s, snapshot(nameOf, spec))
	c.send()
	if r, err := http.ReadResponse(c.r, nil); err == nil {
		if got, _ := io.ReadAll(r.Body); string(got) != "new" {
			t.Errorf("a connection from before got %q", got)
		}
	} else if err != io.ErrUnexpectedEOF { // the client may have been told by now that it is to go, and has gone
		t.Errorf("a connection from before: %v", err)
	}
	if got := connectH3(t, s.Addr("new")).get(t); got != "new" {
		t.Errorf("got %q", got)
	}
	within(t, "the connection from before ends", func() bool { return s.Listeners()[0].Open == 1 })
}

// HTTP/3 can be switched off and on again while a connection is busy.
func TestH3OffAndOn(t *testing.T) {
	s := newServer(t, Config{})
	entered, leave := make(chan struct{}), make(chan struct{})
	slow := weir.HandlerFunc(func(x *weir.Exchange) error {
		if x.Request.Path == "/slow" {
			close(entered)
			<-leave
		}
		return says("done").ServeExchange(x)
	})
	on := h3Spec(t, "a", "127.0.0.1:0")
	on.Timeouts.Header = 3 * time.Second // a late half of the hello of who was refused is taken for another client's
	off := on
	off.Versions.H3 = false
	swap(t, s, snapshot(slow, on))
	addr := s.Addr("a")
	busy := connectH3(t, addr)
	io.WriteString(busy, "GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
	<-entered
	swap(t, s, snapshot(slow, off))
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if c, err := dialect.H3(ctx, addr.String(), nil, anybody()); err == nil {
		c.Abort()
		t.Error("HTTP/3 is switched off, and somebody is let in")
	}
	swap(t, s, snapshot(slow, on))
	if got := connectH3(t, addr).get(t); got != "done" {
		t.Errorf("got %q", got)
	}
	close(leave)
	if got, _ := busy.receive(t); got != "done" {
		t.Errorf("the request from before got %q", got)
	}
	swap(t, s, snapshot(slow, off))
	within(t, "the socket is closed", func() bool {
		u, err := net.ListenPacket("udp", addr.String())
		if err == nil {
			u.Close()
		}
		return err == nil
	})
	swap(t, s, snapshot(slow, on))
	if got := connectH3(t, addr).get(t); got != "done" {
		t.Errorf("after the socket was closed: %q", got)
	}
}

// A client is told why its handshake failed, though it has sent more by then.
func TestAlertArrives(t *testing.T) {
	s := newServer(t, Config{})
	p := cert.Policy{Protocols: []string{"http/1.1"}, Verify: cert.Require, ClientCAs: x509.NewCertPool()}
	swap(t, s, snapshot(says("x"), ListenerSpec{Name: "a", Address: "127.0.0.1:0", TLS: secured(t, p), Versions: Versions{H1: true}}))
	for range 20 {
		c, err := tls.Dial("tcp", s.Addr("a").String(), anybody())
		if err != nil {
			t.Fatal(err)
		}
		for range 4 { // some of it comes when all is over
			c.Write(make([]byte, 16<<10))
		}
		if _, err := io.ReadAll(c); err == nil || !strings.Contains(err.Error(), "certificate required") {
			t.Errorf("want the alert, got %v", err)
		}
		if _, err := io.Copy(io.Discard, c.NetConn()); err != nil {
			t.Errorf("want the end behind it, got %v", err) // a reset takes the alert away from many a client
		}
		c.Close()
	}
}

// What has changed since a connection was accepted holds for it if nothing has been said.
func TestHandshakeByPresentSettings(t *testing.T) {
	s := newServer(t, Config{})
	spec := ListenerSpec{Name: "a", Address: "127.0.0.1:0", TLS: secured(t, cert.Policy{Protocols: []string{"http/1.1"}}), Versions: Versions{H1: true}}
	swap(t, s, snapshot(says("x"), spec))
	asked, plain := connect(t, s.Addr("a")), connect(t, s.Addr("a"))
	within(t, "they are accepted", func() bool { return s.Listeners()[0].Open == 2 })

	strict := spec
	strict.TLS, strict.Clients = secured(t, cert.Policy{Protocols: []string{"http/1.1"}, Verify: cert.Require, ClientCAs: x509.NewCertPool()}), "strict"
	swap(t, s, snapshot(says("x"), strict))
	conn := tls.Client(asked.Conn, anybody())
	io.WriteString(conn, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
	if b, err := io.ReadAll(conn); err == nil || !strings.Contains(err.Error(), "certificate required") {
		t.Errorf("a client that has to show a certificate by now: %q, %v", b, err)
	}

	open := spec
	open.TLS = nil
	swap(t, s, snapshot(says("plain"), open))
	if got := plain.get(t); got != "plain" {
		t.Errorf("a listener that encrypts no more answers %q", got)
	}
	within(t, "the others have ended", func() bool { return s.Listeners()[0].Open == 1 })
}

// A connection whose PROXY header is awaited is encrypted if its listener encrypts by then.
func TestAnnouncedByPresentSettings(t *testing.T) {
	s := newServer(t, Config{})
	spec := ListenerSpec{Name: "a", Address: "127.0.0.1:0", Proxied: ProxiedAlways, Versions: Versions{H1: true}}
	trusting := snapshot(says("x"), spec)
	trusting.Trusted = everybody
	swap(t, s, trusting)
	sealed, revoked := connect(t, s.Addr("a")), connect(t, s.Addr("a"))
	within(t, "they are accepted", func() bool { return s.Listeners()[0].Open == 2 })
	spec.TLS = secured(t, cert.Policy{Protocols: []string{"http/1.1"}})
	trusting = snapshot(says("x"), spec)
	trusting.Trusted = everybody
	swap(t, s, trusting)
	io.WriteString(sealed, "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n")
	conn := tls.Client(sealed.Conn, anybody())
	if err := conn.Handshake(); err != nil {
		t.Fatalf("the listener encrypts by now: %v", err)
	}
	swap(t, s, snapshot(says("x"), spec))
	io.WriteString(revoked, "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n")
	revoked.closed(t)
	within(t, "one stranger is counted", func() bool { return s.Listeners()[0].Strangers == 1 })
}

// Where a PROXY header has become required, who waits without one is not served any more, and who has sent one is.
func TestHeaderRequiredByNow(t *testing.T) {
	s := newServer(t, Config{})
	of := func(p Proxied, trusted bool) *Snapshot {
		next := snapshot(says("x"), ListenerSpec{
			Name: "a", Address: "127.0.0.1:0", Proxied: p, Versions: Versions{H1: true},
			TLS: secured(t, cert.Policy{Protocols: []string{"http/1.1"}}),
		})
		next.Trusted = func(netip.Addr) bool { return trusted }
		return next
	}
	swap(t, s, of(ProxiedMaybe, false))
	stranger := connect(t, s.Addr("a"))
	within(t, "it is accepted", func() bool { return s.Listeners()[0].Open == 1 })
	swap(t, s, of(ProxiedMaybe, true))
	told := connect(t, s.Addr("a"))
	io.WriteString(told, "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n")
	within(t, "it is accepted", func() bool { return s.Listeners()[0].Open == 2 })
	swap(t, s, of(ProxiedAlways, true))
	if err := tls.Client(stranger.Conn, anybody()).Handshake(); err == nil {
		t.Error("a client without a header is let in")
	}
	if err := tls.Client(told.Conn, anybody()).Handshake(); err != nil {
		t.Errorf("a client with a header is not: %v", err)
	}
	within(t, "one stranger is counted", func() bool { return s.Listeners()[0].Strangers == 1 })
}

// Trust that is taken away is not kept by those who have a connection.
func TestTrustIsPresent(t *testing.T) {
	s := newServer(t, Config{})
	trust := weir.HandlerFunc(func(x *weir.Exchange) error {
		if x.Conn.Trusted {
			return says("trusted").ServeExchange(x)
		}
		return says("a stranger").ServeExchange(x)
	})
	spec := h3Spec(t, "a", "127.0.0.1:0")
	one := snapshot(trust, spec)
	one.Trusted = everybody
	swap(t, s, one)
	for name, c := range map[string]*client{"HTTP/1.1": connectTLS(t, s.Addr("a")), "HTTP/3": connectH3(t, s.Addr("a"))} {
		swap(t, s, one)
		if got := c.get(t); got != "trusted" {
			t.Errorf("%s: %s", name, got)
		}
		swap(t, s, snapshot(trust, spec))
		if got := c.get(t); got != "a stranger" {
			t.Errorf("%s: the peer is %s after it was taken out of the list", name, got)
		}
	}
}

// Connections that were agreed on when clients were asked for something else end as in a drain.
func TestClientsAskedAnew(t *testing.T) {
	s := newServer(t, Config{})
	spec := h3Spec(t, "a", "127.0.0.1:0")
	swap(t, s, snapshot(says("x"), spec))
	h1, h3 := connectTLS(t, s.Addr("a")), connectH3(t, s.Addr("a"))
	h1.get(t)
	h3.get(t)
	swap(t, s, snapshot(says("y"), spec)) // nothing to do with it
	if got := h1.get(t) + h3.get(t); got != "yy" {
		t.Errorf("got %q", got)
	}
	spec.Clients = "other"
	swap(t, s, snapshot(says("z"), spec))
	h1.closed(t)
	within(t, "they have ended", func() bool { return s.Listeners()[0].Open == 0 })
	if l := s.Listeners(); len(l) != 1 || l[0].Draining {
		t.Errorf("listeners: %+v", l)
	}
	if got := connectTLS(t, s.Addr("a")).get(t); got != "z" {
		t.Errorf("got %q", got)
	}
}

// Clients that offer other protocols than a listener speaks are refused in the handshake.
func TestProtocolsInCommon(t *testing.T) {
	for _, c := range []struct{ spoken, offered []string }{
		{[]string{"h2"}, []string{"http/1.1"}},
		{[]string{"h2"}, []string{"http/1.0", "http/1.1"}},
		{[]string{"http/1.1", "http/1.0"}, []string{"h2"}},
		{[]string{"h3"}, []string{"h2", "http/1.1"}},
		{[]string{"h2", "http/1.1"}, []string{"spdy/3"}},
	} {
		s := newServer(t, Config{})
		v := Versions{H1: slices.Contains(c.spoken, "http/1.1"), H2: c.spoken[0] == "h2"}
		swap(t, s, snapshot(says("x"), ListenerSpec{
			Name: "a", Address: "127.0.0.1:0", TLS: secured(t, cert.Policy{Protocols: c.spoken}), Versions: v,
		}))
		config := anybody()
		config.NextProtos = c.offered
		conn, err := tls.Dial("tcp", s.Addr("a").String(), config)
		if err == nil {
			conn.Close()
		}
		if err == nil || !strings.Contains(err.Error(), "no application protocol") {
			t.Errorf("%q where %q is spoken: %v", c.offered, c.spoken, err)
		}
	}
}

// A start that fails leaves sockets open that were inherited, with who has connected.
func TestStartFailsWhole(t *testing.T) {
	web, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	odd := &oddListener{web}
	s := newServer(t, Config{Inherited: []Inherited{{"web", web}, {"odd", odd}}})
	specs := []ListenerSpec{{Name: "web", Address: ":80"}, {Name: "odd", Address: ":81"}}
	if err := s.Swap(snapshot(says("x"), specs...)); err == nil {
		t.Fatal("a listener that is no socket was started")
	}
	c := connect(t, web.Addr())
	swap(t, s, snapshot(says("hello"), specs[0]))
	if got := c.get(t); got != "hello" {
		t.Fatalf("got %q", got)
	}
}

// An oddListener is no socket.
type oddListener struct{ net.Listener }

// Half a request that has come when its listener leaves is served, wherever in TLS it was cut.
func TestDrainLetsHalfARecordEnd(t *testing.T) {
	s := newServer(t, Config{})
	spec := h3Spec(t, "a", "127.0.0.1:0")
	swap(t, s, snapshot(says("x"), spec))
	raw := connect(t, s.Addr("a"))
	slow := &holding{Conn: raw.Conn}
	conn := tls.Client(slow, anybody())
	c := &client{conn, bufio.NewReader(conn)}
	c.get(t)
	slow.after = 20
	c.send()
	other := h3Spec(t, "b", "127.0.0.1:0")
	swap(t, s, snapshot(says("x"), other))
	within(t, "it leaves", func() bool { l := s.Listeners(); return len(l) == 2 && l[1].Draining })
	slow.rest()
	if _, hangsUp := c.receive(t); !hangsUp {
		t.Error("the connection goes on")
	}
}

// A holding connection keeps back what is written behind the first bytes, until rest.
type holding struct {
	net.Conn
	after int // 0: all is written
	kept  []byte
}

func (c *holding) Write(p []byte) (int, error) {
	if c.after == 0 {
		return c.Conn.Write(p)
	}
	c.kept = append([]byte(nil), p[c.after:]...)
	if _, err := c.Conn.Write(p[:c.after]); err != nil {
		return 0, err
	}
	return len(p), nil
}

func (c *holding) rest() {
	c.Conn.Write(c.kept)
	c.after, c.kept = 0, nil
}

// Handshakes of HTTP/3 that fail are counted as those by TCP are.
func TestFailedHandshakesOfH3AreCounted(t *testing.T) {
	s := newServer(t, Config{})
	swap(t, s, snapshot(says("x"), h3Spec(t, "a", "127.0.0.1:0")))
	c := anybody()
	c.ServerName = "other.example"
	if d, err := dialect.H3(t.Context(), s.Addr("a").String(), nil, c); err == nil {
		d.Abort()
		t.Fatal("a name that nobody has is served")
	}
	within(t, "it is counted", func() bool {
		for _, n := range s.Listeners()[0].Handshakes {
			if n.Trouble == cert.UnknownName && n.Count == 1 {
				return true
			}
		}
		return false
	})
}
