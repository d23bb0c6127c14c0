package fcgi

import (
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"weir"
	"weir/internal/clock"
	"weir/internal/poll"
	"weir/proto/h1"
	"weir/weirtest/leak"
)

// patience is how long a test waits for what must happen at once.
const patience = 20 * time.Second

// A world is an HTTP server before a FastCGI server, and a record of what it did. When its test ends, neither a goroutine
// nor a descriptor may be left.
type world struct {
	t      *testing.T
	group  *poll.Group
	tr     *Transport
	url    string
	client *http.Client
	seen   chan outcome
	stderr lines
	route  atomic.Pointer[weir.Route]
}

// An outcome is what the observer was told of one exchange.
type outcome struct {
	status int
	cause  weir.Cause
	side   weir.Side
	note   string
}

// lines collects what scripts complain of.
type lines struct {
	mu   sync.Mutex
	list []string
}

func (l *lines) add(line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = append(l.list, line)
}

func (l *lines) all() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.list)
}

func newWorld(t *testing.T, address string, c TransportConfig) *world {
	t.Helper()
	others, files := goleak.IgnoreCurrent(), openFiles(t)
	g, err := poll.NewGroup(2)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, group: g, seen: make(chan outcome, 10000)}
	c.Group, c.Stderr = g, w.stderr.add
	if w.tr, err = NewTransport(&weir.Endpoint{Upstream: "php", Name: "fpm", Address: address}, c); err != nil {
		t.Fatal(err)
	}
	srv := h1.NewServer(h1.ServerConfig{Handler: weir.HandlerFunc(w.serve), Observer: w})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var served sync.WaitGroup
	pl, err := g.Listen(l, func(c poll.Conn) {
		served.Add(1)
		facts := weir.Conn{Local: c.LocalAddr(), Remote: c.RemoteAddr(), RemoteIP: c.RemoteAddr().Addr().String(), Protocol: "HTTP/1.1", Shard: c.Shard(), Opened: clock.Now()}
		srv.Serve(c, facts, served.Done)
	})
	if err != nil {
		t.Fatal(err)
	}
	w.url = "http://" + l.Addr().String()
	w.client = &http.Client{
		Transport:     &http.Transport{DisableCompression: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Timeout:       patience,
	}
	t.Cleanup(func() {
		w.client.CloseIdleConnections()
		pl.Close()
		srv.Close()
		served.Wait()
		w.tr.Close()
		g.Close()
		leak.None(t, others)
		for deadline := time.Now().Add(patience); openFiles(t) > files; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Errorf("%d descriptors are open, %d were before", openFiles(t), files)
				return
			}
		}
		if n := w.tr.spooled.Load(); n != 0 {
			t.Errorf("%d bytes of bodies are held", n)
		}
	})
	return w
}

func openFiles(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("no /proc here")
	}
	return len(list)
}

// serve is what the router does.
func (w *world) serve(x *weir.Exchange) error {
	path, ok := weir.Normalize(x.Request.Path)
	if !ok {
		return weir.Refuse(weir.CauseRequestPath, "normalise")
	}
	x.Request.Path = path
	x.Attempts++
	x.Route = w.route.Load()
	return w.tr.RoundTrip(x)
}

// Observe implements weir.Observer.
func (w *world) Observe(x *weir.Exchange) {
	o := outcome{status: x.Response.Status, note: x.Note}
	if x.Fault != nil {
		o.cause, o.side = x.Fault.Cause, x.Fault.Side
	}
	w.seen <- o
}

// ended makes sure that the next exchange ended so.
func (w *world) ended(status int, cause weir.Cause) outcome {
	w.t.Helper()
	select {
	case o := <-w.seen:
		if o.status != status || o.cause != cause {
			w.t.Fatalf("the exchange ended with %d, %q; want %d, %q", o.status, o.cause, status, cause)
		}
		return o
	case <-time.After(patience):
		w.t.Fatal("no exchange ended")
	}
	return outcome{}
}

// A reply is an answer read whole.
type reply struct {
	*http.Response
	body string
	err  error // of reading the body
}

func (w *world) get(path string, fields ...string) reply {
	w.t.Helper()
	return w.do("GET", path, nil, fields...)
}

// do asks and reads the answer. fields are "Name: value".
func (w *world) do(method, path string, body io.Reader, fields ...string) reply {
	w.t.Helper()
	r, err := http.NewRequest(method, w.url+path, body)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, f := range fields {
		name, value, _ := strings.Cut(f, ": ")
		r.Header[name] = append(r.Header[name], value) // as it is written
	}
	if host := r.Header["Host"]; len(host) > 0 {
		r.Host = host[0]
	}
	m, err := w.client.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer m.Body.Close()
	b, err := io.ReadAll(m.Body)
	return reply{m, string(b), err}
}

// until waits for something that happens by itself.
func until(t *testing.T, what string, f func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !f(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("waited for nothing: ", what)
		}
	}
}
