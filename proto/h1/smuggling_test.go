package h1

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"weir"
	"weir/internal/clock"
	"weir/internal/poll"
)

// Requests that two parsers are known to read differently. Each is followed by bytes that one of them would
// take for a second request. weir must refuse it, close the connection, and hand on nothing.
var smuggling = map[string]string{
	"CL.TE":                                "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nG",
	"TE.CL":                                "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n23\r\n",
	"CL.CL":                                "Content-Length: 0\r\nContent-Length: 35\r\n\r\n",
	"CL.CL same":                           "Content-Length: 0\r\nContent-Length: 0\r\n\r\n",
	"CL list":                              "Content-Length: 0, 35\r\n\r\n",
	"CL plus":                              "Content-Length: +0\r\n\r\n",
	"CL minus":                             "Content-Length: -0\r\n\r\n",
	"CL empty":                             "Content-Length:\r\n\r\n",
	"CL hex":                               "Content-Length: 0x0\r\n\r\n",
	"CL octal":                             "Content-Length: 043\r\n\r\n",
	"CL overflow":                          "Content-Length: 18446744073709551616\r\n\r\n",
	"CL space before colon":                "Content-Length : 35\r\n\r\n",
	"CL tab before colon":                  "Content-Length\t: 35\r\n\r\n",
	"CL NUL":                               "Content-Length\x00: 35\r\n\r\n",
	"CL CR":                                "X: y\rContent-Length: 35\r\n\r\n",
	"CL LF":                                "X: y\nContent-Length: 35\r\n\r\n",
	"CL folded":                            "X: y\r\n Content-Length: 35\r\n\r\n",
	"CL value folded":                      "Content-Length:\r\n 35\r\n\r\n",
	"TE folded":                            "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
	"TE tab folded":                        "Transfer-Encoding:\r\n\tchunked\r\n\r\n0\r\n\r\n",
	"TE space before colon":                "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
	"TE leading space":                     " Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	"TE vertical tab":                      "Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n",
	"TE xchunked":                          "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
	"TE quoted":                            "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n",
	"TE twice":                             "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
	"TE list":                              "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
	"TE chunked twice":                     "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
	"TE identity":                          "Transfer-Encoding: identity\r\nContent-Length: 0\r\n\r\n",
	"TE obs-text":                          "Transfer-Encoding: chunked\xff\r\n\r\n0\r\n\r\n",
	"TE after bare CR":                     "Foo: bar\r\n\rTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	"TE after LF":                          "Foo: bar\n\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	"head ends with LF LF":                 "Foo: bar\r\n\n",
	"head ends with CR CR":                 "Foo: bar\r\n\r\r\n\r\n",
	"no colon":                             "Content-Length\r\n\r\n",
	"Host twice":                           "Host: b\r\n\r\n",
	"Connection twisted":                   "Connection: close x\r\nX-Forwarded-For: 127.0.0.1\r\n\r\n",
	"Expect twisted":                       "Expect: y 100-continue\r\nContent-Length: 35\r\n\r\n",
	"chunk size with space":                "Transfer-Encoding: chunked\r\n\r\n0 \r\n\r\n",
	"chunk size with 0x":                   "Transfer-Encoding: chunked\r\n\r\n0x0\r\n\r\n",
	"chunk size with sign":                 "Transfer-Encoding: chunked\r\n\r\n-0\r\n\r\n",
	"chunk size overflows":                 "Transfer-Encoding: chunked\r\n\r\n10000000000000000\r\n\r\n",
	"chunk size ends with LF":              "Transfer-Encoding: chunked\r\n\r\n0\n\r\n",
	"chunk extension with LF":              "Transfer-Encoding: chunked\r\n\r\n0;\n\r\n\r\n",
	"chunk extension with CR":              "Transfer-Encoding: chunked\r\n\r\n0;\rx\r\n\r\n",
	"chunk ends with LF":                   "Transfer-Encoding: chunked\r\n\r\n1\r\nx\n0\r\n\r\n",
	"chunk ends with anything":             "Transfer-Encoding: chunked\r\n\r\n1\r\nxyz0\r\n\r\n",
	"trailer with LF":                      "Transfer-Encoding: chunked\r\n\r\n0\r\n\n",
	"chunk size with underscore":           "Transfer-Encoding: chunked\r\n\r\n0_2e\r\n",
	"chunk size empty":                     "Transfer-Encoding: chunked\r\n\r\n\r\n\r\n",
	"chunk size after LF":                  "Transfer-Encoding: chunked\r\n\r\n\n0\r\n\r\n",
	"chunk size ends with CR CR":           "Transfer-Encoding: chunked\r\n\r\n2\r\rxx\r\n0\r\n\r\n",
	"chunk extension with CR CR":           "Transfer-Encoding: chunked\r\n\r\n2;a\r\rxx\r\n0\r\n\r\n",
	"chunk extension after CR":             "Transfer-Encoding: chunked\r\n\r\n5\r\r;ABCD\r\n",
	"chunk extension after space":          "Transfer-Encoding: chunked\r\n\r\n0 ;a\r\n\r\n",
	"chunk extension with NUL":             "Transfer-Encoding: chunked\r\n\r\n0;a\x00\r\n\r\n",
	"chunk spills over":                    "Transfer-Encoding: chunked\r\n\r\n1\r\nxy\r\n0\r\n\r\n",
	"chunk spills over by CRLF":            "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n\r\n0\r\n\r\n",
	"chunk ends with CR and anything":      "Transfer-Encoding: chunked\r\n\r\n1\r\nx\ry0\r\n\r\n",
	"last chunk ends with CR and anything": "Transfer-Encoding: chunked\r\n\r\n0\rx\r\n",
	"trailer without colon":                "Transfer-Encoding: chunked\r\n\r\n0\r\nA\r\n\r\n",
	"trailer after CR":                     "Transfer-Encoding: chunked\r\n\r\n0\r\n\rA: b\r\n\r\n",
	"trailer ends with CR":                 "Transfer-Encoding: chunked\r\n\r\n0\r\nA: b\r\n\rx\r\n\r\n",
	"Expect twice":                         "Expect: 100-continue\r\nExpect: y\r\nContent-Length: 35\r\n\r\n",
	"Expect list":                          "Expect: 100-continue, 100-continue\r\nContent-Length: 35\r\n\r\n",
	"trailer is a request":                 "Transfer-Encoding: chunked\r\n\r\n0\r\n",
	"trailer folded":                       "Transfer-Encoding: chunked\r\n\r\n0\r\nA: b\r\n c\r\n\r\n",
}

// A recorder is an origin that remembers the requests it was sent.
type recorder struct {
	mu   sync.Mutex
	seen []string
}

func (r *recorder) script(c *client) {
	for q := c.request(); q != nil; q = c.request() {
		r.mu.Lock()
		r.seen = append(r.seen, q.Method+" "+q.URL.Path)
		r.mu.Unlock()
		if _, err := io.Copy(io.Discard, q.Body); err != nil {
			return
		}
		io.WriteString(c, okAnswer)
	}
}

func (r *recorder) requests() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Join(r.seen, ", ")
}

func TestSmuggling(t *testing.T) {
	const smuggled = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
	each(t, func(t *testing.T, w *world) {
		var o recorder
		w.proxy(newOrigin(t, o.script).addr, TransportConfig{})
		for name, tail := range smuggling {
			c := w.dial()
			io.WriteString(c, "POST /first HTTP/1.1\r\nHost: a\r\n"+tail+smuggled+smuggled)
			r := c.answer()
			if r.StatusCode < 400 || r.StatusCode >= 500 || !r.Close {
				t.Errorf("%s: %d, close %v", name, r.StatusCode, r.Close)
			}
			if rest, _ := io.ReadAll(c.r); len(rest) > 0 {
				t.Errorf("%s: behind the refusal came %q", name, rest)
			}
			if out := w.outcome(); out.side != weir.SideClient || out.cause == 0 || out.status != r.StatusCode {
				t.Errorf("%s: %+v", name, out)
			}
			c.Close()
		}
		w.quiet()
		if got := o.requests(); strings.Contains(got, "smuggled") {
			t.Errorf("the origin saw %s", got)
		}
	})
}

// What is accepted reaches the origin as one request with a framing beyond doubt.
func TestFramingIsWrittenAnew(t *testing.T) {
	got := make(chan *http.Request, 1)
	o := newOrigin(t, func(c *client) {
		for r := c.request(); r != nil; r = c.request() {
			b, _ := io.ReadAll(r.Body)
			r.Header.Del("Content-Length")
			r.Header.Set("Body", string(b))
			got <- r
			io.WriteString(c, okAnswer)
		}
	})
	each(t, func(t *testing.T, w *world) {
		w.proxy(o.addr, TransportConfig{})
		c := w.dial()
		for _, tail := range []string{
			"CONTENT-LENGTH:\t5 \t\r\nConnection: Content-Length\r\n\r\nhello",
			"TRANSFER-ENCODING:Chunked\r\nConnection: Transfer-Encoding, Host\r\n\r\n3;x=\"\\\"\"\r\nhel\r\n002\r\nlo\r\n00;y\r\nHost: b\r\n\r\n",
		} {
			c.send("POST http://a/ HTTP/1.1\r\nHost: A\r\nKeep-Alive: 5\r\nProxy-Connection: close\r\n" + tail)
			c.expect(200, "ok")
			r := <-got
			if r.Header.Get("Body") != "hello" || !strings.EqualFold(r.Host, "a") || r.RequestURI != "/" || len(r.Header) != 1 || len(r.Trailer) != 0 {
				t.Errorf("%q: %+v", tail, r)
			}
		}
	})
}

// Heads that exceed a limit are refused, whole or in pieces, within the limit and a little.
func TestHeadLimits(t *testing.T) {
	lim := Limits{Line: 100, Head: 1000, Fields: 20}
	each(t, func(t *testing.T, w *world) {
		w.serve(ServerConfig{Handler: echo, Limits: lim})
		field := "A: " + strings.Repeat("x", 95) + "\r\n" // 100 bytes
		for _, c := range []struct {
			wire   string
			status int
			cause  weir.Cause
		}{
			{"GET / HTTP/1.1\r\nHost: a\r\n" + strings.Repeat(field, 9) + "\r\n", 200, 0},
			{"GET / HTTP/1.1\r\nHost: a\r\n" + strings.Repeat(field, 10) + "\r\n", 431, weir.CauseRequestHeaderTooLarge},
			{"GET / HTTP/1.1\r\nHost: a\r\n" + strings.Repeat(field, 10), 431, weir.CauseRequestHeaderTooLarge},
			{"GET / HTTP/1.1\r\nHost: a\r\n" + strings.Repeat("A: b\r\n", 20) + "\r\n", 431, weir.CauseRequestHeaderTooLarge},
			{"GET /" + strings.Repeat("x", 86) + " HTTP/1.1\r\nHost: a\r\n\r\n", 200, 0},
			{"GET /" + strings.Repeat("x", 87) + " HTTP/1.1\r\nHost: a\r\n\r\n", 414, weir.CauseRequestTooLong},
			{"GET /" + strings.Repeat("x", 2000) + " HTTP/1.1\r\nHost: a\r\n\r\n", 414, weir.CauseRequestTooLong},
			{strings.Repeat("x", 102), 414, weir.CauseRequestTooLong},
		} {
			for _, step := range []int{1, 64, len(c.wire)} {
				cl := w.dial()
				for rest := c.wire; rest != ""; rest = rest[min(step, len(rest)):] {
					if _, err := io.WriteString(cl, rest[:min(step, len(rest))]); err != nil {
						break
					}
				}
				if r := cl.answer(); r.StatusCode != c.status || r.Close != (c.status != 200) {
					t.Errorf("%.50q of %d in pieces of %d: %d", c.wire, len(c.wire), step, r.StatusCode)
				}
				w.ended(c.status, c.cause)
				cl.Close()
			}
		}
	})
}

// A head of the largest size that the defaults allow goes through, and one that is larger does not.
func TestLargeHeads(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.proxy(newOrigin(t, answering(okAnswer)).addr, TransportConfig{})
		c := w.dial()
		for _, n := range []int{10, 40, 63} {
			c.send(get("A: " + strings.Repeat("x", n<<10)))
			c.expect(200, "ok")
		}
		io.WriteString(c, get("A: "+strings.Repeat("x", 65<<10)))
		if r := c.answer(); r.StatusCode != 431 || !r.Close {
			t.Error(r.StatusCode)
		}
	})
}

// An origin's head that is too large is a fault of its own, even where the limit is above what weir holds.
func TestLargeAnswerHeads(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		o := newOrigin(t, func(c *client) {
			for r := c.request(); r != nil; r = c.request() {
				var n int
				fmt.Sscanf(r.URL.Path, "/%d", &n)
				io.WriteString(c, answer200("Content-Length: 2", "A: "+strings.Repeat("x", n))+"ok")
			}
		})
		small, large := w.transport(o.addr, TransportConfig{Limits: Limits{Head: 1000}}), w.transport(o.addr, TransportConfig{Limits: Limits{Head: 1 << 20}})
		w.serve(ServerConfig{Handler: weir.HandlerFunc(func(x *weir.Exchange) error {
			x.Attempts++
			if x.Request.Query == "small" {
				return small.RoundTrip(x)
			}
			return large.RoundTrip(x)
		})})
		for path, status := range map[string]int{
			"/100?small": 200, "/900?small": 200, "/1000?small": 502, "/70000": 200, "/90000": 502, "/300000": 502,
		} {
			c := w.dial()
			c.send("GET " + path + " HTTP/1.1\r\nHost: a\r\n\r\n")
			if r := c.answer(); r.StatusCode != status {
				t.Errorf("%s: %d", path, r.StatusCode)
			}
			if o := w.outcome(); status == 502 && o.cause != weir.CauseUpstreamHeader {
				t.Errorf("%s: %+v", path, o)
			}
			c.Close()
		}
	})
}

// In whatever pieces a stream of requests arrives, it is read the same.
func TestPiecesDoNotMatter(t *testing.T) {
	srv := NewServer(ServerConfig{Handler: echo, Observer: nobody{}})
	streams := []string{
		get() + "\r\n\r\n" + get("A: b") + get("Connection: close") + get(),
		post("Content-Length: 5") + "hello" + post("Transfer-Encoding: chunked") + "5;a\r\nhello\r\n0\r\nA: b\r\n\r\n" + get(),
		post("Expect: 100-continue", "Content-Length: 2") + "ab" + get(),
		"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET / HTTP/1.0\r\n\r\n" + get(),
		"\r\n\r\n" + get() + "\n" + get(), "\r" + get(), get() + "garbage", get() + "GET / HTTP/2.0\r\n\r\n",
	}
	for _, tail := range smuggling {
		streams = append(streams, "POST /first HTTP/1.1\r\nHost: a\r\n"+tail+get("X: y")+get())
	}
	for _, stream := range streams {
		want := ""
		for _, step := range []int{len(stream), 1, 2, 3, 7, 50} {
			got := answersTo(srv, stream, step)
			if want == "" {
				want = got
			}
			if got != want || got == "" {
				t.Errorf("%q in pieces of %d: %s; whole: %s", stream, step, got, want)
			}
		}
	}
}

// answersTo sends a stream in pieces and returns the final statuses and bodies that come back.
func answersTo(srv *Server, stream string, step int) string {
	near, far := net.Pipe()
	defer far.Close()
	closed := make(chan struct{})
	facts := weir.Conn{Remote: netip.MustParseAddrPort("127.0.0.1:1"), RemoteIP: "127.0.0.1", Opened: clock.Now()}
	srv.Serve(poll.FromNetConn(near), facts, func() { close(closed) })
	go func() {
		for rest := stream; rest != ""; rest = rest[min(step, len(rest)):] {
			if _, err := io.WriteString(far, rest[:min(step, len(rest))]); err != nil {
				return
			}
		}
		io.WriteString(far, "GET /end HTTP/1.0\r\n\r\n")
	}()
	var out strings.Builder
	for r := bufio.NewReader(far); ; {
		m, err := http.ReadResponse(r, nil)
		if err != nil {
			<-closed
			return out.String()
		}
		if body, _ := io.ReadAll(m.Body); m.StatusCode >= 200 {
			fmt.Fprintf(&out, "%d %q %v; ", m.StatusCode, body, m.Close)
		}
	}
}
