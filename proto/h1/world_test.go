package h1

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"weir"
	"weir/internal/clock"
	"weir/internal/poll"
	"weir/weirtest/leak"
)

// A world is a server, what stands behind it, and a record of what it did. When its test ends, everything
// is closed, and neither a goroutine nor a descriptor may be left.
type world struct {
	t      *testing.T
	kind   string
	group  *poll.Group
	srv    *Server
	addr   string
	seen   chan outcome
	served sync.WaitGroup
	over   sync.WaitGroup // what a test has started besides
}

// An outcome is what the observer was told of one exchange.
type outcome struct {
	method, path string
	status       int
	cause        weir.Cause
	side         weir.Side
	in, out      int64
}

// patience is how long a test waits for what must happen at once.
const patience = 20 * time.Second

// each runs f over both kinds of client connection.
func each(t *testing.T, f func(t *testing.T, w *world)) {
	for _, kind := range []string{"poller", "net.Conn"} {
		t.Run(kind, func(t *testing.T) { f(t, newWorld(t, kind)) })
	}
}

func newWorld(t *testing.T, kind string) *world {
	t.Helper()
	if l, err := net.Listen("tcp", "127.0.0.1:0"); err == nil {
		l.Close() // the first one opens descriptors that stay
	}
	others, files := goleak.IgnoreCurrent(), openFiles(t)
	g, err := poll.NewGroup(2)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		g.Close()
		leak.None(t, others)
		if n := openFiles(t); n > files {
			t.Errorf("%d descriptors are open, %d were before", n, files)
		}
	})
	return &world{t: t, kind: kind, group: g, seen: make(chan outcome, 10000)}
}

func openFiles(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("no /proc here")
	}
	return len(list)
}

// Observe implements weir.Observer.
func (w *world) Observe(x *weir.Exchange) {
	o := outcome{method: x.Request.Method, path: x.Request.Path, status: x.Response.Status, in: x.BytesIn, out: x.BytesOut}
	if x.Fault != nil {
		o.cause, o.side = x.Fault.Cause, x.Fault.Side
	}
	w.seen <- o
}

// outcome waits for the end of the next exchange.
func (w *world) outcome() outcome {
	w.t.Helper()
	select {
	case o := <-w.seen:
		return o
	case <-time.After(patience):
		w.t.Fatal("no exchange ended")
	}
	return outcome{}
}

// ended makes sure that the next exchange ended so.
func (w *world) ended(status int, cause weir.Cause) outcome {
	w.t.Helper()
	o := w.outcome()
	if o.status != status || o.cause != cause {
		w.t.Fatalf("the exchange ended with %d, %q: %+v; want %d, %q", o.status, o.cause, o, status, cause)
	}
	return o
}

// quiet makes sure that no further exchange has been seen.
func (w *world) quiet() {
	w.t.Helper()
	select {
	case o := <-w.seen:
		w.t.Fatalf("one exchange too many: %+v", o)
	default:
	}
}

// serve starts the server.
func (w *world) serve(c ServerConfig) {
	w.t.Helper()
	c.Observer = w
	w.srv = NewServer(c)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.t.Fatal(err)
	}
	w.addr = l.Addr().String()
	stop := w.accept(l)
	w.t.Cleanup(func() {
		stop()
		w.srv.Close()
		w.served.Wait()
		if n := w.srv.Open(); n != 0 {
			w.t.Errorf("%d connections are open", n)
		}
	})
}

// accept hands the connections of l to the server until the function it returns is called.
func (w *world) accept(l net.Listener) func() {
	if w.kind == "poller" {
		pl, err := w.group.Listen(l, w.adopt)
		if err != nil {
			w.t.Fatal(err)
		}
		return func() { pl.Close() }
	}
	var done sync.WaitGroup
	done.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			w.adopt(poll.FromNetConn(c))
		}
	})
	return func() { l.Close(); done.Wait() }
}

func (w *world) adopt(c poll.Conn) {
	w.served.Add(1)
	remote := netip.MustParseAddrPort("127.0.0.1:1")
	w.srv.Serve(c, weir.Conn{Remote: remote, RemoteIP: "127.0.0.1", Protocol: "HTTP/1.1", Shard: c.Shard(), Opened: clock.Now()}, w.served.Done)
}

// proxy starts a server that hands everything to the server at addr.
func (w *world) proxy(addr string, c TransportConfig) *Transport {
	tr := w.transport(addr, c)
	w.serve(ServerConfig{Handler: forward(tr)})
	return tr
}

func (w *world) transport(addr string, c TransportConfig) *Transport {
	c.Group = w.group
	tr := NewTransport(&weir.Endpoint{Upstream: "u", Name: "o", Address: addr}, c)
	w.t.Cleanup(tr.Close)
	return tr
}

func forward(tr weir.Transport) weir.Handler {
	return weir.HandlerFunc(func(x *weir.Exchange) error {
		x.Attempts++
		return tr.RoundTrip(x)
	})
}

// A client is a plain connection and what is read from it.
type client struct {
	net.Conn
	t *testing.T
	r *bufio.Reader
}

func (w *world) dial() *client { return dial(w.t, w.addr) }

func dial(t *testing.T, addr string) *client {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	return newClient(t, c)
}

func newClient(t *testing.T, c net.Conn) *client {
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(patience))
	return &client{c, t, bufio.NewReaderSize(c, 64<<10)}
}

func (c *client) send(s string) {
	c.t.Helper()
	if _, err := io.WriteString(c, s); err != nil {
		c.t.Fatal(err)
	}
}

// A reply is an answer read whole.
type reply struct {
	*http.Response
	body string
	err  error // of reading the body
}

// head reads the head of an answer.
func (c *client) head(method string) *http.Response {
	c.t.Helper()
	m, err := http.ReadResponse(c.r, &http.Request{Method: method})
	if err != nil {
		c.t.Fatal("read an answer's head: ", err)
	}
	return m
}

// answer reads an answer to GET.
func (c *client) answer() reply {
	c.t.Helper()
	return c.answerTo("GET")
}

func (c *client) answerTo(method string) reply {
	c.t.Helper()
	m := c.head(method)
	body, err := io.ReadAll(m.Body)
	return reply{m, string(body), err}
}

// expect reads an answer and compares it.
func (c *client) expect(status int, body string) reply {
	c.t.Helper()
	r := c.answer()
	if r.StatusCode != status || r.body != body || r.err != nil {
		c.t.Fatalf("got %d, %.100q, %v; want %d, %.100q", r.StatusCode, r.body, r.err, status, body)
	}
	return r
}

// line reads one line without its end.
func (c *client) line() string {
	c.t.Helper()
	s, err := c.r.ReadString('\n')
	if err != nil {
		c.t.Fatalf("read a line: %q, %v", s, err)
	}
	return strings.TrimSuffix(s, "\r\n")
}

// ended makes sure that the server has closed the connection and sent nothing more.
func (c *client) ended() {
	c.t.Helper()
	if rest, err := io.ReadAll(c.r); err != nil || len(rest) > 0 {
		c.t.Fatalf("the connection should have ended: %.200q, %v", rest, err)
	}
}

// brokenOff makes sure that the server has closed the connection without an answer, whether
// it had read what was sent, which ends in a FIN, or not, which ends in a reset.
func (c *client) brokenOff() {
	c.t.Helper()
	rest, err := io.ReadAll(c.r)
	if len(rest) > 0 || err != nil && !errors.Is(err, syscall.ECONNRESET) {
		c.t.Fatalf("the connection should have been broken off: %.200q, %v", rest, err)
	}
}

// echo answers with what was asked: method, path and body.
var echo = weir.HandlerFunc(func(x *weir.Exchange) error {
	body := ""
	if x.Request.Body != nil {
		b, err := io.ReadAll(x.Request.Body)
		if err != nil {
			return err
		}
		body = string(b)
	}
	x.Response.Text(200, fmt.Sprintf("%s %s %s", x.Request.Method, x.Request.Path, body))
	return nil
})

// An origin is a server that follows a script for each connection.
type origin struct {
	addr string
	conn int // connections accepted
	mu   sync.Mutex
}

// newOrigin has each of the scripts serve one connection, in order; the last one serves all that follow.
func newOrigin(t *testing.T, scripts ...func(c *client)) *origin {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	o := &origin{addr: l.Addr().String()}
	var all sync.WaitGroup
	var mu sync.Mutex
	open := map[net.Conn]bool{}
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			o.mu.Lock()
			script := scripts[min(o.conn, len(scripts)-1)]
			o.conn++
			o.mu.Unlock()
			mu.Lock()
			open[c] = true
			mu.Unlock()
			all.Go(func() {
				defer c.Close()
				c.SetDeadline(time.Now().Add(patience))
				script(&client{c, t, bufio.NewReaderSize(c, 64<<10)})
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		mu.Lock()
		for c := range open {
			c.Close()
		}
		mu.Unlock()
		all.Wait()
	})
	return o
}

func (o *origin) accepted() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.conn
}

// request reads the head of a request; nil: the connection has ended.
func (c *client) request() *http.Request {
	r, err := http.ReadRequest(c.r)
	if err != nil {
		return nil
	}
	return r
}

// answering returns a script that answers every request with the same bytes.
func answering(wire string) func(c *client) {
	return func(c *client) {
		for r := c.request(); r != nil; r = c.request() {
			io.Copy(io.Discard, r.Body)
			io.WriteString(c, wire)
		}
	}
}

const okAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

// handlers are two: the query tells which.
type handlers [2]weir.Handler

// ServeExchange implements weir.Handler.
func (h handlers) ServeExchange(x *weir.Exchange) error {
	if x.Request.Query == "1" {
		return h[1].ServeExchange(x)
	}
	return h[0].ServeExchange(x)
}
