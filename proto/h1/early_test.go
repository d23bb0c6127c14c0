package h1

import (
	"errors"
	"io"
	"net"
	"strings"
	"testing"

	"weir"
	"weir/internal/poll"
)

// A steps is the work of one worker, whose steps a test takes itself.
type steps struct {
	t   *testing.T
	srv *Server
	on  poll.Worker
}

// take has a connection of which something has come go through all steps.
func (s *steps) take(c *conn) {
	s.t.Helper()
	if err := c.WaitReadable(); err != nil {
		s.t.Fatal(err)
	}
	c.Receive(&s.on)
	if c.Prepare(&s.on) {
		c.Run(&s.on)
	}
}

// pair returns both ends of a new connection.
func (s *steps) pair() (*client, *conn) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		s.t.Fatal(err)
	}
	defer l.Close()
	peer := dial(s.t, l.Addr().String())
	c, err := l.Accept()
	if err != nil {
		s.t.Fatal(err)
	}
	pc := poll.FromNetConn(c)
	s.t.Cleanup(func() { pc.Close() })
	s.srv.open.Add(1)
	return peer, &conn{Conn: pc, srv: s.srv, done: func() {}}
}

// What reading has ended with on one connection is forgotten with it, though the answer did not need it.
func TestEarlyErrorIsForgotten(t *testing.T) {
	s := steps{t: t, srv: NewServer(ServerConfig{Handler: echo, Observer: &world{seen: make(chan outcome, 2)}})}
	first, c := s.pair()
	c.partial = []byte("GET /a HTTP/1.1\r\nHost: a\r\nX: ") // too large since
	s.srv.Configure(ServerConfig{Handler: echo, Observer: &world{seen: make(chan outcome, 2)}, Limits: Limits{Head: 28}})
	first.Conn.(*net.TCPConn).CloseWrite()
	s.take(c)
	if r := first.answer(); r.StatusCode != 431 {
		t.Fatalf("status %d, want 431", r.StatusCode)
	}
	second, c := s.pair()
	second.send("GET / HTTP/1.1\r\n")
	s.take(c)
	second.send("Host: a\r\n\r\n")
	second.expect(200, "GET / ")
}

// An endless is a connection on which empty lines come as fast as they are read.
type endless struct {
	poll.Conn
	reads, most int
}

func (e *endless) TryRead(p []byte) (int, error) {
	if e.reads++; e.reads > e.most {
		return 0, errTooOften
	}
	return copy(p, "\r\n\r\n"), nil
}

var errTooOften = errors.New("read too often")

// The poller does not stay with who sends empty lines without end; and a head that comes behind them is found.
func TestEarlyReadsAreBounded(t *testing.T) {
	s := steps{t: t, srv: NewServer(ServerConfig{Handler: weir.HandlerFunc(func(*weir.Exchange) error { return io.EOF })})}
	c := &conn{Conn: &endless{most: 2}, srv: s.srv}
	c.Receive(&s.on)
	if !c.Prepare(&s.on) {
		t.Fatal("the connection sleeps")
	}
	w := s.on.Local.(*work)
	if w.early.head {
		t.Errorf("a head has been read, with result %v; want it left to Run", w.early.err)
	}
	if err := w.nextHead(true); err != errTooOften {
		t.Errorf("reading goes on with %v, want the next read's %v", err, errTooOften)
	}
}

// Empty lines before a request are passed over, but not without end.
func TestEmptyLines(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.serve(ServerConfig{Handler: echo})
		c := w.dial()
		for range 3 {
			c.send(strings.Repeat("\r\n", 500) + "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
			c.expect(200, "GET / ")
			w.outcome()
		}
		c.send(strings.Repeat("\r\n", mostBlank)) // no more than any kernel takes
		c.expect(400, "400 Bad Request\n")
		w.ended(400, weir.CauseRequestLine)
	})
}
