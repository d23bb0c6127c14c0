package h3

import (
	"context"
	"crypto/tls"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quic-go/quic-go"

	"weir"
)

// A middlebox stands between a client and the server. What the server says can be held back, so that a handshake does not
// end; it says it again.
type middlebox struct {
	addr *net.UDPAddr
	held atomic.Bool
	lose atomic.Int64 // one of so many datagrams is lost; 0: none
}

// loses reports whether the n-th datagram is lost.
func (m *middlebox) loses(n int) bool {
	every := int(m.lose.Load())
	return every > 0 && n%every == every-1
}

func (w *world) middlebox() *middlebox {
	w.t.Helper()
	front := listenUDP(w.t)
	back, err := net.DialUDP("udp4", nil, w.addr)
	if err != nil {
		w.t.Fatal(err)
	}
	m := &middlebox{addr: front.LocalAddr().(*net.UDPAddr)}
	m.held.Store(true)
	var client atomic.Pointer[net.UDPAddr]
	var all sync.WaitGroup
	all.Go(func() {
		buf := make([]byte, 2000)
		for i := 0; ; i++ {
			n, from, err := front.ReadFromUDP(buf)
			if err != nil {
				return
			}
			if client.Store(from); !m.loses(i) {
				back.Write(buf[:n])
			}
		}
	})
	all.Go(func() {
		buf := make([]byte, 2000)
		for i := 0; ; i++ {
			n, err := back.Read(buf)
			if err != nil {
				return
			}
			if !m.held.Load() && !m.loses(i) {
				front.WriteToUDP(buf[:n], client.Load())
			}
		}
	})
	w.t.Cleanup(func() { front.Close(); back.Close(); all.Wait() })
	return m
}

// resumed returns a client that has 0-RTT, the end of whose handshake has been held back.
func (w *world) resumed() (*raw, *middlebox) {
	w.t.Helper()
	c := clientTLS()
	c.NextProtos = []string{Protocol}
	tickets := &watched{ClientSessionCache: tls.NewLRUClientSessionCache(1), put: make(chan struct{}, 10)}
	c.ClientSessionCache = tickets
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	w.t.Cleanup(cancel)
	first, err := w.dialQUIC(ctx, c, &quic.Config{})
	if err != nil {
		w.t.Fatal(err)
	}
	<-first.HandshakeComplete()
	select {
	case <-tickets.put:
	case <-time.After(patience):
		w.t.Fatal("there was no ticket")
	}
	first.CloseWithError(0, "")
	pc, m := listenUDP(w.t), w.middlebox()
	tr := &quic.Transport{Conn: pc}
	w.t.Cleanup(func() { tr.Close(); pc.Close() })
	q, err := tr.DialEarly(ctx, m.addr, c, &quic.Config{})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { q.CloseWithError(0, "") })
	r := &raw{w.t, q}
	r.uni(appendSettings([]byte{streamControl}, 1<<16, false))
	return r, m
}

// watched tells when a ticket has come.
type watched struct {
	tls.ClientSessionCache
	put chan struct{}
}

// Put implements tls.ClientSessionCache.
func (c *watched) Put(key string, s *tls.ClientSessionState) {
	c.ClientSessionCache.Put(key, s)
	if s != nil {
		c.put <- struct{}{}
	}
}

// Before the handshake has ended, what only reads is served with a mark, and everything else waits.
func TestEarly(t *testing.T) {
	served := make(chan string, 10)
	w := serve(t, ServerConfig{Handler: weir.HandlerFunc(func(x *weir.Exchange) error {
		served <- x.Request.Method + " early: " + x.Request.Header.Get("Early-Data")
		return echo(x)
	})})
	r, m := w.resumed()
	post := r.open(cat(request("POST"), data("x")))
	post.Close()
	get := r.open(request("GET"))
	get.Close()
	again := r.open(request("GET"))
	again.Close()
	for range 2 {
		if s := <-served; s != "GET early: 1" {
			t.Fatal(s)
		}
		w.ended(200, 0)
	}
	m.held.Store(false)
	if status, _, _ := r.answers(post); status != 200 {
		t.Fatal(status)
	}
	if s := <-served; s != "POST early: " {
		t.Error(s)
	}
	w.ended(200, 0)
	if status, _, _ := r.answers(get); status != 200 {
		t.Fatal(status)
	}
	if !r.ConnectionState().Used0RTT {
		t.Error("there was no 0-RTT")
	}
	late := r.open(request("GET"))
	late.Close()
	if s := <-served; s != "GET early: " {
		t.Error(s)
	}
	w.ended(200, 0)
}

func TestNoEarly(t *testing.T) {
	w := serve(t, ServerConfig{Handler: echo, NoEarly: true})
	c := clientTLS()
	c.NextProtos = []string{Protocol}
	tickets := &watched{ClientSessionCache: tls.NewLRUClientSessionCache(1), put: make(chan struct{}, 10)}
	c.ClientSessionCache = tickets
	for range 2 {
		q, err := w.dialQUIC(t.Context(), c, &quic.Config{})
		if err != nil {
			t.Fatal(err)
		}
		<-q.HandshakeComplete()
		<-tickets.put
		if q.ConnectionState().Used0RTT {
			t.Error("there was 0-RTT")
		}
		q.CloseWithError(0, "")
	}
}

// A client may go to another address in the middle of what it does, and later requests come from there.
func TestMigration(t *testing.T) {
	from := make(chan netip.AddrPort, 10)
	w := serve(t, ServerConfig{Handler: weir.HandlerFunc(func(x *weir.Exchange) error {
		from <- x.Conn.Remote
		if x.ClientIP != "127.0.0.1" || x.Client != x.Conn.Remote.Addr() {
			t.Errorf("%v, %v", x.ClientIP, x.Conn.Remote)
		}
		return echo(x)
	})})
	r := w.greeted()
	up := r.open(cat(request("POST"), data("a")))
	old := <-from
	pc := listenUDP(t)
	tr := &quic.Transport{Conn: pc}
	t.Cleanup(func() { tr.Close(); pc.Close() })
	path, err := r.AddPath(tr)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := path.Probe(ctx); err != nil {
		t.Fatal(err)
	}
	if err := path.Switch(); err != nil {
		t.Fatal(err)
	}
	up.Write(data("b"))
	up.Close()
	if _, _, body := r.answers(up); body != "POST / ab" {
		t.Fatal(body)
	}
	for range 2 { // the first may be looked at before the server has seen the change
		str := r.open(request("GET"))
		str.Close()
		r.answers(str)
	}
	<-from
	if now := <-from; now == old || now != pc.LocalAddr().(*net.UDPAddr).AddrPort() {
		t.Errorf("from %v to %v", old, now)
	}
}

// Where many handshakes are not ended, clients have to prove their addresses first.
func TestRetry(t *testing.T) {
	const retryAbove = 20
	w := serve(t, ServerConfig{Handler: echo, Limits: Limits{Handshakes: retryAbove}})
	c := clientTLS()
	c.NextProtos = []string{Protocol}
	pc := listenUDP(t)
	tr := &quic.Transport{Conn: pc}
	m := w.middlebox()
	var all sync.WaitGroup
	ctx, cancel := context.WithCancel(t.Context())
	for range retryAbove {
		all.Go(func() { tr.Dial(ctx, m.addr, c, &quic.Config{}) })
	}
	defer func() { cancel(); all.Wait(); tr.Close(); pc.Close() }()
	sock := func() *socket {
		w.srv.mu.Lock()
		defer w.srv.mu.Unlock()
		for k := range w.srv.sockets {
			return k
		}
		return nil
	}
	for end := time.Now().Add(patience); sock() == nil || sock().halves.Load() < retryAbove; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d handshakes are not ended", sock().halves.Load())
		}
	}
	proven := &counting{UDPConn: listenUDP(t)}
	qt := &quic.Transport{Conn: proven}
	defer func() { qt.Close(); proven.Close() }()
	q, err := qt.Dial(t.Context(), w.addr, c, &quic.Config{})
	if err != nil {
		t.Fatal(err)
	}
	r := &raw{t, q}
	str := r.open(request("GET"))
	str.Close()
	if status, _, _ := r.answers(str); status != 200 {
		t.Fatal(status)
	}
	if !proven.retried() {
		t.Error("there was no Retry")
	}
	q.CloseWithError(0, "")
}

// counting notes whether the client has been sent a Retry: its next packet has a token.
type counting struct {
	*net.UDPConn
	mu    sync.Mutex
	token bool
}

// WriteMsgUDP is what QUIC writes with.
func (c *counting) WriteMsgUDP(b, oob []byte, addr *net.UDPAddr) (int, int, error) {
	const long, initial = 0x80, 0
	if b[0]&long != 0 && b[0]>>4&3 == initial {
		to := 6 + int(b[5])          // behind the destination's id
		token := to + 1 + int(b[to]) // and the source's
		c.mu.Lock()
		c.token = c.token || b[token] != 0
		c.mu.Unlock()
	}
	return c.UDPConn.WriteMsgUDP(b, oob, addr)
}

func (c *counting) retried() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.token
}

// A socket of any kind will do, and one that can't be read is told of.
func TestServePacket(t *testing.T) {
	leaks(t)
	s := NewServer(ServerConfig{Handler: echo, Observer: weir.Observers(nil)})
	pc := listenUDP(t)
	over := make(chan error)
	go func() {
		over <- s.ServePacket(Socket{Conn: pc, TLS: serverTLS(), Facts: func(r, l netip.AddrPort) weir.Conn { return weir.Conn{} }})
	}()
	pc.Close()
	if err := <-over; err == nil || !strings.Contains(err.Error(), "closed") {
		t.Error(err)
	}
}

// A network that loses datagrams loses nothing of a request or an answer.
func TestLoss(t *testing.T) {
	leaks(t)
	w := start(t, ServerConfig{Handler: echo}, Socket{})
	m := w.middlebox()
	m.held.Store(false)
	m.lose.Store(23)
	tr := upstream(t, m.addr.String(), TransportConfig{})
	var all sync.WaitGroup
	for i := range 10 {
		all.Go(func() {
			sent := content(i * 20000)
			if _, got, err := askFor(t, tr, "POST", "/", weir.NewBody(sent)); err != nil || got != "POST / "+sent {
				t.Errorf("%d bytes for %d, %v", len(got), len(sent), err)
			}
		})
	}
	all.Wait()
}
