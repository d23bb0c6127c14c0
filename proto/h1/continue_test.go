package h1

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"weir"
	"weir/proto/internal/ask"
)

const expecting = "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n"

// interim reads interim answers up to the final one and returns their codes.
func (c *client) interim() (codes []int, final *http.Response) {
	c.t.Helper()
	for {
		m := c.head("POST")
		if m.StatusCode >= 200 {
			return codes, m
		}
		codes = append(codes, m.StatusCode)
	}
}

// The origin's 100 lets the client go on, once.
func TestContinueThroughProxy(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		o := newOrigin(t, func(c *client) {
			for r := c.request(); r != nil; r = c.request() {
				if r.Header.Get("Expect") != "100-continue" {
					t.Errorf("the origin is not asked: %v", r.Header)
				}
				io.WriteString(c, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 100 Continue\r\nA: b\r\n\r\n")
				b, _ := io.ReadAll(r.Body)
				io.WriteString(c, answer200("Content-Length: 4")+string(b))
			}
		})
		w.proxy(o.addr, TransportConfig{})
		c := w.dial()
		for range 3 {
			c.send(expecting)
			if s := c.line() + c.line(); s != "HTTP/1.1 100 Continue" {
				t.Fatal(s)
			}
			c.send("body")
			if r := c.expect(200, "body"); r.Close {
				t.Error("the connection is closed")
			}
			w.ended(200, 0)
		}
		c.send(expecting + "body") // without waiting
		c.expect(200, "body")
		if n := o.accepted(); n != 1 {
			t.Errorf("%d connections", n)
		}
	})
}

// An origin that refuses never sees the body, and its connection, on which a body was announced, is not used again.
func TestContinueRefused(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		o := newOrigin(t, func(c *client) {
			c.request()
			io.WriteString(c, "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno")
			if rest, _ := io.ReadAll(c.r); len(rest) > 0 {
				t.Errorf("the origin was sent %q", rest)
			}
		})
		tr := w.proxy(o.addr, TransportConfig{})
		for _, tail := range []string{"", "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"} {
			c := w.dial()
			c.send(expecting + tail)
			codes, m := c.interim()
			body, _ := io.ReadAll(m.Body)
			if m.StatusCode != 403 || len(codes) > 0 || string(body) != "no" || !m.Close {
				t.Errorf("%v, %d, %q, close %v", codes, m.StatusCode, body, m.Close)
			}
			c.Close()
			w.ended(403, 0)
		}
		w.quiet()
		if tr.Idle() != 0 {
			t.Error("the connection is kept")
		}
	})
}

// An origin that does not know of 100 gets the body after a while.
func TestContinueIgnored(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		o := newOrigin(t, func(c *client) {
			r := c.request()
			b, _ := io.ReadAll(r.Body)
			io.WriteString(c, answer200("Content-Length: 4")+string(b))
		})
		w.proxy(o.addr, TransportConfig{})
		c := w.dial()
		began := time.Now()
		c.send(expecting)
		if s := c.line() + c.line(); s != "HTTP/1.1 100 Continue" {
			t.Fatal(s)
		}
		if d := time.Since(began); d < ask.ContinueWait {
			t.Errorf("it took %v", d)
		}
		c.send("body")
		c.expect(200, "body")
	})
}

// However the origin's 100 and its answer meet, 100 never comes behind the answer.
func TestContinueAndAnswerAtOnce(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		o := newOrigin(t, func(c *client) {
			c.request()
			io.WriteString(c, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno")
			io.Copy(io.Discard, c.r)
		})
		w.proxy(o.addr, TransportConfig{})
		for range 100 {
			c := w.dial()
			c.send(expecting)
			codes, m := c.interim()
			body, err := io.ReadAll(m.Body)
			rest, _ := io.ReadAll(c.r)
			if m.StatusCode != 403 || string(body) != "no" || err != nil || len(rest) > 0 || len(codes) > 2 {
				t.Fatalf("%v, %d, %q, %v, then %q", codes, m.StatusCode, body, err, rest)
			}
			c.Close()
			w.ended(403, 0)
		}
	})
}

// A client that was told to go on and leaves instead is the client's fault.
func TestContinueAndGone(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		o := newOrigin(t, func(c *client) {
			r := c.request()
			io.WriteString(c, "HTTP/1.1 100 Continue\r\n\r\n")
			io.Copy(io.Discard, r.Body)
		})
		w.proxy(o.addr, TransportConfig{})
		c := w.dial()
		c.send(strings.Replace(expecting, "Content-Length: 4", "Transfer-Encoding: chunked", 1))
		c.line()
		c.Close()
		w.ended(499, weir.CauseClientGone)
	})
}

// A server that sends interim answers without a pause has no more time for the final one than any other.
func TestInterimWithoutEnd(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		many := strings.Repeat("HTTP/1.1 102 Processing\r\n\r\n", 100)
		o := newOrigin(t, func(c *client) {
			for r := c.request(); r != nil; {
				if _, err := io.WriteString(c, many); err != nil {
					return
				}
			}
		})
		w.proxy(o.addr, TransportConfig{FirstByte: time.Second})
		c := w.dial()
		c.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		if codes, final := c.interim(); len(codes) == 0 || final.StatusCode != 504 {
			t.Errorf("%d interim answers, then %d", len(codes), final.StatusCode)
		}
		w.ended(504, weir.CauseUpstreamHeaderTimeout)
	})
}
