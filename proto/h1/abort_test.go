package h1

import (
	"errors"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"weir"
)

// leave ends the client's side in one of the ways there are.
var leave = map[string]func(c *client){
	"close": func(c *client) { c.Close() },
	"reset": func(c *client) { c.Conn.(*net.TCPConn).SetLinger(0); c.Close() },
	"half":  func(c *client) { c.Conn.(*net.TCPConn).CloseWrite() },
}

// A client that goes away takes its work at the origin with it.
func TestClientLeaves(t *testing.T) {
	for how, leave := range leave {
		for name, s := range map[string]struct {
			wire, begin string // what the client sends; what the origin answers before it waits
		}{
			"waiting":     {get(), ""},
			"in a body":   {get(), answer200("Content-Length: 100") + "x"},
			"in a stream": {get(), answer200("Transfer-Encoding: chunked") + "1\r\nx\r\n"},
			"in a large":  {get(), answer200("Content-Length: 100000000") + strings.Repeat("x", 1<<20)},
			"uploading":   {post("Content-Length: 100") + "x", ""},
			"chunking":    {post("Transfer-Encoding: chunked") + "1\r\nx\r\n", ""},
			"both ways":   {post("Transfer-Encoding: chunked") + "1\r\nx\r\n", answer200("Transfer-Encoding: chunked") + "1\r\nx\r\n"},
		} {
			t.Run(name+" "+how, func(t *testing.T) {
				each(t, func(t *testing.T, w *world) {
					asked, gone := make(chan struct{}), make(chan error, 1)
					o := newOrigin(t, func(c *client) {
						r := c.request()
						go io.WriteString(c, s.begin)
						asked <- struct{}{}
						if r.ContentLength != 0 {
							r.Body.Read(make([]byte, 1))
						}
						_, err := io.Copy(io.Discard, c.r)
						gone <- err
					})
					w.proxy(o.addr, TransportConfig{})
					c := w.dial()
					c.send(s.wire)
					<-asked
					if s.begin != "" {
						m := c.head("GET")
						io.ReadFull(m.Body, make([]byte, 1))
					}
					leave(c)
					if err := <-gone; errors.Is(err, os.ErrDeadlineExceeded) {
						t.Error("the origin was not told")
					}
					status := 499
					if s.begin != "" {
						status = 200
					}
					if out := w.ended(status, weir.CauseClientGone); out.side != weir.SideClient {
						t.Errorf("%+v", out)
					}
				})
			})
		}
	}
}

// A client that leaves while the connection to the origin is being made stops that, too.
func TestClientLeavesWhileDialling(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		tr := w.transport(fullListener(t), TransportConfig{})
		at := make(chan struct{})
		w.serve(ServerConfig{Handler: weir.HandlerFunc(func(x *weir.Exchange) error {
			x.Attempts++
			close(at)
			return tr.RoundTrip(x)
		})})
		c := w.dial()
		c.send(get())
		<-at
		c.Close()
		w.ended(499, weir.CauseClientGone)
	})
}

// fullListener returns the address of a listener that lets nobody in any more.
func fullListener(t *testing.T) string {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(fd) })
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	syscall.Listen(fd, 0)
	sa, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(sa.(*syscall.SockaddrInet4).Port))
	for range 4 {
		c, err := net.DialTimeout("tcp", addr, 300*time.Millisecond)
		if err != nil {
			return addr
		}
		t.Cleanup(func() { c.Close() })
	}
	t.Skip("the kernel lets everybody in")
	return ""
}

// A pipelined request that nobody waits for any more is not begun.
func TestClientLeavesPipeline(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		release := make(chan struct{})
		w.serve(ServerConfig{Handler: weir.HandlerFunc(func(x *weir.Exchange) error {
			<-release
			return echo(x)
		})})
		c := w.dial()
		c.send(get() + get() + get())
		c.Conn.(*net.TCPConn).SetLinger(0)
		c.Close()
		close(release)
		w.outcome()
	})
}

// Times that an origin may take, each with its cause.
func TestUpstreamTimeouts(t *testing.T) {
	const short = 50 * time.Millisecond
	hang := func(wire string) func(t *testing.T) string {
		return func(t *testing.T) string {
			return newOrigin(t, func(c *client) {
				c.request()
				io.WriteString(c, wire)
				io.Copy(io.Discard, c.r)
			}).addr
		}
	}
	for name, s := range map[string]struct {
		origin func(t *testing.T) string
		wire   string
		status int
		cause  weir.Cause
	}{
		"connect":            {fullListener, get(), 504, weir.CauseUpstreamConnectTimeout},
		"first byte":         {hang(""), get(), 504, weir.CauseUpstreamHeaderTimeout},
		"after upload":       {hang(""), post("Content-Length: 100000") + strings.Repeat("x", 100000), 504, weir.CauseUpstreamHeaderTimeout},
		"in the head":        {hang("HTTP/1.1 200 OK\r\nA: "), get(), 504, weir.CauseUpstreamHeaderTimeout},
		"after interim":      {hang("HTTP/1.1 103 Early Hints\r\n\r\n"), get(), 504, weir.CauseUpstreamHeaderTimeout},
		"before the body":    {hang(answer200("Content-Length: 9")), get(), 200, weir.CauseUpstreamBodyTimeout},
		"in the body":        {hang(answer200("Content-Length: 9") + "x"), get(), 200, weir.CauseUpstreamBodyTimeout},
		"in a chunk":         {hang(answer200("Transfer-Encoding: chunked") + "9\r\nx"), get(), 200, weir.CauseUpstreamBodyTimeout},
		"in a large":         {hang(answer200("Content-Length: 1000000") + strings.Repeat("x", 400000)), get(), 200, weir.CauseUpstreamBodyTimeout},
		"until close":        {hang(answer200() + "x"), get(), 200, weir.CauseUpstreamBodyTimeout},
		"takes no more body": {deaf, post("Content-Length: 60000000") + strings.Repeat("x", 60_000_000), 504, weir.CauseUpstreamHeaderTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, w *world) {
				limits := TransportConfig{Connect: patience, FirstByte: patience, Stall: short}
				switch s.cause {
				case weir.CauseUpstreamConnectTimeout:
					limits.Connect = short
				case weir.CauseUpstreamHeaderTimeout:
					limits.FirstByte = short
				}
				w.proxy(s.origin(t), limits)
				c := w.dial()
				w.over.Go(func() { io.WriteString(c, s.wire) })
				for {
					m := c.head("GET")
					if m.StatusCode < 200 {
						continue
					}
					if _, err := io.ReadAll(m.Body); m.StatusCode != s.status || (err != nil) != (s.status == 200) {
						t.Errorf("%d, %v", m.StatusCode, err)
					}
					break
				}
				if out := w.ended(s.status, s.cause); out.side != weir.SideUpstream {
					t.Errorf("%+v", out)
				}
				c.Close()
				w.over.Wait()
			})
		})
	}
}

// deaf is an origin that takes nothing and says nothing.
func deaf(t *testing.T) string {
	t.Helper()
	over := make(chan struct{})
	o := newOrigin(t, func(c *client) {
		c.Conn.(*net.TCPConn).SetReadBuffer(32 << 10)
		c.request()
		<-over
	})
	t.Cleanup(func() { close(over) })
	return o.addr
}

// Times that do not run: that of the first byte while the client still sends, and that of a body while it comes.
func TestUpstreamTimeoutsThatDoNotRun(t *testing.T) {
	const short = 1500 * time.Millisecond
	each(t, func(t *testing.T, w *world) {
		o := newOrigin(t, func(c *client) {
			for r := c.request(); r != nil; r = c.request() {
				io.Copy(io.Discard, r.Body)
				io.WriteString(c, answer200("Content-Length: 8"))
				for range 8 {
					time.Sleep(short / 7)
					io.WriteString(c, "x")
				}
			}
		})
		w.proxy(o.addr, TransportConfig{FirstByte: short, Stall: short})
		c := w.dial()
		c.send(post("Content-Length: 8"))
		for range 8 {
			time.Sleep(short / 7)
			c.send("x")
		}
		c.expect(200, "xxxxxxxx")
		w.ended(200, 0)
	})
}
