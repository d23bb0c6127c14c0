package h1

import (
	"bufio"
	"io"
	"net"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"weir"
	"weir/internal/clock"
	"weir/internal/poll"
)

// nobody observes nothing.
type nobody struct{}

func (nobody) Observe(*weir.Exchange) {}

// serveOn starts a server with h on a poller and returns its address.
func serveOn(t *testing.T, g *poll.Group, h weir.Handler) string {
	t.Helper()
	srv := NewServer(ServerConfig{Handler: h, Observer: nobody{}})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	remote := netip.MustParseAddrPort("127.0.0.1:1")
	pl, err := g.Listen(l, func(c poll.Conn) {
		srv.Serve(c, weir.Conn{Remote: remote, RemoteIP: "127.0.0.1", Protocol: "HTTP/1.1", Shard: c.Shard(), Opened: clock.Now()}, nil)
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pl.Close(); srv.Close() })
	return l.Addr().String()
}

// bareOrigin answers every request, however long it is, with the same bytes and without an allocation.
func bareOrigin(t *testing.T, wire string) string {
	t.Helper()
	o := newOrigin(t, func(c *client) {
		out, buf := []byte(wire), make([]byte, 4096)
		for {
			n, err := c.Conn.Read(buf)
			if err != nil {
				return
			}
			if n >= 4 && string(buf[n-4:n]) == "\r\n\r\n" {
				c.Conn.Write(out)
			}
		}
	})
	return o.addr
}

// perExchange returns how many allocations the whole process makes for one exchange over a kept connection.
func perExchange(t *testing.T, addr, wire string, answer int) float64 {
	t.Helper()
	c := dial(t, addr)
	c.Conn.SetDeadline(time.Time{}) // so many exchanges take a busy machine long
	out, in := []byte(wire), make([]byte, answer)
	exchange := func() {
		if _, err := c.Conn.Write(out); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(c.Conn, in); err != nil {
			t.Fatal(err)
		}
	}
	for range 100 {
		exchange()
	}
	const n = 2000
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range n {
		exchange()
	}
	runtime.ReadMemStats(&after)
	return float64(after.Mallocs-before.Mallocs) / n
}

// answerLength asks once and returns how long the answer is.
func answerLength(t *testing.T, addr, wire string) int {
	t.Helper()
	c := dial(t, addr)
	c.send(wire)
	r := bufio.NewReader(c.Conn)
	n, length := 0, 0
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		n += len(line)
		if k, ok := cutInt(line, "Content-Length: "); ok {
			length = k
		}
		if line == "\r\n" {
			return n + length
		}
	}
}

func cutInt(line, prefix string) (int, bool) {
	if len(line) < len(prefix) || line[:len(prefix)] != prefix {
		return 0, false
	}
	n, ok := parseLength(trim(line[len(prefix) : len(line)-2]))
	return int(n), ok
}

const allocRequest = "GET /index.html?a=b HTTP/1.1\r\nHost: a.example\r\nUser-Agent: x\r\nAccept: */*\r\nCookie: a=b\r\nX-Other: c\r\n\r\n"

// A GET over a kept connection allocates next to nothing: only now and then memory for the heads to come.
func TestAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	g, err := poll.NewGroup(1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.Close)
	body := weir.NewBody("")
	fixed := weir.HandlerFunc(func(x *weir.Exchange) error {
		x.Response.Status, x.Response.Body = 200, body
		return nil
	})
	const answer = "HTTP/1.1 200 OK\r\nServer: o\r\nContent-Type: text/plain\r\nX-Seq: 1\r\nContent-Length: 5\r\n\r\nhello"
	tr := NewTransport(&weir.Endpoint{Upstream: "u", Name: "o", Address: bareOrigin(t, answer)}, TransportConfig{Group: g})
	t.Cleanup(tr.Close)
	for _, c := range []struct {
		name string
		h    weir.Handler
		most float64
	}{
		{"server", fixed, 0.3},
		{"proxy", forward(tr), 0.5},
	} {
		addr := serveOn(t, g, c.h)
		got := perExchange(t, addr, allocRequest, answerLength(t, addr, allocRequest))
		t.Logf("%s: %.2f allocations an exchange", c.name, got)
		if got > c.most {
			t.Errorf("%s: %.2f allocations an exchange, want at most %.1f", c.name, got, c.most)
		}
	}
}

// The parsers and writers themselves allocate nothing.
func TestParserAllocations(t *testing.T) {
	lim := Limits{}.orDefaults()
	var q weir.Request
	var r weir.Response
	var f framing
	var d chunkDecoder
	out := make([]byte, 0, 4096)
	chunks := []byte("5;a=b\r\nhello\r\n5\r\nworld\r\n0\r\n\r\n")
	head := []byte(allocRequest)
	for name, run := range map[string]func(){
		"request":  func() { q.Header.Reset(); parseRequest(allocRequest, nil, &lim, &q, &f) },
		"response": func() { r.Header.Reset(); parseResponse(benchResponse, nil, &lim, "GET", &r, &f) },
		"head end": func() { headEnd(head, 0) },
		"write":    func() { out = appendRequestHead(out[:0], &q); out = appendResponseHead(out[:0], 200, &r.Header) },
		"date":     func() { out = clock.AppendDate(out[:0]) },
		"chunks": func() {
			d.reset(&lim)
			for at := 0; ; {
				used, _, done, _ := d.next(chunks[at:], 1<<20)
				if at += used; done {
					return
				}
			}
		},
	} {
		if n := testing.AllocsPerRun(1000, run); n > 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}
