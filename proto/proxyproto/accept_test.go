package proxyproto

import (
	"errors"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"weir/internal/poll"
	"weir/weirtest/leak"
)

const patience = 20 * time.Second

// A door is a listener whose connections begin with headers.
type door struct {
	addr string
	came chan arrival
}

// An arrival is what Accept said of a connection; raw is the connection that was accepted.
type arrival struct {
	raw, c poll.Conn
	h      *Header
	err    error
}

// each runs f over both kinds of connection.
func each(t *testing.T, c Config, f func(t *testing.T, d *door)) {
	for _, kind := range []string{"poller", "net.Conn"} {
		t.Run(kind, func(t *testing.T) { f(t, newDoor(t, kind, c)) })
	}
}

func newDoor(t *testing.T, kind string, c Config) *door {
	t.Helper()
	others := goleak.IgnoreCurrent()
	t.Cleanup(func() { leak.None(t, others) })
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d := &door{addr: l.Addr().String(), came: make(chan arrival, 100)}
	accept := func(pc poll.Conn) {
		c.Accept(pc, func(next poll.Conn, h *Header, err error) { d.came <- arrival{pc, next, h, err} })
	}
	if kind == "poller" {
		g, err := poll.NewGroup(2)
		if err != nil {
			t.Fatal(err)
		}
		pl, err := g.Listen(l, accept)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { pl.Close(); g.Close() })
		return d
	}
	var done sync.WaitGroup
	done.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			accept(poll.FromNetConn(c))
		}
	})
	t.Cleanup(func() { l.Close(); done.Wait() })
	return d
}

func (d *door) dial(t *testing.T) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", d.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(patience))
	return c
}

// next waits for what becomes of a connection.
func (d *door) next(t *testing.T) arrival {
	t.Helper()
	select {
	case a := <-d.came:
		if a.c != nil {
			t.Cleanup(func() { a.c.Close() })
		}
		return a
	case <-time.After(patience):
		t.Fatal("no connection was handed on")
	}
	return arrival{}
}

// reads makes sure that the connection yields text and then its end.
func reads(t *testing.T, c poll.Conn, text string) {
	t.Helper()
	b, err := io.ReadAll(readerOf{c})
	if string(b) != text || err != nil {
		t.Fatalf("read %q, %v; want %q", b, err, text)
	}
}

type readerOf struct{ c poll.Conn }

func (r readerOf) Read(p []byte) (int, error) { return r.c.Read(p) }

var headers = []struct {
	bytes string
	want  Header
}{
	{"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n", inet(1, "192.0.2.1:1", "192.0.2.2:2")},
	{"PROXY TCP6 2001:db8:1:2:3:4:5:6 2001:db8::ffff 10001 20002\r\n", inet(1, "[2001:db8:1:2:3:4:5:6]:10001", "[2001:db8::ffff]:20002")},
	{"PROXY UNKNOWN ::1\r\n", Header{Version: 1}},
	{string(AppendLocal(nil)), Header{Version: 2, Local: true}},
	{string(AppendV2(nil, ap("192.0.2.1:1"), ap("192.0.2.2:2"), nil)), inet(2, "192.0.2.1:1", "192.0.2.2:2")},
	{
		string(AppendV2(nil, ap("[2001:db8::1]:1"), ap("192.0.2.2:2"), &TLVs{Authority: strings.Repeat("a", 255), UniqueID: "7", Checksum: true})),
		func() Header {
			h := inet(2, "[2001:db8::1]:1", "192.0.2.2:2")
			h.Authority, h.UniqueID, h.Checksum = strings.Repeat("a", 255), "7", true
			return h
		}(),
	},
}

// A connection whose header has come is handed on as it was accepted, with nothing read of what follows.
func TestAccept(t *testing.T) {
	each(t, Config{}, func(t *testing.T, d *door) {
		for _, tt := range headers {
			c := d.dial(t)
			io.WriteString(c, tt.bytes+"GET / HTTP/1.1\r\n\r\n")
			c.(*net.TCPConn).CloseWrite()
			a := d.next(t)
			if a.err != nil || a.c != a.raw || !same(a.h, &tt.want) {
				t.Fatalf("%q: %+v, %v, the same connection: %v", tt.bytes, a.h, a.err, a.c == a.raw)
			}
			reads(t, a.c, "GET / HTTP/1.1\r\n\r\n")
			if a.c.RemoteAddr().String() != c.LocalAddr().String() {
				t.Errorf("it comes from %v, want %v", a.c.RemoteAddr(), c.LocalAddr())
			}
		}
	})
}

func same(a, b *Header) bool {
	return a.Version == b.Version && a.Local == b.Local && a.Family == b.Family && a.Source == b.Source &&
		a.Destination == b.Destination && a.Authority == b.Authority && a.UniqueID == b.UniqueID && a.Checksum == b.Checksum
}

// Byte by byte, and the connection stays usable in every way.
func TestAcceptByteByByte(t *testing.T) {
	each(t, Config{}, func(t *testing.T, d *door) {
		for _, tt := range headers {
			c := d.dial(t)
			c.(*net.TCPConn).SetNoDelay(true)
			for i := range len(tt.bytes) {
				io.WriteString(c, tt.bytes[i:i+1])
				runtime.Gosched()
			}
			a := d.next(t)
			if a.err != nil || a.c != a.raw || !same(a.h, &tt.want) {
				t.Fatalf("%q: %+v, %v", tt.bytes, a.h, a.err)
			}
			woke := make(chan struct{})
			for !a.c.Idle(task(func() { close(woke) })) {
				if _, err := a.c.TryRead(make([]byte, 1)); err != poll.ErrAgain {
					t.Fatal(err)
				}
			}
			io.WriteString(c, "x")
			c.(*net.TCPConn).CloseWrite()
			<-woke
			reads(t, a.c, "x")
		}
	})
}

type task func()

func (f task) Run(*poll.Worker) { f() }

// Where a header is not required, a connection without one yields all of its bytes.
func TestOptional(t *testing.T) {
	each(t, Config{Mode: Optional}, func(t *testing.T, d *door) {
		for _, text := range []string{"G", "GET / HTTP/1.1\r\n\r\n", "\r\nGET", "PROPFIND /", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "\x16\x03\x01"} {
			c := d.dial(t)
			io.WriteString(c, text)
			a := d.next(t)
			if a.err != nil || a.h.Version != 0 {
				t.Fatalf("%q: %+v, %v", text, a.h, a.err)
			}
			local, remote := a.c.LocalAddr(), a.c.RemoteAddr()
			if l, r := a.h.Addresses(local, remote); l != local || r != remote {
				t.Fatalf("%q: it is said to be from %v to %v", text, r, l)
			}
			c.(*net.TCPConn).CloseWrite()
			reads(t, a.c, text)
		}
		c := d.dial(t)
		io.WriteString(c, "PROXY UNKNOWN\r\n")
		if a := d.next(t); a.err != nil || a.c != a.raw || a.h.Version != 1 {
			t.Fatalf("%+v, %v", a.h, a.err)
		}
	})
}

func TestRefused(t *testing.T) {
	for _, mode := range []Mode{Required, Optional} {
		each(t, Config{Mode: mode}, func(t *testing.T, d *door) {
			for text, want := range map[string]error{
				"GET / HTTP/1.1\r\n\r\n":                    ErrNone,
				"PROXY TCP4 1.2.3.4 1.2.3.4 1 65536\r\n":    errPort,
				"PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3\r\n":      errLine,
				"PROXY " + strings.Repeat("x", 200):         errLong,
				signature2 + "\x31":                         errVersion,
				signature2 + "\x21\x11\xff\xff":             errTooLong,
				signature2 + "\x21\x11\x00\x00":             errLength,
				signature2 + "\x21\x11\x00\x0cshort":        io.EOF,
				"PROXY TCP4 1.2.3.4 1.2.3.4 1 2":            io.EOF,
				"":                                          io.EOF,
				signature2 + "\x21\x00\x00\x01\x00" + "GET": nil,
			} {
				if mode == Optional && want == ErrNone {
					continue
				}
				c := d.dial(t)
				io.WriteString(c, text)
				c.(*net.TCPConn).CloseWrite()
				a := d.next(t)
				if a.err != want || want != nil && (a.c != nil || a.h != nil) {
					t.Fatalf("%q: %+v, %v; want %v", text, a.h, a.err, want)
				}
				if want == nil {
					continue
				}
				if b, _ := io.ReadAll(c); len(b) > 0 {
					t.Fatalf("%q: the peer was told %q", text, b)
				}
			}
		})
	}
}

// A header must have come in time, however it trickles.
func TestTimeout(t *testing.T) {
	for _, mode := range []Mode{Required, Optional} {
		each(t, Config{Mode: mode, Timeout: 60 * time.Millisecond}, func(t *testing.T, d *door) {
			for _, text := range []string{"", "\r\n", "PROXY TCP4", signature2} {
				c := d.dial(t)
				io.WriteString(c, text)
				if a := d.next(t); a.err != poll.ErrTimeout || a.c != nil {
					t.Fatalf("%q: %+v, %v", text, a.h, a.err)
				}
			}
		})
	}
}

func TestTrickle(t *testing.T) {
	each(t, Config{Timeout: 100 * time.Millisecond}, func(t *testing.T, d *door) {
		c := d.dial(t)
		go func() {
			for {
				if _, err := io.WriteString(c, signature1+strings.Repeat("x", 4)); err != nil {
					return
				}
				time.Sleep(30 * time.Millisecond)
			}
		}()
		if a := d.next(t); a.err != poll.ErrTimeout && a.err != errLong {
			t.Fatalf("%+v, %v", a.h, a.err)
		}
	})
}

// Connections that wait for their headers hold no goroutine, and a cancel ends the wait.
func TestWaitingIsCheap(t *testing.T) {
	d := newDoor(t, "poller", Config{Timeout: time.Minute})
	raw := make(chan poll.Conn, 1000)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g, err := poll.NewGroup(1)
	if err != nil {
		t.Fatal(err)
	}
	pl, err := g.Listen(l, func(pc poll.Conn) {
		Config{Timeout: time.Minute}.Accept(pc, func(c poll.Conn, h *Header, err error) { d.came <- arrival{pc, c, h, err} })
		raw <- pc
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pl.Close(); g.Close() })
	d.addr = l.Addr().String()
	before := runtime.NumGoroutine()
	const many = 100
	var waiting []poll.Conn
	for range many {
		io.WriteString(d.dial(t), "PROXY TCP4 1.2.3.4 ")
		waiting = append(waiting, <-raw)
	}
	for deadline := time.Now().Add(patience); runtime.NumGoroutine() > before+32; runtime.Gosched() { // some are kept for more work
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines for %d connections, %d before", runtime.NumGoroutine(), many, before)
		}
	}
	for _, c := range waiting {
		c.Cancel()
		if a := d.next(t); !errors.Is(a.err, poll.ErrCanceled) {
			t.Fatalf("%+v, %v", a.h, a.err)
		}
	}
}
