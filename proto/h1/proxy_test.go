package h1

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"weir"
)

func TestProxyKeepsConnections(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		o := newOrigin(t, answering(okAnswer))
		tr := w.proxy(o.addr, TransportConfig{})
		c := w.dial()
		for range 100 {
			c.send(get())
			c.expect(200, "ok")
			w.ended(200, 0)
		}
		if n := o.accepted(); n != 1 || tr.Idle() != 1 {
			t.Errorf("%d connections to the origin, %d idle", n, tr.Idle())
		}
		c.send(strings.Repeat(get(), 100))
		for range 100 {
			c.expect(200, "ok")
		}
		if n := o.accepted(); n != 1 {
			t.Errorf("%d connections to the origin", n)
		}
		tr.Close()
		if tr.Idle() != 0 {
			t.Errorf("%d idle after Close", tr.Idle())
		}
	})
}

// Which answers let the connection to the origin be used again, and what the client sees of them.
func TestProxyAnswers(t *testing.T) {
	for name, a := range map[string]struct {
		method, wire string
		end          bool // the origin closes
		status       int
		body         string
		length       int64
		kept         bool
	}{
		"length":          {"GET", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", false, 200, "hello", 5, true},
		"empty":           {"GET", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false, 200, "", 0, true},
		"chunked":         {"GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;a\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", false, 200, "hello", -1, true},
		"chunked empty":   {"GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", false, 200, "", -1, true},
		"until close":     {"GET", "HTTP/1.1 200 OK\r\n\r\nhello", true, 200, "hello", -1, false},
		"until close 1.0": {"GET", "HTTP/1.0 200 OK\r\n\r\nhello", true, 200, "hello", -1, false},
		"1.0":             {"GET", "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", false, 200, "hello", 5, false},
		"1.0 kept":        {"GET", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello", false, 200, "hello", 5, true},
		"close":           {"GET", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello", false, 200, "hello", 5, false},
		"extra bytes":     {"GET", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhelloHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil", false, 200, "hello", 5, false},
		"extra chunk":     {"GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nx", false, 200, "", -1, false},
		"204":             {"GET", "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", false, 204, "", 0, true},
		"204 with body":   {"GET", "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello", false, 204, "", 0, false},
		"304":             {"GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", false, 304, "", 0, true},
		"304 chunked":     {"GET", "HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n", false, 304, "", 0, true},
		"head":            {"HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", false, 200, "", 5, true},
		"head zero":       {"HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false, 200, "", 0, true},
		"head chunked":    {"HEAD", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", false, 200, "", -1, true},
		"head unknown":    {"HEAD", "HTTP/1.1 200 OK\r\n\r\n", false, 200, "", -1, true},
		"head with body":  {"HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", false, 200, "", 5, false},
		"interim":         {"GET", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" + okAnswer, false, 200, "ok", 2, true},
		"odd status":      {"GET", "HTTP/1.1 799 Odd\r\nContent-Length: 2\r\n\r\nok", false, 799, "ok", 2, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, "poller")
			o := newOrigin(t, func(c *client) {
				for r := c.request(); r != nil; r = c.request() {
					io.WriteString(c, a.wire)
					if a.end {
						return
					}
				}
			})
			w.proxy(o.addr, TransportConfig{})
			c := w.dial()
			for range 2 {
				c.send(a.method + " / HTTP/1.1\r\nHost: a\r\n\r\n")
				r := c.answerTo(a.method)
				if r.StatusCode != a.status || r.body != a.body || r.err != nil || a.status == 200 && r.ContentLength != a.length || r.Close {
					t.Fatalf("%d, length %d, %q, %v, close %v", r.StatusCode, r.ContentLength, r.body, r.err, r.Close)
				}
				w.ended(a.status, 0)
			}
			if n := o.accepted(); n != 1 != !a.kept {
				t.Errorf("%d connections for two requests", n)
			}
		})
	}
}

// What an origin may do wrong, and what it is called.
func TestProxyBadAnswers(t *testing.T) {
	for name, a := range map[string]struct {
		wire   string
		status int
		cause  weir.Cause
		cut    bool // the answer had begun
	}{
		"nothing":            {"", 502, weir.CauseUpstreamClosed, false},
		"half a head":        {"HTTP/1.1 200 OK\r\nA: b", 502, weir.CauseUpstreamClosed, false},
		"no http":            {"SSH-2.0-x\r\n\r\n", 502, weir.CauseUpstreamHeader, false},
		"folded":             {"HTTP/1.1 200 OK\r\nA: b\r\n c\r\nContent-Length: 0\r\n\r\n", 502, weir.CauseUpstreamHeader, false},
		"bare LF":            {"HTTP/1.1 200 OK\nContent-Length: 0\n\n", 502, weir.CauseUpstreamHeader, false},
		"both framings":      {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 502, weir.CauseUpstreamFraming, false},
		"two lengths":        {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx", 502, weir.CauseUpstreamFraming, false},
		"bad first chunk":    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", 502, weir.CauseUpstreamFraming, false},
		"bad second chunk":   {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n-1\r\n", 200, weir.CauseUpstreamFraming, true},
		"cut length":         {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello", 200, weir.CauseUpstreamBodyCut, true},
		"cut before length":  {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n", 502, weir.CauseUpstreamBodyCut, false},
		"cut chunk":          {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhello", 200, weir.CauseUpstreamBodyCut, true},
		"cut between chunks": {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", 200, weir.CauseUpstreamBodyCut, true},
		"cut trailer":        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nA: b\r\n", 200, weir.CauseUpstreamBodyCut, true},
		"cut large":          {"HTTP/1.1 200 OK\r\nContent-Length: 10000000\r\n\r\n" + strings.Repeat("x", 300000), 200, weir.CauseUpstreamBodyCut, true},
		"switches unasked":   {"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", 502, weir.CauseUpstreamUpgrade, false},
		"interim forever":    {strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 100), 502, weir.CauseUpstreamClosed, false},
		"interim malformed":  {"HTTP/1.1 103 Early Hints\r\nLink : x\r\n\r\n" + okAnswer, 502, weir.CauseUpstreamHeader, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, "poller")
			o := newOrigin(t, func(c *client) {
				c.request()
				io.WriteString(c, a.wire)
			})
			w.proxy(o.addr, TransportConfig{})
			c := w.dial()
			c.send(get())
			r := c.answer()
			if r.StatusCode != a.status || (r.err != nil) != a.cut {
				t.Errorf("%d, %.50q, %v", r.StatusCode, r.body, r.err)
			}
			if o := w.ended(a.status, a.cause); o.side != weir.SideUpstream {
				t.Errorf("%+v", o)
			}
		})
	}
}

func TestProxyDialFaults(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	for addr, want := range map[string]struct {
		status int
		cause  weir.Cause
	}{
		closed.Addr().String():                         {502, weir.CauseUpstreamConnect},
		"unix:" + filepath.Join(t.TempDir(), "absent"): {502, weir.CauseUpstreamUnreachable},
		"255.255.255.255:1":                            {502, weir.CauseUpstreamUnreachable},
	} {
		w := newWorld(t, "poller")
		w.proxy(addr, TransportConfig{})
		c := w.dial()
		for range 2 {
			c.send(get())
			if r := c.answer(); r.StatusCode != want.status || r.Close {
				t.Errorf("%s: %d, close %v", addr, r.StatusCode, r.Close)
			}
			w.ended(want.status, want.cause)
		}
	}
}

func TestProxyUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { fmt.Fprint(rw, r.Host) })}
	go srv.Serve(l)
	each(t, func(t *testing.T, w *world) {
		w.proxy("unix:"+path, TransportConfig{})
		c := w.dial()
		for range 3 {
			c.send(get())
			c.expect(200, "a")
		}
	})
	srv.Close()
	l.Close()
}

// An origin that closes a kept connection as the next request arrives: what may be sent twice is, on a new
// connection; what may not be fails.
func TestProxyStaleConnections(t *testing.T) {
	for _, c := range []struct {
		wire   string
		repeat bool
	}{
		{"GET / HTTP/1.1\r\nHost: a\r\n\r\n", true},
		{"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", true},
		{"DELETE / HTTP/1.1\r\nHost: a\r\n\r\n", true},
		{"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", false},
		{"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab", false},
		{"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n", false},
		{"PATCH / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab", false},
		{"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab", false},
		{"QUERY / HTTP/1.1\r\nHost: a\r\n\r\n", false},
	} {
		for _, reset := range []bool{false, true} {
			t.Run(fmt.Sprintf("%.10s reset %v", c.wire, reset), func(t *testing.T) {
				w := newWorld(t, "poller")
				o := newOrigin(t, func(c *client) {
					c.request()
					io.WriteString(c, okAnswer)
					if r := c.request(); r == nil {
						return
					}
					if reset {
						c.Conn.(*net.TCPConn).SetLinger(0)
					}
				}, answering(okAnswer))
				w.proxy(o.addr, TransportConfig{})
				cl := w.dial()
				cl.send(get())
				cl.expect(200, "ok")
				w.ended(200, 0)
				cl.send(c.wire)
				r := cl.answerTo(strings.Fields(c.wire)[0])
				if c.repeat {
					w.ended(200, 0)
				} else if out := w.outcome(); r.StatusCode != 502 || out.cause != weir.CauseUpstreamClosed && out.cause != weir.CauseUpstreamReset {
					t.Errorf("%d, %+v", r.StatusCode, out)
				}
				if n := o.accepted(); n != 2 != !c.repeat {
					t.Errorf("%d connections", n)
				}
			})
		}
	}
}

// On a new connection nothing is sent twice.
func TestProxyDoesNotRepeatOnNewConnection(t *testing.T) {
	w := newWorld(t, "poller")
	o := newOrigin(t, func(c *client) { c.request() }, answering(okAnswer))
	w.proxy(o.addr, TransportConfig{})
	c := w.dial()
	c.send(get())
	c.answer()
	w.ended(502, weir.CauseUpstreamClosed)
	if n := o.accepted(); n != 1 {
		t.Errorf("%d connections", n)
	}
}

// A kept connection that the origin closes, or speaks on unasked, is not used again.
func TestProxyIdleConnections(t *testing.T) {
	for name, unasked := range map[string]string{"closed": "", "spoken on": "HTTP/1.1 408 Request Timeout\r\nContent-Length: 4\r\n\r\nevil"} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, "poller")
			next := make(chan struct{})
			o := newOrigin(t, func(c *client) {
				c.request()
				io.WriteString(c, okAnswer)
				<-next
				io.WriteString(c, unasked)
				if unasked != "" {
					io.Copy(io.Discard, c.r)
				}
			}, answering(okAnswer))
			tr := w.proxy(o.addr, TransportConfig{})
			c := w.dial()
			c.send(get())
			c.expect(200, "ok")
			w.ended(200, 0)
			if tr.Idle() != 1 {
				t.Fatalf("%d idle", tr.Idle())
			}
			close(next)
			eventually(t, "the idle connection is dropped", func() bool { return tr.Idle() == 0 })
			c.send(post())
			c.expect(200, "ok")
			if n := o.accepted(); n != 2 {
				t.Errorf("%d connections", n)
			}
		})
	}
}

// eventually waits for what another goroutine is about to bring about.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(patience); !ok(); <-tick.C {
		if time.Now().After(end) {
			t.Fatal("it never happens that " + what)
		}
	}
}

func TestProxyKeepLimits(t *testing.T) {
	for keep, want := range map[int]int{-1: 0, 1: 1, 2: 2} {
		w := newWorld(t, "poller")
		o := newOrigin(t, answering(okAnswer))
		tr := w.proxy(o.addr, TransportConfig{KeepAlive: keep})
		var clients []*client
		for range 4 {
			clients = append(clients, w.dial())
		}
		for range 3 {
			for _, c := range clients {
				c.send(get())
			}
			for _, c := range clients {
				c.expect(200, "ok")
				w.ended(200, 0)
			}
		}
		if n := tr.Idle(); n > want {
			t.Errorf("KeepAlive %d: %d idle", keep, n)
		}
	}
	w := newWorld(t, "poller")
	tr := w.proxy(newOrigin(t, answering(okAnswer)).addr, TransportConfig{KeepIdle: 30 * time.Millisecond})
	c := w.dial()
	c.send(get())
	c.expect(200, "ok")
	eventually(t, "the kept connection's time is over", func() bool { return tr.Idle() == 0 })
}

func TestProxyInterim(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		o := newOrigin(t, answering("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nConnection: X\r\nX: y\r\n\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n"+okAnswer))
		w.proxy(o.addr, TransportConfig{})
		c := w.dial()
		for range 2 {
			c.send(get())
			got := ""
			for range 5 {
				got += c.line() + "|"
			}
			if want := "HTTP/1.1 103 Early Hints|Link: </a>||HTTP/1.1 102 Processing||"; got != want {
				t.Fatalf("%q", got)
			}
			c.expect(200, "ok")
		}
		c = w.dial()
		c.send("GET / HTTP/1.0\r\nHost: a\r\n\r\n")
		c.expect(200, "ok")
	})
}

func TestProxyTrailers(t *testing.T) {
	got := make(chan http.Header, 1)
	o := newOrigin(t, func(c *client) {
		for r := c.request(); r != nil; r = c.request() {
			io.Copy(io.Discard, r.Body)
			got <- r.Trailer
			io.WriteString(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nSum: 2\r\nContent-Length: 9\r\nSet-Cookie: a=b\r\n\r\n")
		}
	})
	each(t, func(t *testing.T, w *world) {
		w.proxy(o.addr, TransportConfig{})
		c := w.dial()
		c.send("POST / HTTP/1.1\r\nHost: a\r\nTrailer: Sum\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\nSum: 1\r\nAuthorization: x\r\nHost: b\r\n\r\n")
		if h := <-got; len(h) != 1 || h.Get("Sum") != "1" {
			t.Errorf("the origin got the trailer %v", h)
		}
		if r := c.expect(200, "ok"); len(r.Trailer) != 1 || r.Trailer.Get("Sum") != "2" {
			t.Errorf("the client got the trailer %v", r.Trailer)
		}
	})
}

// A stream's head and pieces reach the client as they come, also where something on the way looks at them.
func TestProxyStreams(t *testing.T) {
	for name, look := range map[string]func(x *weir.Exchange){
		"as they are": func(*weir.Exchange) {},
		"wrapped":     func(x *weir.Exchange) { x.Response.Body = wrapped{x.Response.Body} },
	} {
		t.Run(name, func(t *testing.T) { testProxyStreams(t, look) })
	}
}

func testProxyStreams(t *testing.T, look func(x *weir.Exchange)) {
	each(t, func(t *testing.T, w *world) {
		next := make(chan string)
		o := newOrigin(t, func(c *client) {
			for r := c.request(); r != nil; r = c.request() {
				for s := range next {
					if s == "" {
						break
					}
					io.WriteString(c, s)
				}
			}
		})
		tr := w.transport(o.addr, TransportConfig{})
		w.serve(ServerConfig{Handler: weir.HandlerFunc(func(x *weir.Exchange) error {
			x.Attempts++
			err := tr.RoundTrip(x)
			look(x)
			return err
		})})
		c := w.dial()
		for head, event := range map[string]string{
			"Transfer-Encoding: chunked": "3\r\na\n\n\r\n",
			"Content-Length: 9":          "a\n\n",
		} {
			c.send(get())
			next <- answer200("Content-Type: text/event-stream", head)
			m := c.head("GET")
			buf := make([]byte, 3)
			for range 3 {
				next <- event
				if _, err := io.ReadFull(m.Body, buf); err != nil || string(buf) != "a\n\n" {
					t.Fatalf("%q, %v", buf, err)
				}
			}
			if head[0] == 'T' {
				next <- "0\r\n\r\n"
			}
			next <- ""
			if rest, err := io.ReadAll(m.Body); len(rest) > 0 || err != nil {
				t.Fatalf("%q, %v", rest, err)
			}
		}
	})
}

// Whatever a handler has made of a request: it does not become two.
func TestProxyOfBadTargets(t *testing.T) {
	w := newWorld(t, "poller")
	var o recorder
	tr := w.transport(newOrigin(t, o.script).addr, TransportConfig{})
	bad := []func(r *weir.Request){
		func(r *weir.Request) { r.Path = "" },
		func(r *weir.Request) { r.Path = "x" },
		func(r *weir.Request) { r.Path = "/ HTTP/1.1\r\nHost: b\r\n\r\nGET /smuggled" },
		func(r *weir.Request) { r.Path = "/long/enough/to/be/read/by/words\n" },
		func(r *weir.Request) { r.Path = "/a b" },
		func(r *weir.Request) { r.Query = "a\r\nX: y" },
		func(r *weir.Request) { r.Query = "a=\x00" },
		func(r *weir.Request) { r.Query = "aaaaaaaaaaaaaaaaaaaa\x7f" },
		func(r *weir.Request) { r.Authority = "a\r\nX: y" },
		func(r *weir.Request) { r.Authority = "a b" },
	}
	w.serve(ServerConfig{Handler: weir.HandlerFunc(func(x *weir.Exchange) error {
		x.Attempts++
		if n, err := strconv.Atoi(x.Request.Header.Get("Bad")); err == nil {
			bad[n](&x.Request)
		}
		return tr.RoundTrip(x)
	})})
	c := w.dial()
	c.send(get())
	c.expect(200, "ok")
	w.ended(200, 0)
	for n := range bad {
		c.send(get("Bad: " + strconv.Itoa(n)))
		if r := c.answer(); r.StatusCode != 500 {
			t.Errorf("%d: %d", n, r.StatusCode)
		}
		w.ended(500, weir.CauseInternal)
	}
	if got := o.requests(); got != "GET /" || tr.Idle() != 1 {
		t.Errorf("the origin saw %q, %d idle", got, tr.Idle())
	}
}

// A handler may throw an answer away, or ask twice: the connections stay in order.
func TestProxyReplacedAnswers(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		var o recorder
		tr := w.transport(newOrigin(t, o.script).addr, TransportConfig{})
		w.serve(ServerConfig{Handler: weir.HandlerFunc(func(x *weir.Exchange) error {
			x.Attempts++
			if err := tr.RoundTrip(x); err != nil {
				return err
			}
			switch x.Request.Path {
			case "/discard":
				x.Response.Text(503, "sorry")
			case "/forget":
				x.Response.Header.Reset()
				x.Response.Body = weir.NewBody("instead")
			case "/fail":
				return weir.Refuse(weir.CauseDenied, "look at the answer")
			case "/twice":
				x.Response.Discard()
				return tr.RoundTrip(x)
			case "/half":
				b := x.Response.Body
				b.Read(make([]byte, 1))
				b.Close()
				b.Close()
				if _, err := b.Read(make([]byte, 1)); err == nil || err == io.EOF {
					t.Errorf("a closed body is read: %v", err)
				}
				x.Response.Text(200, "half")
			}
			return nil
		})})
		c := w.dial()
		for range 3 {
			for path, want := range map[string]string{
				"/": "ok", "/discard": "sorry", "/forget": "instead", "/fail": "403 Forbidden\n", "/twice": "ok", "/half": "half",
			} {
				for _, tail := range []string{"\r\n", "Content-Length: 2\r\n\r\nab", "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n"} {
					method := "GET "
					if tail != "\r\n" && path == "/twice" {
						continue // a body goes out once
					}
					c.send(method + path + " HTTP/1.1\r\nHost: a\r\n" + tail)
					if r := c.answer(); r.body != want || r.err != nil || r.Close {
						t.Fatalf("%s %q: %d, %q, %v, close %v", path, tail, r.StatusCode, r.body, r.err, r.Close)
					}
				}
			}
		}
	})
}

// A body that is read through a wrapper gives its connection back as well.
func TestProxyWrappedAnswersKeepConnections(t *testing.T) {
	for _, wire := range []string{okAnswer, answer200("Transfer-Encoding: chunked") + "2\r\nok\r\n0\r\nA: b\r\n\r\n"} {
		w := newWorld(t, "poller")
		o := newOrigin(t, answering(wire))
		tr := w.transport(o.addr, TransportConfig{})
		w.serve(ServerConfig{Handler: weir.HandlerFunc(func(x *weir.Exchange) error {
			x.Attempts++
			err := tr.RoundTrip(x)
			x.Response.Body = wrapped{x.Response.Body}
			return err
		})})
		c := w.dial()
		for range 5 {
			c.send(get())
			if r := c.expect(200, "ok"); r.TransferEncoding != nil && r.Trailer.Get("A") != "b" {
				t.Errorf("trailer %v", r.Trailer)
			}
			w.ended(200, 0)
		}
		if n := o.accepted(); n != 1 {
			t.Errorf("%d connections", n)
		}
	}
}
