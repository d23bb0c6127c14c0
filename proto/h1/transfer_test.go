package h1

import (
	"bufio"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"weir"
)

// sizes are those at which something changes: what is joined with the head, buffered, spliced.
var sizes = []int{0, 1, 4 << 10, 4<<10 + 1, 16 << 10, 80 << 10, 128 << 10, 128<<10 + 1, 1 << 20, 10 << 20}

// content returns n bytes that no shift or swap of which looks like another.
func content(n int) string {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{byte(n)})
	r.Read(b)
	return string(b)
}

func sum(s string) string { return fmt.Sprintf("%d %x", len(s), sha256.Sum256([]byte(s))) }

// newStore is an origin of package net/http: it answers a POST with the sum of its body, and a GET with as much
// content as the path says, chunked if the query says so.
func newStore(t *testing.T) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.Method != "GET" {
			h := sha256.New()
			n, err := io.Copy(h, r.Body)
			if err != nil {
				return
			}
			fmt.Fprintf(rw, "%d %x", n, h.Sum(nil))
			return
		}
		n, _ := strconv.Atoi(r.URL.Path[1:])
		if r.URL.RawQuery == "" {
			rw.Header().Set("Content-Length", strconv.Itoa(n))
		}
		body := content(n)
		for len(body) > 0 {
			k := min(len(body), 100_000)
			io.WriteString(rw, body[:k])
			body = body[k:]
			if r.URL.RawQuery != "" {
				rw.(http.Flusher).Flush()
			}
		}
	}))
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

// chunked puts s into chunks of odd sizes.
func chunked(s string, trailer string) string {
	var b strings.Builder
	for k := 1; len(s) > 0; k = k*7%100_003 + 1 {
		n := min(k, len(s))
		fmt.Fprintf(&b, "%x;a=b\r\n%s\r\n", n, s[:n])
		s = s[n:]
	}
	return b.String() + "0\r\n" + trailer + "\r\n"
}

func TestUploads(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.proxy(newStore(t), TransportConfig{})
		c := w.dial()
		for _, n := range sizes {
			body := content(n)
			for _, wire := range []string{
				"Content-Length: " + strconv.Itoa(n) + "\r\n\r\n" + body,
				"Transfer-Encoding: chunked\r\n\r\n" + chunked(body, "A: b\r\n"),
			} {
				head := "POST /up HTTP/1.1\r\nHost: a\r\n"
				w.over.Go(func() { io.WriteString(c, head+wire) })
				c.expect(200, sum(body))
				if o := w.ended(200, 0); o.in != int64(n) {
					t.Fatalf("%d bytes: %+v", n, o)
				}
			}
		}
		w.over.Wait()
	})
}

// A body that something on the way looks at takes another path: it is neither spliced nor known to the transport.
func TestUploadsOfWrappedBodies(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		tr := w.transport(newStore(t), TransportConfig{})
		w.serve(ServerConfig{Handler: wrapping(tr)})
		c := w.dial()
		for _, n := range sizes[:len(sizes)-1] {
			body := content(n)
			w.over.Go(func() { io.WriteString(c, post("Transfer-Encoding: chunked")+chunked(body, "")) })
			c.expect(200, sum(body))
		}
		w.over.Wait()
	})
}

// wrapping hands exchanges to tr with bodies that hide what they are.
func wrapping(tr weir.Transport) weir.Handler {
	return weir.HandlerFunc(func(x *weir.Exchange) error {
		x.Attempts++
		if x.Request.Body != nil {
			x.Request.Body = wrapped{x.Request.Body}
		}
		return tr.RoundTrip(x)
	})
}

type wrapped struct{ weir.Body }

func TestDownloads(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.proxy(newStore(t), TransportConfig{})
		c := w.dial()
		for _, n := range sizes {
			for _, query := range []string{"", "?chunked"} {
				c.send(fmt.Sprintf("GET /%d%s HTTP/1.1\r\nHost: a\r\n\r\n", n, query))
				r := c.answer()
				if r.err != nil || sum(r.body) != sum(content(n)) {
					t.Fatalf("%d%s: got %d bytes, %v", n, query, len(r.body), r.err)
				}
				if o := w.ended(200, 0); o.out != int64(n) {
					t.Fatalf("%d%s: %+v", n, query, o)
				}
			}
		}
	})
}

func TestDownloadUntilClose(t *testing.T) {
	body := content(3 << 20)
	each(t, func(t *testing.T, w *world) {
		o := newOrigin(t, func(c *client) {
			c.request()
			io.WriteString(c, "HTTP/1.0 200 OK\r\n\r\n"+body)
		})
		w.proxy(o.addr, TransportConfig{})
		c := w.dial()
		for range 2 {
			c.send(get())
			if r := c.answer(); r.err != nil || sum(r.body) != sum(body) {
				t.Fatalf("got %d bytes, %v", len(r.body), r.err)
			}
		}
	})
}

// Many connections at once, up and down, each with its own content.
func TestTransfersAtOnce(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.proxy(newStore(t), TransportConfig{KeepAlive: 4})
		var all sync.WaitGroup
		for i := range 16 {
			c := w.dial()
			all.Go(func() {
				for k := range 6 {
					n := (i*7919 + k*104729) % 700_000
					body := content(n)
					var m *http.Response
					var err error
					want := sum(body)
					switch (i + k) % 3 {
					case 0:
						go io.WriteString(c, post("Content-Length: "+strconv.Itoa(n))+body)
					case 1:
						go io.WriteString(c, post("Transfer-Encoding: chunked")+chunked(body, ""))
					case 2:
						go io.WriteString(c, fmt.Sprintf("GET /%d HTTP/1.1\r\nHost: a\r\n\r\n", n))
						want = body
					}
					if m, err = http.ReadResponse(c.r, nil); err != nil {
						t.Error(err)
						return
					}
					if got, err := io.ReadAll(m.Body); err != nil || string(got) != want {
						t.Errorf("%d bytes: got %.100q, %v", n, got, err)
						return
					}
				}
			})
		}
		all.Wait()
	})
}

// A reader that takes its time gets everything; meanwhile weir does not buffer it.
func TestSlowReader(t *testing.T) {
	const n = 8 << 20
	sent := make(chan int, 1)
	body := content(n)
	each(t, func(t *testing.T, w *world) {
		o := newOrigin(t, func(c *client) {
			c.Conn.(*net.TCPConn).SetWriteBuffer(64 << 10)
			c.request()
			io.WriteString(c, answer200("Content-Length: "+strconv.Itoa(n)))
			c.SetWriteDeadline(time.Now().Add(300 * time.Millisecond))
			k, _ := io.WriteString(c, body)
			sent <- k
			c.SetWriteDeadline(time.Time{})
			io.WriteString(c, body[k:])
		})
		w.proxy(o.addr, TransportConfig{})
		c := w.dial()
		c.Conn.(*net.TCPConn).SetReadBuffer(32 << 10)
		c.r = bufio.NewReaderSize(c.Conn, 4<<10)
		c.send(get())
		if k := <-sent; k == n {
			t.Skip("the kernel buffers all of it")
		}
		if r := c.answer(); r.err != nil || sum(r.body) != sum(body) {
			t.Fatalf("got %d bytes, %v", len(r.body), r.err)
		}
	})
}

// The answer may come while the body is still on its way; the client gets it, and the connection ends.
func TestEarlyAnswer(t *testing.T) {
	const refusal = "HTTP/1.1 413 Content Too Large\r\nContent-Length: 9\r\n\r\ntoo large"
	for _, how := range []struct {
		name   string
		script func(c *client)
	}{
		{"at once, closing", func(c *client) {
			c.request()
			io.WriteString(c, refusal)
			c.Conn.(*net.TCPConn).CloseWrite()
			io.Copy(io.Discard, c.r)
		}},
		{"at once, deaf", func(c *client) {
			c.request()
			io.WriteString(c, refusal)
			var hang [1]byte
			for {
				if _, err := c.Conn.(*net.TCPConn).Write(hang[:0]); err != nil {
					return
				}
				if _, err := c.Conn.Read(hang[:]); err != nil {
					return
				}
				time.Sleep(10 * time.Millisecond)
			}
		}},
		{"at once, reset", func(c *client) {
			c.request()
			io.WriteString(c, refusal)
		}},
		{"in the middle", func(c *client) {
			r := c.request()
			io.CopyN(io.Discard, r.Body, 100)
			io.WriteString(c, refusal)
			io.Copy(io.Discard, c.r)
		}},
	} {
		for _, framing := range []string{"Content-Length: 20000000", "Transfer-Encoding: chunked"} {
			for _, kind := range []string{"ours", "wrapped"} {
				t.Run(how.name+", "+framing+", "+kind, func(t *testing.T) {
					each(t, func(t *testing.T, w *world) {
						o := newOrigin(t, how.script)
						tr := w.transport(o.addr, TransportConfig{})
						h := forward(tr)
						if kind == "wrapped" {
							h = wrapping(tr)
						}
						w.serve(ServerConfig{Handler: h})
						c := w.dial()
						c.send(post(framing) + "1000\r\n" + strings.Repeat("x", 0x1000) + "\r\n")
						began := time.Now()
						if r := c.expect(413, "too large"); !r.Close {
							t.Error("no Connection: close")
						}
						io.WriteString(c, "1\r\nx\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n")
						c.Conn.(*net.TCPConn).CloseWrite()
						io.Copy(io.Discard, c.r)
						w.ended(413, 0)
						w.quiet()
						if d := time.Since(began); d > 5*time.Second {
							t.Errorf("it took %v", d)
						}
					})
				})
			}
		}
	}
}

// An early answer must not wait for a client that sends no more of its body, nor leave anything behind.
func TestEarlyAnswerToSilentClient(t *testing.T) {
	for _, kind := range []string{"ours", "wrapped"} {
		for _, framing := range []string{"Content-Length: 20000000", "Transfer-Encoding: chunked"} {
			t.Run(kind+", "+framing, func(t *testing.T) {
				each(t, func(t *testing.T, w *world) {
					o := newOrigin(t, func(c *client) {
						c.request()
						io.WriteString(c, okAnswer)
						io.Copy(io.Discard, c.r)
					})
					tr := w.transport(o.addr, TransportConfig{})
					h := forward(tr)
					if kind == "wrapped" {
						h = wrapping(tr)
					}
					w.serve(ServerConfig{Handler: h})
					for range 20 {
						c := w.dial()
						c.send(post(framing))
						began := time.Now()
						c.expect(200, "ok")
						w.ended(200, 0)
						if d := time.Since(began); d >= lingerTime {
							t.Fatalf("the exchange took %v", d)
						}
						c.Close()
					}
				})
			})
		}
	}
}

// Bytes go both ways at once, for as long as both want.
func TestFullDuplex(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		o := newOrigin(t, func(c *client) {
			r := c.request()
			io.WriteString(c, answer200("Transfer-Encoding: chunked"))
			buf := make([]byte, 4096)
			for {
				n, err := r.Body.Read(buf)
				if n > 0 {
					fmt.Fprintf(c, "%x\r\n%s\r\n", n, buf[:n])
				}
				if err != nil {
					io.WriteString(c, "0\r\n\r\n")
					return
				}
			}
		})
		w.proxy(o.addr, TransportConfig{})
		c := w.dial()
		c.send(post("Transfer-Encoding: chunked") + "1\r\na\r\n")
		m := c.head("POST")
		buf := make([]byte, 1)
		for i := range 100 {
			if _, err := io.ReadFull(m.Body, buf); err != nil || buf[0] != 'a' {
				t.Fatal(i, buf, err)
			}
			c.send("1\r\na\r\n")
		}
		io.ReadFull(m.Body, buf)
		c.send("0\r\n\r\n")
		if rest, err := io.ReadAll(m.Body); err != nil || len(rest) > 0 {
			t.Fatalf("%q, %v", rest, err)
		}
		w.ended(200, 0)
	})
}
