package h2

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"weir"
	"weir/internal/poll"
)

// A content is a body of pieces, with an end and a trailer to choose.
type content struct {
	pieces  []string
	n       int64
	end     error
	trailer weir.Header
	closed  int
	gate    chan struct{} // is waited for before each piece, if not nil
}

func (b *content) Read(p []byte) (int, error) {
	if b.gate != nil {
		<-b.gate
	}
	if len(b.pieces) == 0 {
		if b.end != nil {
			return 0, b.end
		}
		return 0, io.EOF
	}
	n := copy(p, b.pieces[0])
	if b.pieces[0] = b.pieces[0][n:]; b.pieces[0] == "" {
		b.pieces = b.pieces[1:]
	}
	return n, nil
}
func (b *content) Close() error { b.closed++; return nil }
func (b *content) Len() int64   { return b.n }
func (b *content) Trailer() *weir.Header {
	if len(b.pieces) > 0 || b.trailer.Len() == 0 {
		return nil
	}
	return &b.trailer
}

// A choice is handlers by path.
type choice map[string]func(x *weir.Exchange) error

func (c choice) ServeExchange(x *weir.Exchange) error {
	if h := c[x.Request.Path]; h != nil {
		return h(x)
	}
	return echo(x)
}

func getPath(stream uint32, path string, more ...string) []byte {
	return appendHeaders(nil, stream, true, at("GET", path, more...), minFrameSize)
}

func at(method, path string, more ...string) []byte {
	return block(append([]string{":method", method, ":scheme", "http", ":authority", "a", ":path", path}, more...)...)
}

func TestAnswers(t *testing.T) {
	fault := &weir.Fault{Op: "read", Side: weir.SideUpstream, Cause: weir.CauseUpstreamBodyCut, Err: io.ErrUnexpectedEOF}
	var trailer weir.Header
	trailer.Add("Grpc-Status", "0")
	trailer.Add("Connection", "close")
	answer := func(status int, b weir.Body) func(x *weir.Exchange) error {
		return func(x *weir.Exchange) error { x.Response.Status, x.Response.Body = status, b; return nil }
	}
	each(t, func(t *testing.T, w *world) {
		w.serve(ServerConfig{Handler: choice{
			"/none":    answer(204, nil),
			"/same":    answer(304, &content{pieces: []string{"x"}, n: 1}),
			"/head":    answer(200, weir.HeadBody(77)),
			"/unknown": answer(200, &content{pieces: []string{"a", "b", "c"}, n: -1}),
			"/known":   answer(200, &content{pieces: []string{"a", "b", "c"}, n: 3}),
			"/short":   answer(200, &content{pieces: []string{"a"}, n: 3}),
			"/long":    answer(200, &content{pieces: []string{"abcd"}, n: 3}),
			"/cut":     answer(200, &content{pieces: []string{"a"}, n: -1, end: fault}),
			"/trailer": answer(200, &content{pieces: []string{"a"}, n: -1, trailer: trailer}),
			"/only":    answer(200, &content{n: -1, trailer: trailer}),
			"/fail":    func(*weir.Exchange) error { return weir.Refuse(weir.CauseDenied, "test") },
			"/panicky": func(*weir.Exchange) error { return errors.New("odd") },
			"/fields": func(x *weir.Exchange) error {
				for _, f := range []string{"X-Good", "X-CR\rLF", "", "Conne ction", "Keep-Alive", "Transfer-Encoding", "Ünicode"} {
					x.Response.Header.Add(f, "v")
				}
				x.Response.Header.Add("X-Bad", "a\r\nb: c")
				x.Response.Header.Add("X-Space", " v ")
				x.Response.Status = 200
				return nil
			},
		}})
		p := w.peer()
		stream := uint32(1)
		ask := func(method, path string) (fields map[string]string, body string, last got) {
			p.send(appendHeaders(nil, stream, true, at(method, path), minFrameSize))
			stream += 2
			for {
				g := p.next()
				switch g.typ {
				case frameHeaders:
					more := p.decode(g)
					if fields == nil {
						fields = more
					} else {
						body += fmt.Sprint(" ", more)
					}
				case frameData:
					body += string(g.p)
				case frameReset:
					return fields, body, g
				default:
					continue
				}
				if g.has(flagEndStream) {
					return fields, body, g
				}
			}
		}
		for _, tt := range []struct{ method, path, status, length, body string }{
			{"GET", "/none", "204", "", ""},
			{"GET", "/same", "304", "1", ""},
			{"HEAD", "/head", "200", "77", ""},
			{"HEAD", "/unknown", "200", "", ""},
			{"GET", "/unknown", "200", "", "abc"},
			{"GET", "/known", "200", "3", "abc"},
			{"GET", "/long", "500", "26", "500 Internal Server Error\n"},
			{"GET", "/trailer", "200", "", "a map[grpc-status:0]"},
			{"GET", "/only", "200", "", " map[grpc-status:0]"},
			{"GET", "/fail", "403", "14", "403 Forbidden\n"},
			{"GET", "/panicky", "500", "26", "500 Internal Server Error\n"},
		} {
			fields, body, last := ask(tt.method, tt.path)
			if fields[":status"] != tt.status || fields["content-length"] != tt.length || body != tt.body || last.typ == frameReset {
				t.Errorf("%s %s: %v %q, want %+v", tt.method, tt.path, fields, body, tt)
			}
		}
		for _, path := range []string{"/short", "/cut"} {
			fields, _, last := ask("GET", path)
			if last.typ != frameReset || errorCode(last.p[3]) != codeInternal {
				t.Errorf("%s: %v, ended by %+v", path, fields, last)
			}
		}
		fields, _, _ := ask("GET", "/fields")
		if len(fields) != 5 || fields["x-good"] != "v" || fields["x-space"] != "v" || fields["content-length"] != "0" {
			t.Errorf("fields: %q", fields)
		}
	})
}

// A body that fails before its first byte gets a proper answer.
func TestBodyFailsAtOnce(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		fault := &weir.Fault{Op: "read", Side: weir.SideUpstream, Cause: weir.CauseUpstreamBodyCut, Err: io.ErrUnexpectedEOF}
		w.serve(ServerConfig{Handler: weir.HandlerFunc(func(x *weir.Exchange) error {
			x.Response.Status, x.Response.Body = 200, &content{n: 5, end: fault}
			return nil
		})})
		p := w.peer()
		p.send(get(1))
		if _, status, body := p.answer(); status != "502" || body != "502 Bad Gateway\n" {
			t.Errorf("answered with %s %q", status, body)
		}
		w.ended(502, weir.CauseUpstreamBodyCut)
	})
}

// The head of an answer does not wait for a body that takes its time.
func TestHeadLeavesSoon(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		gate := make(chan struct{})
		w.serve(ServerConfig{Handler: weir.HandlerFunc(func(x *weir.Exchange) error {
			x.Response.Status, x.Response.Body = 200, &content{n: -1, pieces: []string{"a"}, gate: gate}
			return nil
		})})
		p := w.peer()
		p.send(get(1))
		if _, _, end := p.head(); end {
			t.Error("the stream has ended")
		}
		gate <- struct{}{}
		if g := p.until(frameData); string(g.p) != "a" {
			t.Errorf("got %q", g.p)
		}
		gate <- struct{}{}
		if g := p.until(frameData); !g.has(flagEndStream) || len(g.p) > 0 {
			t.Errorf("got %+v", g)
		}
	})
}

func TestInform(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.serve(ServerConfig{Handler: weir.HandlerFunc(func(x *weir.Exchange) error {
			var h weir.Header
			h.Add("Link", "</a.css>; rel=preload")
			for _, status := range []int{103, 101, 200, 99} {
				if err := x.Inform(status, &h); err != nil {
					t.Error(err)
				}
			}
			return ok(x)
		})})
		p := w.peer()
		p.send(get(1))
		if _, head, end := p.head(); head[":status"] != "103" || head["link"] != "</a.css>; rel=preload" || end {
			t.Errorf("first %v", head)
		}
		if _, status, body := p.answer(); status != "200" || body != "ok" {
			t.Errorf("then %s %q", status, body)
		}
	})
}

func TestExpect(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.serve(ServerConfig{Handler: choice{"/refuse": func(x *weir.Exchange) error { x.Response.Text(413, "no"); return nil }}})
		p := w.peer()
		p.send(appendHeaders(nil, 1, false, at("POST", "/", "expect", "100-Continue"), minFrameSize))
		if _, head, _ := p.head(); head[":status"] != "100" {
			t.Fatalf("first %v", head)
		}
		p.send(appendData(nil, 1, true, []byte("body")))
		if _, status, body := p.answer(); status != "200" || body != "POST / body" {
			t.Errorf("then %s %q", status, body)
		}
		p.send(appendHeaders(nil, 3, false, at("POST", "/refuse", "expect", "100-continue"), minFrameSize))
		if _, status, _ := p.answer(); status != "413" {
			t.Errorf("refused with %s", status)
		}
		p.resets(3, codeNone)
		p.send(appendHeaders(nil, 5, false, at("POST", "/", "expect", "a miracle"), minFrameSize))
		if _, status, _ := p.answer(); status != "417" {
			t.Errorf("another expectation gets %s", status)
		}
		p.send(appendHeaders(nil, 7, false, at("POST", "/", "expect", "100-continue"), minFrameSize), appendData(nil, 7, true, []byte("at once")))
		for {
			_, head, _ := p.head()
			if head[":status"] == "200" {
				break
			}
		}
	})
}

func TestRequestTrailer(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.serve(ServerConfig{Handler: weir.HandlerFunc(func(x *weir.Exchange) error {
			body, err := io.ReadAll(x.Request.Body)
			if err != nil {
				return err
			}
			text := string(body)
			if tr := x.Request.Body.Trailer(); tr != nil {
				for _, f := range tr.Fields() {
					text += " " + f.Name + "=" + f.Value
				}
			}
			x.Response.Text(200, text)
			return nil
		})})
		p := w.peer()
		p.send(post(1), appendData(nil, 1, false, []byte("body")),
			appendHeaders(nil, 1, true, block("x-sum", "1", "authorization", "x", "x_forwarded_for", "y", "cookie", "z", "content-length", "9"), minFrameSize))
		if _, status, body := p.answer(); status != "200" || body != "body x-sum=1" {
			t.Errorf("%s %q", status, body)
		}
		for i, bad := range [][]byte{block(":path", "/"), block("X", "1"), block("connection", "x"), block("x", strings.Repeat("y", 9000))} {
			s := id(i + 1)
			p.send(post(s), appendHeaders(nil, s, true, bad, minFrameSize))
			p.resets(s, codeProtocol)
		}
	})
}

// What the client sends no more is not taken for all of the body.
func TestCutUploads(t *testing.T) {
	for name, cut := range map[string]func(p *peer){
		"reset":  func(p *peer) { p.send(appendReset(nil, 1, codeCancel)) },
		"closed": func(p *peer) { p.Close() },
		"short":  func(p *peer) { p.send(appendData(nil, 1, true, nil)) },
		"long":   func(p *peer) { p.send(appendData(nil, 1, false, make([]byte, 100))) },
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, w *world) {
				w.serve(ServerConfig{Handler: echo})
				p := w.peer()
				p.send(post(1, "content-length", "10"), appendData(nil, 1, false, []byte("12345")))
				waitFor(t, "a body that is being read", func() bool {
					read := false
					w.srv.each(func(c *conn) {
						c.mu.Lock()
						defer c.mu.Unlock()
						if s := c.streams[1]; s != nil {
							read = s.body.got == 5 && len(s.body.buf) == 0
						}
					})
					return read
				})
				cut(p)
				o := w.outcome()
				if o.cause != weir.CauseClientGone && o.cause != weir.CauseRequestBody {
					t.Errorf("ended with %+v", o)
				}
			})
		})
	}
}

// A canceled exchange is told of it.
func TestWatch(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		began := make(chan struct{}, 10)
		w.serve(ServerConfig{Handler: weir.HandlerFunc(func(x *weir.Exchange) error {
			began <- struct{}{}
			gone := make(chanceler, 10)
			x.Watch(gone)
			<-gone
			x.Watch(nil)
			late := make(chanceler, 10)
			x.Watch(late) // who asks later is told at once
			<-late
			x.Watch(nil)
			return &weir.Fault{Op: "test", Side: weir.SideClient, Cause: weir.CauseClientGone}
		})})
		p := w.peer()
		p.send(get(1), appendReset(nil, 1, codeCancel))
		w.ended(499, weir.CauseClientGone)
		<-began
		p.send(get(3))
		<-began // else the end may overtake the request, which then is not served
		p.Close()
		w.ended(499, weir.CauseClientGone)
	})
}

type chanceler chan struct{}

func (c chanceler) Cancel() {
	select {
	case c <- struct{}{}:
	default:
	}
}

func TestAuthority(t *testing.T) {
	for _, tt := range []struct {
		fields []string
		status string // "": reset
		want   string
	}{
		{[]string{":authority", "a.b:80"}, "200", "a.b:80"},
		{[]string{":authority", "a", "host", "A"}, "200", "a"},
		{[]string{"host", "b"}, "200", "b"},
		{[]string{":authority", "a", "host", "b"}, "400", ""},
		{[]string{":authority", "", "host", "b"}, "400", ""},
		{[]string{":authority", "a", "host", ""}, "400", ""},
		{[]string{"host", "b", "host", "b"}, "400", ""},
		{[]string{}, "400", ""},
		{[]string{":authority", "u@a"}, "400", ""},
		{[]string{":authority", "a/b"}, "400", ""},
		{[]string{":authority", "a b"}, "400", ""},
		{[]string{":authority", "a", ":authority", "a"}, "", ""},
	} {
		w := newWorld(t, "poller")
		w.serve(ServerConfig{Handler: weir.HandlerFunc(func(x *weir.Exchange) error {
			x.Response.Text(200, x.Request.Authority)
			return nil
		})})
		p := w.peer()
		p.send(appendHeaders(nil, 1, true, block(append([]string{":method", "GET", ":scheme", "http", ":path", "/"}, tt.fields...)...), minFrameSize))
		if tt.status == "" {
			p.resets(1, codeProtocol)
			continue
		}
		if _, status, body := p.answer(); status != tt.status || tt.want != "" && body != tt.want {
			t.Errorf("%q: %s %q, want %s %q", tt.fields, status, body, tt.status, tt.want)
		}
	}
}

// ServeRead goes on with what somebody else has read.
func TestServeRead(t *testing.T) {
	for _, n := range []int{0, 3, len(Preface), len(Preface) + 5, 1000} {
		w := newWorld(t, "net.Conn")
		srv := NewServer(ServerConfig{Handler: echo, Observer: w})
		near, far := net.Pipe()
		var wire []byte
		wire = appendSettings(append(wire, Preface...))
		wire = append(wire, get(1)...)
		n = min(n, len(wire))
		pc := poll.FromNetConn(near)
		var closed sync.WaitGroup
		closed.Add(1)
		srv.ServeRead(pc, factsOf(pc), closed.Done, wire[:n])
		p := &peer{Conn: far, t: t, r: bufio.NewReader(far)}
		far.SetDeadline(time.Now().Add(soon))
		greeted := make(chan struct{})
		go func() { defer close(greeted); far.Write(wire[n:]) }()
		if g := p.until(frameData); string(g.p) != "GET / " {
			t.Errorf("after %d bytes: %q", n, g.p)
		}
		<-greeted
		far.Close()
		closed.Wait()
	}
}

// What is no HTTP/2 is not served.
func TestNoPreface(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.serve(ServerConfig{Handler: echo})
		c := w.dial()
		io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		p := &peer{Conn: c, t: t, r: bufio.NewReader(c)}
		p.goneAway(codeProtocol)
	})
}

// Slow streams do not hold up the others: each gets its turn at the connection's window.
func TestFairness(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.serve(ServerConfig{Handler: choice{"/large": func(x *weir.Exchange) error {
			x.Response.Text(200, strings.Repeat("x", 300000))
			return nil
		}}})
		b := w.browser()
		var all sync.WaitGroup
		held := make(chan io.Closer, 10)
		for range 10 {
			resp, err := b.Get(w.url("/large")) // nobody reads it
			if err != nil {
				t.Fatal(err)
			}
			held <- resp.Body
		}
		for range 50 {
			all.Go(func() {
				resp, err := b.Get(w.url("/large"))
				if err != nil {
					t.Error(err)
					return
				}
				defer resp.Body.Close()
				if body, err := io.ReadAll(resp.Body); err != nil || len(body) != 300000 || resp.StatusCode != http.StatusOK {
					t.Errorf("%d bytes, %v", len(body), err)
				}
			})
		}
		all.Wait()
		close(held)
		for c := range held {
			c.Close()
		}
	})
}

func TestManyStreamsOneWindow(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.serve(ServerConfig{Handler: weir.HandlerFunc(func(x *weir.Exchange) error {
			x.Response.Text(200, strings.Repeat("x", 40000))
			return nil
		})})
		p := w.peer()
		got := map[uint32]int{}
		for i := range 100 {
			p.send(get(id(i)))
		}
		for ended := 0; ended < 100; {
			g := p.until(frameData)
			got[g.stream] += len(g.p)
			if g.has(flagEndStream) {
				ended++
			}
			if len(g.p) > 0 {
				p.send(appendWindow(nil, 0, len(g.p)))
			}
		}
		for s, n := range got {
			if n != 40000 {
				t.Errorf("stream %d got %d bytes", s, n)
			}
		}
		if len(got) != 100 {
			t.Errorf("%d streams were answered", len(got))
		}
	})
}
