package server

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	"weir"
	"weir/internal/poll"
	"weir/weirtest/freeport"
	"weir/weirtest/leak"
)

// says is a handler that answers with a text.
func says(text string) weir.Handler {
	return weir.HandlerFunc(func(x *weir.Exchange) error {
		x.Response.Text(200, text)
		return nil
	})
}

func snapshot(h weir.Handler, specs ...ListenerSpec) *Snapshot {
	return &Snapshot{Listeners: specs, Router: h, Observer: weir.Observers{}}
}

// newServer returns a server that is closed, and checked for leaks, when the test ends.
func newServer(t *testing.T, c Config) *Server {
	t.Helper()
	before := goleak.IgnoreCurrent()
	g, err := poll.NewGroup(2)
	if err != nil {
		t.Fatal(err)
	}
	c.Group = g
	s := New(c)
	t.Cleanup(func() {
		if err := s.Close(t.Context()); err != nil && err != context.Canceled {
			t.Error(err)
		}
		g.Close()
		leak.None(t, before)
	})
	return s
}

func swap(t *testing.T, s *Server, next *Snapshot) {
	t.Helper()
	if err := s.Swap(next); err != nil {
		t.Fatal(err)
	}
}

// A client keeps one connection.
type client struct {
	net.Conn
	r *bufio.Reader
}

func connect(t *testing.T, a net.Addr) *client {
	t.Helper()
	c, err := net.Dial(a.Network(), a.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return &client{c, bufio.NewReader(c)}
}

func (c *client) send() { io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n") }

func (c *client) receive(t *testing.T) (body string, hangsUp bool) {
	t.Helper()
	r, err := http.ReadResponse(c.r, nil)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b), r.Close
}

func (c *client) get(t *testing.T) string {
	t.Helper()
	c.send()
	body, _ := c.receive(t)
	return body
}

func (c *client) closed(t *testing.T) {
	t.Helper()
	if b, err := c.r.ReadByte(); err != io.EOF {
		t.Fatalf("read %q, %v; want the end", b, err)
	}
}

func TestSwapKeepsConnections(t *testing.T) {
	s := newServer(t, Config{})
	spec := ListenerSpec{Name: "a", Address: "127.0.0.1:0"}
	swap(t, s, snapshot(says("one"), spec))
	addr := s.Addr("a")
	c := connect(t, addr)
	if got := c.get(t); got != "one" {
		t.Fatalf("got %q", got)
	}
	swap(t, s, snapshot(says("two"), ListenerSpec{Name: "b", Address: "127.0.0.1:0"}, spec))
	if got := s.Addr("a"); got.String() != addr.String() {
		t.Fatalf("listener moved from %s to %s", addr, got)
	}
	if got := c.get(t); got != "two" {
		t.Fatalf("the kept connection got %q, want the new snapshot's answer", got)
	}
	if got := connect(t, s.Addr("b")).get(t); got != "two" {
		t.Fatalf("the new listener answered %q", got)
	}
}

func TestExchangeKeepsItsSnapshot(t *testing.T) {
	s := newServer(t, Config{})
	spec := ListenerSpec{Name: "a", Address: "127.0.0.1:0"}
	entered, leave := make(chan struct{}), make(chan struct{})
	old := weir.HandlerFunc(func(x *weir.Exchange) error {
		close(entered)
		<-leave
		return says("old").ServeExchange(x)
	})
	swap(t, s, snapshot(old, spec))
	c := connect(t, s.Addr("a"))
	c.send()
	<-entered
	swap(t, s, snapshot(says("new"), spec))
	if got := connect(t, s.Addr("a")).get(t); got != "new" {
		t.Fatalf("got %q", got)
	}
	close(leave)
	if got, _ := c.receive(t); got != "old" {
		t.Fatalf("the exchange under way got %q", got)
	}
}

func TestListenerLeaves(t *testing.T) {
	s := newServer(t, Config{})
	a, b := ListenerSpec{Name: "a", Address: "127.0.0.1:0"}, ListenerSpec{Name: "b", Address: "127.0.0.1:0"}
	entered, leave := make(chan struct{}), make(chan struct{})
	slow := weir.HandlerFunc(func(x *weir.Exchange) error {
		if x.Conn.Listener == "b" && x.Request.Path == "/" {
			entered <- struct{}{}
			<-leave
		}
		return says("done").ServeExchange(x)
	})
	swap(t, s, snapshot(slow, a, b))
	addr := s.Addr("b")
	idle := connect(t, addr)
	io.WriteString(idle, "GET /quick HTTP/1.1\r\nHost: a\r\n\r\n")
	idle.receive(t)
	busy := connect(t, addr)
	busy.send()
	<-entered
	swap(t, s, snapshot(slow, a))
	if _, err := net.Dial("tcp", addr.String()); err == nil {
		t.Fatal("the listener that left still accepts")
	}
	idle.closed(t)
	within(t, "the listener with one connection drains", func() bool {
		l := s.Listeners()
		return len(l) == 2 && l[1].Draining && l[1].Open == 1
	})
	close(leave)
	if got, _ := busy.receive(t); got != "done" {
		t.Fatalf("got %q", got)
	}
	busy.closed(t)
	if l := s.Listeners(); l[0].Open != 0 {
		t.Fatalf("listeners: %+v", l)
	}
}

func TestSwapFailsWhole(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	s := newServer(t, Config{})
	a := ListenerSpec{Name: "a", Address: "127.0.0.1:0"}
	swap(t, s, snapshot(says("one"), a))
	path := filepath.Join(t.TempDir(), "s")
	err = s.Swap(snapshot(says("two"),
		ListenerSpec{Name: "new", Address: "unix:" + path},
		ListenerSpec{Name: "busy", Address: taken.Addr().String()},
		ListenerSpec{Name: "far", Address: "192.0.2.1:80"}))
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{
		`listener "busy": listen on "` + taken.Addr().String() + `": address already in use; another program listens there, or has a connection`,
		`listener "far": listen on "192.0.2.1:80": cannot assign requested address`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q does not say %q", err, want)
		}
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("the socket of the listener that came to nothing is still there")
	}
	if got := connect(t, s.Addr("a")).get(t); got != "one" {
		t.Fatalf("got %q", got)
	}
}

// A change from one address to a wider one on the same port can't open the new socket before the old one is closed.
func TestListenerWidens(t *testing.T) {
	s := newServer(t, Config{})
	swap(t, s, snapshot(says("one"), ListenerSpec{Name: "a", Address: freeport.Address(t)}))
	_, port, _ := net.SplitHostPort(s.Addr("a").String())
	kept := connect(t, s.Addr("a"))
	kept.get(t)
	swap(t, s, snapshot(says("two"), ListenerSpec{Name: "a", Address: "0.0.0.0:" + port}))
	a, _ := net.ResolveTCPAddr("tcp", "127.0.0.2:"+port)
	if got := connect(t, a).get(t); got != "two" {
		t.Fatalf("got %q", got)
	}

	// And back, in company of one that can't be had: all stays as it is.
	err := s.Swap(snapshot(says("three"), ListenerSpec{Name: "a", Address: "127.0.0.1:" + port}, ListenerSpec{Name: "far", Address: "192.0.2.1:80"}))
	if err == nil {
		t.Fatal("no error")
	}
	if got := connect(t, a).get(t); got != "two" {
		t.Fatalf("got %q", got)
	}
}

func TestListenerRenamed(t *testing.T) {
	s := newServer(t, Config{})
	name := weir.HandlerFunc(func(x *weir.Exchange) error { return says(x.Conn.Listener).ServeExchange(x) })
	addr := freeport.Address(t)
	swap(t, s, snapshot(name, ListenerSpec{Name: "old", Address: addr}))
	c := connect(t, s.Addr("old"))
	c.get(t)
	swap(t, s, snapshot(name, ListenerSpec{Name: "new", Address: addr}))
	c.closed(t)
	if got := connect(t, s.Addr("new")).get(t); got != "new" {
		t.Fatalf("got %q", got)
	}
}

func TestConnectionLimit(t *testing.T) {
	s := newServer(t, Config{})
	spec := ListenerSpec{Name: "a", Address: "127.0.0.1:0", Limit: 1}
	swap(t, s, snapshot(says("hello"), spec))
	first := connect(t, s.Addr("a"))
	first.get(t)
	second := connect(t, s.Addr("a"))
	second.send()
	r, err := http.ReadResponse(second.r, nil)
	if err != nil {
		t.Fatal(err)
	}
	if b, _ := io.ReadAll(r.Body); r.StatusCode != 503 || !r.Close || string(b) != "503 Service Unavailable\n" {
		t.Fatalf("got %d %q, close is %v", r.StatusCode, b, r.Close)
	}
	if l := s.Listeners()[0]; l.Refused != 1 || l.Accepted != 1 || l.Open != 1 {
		t.Fatalf("status: %+v", l)
	}
	if got := first.get(t); got != "hello" {
		t.Fatalf("the first connection got %q", got)
	}
	spec.Limit = 2
	swap(t, s, snapshot(says("hello"), spec))
	if got := connect(t, s.Addr("a")).get(t); got != "hello" {
		t.Fatalf("after the limit was raised: %q", got)
	}
}

func TestUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "weir.sock")
	stale, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	stale.(*net.UnixListener).SetUnlinkOnClose(false)
	stale.Close()

	s := newServer(t, Config{})
	spec := ListenerSpec{Name: "a", Address: "unix:" + path, Mode: 0o600}
	swap(t, s, snapshot(says("hello"), spec))
	mode := func() os.FileMode {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return info.Mode().Perm()
	}
	if m := mode(); m != 0o600 {
		t.Fatalf("mode %o", m)
	}
	if got := connect(t, s.Addr("a")).get(t); got != "hello" {
		t.Fatalf("got %q", got)
	}
	if err := New(Config{}).Swap(snapshot(says("thief"), spec)); err == nil {
		t.Fatal("took a socket away from the one who listens on it")
	}
	spec.Mode = 0o660
	swap(t, s, snapshot(says("hello"), spec))
	if m := mode(); m != 0o660 {
		t.Fatalf("mode %o after the change", m)
	}
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Fatal("the socket's file is left behind")
	}
}

func TestDrain(t *testing.T) {
	s := newServer(t, Config{})
	entered, leave := make(chan struct{}), make(chan struct{})
	slow := weir.HandlerFunc(func(x *weir.Exchange) error {
		close(entered)
		<-leave
		return says("done").ServeExchange(x)
	})
	swap(t, s, snapshot(slow, ListenerSpec{Name: "a", Address: "127.0.0.1:0"}))
	c := connect(t, s.Addr("a"))
	c.send()
	<-entered
	drained := make(chan error, 1)
	go func() { drained <- s.Drain(t.Context()) }()
	for !s.Listeners()[0].Draining {
		runtime.Gosched()
	}
	if err := s.Swap(snapshot(slow)); err != errStopped {
		t.Fatalf("swap while draining: %v", err)
	}
	close(leave)
	if got, _ := c.receive(t); got != "done" {
		t.Fatalf("got %q", got)
	}
	c.closed(t)
	if err := <-drained; err != nil {
		t.Fatal(err)
	}
}

func TestDrainGivesUp(t *testing.T) {
	s := newServer(t, Config{})
	entered, leave := make(chan struct{}), make(chan struct{})
	stuck := weir.HandlerFunc(func(x *weir.Exchange) error {
		x.Watch(canceler(leave))
		close(entered)
		<-leave
		return says("late").ServeExchange(x)
	})
	swap(t, s, snapshot(stuck, ListenerSpec{Name: "a", Address: "127.0.0.1:0"}))
	c := connect(t, s.Addr("a"))
	c.send()
	<-entered
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Drain(over); err != context.Canceled {
		t.Fatalf("got %v", err)
	}
	close(leave)
}

type canceler chan struct{}

func (c canceler) Cancel() {}

func TestInherited(t *testing.T) {
	named, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	alike, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	extra, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer extra.Close()
	s := newServer(t, Config{Inherited: []Inherited{{"web", named}, {"", alike}, {"extra", extra}}})
	swap(t, s, snapshot(says("hello"), ListenerSpec{Name: "by-address", Address: alike.Addr().String()}, ListenerSpec{Name: "web", Address: ":80"}))
	if s.Addr("web") != named.Addr() || s.Addr("by-address") != alike.Addr() {
		t.Fatalf("listeners: %+v", s.Listeners())
	}
	if got := connect(t, named.Addr()).get(t); got != "hello" {
		t.Fatalf("got %q", got)
	}
	if got, want := fmt.Sprint(s.Unclaimed()), "[extra "+extra.Addr().String()+"]"; got != want {
		t.Fatalf("unclaimed: %s, want %s", got, want)
	}
}

func TestBound(t *testing.T) {
	s := newServer(t, Config{Bound: func() error { return syscall.EPERM }})
	addr := freeport.Address(t)
	if err := s.Swap(snapshot(says("x"), ListenerSpec{Name: "a", Address: addr})); err != syscall.EPERM {
		t.Fatalf("got %v", err)
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatalf("the socket is left open: %v", err)
	}
	l.Close()
}

// A client that has connected and says nothing, as browsers do, does not hold up the end.
func TestDrainSilentConnection(t *testing.T) {
	s := newServer(t, Config{})
	swap(t, s, snapshot(says("hello"), ListenerSpec{Name: "a", Address: "127.0.0.1:0"}))
	silent := connect(t, s.Addr("a"))
	for s.Listeners()[0].Open == 0 {
		runtime.Gosched()
	}
	drained := make(chan error, 1)
	go func() { drained <- s.Drain(t.Context()) }()
	silent.closed(t)
	if err := <-drained; err != nil {
		t.Fatal(err)
	}
}
