package h1

import (
	"bufio"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"weir"
	"weir/internal/clock"
	"weir/internal/poll"
)

// inTime runs f in a bubble with a clock of its own, with a client of a server that has the default timeouts.
func inTime(t *testing.T, h weir.Handler, f func(t *testing.T, w *world, c *client)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, kind: "net.Conn", seen: make(chan outcome, 100)}
		w.srv = NewServer(ServerConfig{Handler: h, Observer: w})
		pipe, far := net.Pipe()
		near := halfPipe{pipe}
		closed := make(chan struct{})
		facts := weir.Conn{Remote: netip.MustParseAddrPort("127.0.0.1:1"), RemoteIP: "127.0.0.1", Opened: clock.Now()}
		w.srv.Serve(poll.FromNetConn(near), facts, func() { close(closed) })
		c := &client{far, t, bufio.NewReader(far)}
		defer func() {
			far.Close()
			w.over.Wait()
			w.srv.Close()
			<-closed
		}()
		f(t, w, c)
	})
}

// A halfPipe is a pipe that takes CloseWrite, without the other end seeing it.
type halfPipe struct{ net.Conn }

func (halfPipe) CloseWrite() error { return nil }

// A client that has its answer and sends on is read for a while, and not for ever.
func TestLingerEnds(t *testing.T) {
	refuse := weir.HandlerFunc(func(x *weir.Exchange) error { x.Response.Text(403, "no"); return nil })
	inTime(t, refuse, func(t *testing.T, w *world, c *client) {
		began := time.Now()
		c.send(post("Content-Length: 1000000000"))
		c.expect(403, "no")
		for {
			if _, err := io.WriteString(c, strings.Repeat("x", 10000)); err != nil {
				break
			}
			time.Sleep(time.Millisecond)
		}
		took(t, began, lingerTime)
	})
}

// took makes sure that d has passed since from, but for the ticks of the clock.
func took(t *testing.T, from time.Time, d time.Duration) {
	t.Helper()
	if got := time.Since(from); got < d || got > d+time.Second {
		t.Errorf("it took %v, want %v", got, d)
	}
}

func TestHeaderTimeout(t *testing.T) {
	const head = "GET / HTTP/1.1\r\nHost: a\r\nA: bbbbbbbbbbbbbbbbbbbbbbbbbbb\r\n"
	for name, send := range map[string]func(c *client){
		"silent":   func(c *client) { c.send(head) },
		"one byte": func(c *client) { c.send("G") },
		"trickling": func(c *client) {
			for i := range len(head) {
				if _, err := io.WriteString(c, head[i:i+1]); err != nil {
					return
				}
				time.Sleep(time.Second)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			inTime(t, echo, func(t *testing.T, w *world, c *client) {
				began := time.Now()
				w.over.Go(func() { send(c) })
				if r := c.expect(408, "408 Request Timeout\n"); !r.Close {
					t.Error("no Connection: close")
				}
				w.ended(408, weir.CauseClientHeaderTimeout)
				c.ended() // at once: nobody lingers over a client that sends nothing
				took(t, began, 10*time.Second)
			})
		})
	}
}

func TestIdleTimeout(t *testing.T) {
	inTime(t, echo, func(t *testing.T, w *world, c *client) {
		began := time.Now()
		c.ended()
		took(t, began, 3*time.Minute)
		w.quiet()
	})
	inTime(t, echo, func(t *testing.T, w *world, c *client) {
		for range 3 {
			time.Sleep(179 * time.Second)
			c.send(get())
			c.expect(200, "GET / ")
			w.ended(200, 0)
		}
		began := time.Now()
		c.ended()
		took(t, began, 3*time.Minute)
		w.quiet()
	})
}

// trickle sends n bytes every d until it has sent all of total, or can't.
func trickle(c *client, total, n int, d time.Duration) {
	for ; total > 0; total -= n {
		time.Sleep(d)
		if _, err := io.WriteString(c, strings.Repeat("x", min(n, total))); err != nil {
			return
		}
	}
}

// A body may take as long as it needs while it moves, and no longer.
func TestBodyFloor(t *testing.T) {
	for _, b := range []struct {
		name string
		n    int
		d    time.Duration
		ok   bool
	}{
		{"silent", 10000, time.Hour, false},
		{"a byte a second", 1, time.Second, false},
		{"below the floor", 900, time.Second, false},
		{"above the floor", 1300, time.Second, true},
		{"in bursts", 15000, 9 * time.Second, true},
	} {
		t.Run(b.name, func(t *testing.T) {
			inTime(t, echo, func(t *testing.T, w *world, c *client) {
				began := time.Now()
				c.send(post("Content-Length: 100000"))
				w.over.Go(func() { trickle(c, 100000, b.n, b.d) })
				if b.ok {
					c.expect(200, "POST / "+strings.Repeat("x", 100000))
					if o := w.ended(200, 0); o.in != 100000 {
						t.Errorf("%+v", o)
					}
					return
				}
				if r := c.expect(408, "408 Request Timeout\n"); !r.Close {
					t.Error("no Connection: close")
				}
				took(t, began, 10*time.Second)
				w.ended(408, weir.CauseClientBodyTimeout)
			})
		})
	}
}

// The time that a handler takes between two reads is not the client's.
func TestBodyFloorWaitsForHandler(t *testing.T) {
	slow := weir.HandlerFunc(func(x *weir.Exchange) error {
		buf := make([]byte, 1)
		for {
			_, err := io.ReadFull(x.Request.Body, buf)
			if err == io.EOF {
				x.Response.Text(200, "ok")
				return nil
			}
			if err != nil {
				return err
			}
			time.Sleep(8 * time.Second)
		}
	})
	inTime(t, slow, func(t *testing.T, w *world, c *client) {
		c.send(post("Content-Length: 10"))
		w.over.Go(func() { trickle(c, 10, 1, 7*time.Second) })
		c.expect(200, "ok")
	})
}

// sleepy answers after the time that the query asks for.
var sleepy = weir.HandlerFunc(func(x *weir.Exchange) error {
	if x.Request.Body != nil {
		io.ReadAll(x.Request.Body)
	}
	d, _ := time.ParseDuration(x.Request.Query)
	time.Sleep(d)
	var h weir.Header
	if err := x.Inform(103, &h); err != nil {
		return err
	}
	x.Response.Text(200, "ok")
	return nil
})

// However long an exchange took: its answer is delivered, and the connection is kept for the next.
func TestLongExchanges(t *testing.T) {
	for name, requests := range map[string][]string{
		"get":        {"GET /?500s HTTP/1.1\r\nHost: a\r\n\r\n"},
		"head parts": {"GET /?500s HTTP/1.1\r\n", "Host: a\r\n\r\n"},
		"body parts": {"POST /?500s HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n", "a", "b"},
		"chunks":     {"POST /?500s HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", "1\r\na\r\n", "0\r\n", "\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			inTime(t, sleepy, func(t *testing.T, w *world, c *client) {
				for range 3 {
					for _, part := range requests {
						c.send(part)
						time.Sleep(time.Second)
					}
					if s := c.line() + c.line(); s != "HTTP/1.1 103 Early Hints" {
						t.Fatal(s)
					}
					if r := c.expect(200, "ok"); r.Close {
						t.Error("the connection is closed")
					}
					w.ended(200, 0)
					time.Sleep(170 * time.Second)
				}
			})
		})
	}
}

// A client that waits for 100 gets it, also late on a kept connection.
func TestContinueOnKeptConnection(t *testing.T) {
	inTime(t, echo, func(t *testing.T, w *world, c *client) {
		for range 3 {
			c.send(post("Expect: 100-continue", "Content-Length: 1"))
			if s := c.line() + c.line(); s != "HTTP/1.1 100 Continue" {
				t.Fatal(s)
			}
			c.send("x")
			c.expect(200, "POST / x")
			time.Sleep(time.Minute)
		}
	})
}

// A client that does not take the answer is given up, and one that is slow is not.
func TestWriteTimeout(t *testing.T) {
	large := weir.HandlerFunc(func(x *weir.Exchange) error {
		x.Response.Text(200, strings.Repeat("x", 300<<10))
		return nil
	})
	for _, b := range []struct {
		name string
		n    int
		ok   bool
	}{{"takes nothing", 0, false}, {"a byte a second", 1, false}, {"below the floor", 512, false}, {"above the floor", 2048, true}} {
		t.Run(b.name, func(t *testing.T) {
			inTime(t, large, func(t *testing.T, w *world, c *client) {
				c.send(get())
				began := time.Now()
				total := 0
				buf := make([]byte, max(b.n, 1))
				for len(w.seen) == 0 {
					time.Sleep(time.Second)
					if b.n > 0 && len(w.seen) == 0 {
						n, _ := io.ReadFull(c.Conn, buf)
						total += n
					}
				}
				if b.ok {
					w.ended(200, 0)
					return
				}
				if o := w.ended(200, weir.CauseClientWriteTimeout); o.side != weir.SideClient {
					t.Errorf("%+v", o)
				}
				took(t, began, w.srv.config.Load().pace.Window)
			})
		})
	}
}

// A drip is a body of n pieces of 100 bytes, each of which takes its time to come.
type drip struct {
	n     int
	every time.Duration
}

func (d *drip) Read(p []byte) (int, error) {
	if d.n--; d.n < 0 {
		return 0, io.EOF
	}
	time.Sleep(d.every)
	return copy(p, strings.Repeat("x", 100)), nil
}

func (*drip) Close() error          { return nil }
func (*drip) Len() int64            { return -1 }
func (*drip) Trailer() *weir.Header { return nil }

// The floor holds for a body of small pieces as well: a client that takes each of them within a window, but all of
// them too slowly, is given up. Who waits for the server is not slow.
func TestWriteFloorOfSmallPieces(t *testing.T) {
	for _, b := range []struct {
		name  string
		body  drip
		pause time.Duration // of the client, after each 100 bytes
		cut   time.Duration // when it is given up; 0: never
	}{
		{"far below the floor", drip{n: 10000}, 3 * time.Second, 64 * time.Second},
		{"below the floor", drip{n: 10000}, 200 * time.Millisecond, 64 * time.Second},
		{"above the floor", drip{n: 2000}, 90 * time.Millisecond, 0},
		{"a slow server", drip{n: 100, every: 30 * time.Second}, 0, 0},
	} {
		t.Run(b.name, func(t *testing.T) {
			h := weir.HandlerFunc(func(x *weir.Exchange) error {
				body := b.body
				x.Response.Status, x.Response.Body = 200, &body
				return nil
			})
			inTime(t, h, func(t *testing.T, w *world, c *client) {
				began := time.Now()
				c.send(get())
				buf := make([]byte, 100)
				for len(w.seen) == 0 {
					n, err := io.ReadFull(c.Conn, buf)
					if err != nil || n < len(buf) || strings.HasSuffix(string(buf), "\r\n0\r\n\r\n") {
						break
					}
					time.Sleep(b.pause)
				}
				if b.cut == 0 {
					w.over.Go(func() { io.Copy(io.Discard, c.Conn) })
					w.ended(200, 0)
					return
				}
				w.ended(200, weir.CauseClientWriteTimeout)
				if took := time.Since(began); took < b.cut || took > b.cut+5*time.Second {
					t.Errorf("it took %v, want about %v", took, b.cut)
				}
			})
		})
	}
}
