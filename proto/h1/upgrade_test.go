package h1

import (
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"weir"
)

const wsRequest = "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n\r\n"

const wsAnswer = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nConnection: upgrade\r\nSec-WebSocket-Accept: y\r\n\r\n"

// switching returns a script that answers an upgrade and then relays as f does.
func switching(f func(c *client)) func(c *client) {
	return func(c *client) {
		r := c.request()
		if r == nil || r.Header.Get("Upgrade") != "websocket" || r.Header.Get("Connection") != "Upgrade" || r.Header.Get("Sec-WebSocket-Key") != "x" {
			io.WriteString(c, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
			return
		}
		f(c)
	}
}

// echoing sends back all that comes, and its end.
func echoing(c *client) {
	io.WriteString(c, wsAnswer)
	io.Copy(struct{ io.Writer }{c.Conn}, c.r)
	c.Conn.(*net.TCPConn).CloseWrite()
}

// upgraded sends the request, and reads the 101.
func (c *client) upgraded() {
	c.t.Helper()
	m := c.head("GET")
	if m.StatusCode != 101 || m.Header.Get("Upgrade") != "websocket" || m.Header.Get("Connection") != "Upgrade" ||
		m.Header.Get("Sec-WebSocket-Accept") != "y" || m.Header.Get("Content-Length") != "" {
		c.t.Fatalf("%d %v", m.StatusCode, m.Header)
	}
}

func TestUpgrade(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		o := newOrigin(t, switching(echoing))
		tr := w.proxy(o.addr, TransportConfig{})
		c := w.dial()
		c.send(get2()) // an ordinary exchange before, on the same connection
		if r := c.answer(); r.StatusCode != 400 {
			t.Fatal(r.StatusCode)
		}
		w.ended(400, 0)
		body := content(3 << 20)
		c.send(wsRequest + "early")
		c.upgraded()
		w.over.Go(func() {
			io.WriteString(c, body)
			c.Conn.(*net.TCPConn).CloseWrite()
		})
		got, err := io.ReadAll(c.r)
		if err != nil || string(got) != "early"+body {
			t.Fatalf("got %d bytes, %v", len(got), err)
		}
		w.over.Wait()
		if o := w.ended(101, 0); o.in != int64(len(got)) || o.out != int64(len(got)) {
			t.Errorf("%+v", o)
		}
		if tr.Idle() != 0 {
			t.Errorf("%d idle", tr.Idle())
		}
	})
}

func get2() string { return "GET / HTTP/1.1\r\nHost: a\r\n\r\n" }

// What comes right behind the 101 is not lost, and each side's end reaches the other while bytes still go the
// other way.
func TestUpgradeHalfClose(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		o := newOrigin(t, switching(func(c *client) {
			io.WriteString(c, wsAnswer+"hello")
			c.Conn.(*net.TCPConn).CloseWrite()
			rest, _ := io.ReadAll(c.r)
			if string(rest) != "abcd" {
				t.Errorf("the origin got %q", rest)
			}
		}), switching(func(c *client) {
			io.WriteString(c, wsAnswer)
			rest, _ := io.ReadAll(c.r)
			io.WriteString(c, "got "+string(rest))
		}))
		w.proxy(o.addr, TransportConfig{})
		c := w.dial()
		c.send(wsRequest)
		c.upgraded()
		if rest, err := io.ReadAll(c.r); string(rest) != "hello" || err != nil {
			t.Fatalf("%q, %v", rest, err)
		}
		c.send("ab")
		c.send("cd")
		c.Conn.(*net.TCPConn).CloseWrite()
		w.ended(101, 0)

		c = w.dial()
		c.send(wsRequest)
		c.upgraded()
		c.send("abc")
		c.Conn.(*net.TCPConn).CloseWrite()
		if rest, err := io.ReadAll(c.r); string(rest) != "got abc" || err != nil {
			t.Fatalf("%q, %v", rest, err)
		}
		w.ended(101, 0)
	})
}

// A reset on one side ends the other.
func TestUpgradeAborted(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		gone := make(chan struct{})
		o := newOrigin(t, switching(func(c *client) {
			io.WriteString(c, wsAnswer)
			io.Copy(io.Discard, c.r)
			close(gone)
		}), switching(func(c *client) {
			io.WriteString(c, wsAnswer+"x")
			c.r.ReadByte()
			c.Conn.(*net.TCPConn).SetLinger(0)
		}))
		w.proxy(o.addr, TransportConfig{})
		c := w.dial()
		c.send(wsRequest)
		c.upgraded()
		c.Conn.(*net.TCPConn).SetLinger(0)
		c.Close()
		<-gone
		w.outcome()

		c = w.dial()
		c.send(wsRequest)
		c.upgraded()
		c.send("y")
		io.Copy(io.Discard, c.r)
		w.outcome()
	})
}

// A server may refuse to switch, or ignore that it was asked.
func TestUpgradeRefused(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.proxy(newOrigin(t, answering("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno")).addr, TransportConfig{})
		c := w.dial()
		for range 2 {
			c.send(wsRequest)
			if r := c.expect(403, "no"); r.Close {
				t.Error("the connection is closed")
			}
		}
	})
}

// A server may not switch to anything else, nor unasked.
func TestUpgradeToOther(t *testing.T) {
	for name, s := range map[string]struct{ wire, answer string }{
		"other":         {wsRequest, strings.Replace(wsAnswer, "WebSocket", "h2c", 1)},
		"none":          {wsRequest, strings.Replace(wsAnswer, "Upgrade: WebSocket\r\n", "", 1)},
		"no connection": {wsRequest, strings.Replace(wsAnswer, "Connection: upgrade\r\n", "", 1)},
		"unasked":       {get2(), wsAnswer},
		"h2c":           {strings.Replace(wsRequest, "websocket", "h2c", 1), strings.Replace(wsAnswer, "WebSocket", "h2c", 1)},
		"with a body":   {strings.Replace(wsRequest, "\r\n\r\n", "\r\nContent-Length: 1\r\n\r\nx", 1), wsAnswer},
		"1.0":           {strings.Replace(wsRequest, "1.1", "1.0", 1), wsAnswer},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, "poller")
			w.proxy(newOrigin(t, answering(s.answer+"GET /smuggled HTTP/1.1\r\n")).addr, TransportConfig{})
			c := w.dial()
			c.send(s.wire)
			if r := c.answer(); r.StatusCode != 502 {
				t.Errorf("%d", r.StatusCode)
			}
			w.ended(502, weir.CauseUpstreamUpgrade)
		})
	}
}

// A handler may switch to anything that reads and writes.
func TestUpgradeToAnything(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		near, far := net.Pipe()
		defer far.Close()
		go io.Copy(far, far)
		w.serve(ServerConfig{Handler: weir.HandlerFunc(func(x *weir.Exchange) error {
			x.Response.Status, x.Response.Upgrade = 101, near
			x.Response.Header.Add("Sec-WebSocket-Accept", "y")
			return nil
		})})
		c := w.dial()
		c.send(wsRequest + "early")
		c.upgraded()
		c.send(" late")
		got := make([]byte, len("early late"))
		if _, err := io.ReadFull(c.r, got); err != nil || string(got) != "early late" {
			t.Fatalf("%q %v", got, err)
		}
		far.Close()
		if _, err := c.r.ReadByte(); err != io.EOF {
			t.Errorf("after the other end has closed: %v", err)
		}
		c.Close()
		w.ended(101, weir.CauseNone)
	})
}

// Drain leaves upgraded connections alone, and Close does not.
func TestDrainAndCloseUpgraded(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.proxy(newOrigin(t, switching(echoing)).addr, TransportConfig{})
		c := w.dial()
		c.send(wsRequest)
		c.upgraded()
		c.send("ping")
		if _, err := io.ReadFull(c.r, make([]byte, 4)); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			w.srv.Drain()
			c.send("ping")
			if _, err := io.ReadFull(c.r, make([]byte, 4)); err != nil {
				t.Fatal(err)
			}
		}
		if n := w.srv.Open(); n != 1 {
			t.Errorf("%d open", n)
		}
		w.srv.Close()
		if _, err := io.ReadAll(c.r); err != nil && !strings.Contains(err.Error(), "reset") {
			t.Error(err)
		}
		w.outcome()
		eventually(t, "the connection is forgotten", func() bool { return w.srv.Open() == 0 })
		w.quiet()
	})
}

// A tunnel in which nothing moves ends after its time.
func TestTunnelTimeout(t *testing.T) {
	const limit = 1200 * time.Millisecond
	each(t, func(t *testing.T, w *world) {
		tr := w.transport(newOrigin(t, switching(echoing)).addr, TransportConfig{})
		w.serve(ServerConfig{Handler: forward(tr), Timeouts: Timeouts{Tunnel: limit}})
		c := w.dial()
		c.send(wsRequest)
		c.upgraded()
		began := time.Now()
		for range 10 { // as long as something moves, either way, it stays
			time.Sleep(limit / 9)
			c.send("ping")
			if _, err := io.ReadFull(c.r, make([]byte, 4)); err != nil {
				t.Fatal(err)
			}
		}
		io.Copy(io.Discard, c.r)
		if d := time.Since(began); d < 2*limit {
			t.Errorf("it ended after %v", d)
		}
		w.ended(101, weir.CauseClientIdle)
	})
}
