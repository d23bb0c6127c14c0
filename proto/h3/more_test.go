package h3

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quic-go/quic-go"

	"weir"
	"weir/cert"
)

// A head larger than what is read at a time, both ways, with content right behind it.
func TestLargeHeads(t *testing.T) {
	leaks(t)
	big := strings.Repeat("v", 50<<10)
	w, _ := proxy(t, scripted(t, func(q *quic.Conn, str *quic.Stream) {
		in := &input{}
		in.reset(str)
		_, n, err := in.next()
		if err != nil || n < 50<<10 {
			t.Errorf("%d bytes, %v", n, err)
		}
		in.payload(int(n))
		in.phase = phaseContent
		var body strings.Builder
		for err == nil {
			var p []byte
			p, err = in.content(100)
			body.Write(p)
		}
		str.Write(cat(reply("200", "big", big), data(body.String())))
		str.Close()
	}), TransportConfig{})
	r := w.greeted()
	str := r.open(cat(request("POST", "big", big), data("abc")))
	str.Close()
	if status, h, body := r.answers(str); status != 200 || h.Get("big") != big || body != "abc" {
		t.Fatalf("%d, %d bytes, %q", status, len(h.Get("big")), body)
	}
	w.ended(200, 0)
}

// A body that fails before a byte of it has left is answered for.
func TestFailsBeforeContent(t *testing.T) {
	w := serve(t, ServerConfig{Handler: answerWith(func(x *weir.Exchange) {
		f := &weir.Fault{Op: "read", Side: weir.SideUpstream, Cause: weir.CauseUpstreamBodyCut}
		x.Response.Body = &spell{Reader: failing{f}}
	})})
	if r, body := get(t, w.client(), "/"); r.StatusCode != 502 || body != weir.CauseUpstreamBodyCut.Public() {
		t.Errorf("%d %q", r.StatusCode, body)
	}
	w.ended(502, weir.CauseUpstreamBodyCut)
}

// A server that fails in the middle has the client's stream reset.
func TestFailsInContent(t *testing.T) {
	leaks(t)
	w, _ := proxy(t, scripted(t, func(q *quic.Conn, str *quic.Stream) {
		io.Copy(io.Discard, str)
		str.Write(cat(reply("200"), data("abc")))
		str.Write([]byte{frameData})
		str.Close()
	}), TransportConfig{})
	r := w.greeted()
	str := r.open(request("GET"))
	str.Close()
	r.resets(str, codeInternal)
	w.ended(200, weir.CauseUpstreamProtocol)
}

// 100 (Continue) goes through, and so does a refusal in its place.
func TestExpectThrough(t *testing.T) {
	leaks(t)
	addr := scripted(t, func(q *quic.Conn, str *quic.Stream) {
		in := &input{}
		in.reset(str)
		_, n, err := in.next()
		if err != nil {
			return
		}
		p, _ := in.payload(int(n))
		if !strings.Contains(string(p), "100-continue") {
			t.Errorf("%q", p)
		}
		if strings.Contains(string(p), "/no") {
			str.Write(reply("417"))
			str.Close()
			return
		}
		str.Write(reply("100"))
		in.phase = phaseContent
		body, err := in.content(100)
		if string(body) != "abc" {
			t.Errorf("%q, %v", body, err)
		}
		str.Write(reply("204"))
		str.Close()
	})
	w, _ := proxy(t, addr, TransportConfig{})
	r := w.greeted()
	str := r.open(request("POST", "expect", "100-continue", "content-length", "3"))
	in := &input{}
	in.reset(str)
	if status, _ := r.head(in); status != 100 {
		t.Fatal(status)
	}
	str.Write(data("abc"))
	str.Close()
	if status, _ := r.head(in); status != 204 {
		t.Fatal(status)
	}
	w.ended(204, 0)
	str = r.open(fields(":method", "POST", ":scheme", "https", ":authority", "a", ":path", "/no", "expect", "100-continue", "content-length", "3"))
	if status, _, _ := r.answers(str); status != 417 {
		t.Fatal(status)
	}
	if o := w.ended(417, 0); o.in != 0 {
		t.Errorf("%+v", o)
	}
}

// A body that is no stream of a client's, and one that fails.
func TestUploads(t *testing.T) {
	leaks(t)
	tr := upstream(t, origin(t, echoHTTP), TransportConfig{})
	trailer := header("Sum", "1")
	_, got, err := askFor(t, tr, "POST", "/", &spell{Reader: io.MultiReader(strings.NewReader("a"), strings.NewReader(content(100000))), trailer: trailer})
	if err != nil || got != "POST / a"+content(100000) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	fails := &weir.Fault{Op: "read", Side: weir.SideClient, Cause: weir.CauseRequestBody}
	x, _, _ := askFor(t, tr, "POST", "/", &spell{Reader: io.MultiReader(strings.NewReader("a"), failing{fails})})
	if x.Fault != fails {
		t.Errorf("%v", x.Fault)
	}
}

// A trailer goes on without what is hidden of it.
func TestHiddenTrailer(t *testing.T) {
	leaks(t)
	tr := upstream(t, origin(t, echoHTTP), TransportConfig{})
	x, s := &weir.Exchange{}, &stream{}
	x.Reset(&weir.Conn{})
	r := &x.Request
	r.Method, r.Path, r.Authority = "POST", "/", "a.test"
	r.Body = &spell{Reader: strings.NewReader("a"), trailer: header("Sum", "1", "Kept", "2")}
	r.HideTrailer(func(f *weir.Field) bool { return weir.EqualFold(f.Name, "sum") })
	weir.Serve(forward(tr), x, s, weir.Observers(nil))
	if s.trailer.Get("Got-Sum") != "" || s.trailer.Get("Got-Kept") != "2" {
		t.Errorf("%v, %v", s.trailer.Fields(), x.Fault)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// Requests beyond what a server takes at a time wait, and stop waiting when their client goes or it takes too long.
func TestRoom(t *testing.T) {
	leaks(t)
	goOn, begun := make(chan struct{}), make(chan struct{}, 10)
	pc := listenUDP(t)
	qt := &quic.Transport{Conn: pc}
	ln, err := qt.Listen(withProtocol(serverTLS()), &quic.Config{MaxIncomingStreams: 1})
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		q, err := ln.Accept(context.Background())
		if err != nil {
			return
		}
		control, _ := q.OpenUniStream()
		control.Write(appendSettings([]byte{streamControl}, 1<<16, true))
		for {
			str, err := q.AcceptStream(context.Background())
			if err != nil {
				return
			}
			begun <- struct{}{}
			<-goOn
			answered(str)
		}
	})
	t.Cleanup(func() { ln.Close(); qt.Close(); pc.Close(); all.Wait() })
	tr := upstream(t, pc.LocalAddr().String(), TransportConfig{Connections: 1, Connect: 2 * time.Second})
	var asking sync.WaitGroup
	asking.Go(func() {
		if _, _, err := askFor(t, tr, "GET", "/", nil); err != nil {
			t.Error(err)
		}
	})
	<-begun
	x, _, _ := askFor(t, tr, "GET", "/", nil)
	if x.Fault == nil || x.Fault.Cause != weir.CauseUpstreamConnectTimeout || x.Fault.Retry != weir.RetryAlways {
		t.Errorf("%v", x.Fault)
	}
	x = leaving(tr)
	if x.Fault == nil || x.Fault.Cause != weir.CauseClientGone {
		t.Errorf("%v", x.Fault)
	}
	close(goOn)
	asking.Wait()
}

// leaving asks for a client that goes as soon as somebody looks after it.
func leaving(tr *Transport) *weir.Exchange {
	x := &weir.Exchange{}
	x.Reset(&weir.Conn{Remote: netip.MustParseAddrPort("127.0.0.1:1")})
	x.Request.Method, x.Request.Path, x.Request.Authority = "GET", "/", "a.test"
	weir.Serve(forward(tr), x, &leaver{}, weir.Observers(nil))
	return x
}

type leaver struct{ stream }

func (*leaver) Watch(c weir.Canceler) {
	if c != nil {
		c.Cancel()
	}
}

// A client that goes while a connection is being made has nobody wait for it.
func TestGoneWhileDialling(t *testing.T) {
	leaks(t)
	silent := listenUDP(t)
	defer silent.Close()
	tr := upstream(t, silent.LocalAddr().String(), TransportConfig{Connect: 300 * time.Millisecond})
	if x := leaving(tr); x.Fault == nil || x.Fault.Cause != weir.CauseClientGone || x.Fault.Side != weir.SideClient {
		t.Errorf("%v", x.Fault)
	}
	for end := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		tr.mu.Lock()
		d := tr.dialing
		tr.mu.Unlock()
		if d == nil || time.Now().After(end) {
			return
		}
	}
}

// The configuration of a handshake may be chosen by name.
func TestConfigByName(t *testing.T) {
	leaks(t)
	s := NewServer(ServerConfig{Handler: echo, Observer: weir.Observers(nil)})
	pc := listenUDP(t)
	over := make(chan error)
	var asked atomic.Int64
	go func() {
		over <- s.ServePacket(Socket{
			Conn: pc, Facts: func(r, l netip.AddrPort) weir.Conn { return weir.Conn{Remote: r} },
			TLS: &tls.Config{GetConfigForClient: func(h *tls.ClientHelloInfo) (*tls.Config, error) {
				asked.Add(1)
				if h.ServerName != "a.test" {
					return nil, errors.New("unknown name")
				}
				return serverTLS(), nil
			}},
		})
	}()
	tr := upstream(t, pc.LocalAddr().String(), TransportConfig{})
	if _, body, err := askFor(t, tr, "GET", "/", nil); err != nil || body != "GET / " {
		t.Error(err)
	}
	other := clientTLS()
	other.ServerName = "b.test"
	c := NewTransport(&weir.Endpoint{Address: pc.LocalAddr().String()}, TransportConfig{TLS: other})
	x, _, _ := askFor(t, c, "GET", "/", nil)
	if x.Fault == nil || x.Fault.Cause != weir.CauseUpstreamTLSHandshake || asked.Load() != 2 {
		t.Errorf("%v, asked %d times", x.Fault, asked.Load())
	}
	c.Close()
	s.Close()
	if err := <-over; err != nil {
		t.Error(err)
	}
	pc.Close()
}

// What a handshake fails at is told as over TCP, however late it comes.
func TestHandshakeCauses(t *testing.T) {
	leaks(t)
	asks := serverTLS()
	asks.ClientAuth = tls.RequireAnyClientCert
	others := serverTLS()
	others.NextProtos = []string{"other"}
	for name, tt := range map[string]struct {
		server, client *tls.Config
		cause          weir.Cause
	}{
		"a certificate is wanted": {withProtocol(asks), clientTLS(), weir.CauseUpstreamTLSCertificateAsked},
		"another name":            {withProtocol(serverTLS()), named("c.test"), weir.CauseUpstreamTLSNameMismatch},
		"an unknown authority":    {withProtocol(serverTLS()), &tls.Config{ServerName: "a.test"}, weir.CauseUpstreamTLSUnknownAuthority},
		"another protocol":        {others, clientTLS(), weir.CauseUpstreamTLSProtocol},
	} {
		t.Run(name, func(t *testing.T) {
			pc := listenUDP(t)
			qt := &quic.Transport{Conn: pc}
			ln, err := qt.Listen(tt.server, &quic.Config{})
			if err != nil {
				t.Fatal(err)
			}
			tr := NewTransport(&weir.Endpoint{Upstream: "u", Name: "o", Address: pc.LocalAddr().String()}, TransportConfig{TLS: tt.client, CauseOf: cert.UpstreamCause})
			x, _, _ := askFor(t, tr, "GET", "/", nil)
			if x.Fault == nil || x.Fault.Cause != tt.cause {
				t.Errorf("%v", x.Fault)
			}
			tr.Close()
			ln.Close()
			qt.Close()
			pc.Close()
		})
	}
}

func named(name string) *tls.Config {
	c := clientTLS()
	c.ServerName = name
	return c
}

// What would become a second line in a head does not leave.
func TestUnsendable(t *testing.T) {
	tr := NewTransport(&weir.Endpoint{Address: "127.0.0.1:1"}, TransportConfig{TLS: clientTLS()})
	for _, q := range []weir.Request{
		{Method: "GET", Path: "/ HTTP/1.1", Authority: "a"},
		{Method: "GET", Path: "", Authority: "a"},
		{Method: "GET", Path: "/", Authority: "a\r\nb: c"},
		{Method: "GET", Path: "/", Query: "a\r\n", Authority: "a"},
		{Method: "GET /", Path: "/", Authority: "a"},
		{Method: "", Path: "/", Authority: "a"},
		{Method: "GET", Path: "/", Authority: ""},
	} {
		x := &weir.Exchange{Request: q}
		if f := weir.AsFault(tr.RoundTrip(x)); f.Cause != weir.CauseInternal || f.Err != errTarget {
			t.Errorf("%+v: %v", q, f)
		}
	}
}

// Fields that say how a message is framed, routed or authorised do not come in a trailer.
func TestTrailerFields(t *testing.T) {
	w := serve(t, ServerConfig{Handler: weir.HandlerFunc(func(x *weir.Exchange) error {
		if _, err := io.ReadAll(x.Request.Body); err != nil {
			return err
		}
		var names []string
		for _, f := range x.Request.Body.Trailer().Fields() {
			names = append(names, f.Name)
		}
		x.Response.Text(200, strings.Join(names, " "))
		return nil
	})})
	r := w.greeted()
	str := r.open(cat(request("POST"), data("x"), fields("a", "b", "content-length", "9", "host", "x", "x-forwarded-for", "x", "x_forwarded_for", "x",
		"content_length", "5", "cookie", "x", "cookie", "y", "authorization", "x", "proxy", "x", "x-forwarded-tls", "x", "x_b", "c")))
	str.Close()
	if status, _, body := r.answers(str); status != 200 || body != "a x_b" {
		t.Fatalf("%d %q", status, body)
	}
	w.ended(200, 0)
}

// Requests of many clients at once through both halves.
func TestLoad(t *testing.T) {
	leaks(t)
	w, tr := proxy(t, origin(t, echoHTTP), TransportConfig{Connections: 3, Streams: 20})
	var all sync.WaitGroup
	for range 4 {
		c := w.client()
		get(t, c, "/")
		for i := range 40 {
			all.Go(func() {
				sent := content(i * 500)
				r, err := c.Post("https://a.test/", "", io.NopCloser(strings.NewReader(sent)))
				if err != nil {
					t.Error(err)
					return
				}
				if body := readAll(t, r); body != "POST / "+sent {
					t.Errorf("%d bytes for %d", len(body), len(sent))
				}
			})
		}
		all.Go(func() {
			for range 20 {
				ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
				q, _ := http.NewRequestWithContext(ctx, "GET", "https://a.test/", nil)
				if r, err := c.Do(q); err == nil {
					r.Body.Close()
				}
				cancel()
			}
		})
	}
	all.Wait()
	for end := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		tr.mu.Lock()
		busy := 0
		for _, u := range tr.conns {
			busy += u.active + len(u.rounds)
		}
		tr.mu.Unlock()
		if busy == 0 {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("%d places are taken", busy)
		}
	}
}
