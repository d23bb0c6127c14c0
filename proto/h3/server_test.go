package h3

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"net/textproto"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quic-go/quic-go"

	"weir"
	"weir/cert"
)

func TestGet(t *testing.T) {
	w := serve(t, ServerConfig{Handler: echo})
	r, body := get(t, w.client(), "/hello?q")
	if r.StatusCode != 200 || body != "GET /hello " || r.Header.Get("Content-Length") != "11" || r.Header.Get("Date") == "" {
		t.Fatalf("%d %q %v", r.StatusCode, body, r.Header)
	}
	if o := w.ended(200, 0); o.out != 11 {
		t.Errorf("%+v", o)
	}
}

func TestPost(t *testing.T) {
	w := serve(t, ServerConfig{Handler: echo})
	c := w.client()
	for _, n := range []int{0, 1, 100, 40 << 10, 1 << 20} {
		sent := content(n)
		r, err := c.Post("https://a.test/p", "text/plain", strings.NewReader(sent))
		if err != nil {
			t.Fatal(err)
		}
		if body := readAll(t, r); body != "POST /p "+sent {
			t.Fatalf("%d bytes came back for %d", len(body), n)
		}
		if o := w.ended(200, 0); o.in != int64(n) || o.out != int64(n+8) {
			t.Errorf("%+v", o)
		}
	}
}

// What an exchange knows of its client.
func TestFacts(t *testing.T) {
	var got weir.Conn
	var q struct{ scheme, protocol string }
	w := serve(t, ServerConfig{Handler: weir.HandlerFunc(func(x *weir.Exchange) error {
		got, q.scheme, q.protocol = *x.Conn, x.Request.Scheme, x.Request.Protocol
		return echo(x)
	})})
	get(t, w.client(), "/")
	w.ended(200, 0)
	if got.Protocol != "HTTP/3" || got.TLS == nil || got.TLS.ServerName != "a.test" || got.TLS.NegotiatedProtocol != "h3" ||
		got.Local != w.addr.AddrPort() || got.Remote.Addr() != netip.MustParseAddr("127.0.0.1") || got.RemoteIP != "127.0.0.1" ||
		got.Opened == 0 || got.Listener != "test" || q.scheme != "https" || q.protocol != "HTTP/3" {
		t.Errorf("%+v %+v", got, q)
	}
}

// A spell is a body of unknown length that is told what to say.
type spell struct {
	io.Reader
	trailer *weir.Header
	closed  chan struct{}
}

func (s *spell) Len() int64            { return -1 }
func (s *spell) Trailer() *weir.Header { return s.trailer }

func (s *spell) Close() error {
	if s.closed != nil {
		close(s.closed)
		s.closed = nil
	}
	return nil
}

func answerWith(f func(x *weir.Exchange)) weir.Handler {
	return weir.HandlerFunc(func(x *weir.Exchange) error {
		x.Response.Status = 200
		f(x)
		return nil
	})
}

func TestAnswers(t *testing.T) {
	trailer := &weir.Header{}
	trailer.Add("Sum", "7")
	trailer.Add("Connection", "close")
	for name, tt := range map[string]struct {
		method string
		answer func(x *weir.Exchange)
		status int
		length string
		body   string
	}{
		"HEAD":               {"HEAD", func(x *weir.Exchange) { x.Response.Text(200, "abc") }, 200, "3", ""},
		"HEAD of a length":   {"HEAD", func(x *weir.Exchange) { x.Response.Body = weir.HeadBody(9) }, 200, "9", ""},
		"HEAD of unknown":    {"HEAD", func(x *weir.Exchange) { x.Response.Body = &spell{Reader: strings.NewReader("a")} }, 200, "", ""},
		"204":                {"GET", func(x *weir.Exchange) { x.Response.Text(204, "abc") }, 204, "", ""},
		"304":                {"GET", func(x *weir.Exchange) { x.Response.Text(304, "abc") }, 304, "3", ""},
		"no body":            {"GET", func(x *weir.Exchange) {}, 200, "0", ""},
		"an odd status":      {"GET", func(x *weir.Exchange) { x.Response.Text(799, "x") }, 799, "1", "x"},
		"a spell":            {"GET", func(x *weir.Exchange) { x.Response.Body = &spell{Reader: strings.NewReader(content(9999))} }, 200, "", content(9999)},
		"a spell of silence": {"GET", func(x *weir.Exchange) { x.Response.Body = &spell{Reader: strings.NewReader("")} }, 200, "", ""},
		"a large body":       {"GET", func(x *weir.Exchange) { x.Response.Text(200, content(3<<20)) }, 200, "3145728", content(3 << 20)},
		"a trailer": {"GET", func(x *weir.Exchange) {
			x.Response.Body = &spell{Reader: strings.NewReader("abc"), trailer: trailer}
		}, 200, "", "abc"},
		"a large head": {"GET", func(x *weir.Exchange) {
			x.Response.Text(200, "abc")
			x.Response.Header.Add("Big", strings.Repeat("x", 40<<10))
		}, 200, "3", "abc"},
		"unfit fields": {"GET", func(x *weir.Exchange) {
			h := &x.Response.Header
			for _, f := range []string{"Connection", "Keep-Alive", "Transfer-Encoding", "Upgrade", "Content-Length"} {
				h.Add(f, "9")
			}
			h.Add("a b", "c")
			h.Add("A", "b\r\nc: d")
			h.Add("", "x")
			h.Add(":status", "500")
		}, 200, "0", ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := serve(t, ServerConfig{Handler: answerWith(tt.answer)})
			q, _ := http.NewRequest(tt.method, "https://a.test/", nil)
			r, err := w.client().Do(q)
			if err != nil {
				t.Fatal(err)
			}
			body := readAll(t, r)
			if r.StatusCode != tt.status || body != tt.body || r.Header.Get("Content-Length") != tt.length {
				t.Errorf("%d %q %.50q", r.StatusCode, r.Header.Get("Content-Length"), body)
			}
			if name == "a trailer" && (r.Trailer.Get("Sum") != "7" || r.Trailer.Get("Connection") != "") {
				t.Errorf("%v", r.Trailer)
			}
			if name == "unfit fields" && len(r.Header) != 2 {
				t.Errorf("%v", r.Header)
			}
			w.ended(tt.status, 0)
		})
	}
}

// A handler that takes an interim answer for its last one has made a mistake.
func TestNoAnswer(t *testing.T) {
	w := serve(t, ServerConfig{Handler: answerWith(func(x *weir.Exchange) { x.Response.Status = 103 })})
	if r, _ := get(t, w.client(), "/"); r.StatusCode != 500 {
		t.Error(r.StatusCode)
	}
	w.ended(500, weir.CauseInternal)
}

func TestInterim(t *testing.T) {
	w := serve(t, ServerConfig{Handler: weir.HandlerFunc(func(x *weir.Exchange) error {
		var h weir.Header
		h.Add("Link", "</a>")
		x.Inform(103, &h)
		return echo(x)
	})})
	var hints []string
	trace := &httptrace.ClientTrace{Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
		hints = append(hints, fmt.Sprint(code, h.Get("Link")))
		return nil
	}}
	q, _ := http.NewRequestWithContext(httptrace.WithClientTrace(t.Context(), trace), "GET", "https://a.test/", nil)
	r, err := w.client().Do(q)
	if err != nil || readAll(t, r) != "GET / " || fmt.Sprint(hints) != "[103</a>]" {
		t.Fatalf("%v %v", hints, err)
	}
	w.ended(200, 0)
}

// A client that expects 100 is sent it when the body is read, and only then.
func TestExpect(t *testing.T) {
	w := serve(t, ServerConfig{Handler: weir.HandlerFunc(func(x *weir.Exchange) error {
		if !x.Request.Expect {
			t.Error("nothing is expected")
		}
		if x.Request.Path == "/" {
			return echo(x)
		}
		x.Response.Text(403, "no")
		return nil
	})})
	r := w.greeted()
	str := r.open(request("POST", "expect", "100-continue", "content-length", "2"))
	in := &input{}
	in.reset(str)
	if status, _ := r.head(in); status != 100 {
		t.Fatal(status)
	}
	str.Write(data("ab"))
	str.Close()
	if status, _ := r.head(in); status != 200 {
		t.Fatal(status)
	}
	w.ended(200, 0)
	str = r.open(fields(":method", "POST", ":scheme", "https", ":authority", "a", ":path", "/no", "expect", "100-continue"))
	if status, _, _ := r.answers(str); status != 403 {
		t.Fatal(status)
	}
	w.ended(403, 0)
	str = r.open(cat(request("POST", "expect", "100-continue"), data("ab")))
	str.Close()
	in.reset(str)
	if status, _ := r.head(in); status != 200 {
		t.Fatal(status) // it has not waited
	}
	w.ended(200, 0)
}

// What an answer says, and the request's content, may go both ways at once.
func TestBothWays(t *testing.T) {
	w := serve(t, ServerConfig{Handler: answerWith(func(x *weir.Exchange) {
		x.Response.Body = &spell{Reader: x.Request.Body}
	})})
	r := w.greeted()
	str := r.open(request("POST"))
	in := &input{}
	in.reset(str)
	if status, _ := r.head(in); status != 200 {
		t.Fatal(status)
	}
	in.phase = phaseContent
	for i := range 5 {
		sent := fmt.Sprintf("message %d", i)
		str.Write(data(sent))
		if p, err := in.content(100); string(p) != sent || err != nil {
			t.Fatalf("%q, %v", p, err)
		}
	}
	str.Close()
	if p, err := in.content(100); len(p) > 0 || err != io.EOF {
		t.Fatalf("%q, %v", p, err)
	}
	w.ended(200, 0)
}

// Many requests at a time, more than a connection may have.
func TestConcurrent(t *testing.T) {
	var now, most atomic.Int64
	w := serve(t, ServerConfig{Limits: Limits{Streams: 50}, Handler: weir.HandlerFunc(func(x *weir.Exchange) error {
		n := now.Add(1)
		defer now.Add(-1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		return echo(x)
	})})
	c := w.client()
	var all sync.WaitGroup
	for i := range 500 {
		all.Go(func() {
			r, err := c.Post(fmt.Sprintf("https://a.test/%d", i), "", strings.NewReader(content(i)))
			if err != nil {
				t.Error(err)
				return
			}
			if body := readAll(t, r); body != fmt.Sprintf("POST /%d ", i)+content(i) {
				t.Errorf("%d: %q", i, body)
			}
		})
	}
	all.Wait()
	if most.Load() > 50 || w.srv.Open() != 1 {
		t.Errorf("%d at a time, %d connections", most.Load(), w.srv.Open())
	}
}

// canceled tells when it has been canceled.
type canceled chan struct{}

func (c canceled) Cancel() { close(c) }

// A client that gives a request up has it broken off; the connection goes on.
func TestCancel(t *testing.T) {
	came := make(chan struct{}, 1)
	w := serve(t, ServerConfig{Handler: weir.HandlerFunc(func(x *weir.Exchange) error {
		if x.Request.Path == "/ok" {
			return echo(x)
		}
		gone := make(canceled)
		x.Watch(gone)
		came <- struct{}{}
		select {
		case <-gone:
		case <-time.After(patience):
			t.Error("the handler was not told")
		}
		x.Watch(nil)
		return &weir.Fault{Op: "wait", Side: weir.SideClient, Cause: weir.CauseClientGone}
	})})
	c := w.client()
	for range 3 {
		ctx, cancel := context.WithCancel(t.Context())
		go func() { <-came; cancel() }()
		q, _ := http.NewRequestWithContext(ctx, "GET", "https://a.test/", nil)
		if _, err := c.Do(q); err == nil {
			t.Fatal("it was answered")
		}
		w.ended(499, weir.CauseClientGone)
		if _, body := get(t, c, "/ok"); body != "GET /ok " {
			t.Fatal(body)
		}
		w.ended(200, 0)
	}
}

// A client that goes in the middle of an answer ends the exchange, and the body is closed.
func TestGone(t *testing.T) {
	closed := make(chan struct{})
	pr, pw := io.Pipe()
	defer pw.Close()
	w := serve(t, ServerConfig{Handler: answerWith(func(x *weir.Exchange) {
		x.Response.Body = &spell{Reader: pr, closed: closed}
	})})
	r := w.greeted()
	str := r.open(request("GET"))
	str.Close()
	in := &input{}
	in.reset(str)
	r.head(in) // it comes without any of the body
	r.CloseWithError(0, "")
	go func() {
		for {
			if _, err := pw.Write(make([]byte, 10000)); err != nil {
				return
			}
		}
	}()
	w.ended(200, weir.CauseClientGone)
	<-closed
	pr.Close()
}

// Clients that only give up what they begin are sent away.
func TestChurn(t *testing.T) {
	var now, most atomic.Int64
	w := serve(t, ServerConfig{Limits: Limits{Streams: 10}, Handler: weir.HandlerFunc(func(x *weir.Exchange) error {
		n := now.Add(1)
		defer now.Add(-1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		gone := make(canceled)
		x.Watch(gone)
		<-gone
		x.Watch(nil)
		return &weir.Fault{Op: "wait", Side: weir.SideClient, Cause: weir.CauseClientGone}
	})})
	r := w.greeted()
	for range 2 * mostChurn {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		str, err := r.OpenStreamSync(ctx)
		cancel()
		if err != nil {
			break
		}
		str.Write(request("GET"))
		str.CancelWrite(codeRequestCancelled.stream())
		str.CancelRead(codeRequestCancelled.stream())
	}
	r.ends(codeExcessiveLoad)
	if most.Load() > 10 {
		t.Errorf("%d at a time", most.Load())
	}
}

// So are those whose requests are malformed, one after the other.
func TestChurnMalformed(t *testing.T) {
	w := serve(t, ServerConfig{Handler: weir.HandlerFunc(echo)})
	r := w.greeted()
	for range 2 * mostChurn {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		str, err := r.OpenStreamSync(ctx)
		cancel()
		if err != nil {
			break
		}
		str.Write(request("GET", "connection", "close"))
		str.Close()
	}
	r.ends(codeExcessiveLoad)
}

// So are those who give up what is about to be answered, before anybody has looked after them.
func TestChurnYoung(t *testing.T) {
	pass, over := make(chan struct{}), make(chan struct{})
	w := serve(t, ServerConfig{Limits: Limits{Streams: 20}, Handler: weir.HandlerFunc(func(x *weir.Exchange) error {
		if x.Request.Method == "GET" {
			select {
			case <-pass:
			case <-over:
			}
			return echo(x)
		}
		for range 5 {
			select {
			case pass <- struct{}{}:
			case <-over:
			}
		}
		return echo(x)
	})})
	r := w.greeted()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	defer close(over)
	open := func(method string) (*quic.Stream, error) {
		str, err := r.OpenStreamSync(ctx)
		if err == nil {
			str.Write(request(method))
			str.Close()
		}
		return str, err
	}
	var err error
	for range mostChurn/4 + 10 {
		for range 5 {
			var str *quic.Stream
			if str, err = open("GET"); err != nil {
				break
			}
			str.CancelRead(codeRequestCancelled.stream())
		}
		if _, err = open("DELETE"); err != nil {
			break
		}
	}
	if err == nil || ctx.Err() != nil {
		t.Fatal("it goes on")
	}
	r.ends(codeExcessiveLoad)
}

func TestTimeouts(t *testing.T) {
	w := serve(t, ServerConfig{Handler: echo, Timeouts: Timeouts{Header: time.Second, Idle: 3 * time.Second}})
	r := w.greeted()
	part := r.open(request("GET")[:10])
	if status, _, _ := r.answers(part); status != 408 {
		t.Error(status)
	}
	w.ended(408, weir.CauseClientHeaderTimeout)
	empty := r.open(request("GET")) // makes the one before it come to be
	empty.Close()
	r.answers(empty)
	w.ended(200, 0)
	cut := r.open(nil)
	cut.Close()
	r.resets(cut, codeRequestIncomplete)
	w.quiet()

	// QUIC's own PING does not count.
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c := clientTLS()
	c.NextProtos = []string{Protocol}
	q, err := w.dialQUIC(ctx, c, &quic.Config{KeepAlivePeriod: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	awake := &raw{t, q}
	awake.uni(appendSettings([]byte{streamControl}, 1<<16, false))
	awake.ends(codeNone)
	w.quiet()
}

// Content that trickles, either way, ends after a window.
func TestFloor(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a whole window")
	}
	large := content(20 << 20) // takes a while to make
	w := serve(t, ServerConfig{Timeouts: Timeouts{BodyFloor: 1 << 20}, Handler: weir.HandlerFunc(func(x *weir.Exchange) error {
		if x.Request.Method == "POST" {
			return echo(x)
		}
		x.Response.Status = 200
		x.Response.Body = weir.NewBody(large)
		return nil
	})})
	up, down := w.greeted(), w.greeted()
	slow := up.open(request("POST"))
	stop := make(chan struct{})
	var all sync.WaitGroup
	defer all.Wait()
	defer close(stop)
	all.Go(func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(200 * time.Millisecond):
				slow.Write(data("x"))
			}
		}
	})
	down.open(request("GET")).Close() // and never read
	causes := map[weir.Cause]bool{}
	for range 2 {
		select {
		case o := <-w.seen:
			causes[o.cause] = true
		case <-time.After(floorWindow + patience):
			t.Fatal("no exchange ended")
		}
	}
	if !causes[weir.CauseClientBodyTimeout] || !causes[weir.CauseClientWriteTimeout] {
		t.Errorf("%v", causes)
	}
}

func TestAdmit(t *testing.T) {
	leaks(t)
	var asked, done atomic.Int64
	w := start(t, ServerConfig{Handler: echo}, Socket{
		Admit: func(netip.AddrPort) bool { return asked.Add(1) <= 1 },
		Done:  func() { done.Add(1) },
	})
	c := w.client()
	get(t, c, "/")
	if _, err := w.dialQUIC(t.Context(), clientTLS(), &quic.Config{}); err == nil {
		t.Error("a connection too many was let in")
	}
	w.srv.Close()
	for end := time.Now().Add(patience); done.Load() != 1; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d are done", done.Load())
		}
	}
}

func TestAgreed(t *testing.T) {
	leaks(t)
	agreed := make(chan bool, 10) // whether the handshake resumed another one
	w := start(t, ServerConfig{Handler: echo}, Socket{Agreed: func(s *tls.ConnectionState) { agreed <- s.DidResume }})
	c := clientTLS()
	c.RootCAs = x509.NewCertPool()
	if _, err := w.dialQUIC(t.Context(), c, &quic.Config{}); err == nil {
		t.Error("a client trusts whom it does not know")
	}
	get(t, w.client(), "/")
	select {
	case resumed := <-agreed:
		if resumed {
			t.Error("the first handshake resumes none")
		}
	case <-time.After(patience):
		t.Fatal("nobody is told of the handshake")
	}
	if len(agreed) > 0 {
		t.Error("a handshake that failed is told of as one that did not")
	}
}

func TestAltSvc(t *testing.T) {
	if got := AltSvc(8443); got != `h3=":8443"; ma=86400` {
		t.Error(got)
	}
}

// A change holds for the next exchange of a connection that is there; what is under way keeps what it began with.
func TestConfigure(t *testing.T) {
	goOn := make(chan struct{})
	begun := make(chan struct{})
	first := weir.HandlerFunc(func(x *weir.Exchange) error {
		close(begun)
		<-goOn
		x.Response.Text(200, "first")
		return nil
	})
	w := serve(t, ServerConfig{Handler: first})
	r := w.greeted()
	slow := r.open(request("GET"))
	slow.Close()
	<-begun
	w.srv.Configure(ServerConfig{Handler: echo, Observer: w, Limits: Limits{Fields: 1}})
	next := r.open(request("GET", "a", "b"))
	next.Close()
	if _, _, body := r.answers(next); body != "GET / " {
		t.Error(body)
	}
	w.ended(200, 0)
	many := r.open(request("GET", "a", "b", "c", "d"))
	many.Close()
	if status, _, _ := r.answers(many); status != 431 {
		t.Error(status)
	}
	w.ended(431, weir.CauseRequestHeaderTooLarge)
	close(goOn)
	if _, _, body := r.answers(slow); body != "first" {
		t.Error(body)
	}
	w.ended(200, 0)
}

// The reason why a handshake has failed is told as crypto/tls would, whichever side found it.
func TestFailed(t *testing.T) {
	leaks(t)
	failed := make(chan error, 10)
	w := start(t, ServerConfig{Handler: echo}, Socket{Failed: func(err error) { failed <- err }})
	stranger, other := clientTLS(), clientTLS()
	stranger.RootCAs = x509.NewCertPool()
	other.NextProtos = []string{"other"}
	for _, c := range []struct {
		client *tls.Config
		want   cert.Trouble
	}{{stranger, cert.CertificateDenied}, {other, cert.ProtocolMismatch}} {
		if len(c.client.NextProtos) == 0 {
			c.client.NextProtos = []string{Protocol}
		}
		if q, err := w.dialQUIC(t.Context(), c.client, &quic.Config{}); err == nil {
			<-q.HandshakeComplete()
		}
		select {
		case err := <-failed:
			if got := cert.CauseOf(err); got != c.want {
				t.Errorf("%v is %q, want %q", err, got, c.want)
			}
		case <-time.After(patience):
			t.Fatal("nobody is told of it")
		}
	}
	get(t, w.client(), "/")
	if len(failed) > 0 {
		t.Errorf("a handshake that went well is told of as failed: %v", <-failed)
	}
}
