package weirtest

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

// A path is a network between a client of QUIC and weir that can be told what to do with datagrams.
type path struct {
	front *net.UDPConn // where the client sends
	to    *net.UDPAddr
	held  atomic.Bool // what weir says is lost

	mu     sync.Mutex // protects what follows
	client *net.UDPAddr
	back   *net.UDPConn // where weir takes the client to be
	opened []*net.UDPConn
	all    sync.WaitGroup
}

func newPath(t *testing.T, weir string) *path {
	t.Helper()
	to, err := net.ResolveUDPAddr("udp4", weir)
	if err != nil {
		t.Fatal(err)
	}
	p := &path{front: listenUDP(t), to: to}
	p.rebind(t)
	p.all.Go(p.forth)
	t.Cleanup(func() {
		p.front.Close()
		for _, c := range p.opened {
			c.Close()
		}
		p.all.Wait()
	})
	return p
}

func (p *path) address() string { return p.front.LocalAddr().String() }

// rebind gives the client another address, as a NAT does that has forgotten it. The client does not notice.
func (p *path) rebind(t *testing.T) {
	t.Helper()
	back := listenUDP(t)
	p.mu.Lock()
	old := p.back
	p.back = back
	p.opened = append(p.opened, back)
	p.mu.Unlock()
	if old != nil {
		old.Close()
	}
	p.all.Go(func() { p.backFrom(back) })
}

func (p *path) forth() {
	buf := make([]byte, 2000)
	for {
		n, from, err := p.front.ReadFromUDP(buf)
		if err != nil {
			return
		}
		p.mu.Lock()
		p.client = from
		p.back.WriteToUDP(buf[:n], p.to)
		p.mu.Unlock()
	}
}

func (p *path) backFrom(c *net.UDPConn) {
	buf := make([]byte, 2000)
	for {
		n, err := c.Read(buf)
		if err != nil {
			return
		}
		p.mu.Lock()
		if !p.held.Load() && p.client != nil {
			p.front.WriteToUDP(buf[:n], p.client)
		}
		p.mu.Unlock()
	}
}

func listenUDP(t *testing.T) *net.UDPConn {
	t.Helper()
	c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// quicOrigin is a server that notes what it is asked, answers /bytes/N at leisure, and what came early at /fussy with 425.
func quicOrigin(t *testing.T) (address string, asked chan string) {
	t.Helper()
	asked = make(chan string, 100)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		early := r.Header.Get("Early-Data")
		asked <- r.Method + " " + r.URL.Path + " early:" + early
		if early != "" && r.URL.Path == "/fussy" {
			w.WriteHeader(http.StatusTooEarly)
			return
		}
		n, _ := strconv.Atoi(strings.TrimPrefix(r.URL.Path, "/bytes/"))
		for sent := 0; sent < n; sent += 64 << 10 {
			w.Write(Pattern(n)[sent:min(n, sent+64<<10)])
			w.(http.Flusher).Flush()
			pause(r.Context(), 20*time.Millisecond)
		}
	}))
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://"), asked
}

// A quicWorld is weir, as it is without any other settings, and what clients of QUIC need.
type quicWorld struct {
	t     *testing.T
	addr  string
	asked chan string
	tls   *tls.Config
}

// newQUICWorld starts weir with these settings of its listener.
func newQUICWorld(t *testing.T, settings string) *quicWorld {
	t.Helper()
	origin, asked := quicOrigin(t)
	w := startHoused(t, fmt.Sprintf(`
listener "http" {
  address = "127.0.0.1:0"
  tls {
    certificate = "weir.pem"
    key         = "weir.key"
  }
  %s
}
admin {
  listen = "127.0.0.1:0"
  socket = %q
}
state_dir = "state"
site "*" {
  route "/*" { proxy = %q }
}
`, settings, AdminSocket, origin))
	config, err := trusting(http3.NextProtoH3)
	if err != nil {
		t.Fatal(err)
	}
	config.ClientSessionCache = tls.NewLRUClientSessionCache(10)
	return &quicWorld{t, w.Listeners["http"], asked, config}
}

// client returns a client of quic-go's that goes by address.
func (w *quicWorld) client(address string) (*http.Client, *quic.Transport) {
	w.t.Helper()
	pc := listenUDP(w.t)
	qt := &quic.Transport{Conn: pc}
	to, err := net.ResolveUDPAddr("udp4", address)
	if err != nil {
		w.t.Fatal(err)
	}
	// A client that only listens would never show weir its new address: browsers, too, give signs of life.
	alive := &quic.Config{KeepAlivePeriod: 200 * time.Millisecond, HandshakeIdleTimeout: 6 * patience}
	tr := &http3.Transport{TLSClientConfig: w.tls, QUICConfig: alive, DisableCompression: true, Dial: func(ctx context.Context, _ string, t *tls.Config, c *quic.Config) (*quic.Conn, error) {
		return qt.DialEarly(ctx, to, t, c)
	}}
	w.t.Cleanup(func() { tr.Close(); qt.Close(); pc.Close() })
	return &http.Client{Transport: tr, Timeout: 6 * patience}, qt
}

// ask makes a request and returns its status and content.
func (w *quicWorld) ask(c *http.Client, method, path string) (int, string) {
	w.t.Helper()
	q, err := http.NewRequest(method, "https://127.0.0.1"+path, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	r, err := c.Do(q)
	if err != nil {
		w.t.Fatal(err)
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		w.t.Fatalf("after %d bytes: %v", len(body), err)
	}
	return r.StatusCode, string(body)
}

// resume makes a first connection for its ticket.
func (w *quicWorld) resume() {
	w.t.Helper()
	c, _ := w.client(w.addr)
	for end := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		w.ask(c, http.MethodGet, "/first")
		<-w.asked
		if s, ok := w.tls.ClientSessionCache.Get("127.0.0.1"); ok && s != nil {
			return
		}
		if time.Now().After(end) {
			w.t.Fatal("there is no ticket")
		}
	}
}

// A client that comes back is served in its first flight where it only reads; the server behind weir is told. What changes
// something waits for the end of the handshake.
func TestEarlyData(t *testing.T) {
	t.Parallel()
	w := newQUICWorld(t, "")
	w.resume()
	p := newPath(t, w.addr)
	p.held.Store(true)
	c, _ := w.client(p.address())
	answers := make(chan string, 10)
	send := func(method, path string) {
		q, err := http.NewRequest(method, "https://127.0.0.1"+path, nil)
		if err != nil {
			t.Error(err)
			return
		}
		r, err := c.Do(q)
		if err != nil {
			answers <- err.Error()
			return
		}
		r.Body.Close()
		answers <- fmt.Sprintf("%s %s %d", method, path, r.StatusCode)
	}
	go send(http3.MethodGet0RTT, "/early")
	if got := <-w.asked; got != "GET /early early:1" {
		t.Fatalf("the server was asked for %q", got)
	}
	go send(http3.MethodGet0RTT, "/fussy")
	if got := <-w.asked; got != "GET /fussy early:1" {
		t.Fatalf("the server was asked for %q", got)
	}
	go send(http.MethodPost, "/change")
	select {
	case got := <-w.asked:
		t.Errorf("before the end of the handshake the server was asked for %q", got)
	case <-time.After(200 * time.Millisecond): // what would come would come at once
	}
	p.held.Store(false)
	if got := <-w.asked; got != "POST /change early:" {
		t.Errorf("the server was asked for %q", got)
	}
	got := map[string]bool{<-answers: true, <-answers: true, <-answers: true}
	if !got["GET_0RTT /early 200"] || !got["GET_0RTT /fussy 425"] || !got["POST /change 200"] {
		t.Errorf("answered: %v", got)
	}
}

// A client whose address changes under it in the middle of an answer, as behind a NAT that forgets, gets all of it.
func TestRebinding(t *testing.T) {
	t.Parallel()
	w := newQUICWorld(t, "")
	p := newPath(t, w.addr)
	c, _ := w.client(p.address())
	w.ask(c, http.MethodGet, "/first")
	const n, changes = 4 << 20, 1
	r, err := c.Get("https://127.0.0.1/bytes/" + strconv.Itoa(n))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	var got []byte
	for i := range changes + 1 {
		piece, err := io.ReadAll(io.LimitReader(r.Body, n/(changes+1)+1))
		if err != nil {
			t.Fatalf("after %d changes and %d bytes: %v", i, len(got)+len(piece), err)
		}
		got = append(got, piece...)
		if i < changes {
			p.rebind(t)
		}
	}
	if string(got) != string(Pattern(n)) {
		t.Errorf("%d bytes of %d, or others", len(got), n)
	}
	if status, _ := w.ask(c, http.MethodGet, "/after"); status != 200 {
		t.Error(status)
	}
}

// While more handshakes hang than weir takes on trust, honest clients come in: they have to prove their addresses.
//
// It has the machine for itself, and handshakes may hang as long as a busy one needs to begin so many.
func TestRetryUnderLoad(t *testing.T) {
	w := newQUICWorld(t, `timeouts { header = "5m" }`)
	const hanging, honest = 600, 10
	p := newPath(t, w.addr)
	p.held.Store(true)
	_, flood := w.client(p.address())
	to, err := net.ResolveUDPAddr("udp4", p.address())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	t.Cleanup(func() { cancel(); all.Wait() })
	fresh := w.tls.Clone()
	fresh.ClientSessionCache = nil
	for range hanging {
		all.Go(func() { flood.Dial(ctx, to, fresh, &quic.Config{HandshakeIdleTimeout: 12 * patience}) })
	}
	retried := 0
	for end := time.Now().Add(12 * patience); retried == 0 && time.Now().Before(end); {
		retried += w.comesIn(fresh)
	}
	if retried == 0 {
		t.Fatal("there was no Retry")
	}
	for range honest {
		retried += w.comesIn(fresh)
	}
	t.Logf("%d honest clients were sent a Retry", retried)
}

// comesIn connects and asks for something; it returns 1 if there was a Retry.
func (w *quicWorld) comesIn(config *tls.Config) int {
	w.t.Helper()
	tokens := &tokenWatch{UDPConn: listenUDP(w.t)}
	qt := &quic.Transport{Conn: tokens}
	defer func() { qt.Close(); tokens.Close() }()
	to, err := net.ResolveUDPAddr("udp4", w.addr)
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(w.t.Context(), 6*patience)
	defer cancel()
	q, err := qt.Dial(ctx, to, config, &quic.Config{})
	for range 3 { // the flood is a lot of work for a small machine, and who is not heard tries again
		if err == nil {
			break
		}
		q, err = qt.Dial(ctx, to, config, &quic.Config{})
	}
	if err != nil {
		w.t.Fatalf("an honest client does not come in: %v", err)
	}
	defer q.CloseWithError(0x100, "")
	r, err := (&http3.Transport{}).NewClientConn(q).RoundTrip(httptest.NewRequest(http.MethodGet, "https://127.0.0.1/honest", nil))
	if err != nil || r.StatusCode != 200 {
		w.t.Fatalf("an honest client is not served: %v, %v", r, err)
	}
	r.Body.Close()
	<-w.asked
	if tokens.seen.Load() {
		return 1
	}
	return 0
}

// A tokenWatch notes whether a client's first packet came with a token, as it does behind a Retry.
type tokenWatch struct {
	*net.UDPConn
	seen atomic.Bool
}

// WriteMsgUDP is what QUIC writes with.
func (c *tokenWatch) WriteMsgUDP(b, oob []byte, addr *net.UDPAddr) (int, int, error) {
	if len(b) > 6 && b[0]&0x80 != 0 && b[0]>>4&3 == 0 { // Initial (RFC 9000, section 17.2.2)
		source := 6 + int(b[5])
		if token := source + 1 + int(b[source]); b[token] != 0 {
			c.seen.Store(true)
		}
	}
	return c.UDPConn.WriteMsgUDP(b, oob, addr)
}
