package h3

import (
	"io"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"weir"
)

// origin starts a server of quic-go's and returns its address.
func origin(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	pc := listenUDP(t)
	s := &http3.Server{Handler: h, TLSConfig: http3.ConfigureTLSConfig(serverTLS()), QUICConfig: &quic.Config{Allow0RTT: true}}
	var over sync.WaitGroup
	over.Go(func() { s.Serve(pc) })
	t.Cleanup(func() { s.Close(); over.Wait(); pc.Close() })
	return pc.LocalAddr().String()
}

// upstream returns a transport to addr.
func upstream(t *testing.T, addr string, c TransportConfig) *Transport {
	c.TLS = clientTLS()
	if c.Connect == 0 { // a busy machine takes long over a handshake
		c.Connect = patience
	}
	tr := NewTransport(&weir.Endpoint{Upstream: "u", Name: "o", Address: addr}, c)
	t.Cleanup(func() {
		tr.Close()
		for end := time.Now().Add(patience); ; {
			tr.mu.Lock()
			open := tr.all
			tr.mu.Unlock()
			if open == 0 {
				return
			}
			if time.Now().After(end) {
				t.Errorf("%d connections to the server are open", open)
				return
			}
			time.Sleep(time.Millisecond)
		}
	})
	return tr
}

func forward(tr weir.Transport) weir.Handler {
	return weir.HandlerFunc(func(x *weir.Exchange) error {
		x.Attempts++
		return tr.RoundTrip(x)
	})
}

// proxy starts a server that hands everything to the one at addr.
func proxy(t *testing.T, addr string, c TransportConfig) (*world, *Transport) {
	t.Helper()
	tr := upstream(t, addr, c)
	return start(t, ServerConfig{Handler: forward(tr)}, Socket{}), tr
}

// askFor serves one request by h and returns the exchange, and its answer's body.
func askFor(t *testing.T, tr *Transport, method, path string, body weir.Body) (*weir.Exchange, string, error) {
	t.Helper()
	x := &weir.Exchange{}
	x.Reset(&weir.Conn{Remote: netip.MustParseAddrPort("127.0.0.1:1")})
	x.Request.Method, x.Request.Path, x.Request.Authority, x.Request.Body = method, path, "a.test", body
	s := &stream{}
	weir.Serve(forward(tr), x, s, weir.Observers(nil))
	if x.Fault != nil {
		return x, s.body, x.Fault
	}
	return x, s.body, nil
}

// A stream is a weir.Stream that keeps what it is told.
type stream struct {
	body    string
	trailer weir.Header
	informs []int
}

func (s *stream) Inform(status int, _ *weir.Header) error {
	s.informs = append(s.informs, status)
	return nil
}

func (s *stream) Respond(x *weir.Exchange) error {
	if b := x.Response.Body; b != nil {
		all, err := io.ReadAll(b)
		s.body = string(all)
		if t := b.Trailer(); t != nil {
			s.trailer = t.Clone()
		}
		b.Close()
		return err
	}
	return nil
}

func (s *stream) Reset(*weir.Fault)   {}
func (s *stream) Watch(weir.Canceler) {}

func echoHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	for name, v := range r.Trailer {
		w.Header().Set(http.TrailerPrefix+"Got-"+name, v[0])
	}
	w.Header().Set("X-Host", r.Host)
	io.WriteString(w, r.Method+" "+r.URL.RequestURI()+" "+string(body))
}

func TestTransport(t *testing.T) {
	leaks(t)
	tr := upstream(t, origin(t, echoHTTP), TransportConfig{})
	for _, n := range []int{-1, 0, 5, 1 << 20} {
		var body weir.Body
		method, want := "GET", "GET /p "
		if n >= 0 {
			method, want = "POST", "POST /p "+content(n)
			body = weir.NewBody(content(n))
		}
		x, got, err := askFor(t, tr, method, "/p", body)
		if err != nil || got != want || x.Response.Status != 200 || x.Response.Header.Get("X-Host") != "a.test" {
			t.Fatalf("%d: %d bytes, %v, %v", n, len(got), err, x.Response.Header)
		}
	}
	if tr.Idle() != 1 {
		t.Errorf("%d idle", tr.Idle())
	}
}

func TestProxy(t *testing.T) {
	leaks(t)
	w, _ := proxy(t, origin(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/hints" {
			w.Header().Set("Link", "</a>")
			w.WriteHeader(103)
		}
		echoHTTP(w, r)
	}), TransportConfig{})
	c := w.client()
	sent := content(300 << 10)
	r, err := c.Post("https://b.test/p?q=1", "text/plain", strings.NewReader(sent))
	if err != nil {
		t.Fatal(err)
	}
	if body := readAll(t, r); body != "POST /p?q=1 "+sent || r.Header.Get("X-Host") != "b.test" {
		t.Fatalf("%d bytes, %v", len(body), r.Header)
	}
	w.ended(200, 0)
	req, _ := http.NewRequest("POST", "https://a.test/t", io.NopCloser(strings.NewReader("x")))
	req.Trailer = http.Header{"Sum": {"1"}}
	if r, err = c.Do(req); err != nil {
		t.Fatal(err)
	}
	if body := readAll(t, r); body != "POST /t x" || r.Trailer.Get("Got-Sum") != "1" {
		t.Fatalf("%q %v", body, r.Trailer)
	}
	w.ended(200, 0)
	if r, err = c.Head("https://a.test/h"); err != nil || readAll(t, r) != "" || r.ContentLength != 8 {
		t.Fatalf("%v %v", r, err)
	}
	w.ended(200, 0)
	if r, body := get(t, c, "/hints"); r.StatusCode != 200 || body != "GET /hints " {
		t.Fatalf("%d %q", r.StatusCode, body)
	}
	w.ended(200, 0)
}

func TestDialFaults(t *testing.T) {
	leaks(t)
	silent := listenUDP(t)
	defer silent.Close()
	tr := upstream(t, silent.LocalAddr().String(), TransportConfig{Connect: 50 * time.Millisecond})
	x, _, err := askFor(t, tr, "GET", "/", nil)
	if x.Fault == nil || x.Fault.Cause != weir.CauseUpstreamConnectTimeout || x.Fault.Retry != weir.RetryAlways {
		t.Errorf("%v", err)
	}

	tr = NewTransport(&weir.Endpoint{Upstream: "u", Name: "o", Address: origin(t, echoHTTP)}, TransportConfig{
		TLS: serverTLS(), CauseOf: func(err error) weir.Cause { return weir.CauseUpstreamTLSUnknownAuthority },
	})
	defer tr.Close()
	x, _, err = askFor(t, tr, "GET", "/", nil)
	if x.Fault == nil || x.Fault.Cause != weir.CauseUpstreamTLSUnknownAuthority {
		t.Errorf("%v", err)
	}
}

// A server that rejects a request has not looked at it, so it may go out again.
func TestRejected(t *testing.T) {
	leaks(t)
	var mu sync.Mutex
	n := 0
	addr := scripted(t, func(q *quic.Conn, str *quic.Stream) {
		mu.Lock()
		n++
		first := n <= 2
		mu.Unlock()
		if first {
			str.CancelRead(codeRequestRejected.stream())
			str.CancelWrite(codeRequestRejected.stream())
			return
		}
		io.Copy(io.Discard, str)
		str.Write(closeHeaders(appendStatus(appendPrefix(openHeaders(nil)), 204), 0))
		str.Close()
	})
	tr := upstream(t, addr, TransportConfig{})
	if x, _, err := askFor(t, tr, "POST", "/", nil); err != nil || x.Response.Status != 204 {
		t.Fatal(err)
	}
}

// scripted starts a server that greets its clients and does with each request what serve does.
func scripted(t *testing.T, serve func(q *quic.Conn, str *quic.Stream)) string {
	t.Helper()
	pc := listenUDP(t)
	tr := &quic.Transport{Conn: pc}
	ln, err := tr.Listen(withProtocol(serverTLS()), &quic.Config{})
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			q, err := ln.Accept(t.Context())
			if err != nil {
				return
			}
			all.Go(func() {
				control, err := q.OpenUniStream()
				if err != nil {
					return
				}
				control.Write(appendSettings([]byte{streamControl}, 1<<16, true))
				for {
					str, err := q.AcceptStream(q.Context())
					if err != nil {
						return
					}
					all.Go(func() { serve(q, str) })
				}
			})
		}
	})
	t.Cleanup(func() { ln.Close(); tr.Close(); pc.Close(); all.Wait() })
	return pc.LocalAddr().String()
}

// A transport that has been closed still serves whoever has it, and keeps nothing.
func TestClosedTransport(t *testing.T) {
	leaks(t)
	tr := upstream(t, origin(t, echoHTTP), TransportConfig{})
	tr.Close()
	for range 2 {
		if _, body, err := askFor(t, tr, "GET", "/", nil); err != nil || body != "GET / " {
			t.Fatal(err)
		}
		if tr.Idle() != 0 {
			t.Errorf("%d idle", tr.Idle())
		}
	}
}
