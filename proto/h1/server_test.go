package h1

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"weir"
)

func TestPipelining(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.serve(ServerConfig{Handler: echo})
		c := w.dial()
		var wire strings.Builder
		const n = 200
		for i := range n {
			switch i % 4 {
			case 0:
				fmt.Fprintf(&wire, "GET /%d HTTP/1.1\r\nHost: a\r\n\r\n", i)
			case 1:
				fmt.Fprintf(&wire, "POST /%d HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody", i)
			case 2:
				fmt.Fprintf(&wire, "POST /%d HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2;x\r\nbo\r\n2\r\ndy\r\n0\r\nA: b\r\n\r\n", i)
			case 3:
				fmt.Fprintf(&wire, "\r\nGET /%d HTTP/1.1\r\nHost: a\r\nA: %s\r\n\r\n", i, strings.Repeat("x", 300*i%5000))
			}
		}
		go io.WriteString(c, wire.String())
		for i := range n {
			want := [...]string{"GET /%d ", "POST /%d body", "POST /%d body", "GET /%d "}[i%4]
			c.expect(200, fmt.Sprintf(want, i))
		}
		c.Close()
	})
}

// A request may arrive in any pieces; here it does so byte by byte.
func TestRequestByteByByte(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.serve(ServerConfig{Handler: echo})
		c := w.dial()
		for _, wire := range []string{
			"\r\nGET /x HTTP/1.1\r\nHost: a\r\nA: b\r\n\r\n",
			"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;d=\"e\"\r\nde\r\n0\r\nA: b\r\n\r\n",
			"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nabcde",
		} {
			for i := range len(wire) {
				c.send(wire[i : i+1])
			}
			want := "GET /x "
			if wire[0] == 'P' {
				want = "POST /x abcde"
			}
			c.expect(200, want)
		}
	})
}

// A handler that leaves a body unread must not have it taken for the next request.
func TestUnreadBodies(t *testing.T) {
	ignore := weir.HandlerFunc(func(x *weir.Exchange) error { x.Response.Text(200, x.Request.Path); return nil })
	const next = "GET /next HTTP/1.1\r\nHost: a\r\n\r\n"
	each(t, func(t *testing.T, w *world) {
		w.serve(ServerConfig{Handler: ignore})
		for _, body := range []string{
			"Content-Length: 35\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n",
			"Transfer-Encoding: chunked\r\n\r\n23\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n\r\n0\r\n\r\n",
		} {
			c := w.dial()
			c.send("POST /first HTTP/1.1\r\nHost: a\r\n" + body + next)
			c.expect(200, "/first")
			c.expect(200, "/next")
			c.Close()
		}
		// What has not come by the time of the answer ends the connection, and is not taken for a request.
		c := w.dial()
		c.send("POST /first HTTP/1.1\r\nHost: a\r\nContent-Length: 500000\r\n\r\n")
		if r := c.expect(200, "/first"); !r.Close {
			t.Error("no Connection: close")
		}
		c.send(next + next)
		c.ended()
	})
}

func TestHTTP10(t *testing.T) {
	h := weir.HandlerFunc(func(x *weir.Exchange) error {
		x.Response.Text(200, "hello")
		if x.Request.Path == "/stream" {
			x.Response.Body = unknownLength{x.Response.Body}
		}
		x.Inform(103, &weir.Header{})
		return nil
	})
	each(t, func(t *testing.T, w *world) {
		w.serve(ServerConfig{Handler: h})
		c := w.dial()
		c.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
		if r := c.expect(200, "hello"); r.Header.Get("Connection") != "keep-alive" || r.ContentLength != 5 {
			t.Errorf("%v", r.Header)
		}
		c.send("GET /stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
		if r := c.expect(200, "hello"); !r.Close || r.TransferEncoding != nil || r.ContentLength != -1 {
			t.Errorf("%v", r.Header)
		}
		c.ended()
		c = w.dial()
		c.send("GET / HTTP/1.0\r\n\r\n")
		if r := c.expect(200, "hello"); !r.Close {
			t.Errorf("%v", r.Header)
		}
		c.ended()
	})
}

// answers by path, for what the protocol makes of an answer.
var shapes = weir.HandlerFunc(func(x *weir.Exchange) error {
	r := &x.Response
	r.Status = 200
	switch x.Request.Path {
	case "/empty":
	case "/known":
		r.Body = weir.NewBody("hello")
	case "/unknown":
		r.Body = unknownLength{weir.NewBody("hello")}
	case "/head":
		r.Body = weir.HeadBody(12345)
	case "/204":
		r.Status, r.Body = 204, weir.NewBody("must not be sent")
	case "/304":
		r.Status, r.Body = 304, weir.NewBody("must not be sent")
	case "/trailer":
		b := &trailing{Body: weir.NewBody("hello")}
		b.trailer.Add("Sum", "42")
		b.trailer.Add("Evil", "a\r\n\r\nGET")
		r.Body = b
	case "/large":
		r.Body = unknownLength{weir.NewBody(strings.Repeat("0123456789", 20000))}
	case "/nothing":
		r.Status = 0
	case "/fails":
		return errors.New("something broke")
	case "/short":
		r.Body = lying{weir.NewBody("hello"), 10}
	case "/long":
		r.Body = lying{weir.NewBody("hello"), 3}
	case "/breaks":
		r.Body = &breaking{unknownLength{weir.NewBody("hello")}}
	}
	r.Header.Add("Shape", x.Request.Path)
	r.Header.Add("Connection", "close")
	r.Header.Add("Content-Length", "77")
	return nil
})

type trailing struct {
	weir.Body
	trailer weir.Header
}

func (b *trailing) Len() int64            { return -1 }
func (b *trailing) Trailer() *weir.Header { return &b.trailer }

// lying announces another length than it has.
type lying struct {
	weir.Body
	n int64
}

func (b lying) Len() int64 { return b.n }

// breaking fails where it should end.
type breaking struct{ weir.Body }

func (b *breaking) Read(p []byte) (int, error) {
	n, err := b.Body.Read(p)
	if err == io.EOF {
		err = errors.New("broken")
	}
	return n, err
}

func TestAnswers(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.serve(ServerConfig{Handler: shapes})
		c := w.dial()
		for _, a := range []struct {
			method, path string
			status       int
			length       int64
			body         string
		}{
			{"GET", "/empty", 200, 0, ""},
			{"GET", "/known", 200, 5, "hello"},
			{"GET", "/unknown", 200, -1, "hello"},
			{"GET", "/204", 204, 0, ""},
			{"GET", "/304", 304, 0, ""},
			{"GET", "/large", 200, -1, strings.Repeat("0123456789", 20000)},
			{"HEAD", "/empty", 200, -1, ""},
			{"HEAD", "/known", 200, 5, ""},
			{"HEAD", "/unknown", 200, -1, ""},
			{"HEAD", "/head", 200, 12345, ""},
			{"HEAD", "/204", 204, -1, ""},
			{"GET", "/nothing", 500, 26, "500 Internal Server Error\n"},
			{"GET", "/fails", 500, 26, "500 Internal Server Error\n"},
			{"HEAD", "/fails", 500, 26, ""},
		} {
			c.send(a.method + " " + a.path + " HTTP/1.1\r\nHost: a\r\n\r\n")
			r := c.answerTo(a.method)
			if r.StatusCode != a.status || r.ContentLength != a.length || r.body != a.body || r.err != nil || r.Close {
				t.Fatalf("%s %s: %d, length %d, %.20q, %v, close %v", a.method, a.path, r.StatusCode, r.ContentLength, r.body, r.err, r.Close)
			}
			if len(r.Header["Date"]) != 1 || len(r.Header["Content-Length"]) > 1 {
				t.Errorf("%s %s: %v", a.method, a.path, r.Header)
			}
		}
		c.send("GET /trailer HTTP/1.1\r\nHost: a\r\n\r\n")
		if r := c.expect(200, "hello"); r.Trailer.Get("Sum") != "42" || len(r.Trailer) != 1 {
			t.Errorf("trailer %v", r.Trailer)
		}
	})
}

// An answer that can't be delivered whole must not look as if it had been.
func TestCutAnswers(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.serve(ServerConfig{Handler: shapes})
		for _, path := range []string{"/short", "/breaks"} {
			c := w.dial()
			c.send("GET " + path + " HTTP/1.1\r\nHost: a\r\n\r\nGET /known HTTP/1.1\r\nHost: a\r\n\r\n")
			if r := c.answer(); r.err == nil || strings.Contains(r.body, "HTTP/") {
				t.Errorf("%s: %q, %v", path, r.body, r.err)
			}
			if o := w.ended(200, weir.CauseInternal); o.out != 5 {
				t.Errorf("%s: %+v", path, o)
			}
			w.quiet()
		}
		// A body that is too long is noticed before a byte of it has left.
		c := w.dial()
		c.send("GET /long HTTP/1.1\r\nHost: a\r\n\r\n")
		if c.answer(); w.outcome().cause != weir.CauseInternal {
			t.Error("a body longer than announced is not a fault")
		}
	})
}

func TestInform(t *testing.T) {
	h := weir.HandlerFunc(func(x *weir.Exchange) error {
		var h weir.Header
		h.Add("Link", "</a.css>; rel=preload")
		for range 2 {
			if err := x.Inform(103, &h); err != nil {
				return err
			}
		}
		x.Response.Text(200, "ok")
		return nil
	})
	each(t, func(t *testing.T, w *world) {
		w.serve(ServerConfig{Handler: h})
		c := w.dial()
		c.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		const hint = "HTTP/1.1 103 Early Hints|Link: </a.css>; rel=preload||"
		got := ""
		for range 6 {
			got += c.line() + "|"
		}
		if got != hint+hint {
			t.Errorf("%q", got)
		}
		c.expect(200, "ok")
	})
}

func TestContinue(t *testing.T) {
	h := weir.HandlerFunc(func(x *weir.Exchange) error {
		if x.Request.Path == "/no" {
			x.Response.Text(403, "no")
			return nil
		}
		return echo(x)
	})
	const head = " HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n"
	each(t, func(t *testing.T, w *world) {
		w.serve(ServerConfig{Handler: h})
		c := w.dial()
		for range 2 {
			c.send("POST /yes" + head)
			if s := c.line() + c.line(); s != "HTTP/1.1 100 Continue" {
				t.Fatalf("%q", s)
			}
			c.send("body")
			c.expect(200, "POST /yes body")
		}
		// The body comes with the head: nobody waits for 100.
		c.send("POST /yes" + head + "body")
		c.expect(200, "POST /yes body")
		// Nobody wants the body: whether it comes is not known, so the connection ends.
		c.send("POST /no" + head)
		if r := c.expect(403, "no"); !r.Close {
			t.Error("no Connection: close")
		}
		c.send("GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n")
		c.ended()
		for range 4 {
			w.outcome()
		}
		w.quiet()
	})
}

func TestBodyTrailerReachesHandler(t *testing.T) {
	got := make(chan []string, 1)
	h := weir.HandlerFunc(func(x *weir.Exchange) error {
		io.ReadAll(x.Request.Body)
		got <- names(x.Request.Body.Trailer())
		x.Response.Status = 204
		return nil
	})
	each(t, func(t *testing.T, w *world) {
		w.serve(ServerConfig{Handler: h})
		c := w.dial()
		c.send(post("Transfer-Encoding: chunked") + "1\r\nx\r\n0\r\nSum: 1\r\nHost: b\r\n\r\n")
		if list := <-got; !slices.Equal(list, []string{"Sum=1"}) {
			t.Errorf("%q", list)
		}
		c.expect(204, "")
	})
}

// A read into nothing returns at once.
func TestEmptyRead(t *testing.T) {
	h := weir.HandlerFunc(func(x *weir.Exchange) error {
		if n, err := x.Request.Body.Read(nil); n != 0 || err != nil {
			t.Errorf("read %d, %v", n, err)
		}
		return echo(x)
	})
	each(t, func(t *testing.T, w *world) {
		w.serve(ServerConfig{Handler: h})
		c := w.dial()
		for _, wire := range []string{"Content-Length: 2\r\n\r\nab", "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n"} {
			c.send("POST / HTTP/1.1\r\nHost: a\r\n" + wire)
			c.expect(200, "POST / ab")
		}
	})
}

// A body that ends too early, or is malformed, is the client's fault, and the last exchange of its connection.
func TestBrokenBodies(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.serve(ServerConfig{Handler: echo})
		for _, wire := range []string{"x\r\n", "1\r\nabc", "1\r\na\n0\r\n\r\n", "1\r\na\r\n0\r\nA : b\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "1;\n", "0\r\n\n"} {
			c := w.dial()
			c.send(post("Transfer-Encoding: chunked") + wire)
			if r := c.answer(); r.StatusCode != 400 || !r.Close {
				t.Errorf("%q: %d, close %v", wire, r.StatusCode, r.Close)
			}
			c.ended()
			w.ended(400, weir.CauseRequestBody)
		}
		for _, wire := range []string{post("Content-Length: 5") + "abc", post("Transfer-Encoding: chunked") + "5\r\nabc"} {
			c := w.dial()
			c.send(wire)
			c.Close()
			w.ended(499, weir.CauseClientGone)
		}
		w.quiet()
	})
}

func TestMalformedTrailerOfUnreadBody(t *testing.T) {
	ignore := weir.HandlerFunc(func(x *weir.Exchange) error { x.Response.Text(200, "ok"); return nil })
	each(t, func(t *testing.T, w *world) {
		w.serve(ServerConfig{Handler: ignore})
		c := w.dial()
		c.send(post("Transfer-Encoding: chunked") + "0\r\nA : b\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n")
		if r := c.expect(200, "ok"); !r.Close {
			t.Error("no Connection: close")
		}
		c.ended()
	})
}

// The time of a head begins when the connection is free for it, not when its first bytes came.
func TestHeaderTimeoutOfPipelinedHead(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		const limit = time.Second
		w.serve(ServerConfig{Timeouts: Timeouts{Header: limit}, Handler: weir.HandlerFunc(func(x *weir.Exchange) error {
			if x.Request.Path == "/slow" {
				<-time.After(2 * limit)
			}
			return echo(x)
		})})
		c := w.dial()
		c.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\nGET / HT")
		c.expect(200, "GET /slow ")
		c.send("TP/1.1\r\nHost: a\r\n\r\n")
		c.expect(200, "GET / ")
		c.send("GET / HT")
		if r := c.answer(); r.StatusCode != 408 {
			t.Errorf("%d", r.StatusCode)
		}
	})
}

// Empty lines are no request: they do not keep a connection open.
func TestEmptyLinesDoNotCount(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.serve(ServerConfig{Handler: weir.HandlerFunc(func(x *weir.Exchange) error {
			w.srv.Configure(ServerConfig{Observer: w, Timeouts: Timeouts{Idle: 300 * time.Millisecond}}) // which the first request has not to keep
			return echo(x)
		})})
		c := w.dial()
		c.send(get())
		c.expect(200, "GET / ")
		c.SetReadDeadline(time.Now().Add(20 * time.Second))
		quit := make(chan struct{})
		defer close(quit)
		go func() {
			for {
				select {
				case <-quit:
					return
				case <-time.After(50 * time.Millisecond):
					io.WriteString(c.Conn, "\r\n")
				}
			}
		}()
		if _, err := c.r.ReadByte(); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("the connection stays open: %v", err)
		}
	})
}
