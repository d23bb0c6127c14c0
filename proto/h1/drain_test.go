package h1

import (
	"io"
	"strings"
	"testing"
	"time"

	"weir"
	"weir/internal/clock"
	"weir/internal/poll"
)

// Drain closes idle connections at once, and the others behind the answer under way.
func TestDrain(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		at, release := make(chan struct{}), make(chan struct{})
		w.serve(ServerConfig{Handler: weir.HandlerFunc(func(x *weir.Exchange) error {
			if x.Request.Path == "/slow" {
				close(at)
				<-release
			}
			return echo(x)
		})})
		idle, busy := w.dial(), w.dial()
		idle.send(get())
		idle.expect(200, "GET / ")
		w.ended(200, 0)
		busy.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
		<-at
		eventually(t, "the connection sleeps", func() bool { w.srv.Drain(); return w.srv.Open() == 1 })
		idle.ended()
		close(release)
		if r := busy.expect(200, "GET /slow "); !r.Close {
			t.Error("no Connection: close")
		}
		busy.ended()
		// Who comes now is served once: the listener has accepted him.
		late := w.dial()
		late.send(get() + get())
		if r := late.expect(200, "GET / "); !r.Close {
			t.Error("no Connection: close")
		}
		late.ended()
		late.Close()
		eventually(t, "all are closed", func() bool { return w.srv.Open() == 0 })
	})
}

// A client that has connected and is about to speak is not turned away by Drain.
func TestDrainLetsFreshConnectionsSpeak(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.serve(ServerConfig{Handler: echo})
		c := w.dial()
		eventually(t, "it is accepted", func() bool { return w.srv.Open() == 1 })
		w.srv.Drain()
		c.send(get())
		if r := c.expect(200, "GET / "); !r.Close {
			t.Error("no Connection: close")
		}
		c.ended()
	})
}

// One that comes during a drain and says nothing does not hold it up.
func TestDrainDoesNotWaitForTheSilent(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.serve(ServerConfig{Handler: echo})
		w.srv.draining.Store(true) // its last look at those that wait is over
		c := w.dial()
		c.ended()
	})
}

// Close breaks off whatever goes on, wherever it waits.
func TestClose(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		began := make(chan struct{}, 8)
		o := newOrigin(t, func(c *client) {
			r := c.request()
			switch r.URL.Path {
			case "/body":
				io.WriteString(c, answer200("Content-Length: 9")+"x")
			case "/large":
				io.WriteString(c, answer200("Content-Length: 90000000")+strings.Repeat("x", 500000))
			}
			began <- struct{}{}
			io.Copy(io.Discard, c.r)
		})
		w.proxy(o.addr, TransportConfig{})
		for _, wire := range []string{
			"", "GET", get(), "GET /body HTTP/1.1\r\nHost: a\r\n\r\n", "GET /large HTTP/1.1\r\nHost: a\r\n\r\n",
			post("Content-Length: 10") + "x", post("Content-Length: 1000000") + strings.Repeat("x", 500000), post("Transfer-Encoding: chunked") + "1\r\n",
		} {
			w.dial().send(wire)
		}
		for range 6 {
			<-began
		}
		w.srv.Close()
		eventually(t, "all are closed", func() bool { return w.srv.Open() == 0 })
	})
}

func TestConfigureTakesEffectOnKeptConnections(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		says := func(text string) ServerConfig {
			return ServerConfig{Observer: w, Handler: weir.HandlerFunc(func(x *weir.Exchange) error { x.Response.Text(200, text); return nil })}
		}
		w.serve(says("one"))
		c := w.dial()
		c.send(get())
		c.expect(200, "one")
		w.srv.Configure(says("two"))
		c.send(get())
		c.expect(200, "two")
	})
}

// Connections that are accepted after the server's end are not left behind.
func TestManyConnectionsComeAndGo(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.proxy(newOrigin(t, answering(okAnswer)).addr, TransportConfig{KeepAlive: 2})
		for i := range 200 {
			c := w.dial()
			switch i % 4 {
			case 0:
				c.send(get())
				c.expect(200, "ok")
			case 1:
				c.send(get("Connection: close"))
				c.expect(200, "ok")
				c.ended()
			case 2:
				c.send("GET / HT")
			case 3:
				c.send(strings.Repeat(get(), 3))
			}
			c.Close()
		}
		eventually(t, "all are closed", func() bool { return w.srv.Open() == 0 })
	})
}

// A request that has begun when a drain does is served.
func TestDrainLetsHalfARequestEnd(t *testing.T) {
	w := newWorld(t, "poller") // a net.Conn can't tell what its reader has not noticed
	for range 20 {
		w.serve(ServerConfig{Handler: echo}) // one that has drained looks once more later
		c := w.dial()
		c.send(get())
		c.expect(200, "GET / ")
		w.ended(200, 0)
		c.send("GET / HTTP/1.1\r\n")
		w.srv.Drain()
		c.send("Host: a\r\n\r\n")
		if r := c.expect(200, "GET / "); !r.Close {
			t.Fatal("no Connection: close")
		}
		c.ended()
	}
}

// Connections that are handed over late are broken off by Close, too.
func TestCloseBreaksOffWhatComesLate(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.serve(ServerConfig{Handler: echo})
		w.srv.Close()
		c := w.dial()
		c.send("GET")
		c.brokenOff()
		eventually(t, "it is closed", func() bool { return w.srv.Open() == 0 })
	})
}

// A connection is the server's to close until another one has it.
func TestCloseReachesWhatIsHandedOn(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		taken := make(chan error, 1)
		w.serve(ServerConfig{PriorKnowledge: func(pc poll.Conn, _ weir.Conn, done func(), _ []byte) {
			w.srv.Drain()
			w.srv.Close()
			pc.SetReadDeadline(clock.Now() + int64(time.Second))
			_, err := pc.Read(make([]byte, 1))
			taken <- err
			pc.Close()
			if done != nil {
				done()
			}
		}})
		w.dial().send(preface + "SM\r\n\r\n")
		if err := <-taken; err != poll.ErrCanceled {
			t.Errorf("the connection that is being handed on: %v, want that it is canceled", err)
		}
		eventually(t, "it is forgotten", func() bool { return w.srv.Open() == 0 })
	})
}
