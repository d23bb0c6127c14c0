package h2

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"weir"
)

func TestTransportRequests(t *testing.T) {
	eachUp(t, func(t *testing.T, w *upWorld) {
		addr := w.serveHTTP(func(rw http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			rw.Header().Set("X-Proto", r.Proto)
			fmt.Fprintf(rw, "%s %s %s %s %v", r.Method, r.Host, r.URL, body, err)
		})
		tr := w.transport(addr, TransportConfig{})
		w.ask(tr, "GET", "/").do().got(200, "GET example.org /  <nil>")
		c := w.ask(tr, "POST", "/a/b?c=d").with("hello").do().got(200, "POST example.org /a/b?c=d hello <nil>")
		if c.header.Get("x-proto") != "HTTP/2.0" || c.header.Get("content-length") != "" {
			t.Errorf("%v", c.header)
		}
		big := strings.Repeat("0123456789", 100_000)
		w.ask(tr, "PUT", "/big").with(big).do().got(200, "PUT example.org /big "+big+" <nil>")
		if n := w.dialled(); n != 1 || tr.Idle() != 1 {
			t.Errorf("%d connections were made, %d are idle", n, tr.Idle())
		}
	})
}

// What a server is told is what was asked, and nothing that concerns the client's connection.
func TestTransportFields(t *testing.T) {
	w := newUpWorld(t, "poller")
	addr := w.serveHTTP(func(rw http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(rw, "%v %d %v %v %s", r.Header["X-A"], r.ContentLength, r.Header["Te"], r.Header["Connection"], r.Header.Get("Cookie"))
	})
	tr := w.transport(addr, TransportConfig{})
	c := w.ask(tr, "POST", "/").field("X-A", "1").field("x-a", "2").field("Cookie", "a=b; c=d").field("Connection", "close").with("hey")
	c.x.Request.TETrailers = true
	c.do().got(200, "[1 2] 3 [trailers] [] a=b; c=d")
	w.ask(tr, "POST", "/").do().got(200, "[] 0 [] [] ")
	long := strings.Repeat("v", 40_000)
	w.ask(tr, "GET", "/").field("X-A", long).do().got(200, "["+long+"] 0 [] [] ")
	w.ask(tr, "GET", "/").field("X-B", "a\r\nX-A: b").do().got(200, "[] 0 [] [] ")
	for _, path := range []string{"/a b", "", "a", "/\r\n"} {
		w.ask(tr, "GET", path).do().failed(weir.CauseInternal, weir.RetryNever)
	}
}

func TestTransportAnswersWithoutContent(t *testing.T) {
	w := newUpWorld(t, "poller")
	addr := w.serveHTTP(func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Content-Length", "7")
		switch r.URL.Path {
		case "/204":
			rw.Header().Del("Content-Length")
			rw.WriteHeader(204)
		case "/304":
			rw.WriteHeader(304)
		case "/empty":
			rw.Header().Set("Content-Length", "0")
		case "/gone":
			rw.Header().Del("Content-Length")
			rw.WriteHeader(410)
		}
	})
	tr := w.transport(addr, TransportConfig{})
	for path, want := range map[string]int{"/204": 204, "/304": 304, "/empty": 200, "/gone": 410} {
		c := w.ask(tr, "GET", path)
		c.respond = func(x *weir.Exchange) error {
			if b := x.Response.Body; b != nil && b.Len() != 0 {
				t.Errorf("%s has a body of %d bytes", path, b.Len())
			}
			return nil
		}
		if c.do(); c.status != want {
			t.Errorf("%s: %d", path, c.status)
		}
	}
	c := w.ask(tr, "HEAD", "/")
	c.respond = func(x *weir.Exchange) error {
		if b := x.Response.Body; b == nil || b.Len() != 7 {
			t.Errorf("HEAD: %v", b)
		}
		return nil
	}
	if c.do(); c.status != 200 {
		t.Error(c.status, c.fault)
	}
	w.quietly(tr, 1)
}

// quietly makes sure that nothing is under way, and that so many connections are kept.
func (w *upWorld) quietly(tr *Transport, conns int) {
	w.t.Helper()
	until(w.t, func() bool { return tr.Idle() == conns })
	tr.mu.Lock()
	list := append([]*upConn(nil), tr.conns...)
	tr.mu.Unlock()
	for _, c := range list {
		c.mu.Lock()
		if len(c.streams) > 0 || len(c.queue) > 0 {
			w.t.Errorf("%d streams, %d in the queue are left", len(c.streams), len(c.queue))
		}
		c.mu.Unlock()
	}
}

// until waits for what must happen soon.
func until(t *testing.T, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(soon); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it did not happen")
		}
	}
}

func TestTransportTrailers(t *testing.T) {
	eachUp(t, func(t *testing.T, w *upWorld) {
		addr := w.serveHTTP(func(rw http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			rw.Header().Set("Trailer", "X-Sum")
			fmt.Fprintf(rw, "%s", body)
			rw.Header().Set("X-Sum", r.Trailer.Get("X-Asked"))
		})
		tr := w.transport(addr, TransportConfig{})
		body, in := newPipeBody()
		body.trailer = &weir.Header{}
		body.trailer.Add("X-Asked", "yes")
		c := w.ask(tr, "POST", "/").field("Trailer", "X-Asked")
		c.x.Request.Body = body
		go func() {
			io.WriteString(in, "content")
			in.Close()
		}()
		c.do().got(200, "content")
		if c.trailer.Get("x-sum") != "yes" {
			t.Errorf("trailer %v", c.trailer)
		}
		w.quietly(tr, 1)
	})
}

func TestTransportTrailersOnly(t *testing.T) {
	w := newUpWorld(t, "poller")
	o := w.newUpOrigin(func(p *upPeer) {
		p.hello()
		p.head(p.request(), true, ":status", "200", "grpc-status", "5")
		id := p.request()
		p.head(id, false, ":status", "200")
		p.head(id, true, "grpc-status", "6", "content-type", "not/here")
		p.ended()
	})
	tr := w.transport(o.addr, TransportConfig{})
	c := w.ask(tr, "POST", "/").do().got(200, "")
	if c.header.Get("grpc-status") != "5" || c.x.Response.Body != nil {
		t.Errorf("%v", c.header)
	}
	c = w.ask(tr, "POST", "/").do().got(200, "")
	if c.trailer.Get("grpc-status") != "6" || c.trailer.Len() != 1 {
		t.Errorf("trailer %v", c.trailer)
	}
}

func TestTransportInterim(t *testing.T) {
	eachUp(t, func(t *testing.T, w *upWorld) {
		addr := w.serveHTTP(func(rw http.ResponseWriter, r *http.Request) {
			rw.Header().Set("Link", "</a.css>")
			rw.WriteHeader(103)
			rw.Header().Set("Link", "</b.css>")
			rw.WriteHeader(103)
			rw.Header().Del("Link")
			io.WriteString(rw, "done")
		})
		tr := w.transport(addr, TransportConfig{})
		c := w.ask(tr, "GET", "/").do().got(200, "done")
		if got := strings.Join(c.interim, ","); got != "103 link=</a.css>,103 link=</b.css>" {
			t.Errorf("got %q", got)
		}
	})
}

func TestTransportExpect(t *testing.T) {
	w := newUpWorld(t, "poller")
	o := w.newUpOrigin(func(p *upPeer) {
		p.hello()
		id := p.request() // it wants the body
		p.head(id, false, ":status", "100")
		if d, ok := p.await(http2.FrameData).(*http2.DataFrame); !ok || string(d.Data()) != "body" {
			t.Errorf("got %v", d)
		}
		p.head(id, true, ":status", "200")
		id = p.request() // it does not
		p.head(id, true, ":status", "417")
		if r, ok := p.next().(*http2.RSTStreamFrame); !ok || r.StreamID != id || r.ErrCode != http2.ErrCodeCancel {
			t.Errorf("got %v", r)
		}
		id = p.request() // it says nothing
		if d, ok := p.await(http2.FrameData).(*http2.DataFrame); !ok || string(d.Data()) != "body" {
			t.Errorf("got %v", d)
		}
		p.head(id, true, ":status", "201")
		p.ended()
	})
	tr := w.transport(o.addr, TransportConfig{})
	for _, want := range []int{200, 417, 201} {
		c := w.ask(tr, "POST", "/").with("body")
		c.x.Request.Expect = true
		if c.do().got(want, ""); c.x.Request.Touched != (want != 417) {
			t.Errorf("%d: touched: %v", want, c.x.Request.Touched)
		}
	}
}

// Both sides speak in turns on one stream, and neither waits for the other's end.
func TestTransportBothWays(t *testing.T) {
	eachUp(t, func(t *testing.T, w *upWorld) {
		addr := w.serveHTTP(func(rw http.ResponseWriter, r *http.Request) {
			http.NewResponseController(rw).Flush()
			buf := make([]byte, 100)
			for {
				n, err := r.Body.Read(buf)
				if n > 0 {
					fmt.Fprintf(rw, "<%s>", buf[:n])
					http.NewResponseController(rw).Flush()
				}
				if err != nil {
					return
				}
			}
		})
		tr := w.transport(addr, TransportConfig{})
		body, in := newPipeBody()
		c := w.ask(tr, "POST", "/")
		c.x.Request.Body = body
		c.respond = func(x *weir.Exchange) error {
			for i := range 50 {
				fmt.Fprintf(in, "%d", i)
				want := fmt.Sprintf("<%d>", i)
				got := make([]byte, len(want))
				if _, err := io.ReadFull(x.Response.Body, got); err != nil || string(got) != want {
					return fmt.Errorf("got %q, %v", got, err)
				}
			}
			in.Close()
			rest, err := io.ReadAll(x.Response.Body)
			if len(rest) > 0 {
				return fmt.Errorf("got %q more", rest)
			}
			return err
		}
		if c.do(); c.fault != nil {
			t.Fatal(c.fault)
		}
		w.quietly(tr, 1)
	})
}

// Large bodies go both ways at once, through windows much smaller than they are.
func TestTransportEchoes(t *testing.T) {
	eachUp(t, func(t *testing.T, w *upWorld) {
		addr := w.serveHTTP(func(rw http.ResponseWriter, r *http.Request) { io.Copy(rw, r.Body) })
		tr := w.transport(addr, TransportConfig{Window: 64 << 10, Streams: 5})
		var all sync.WaitGroup
		for i := range 12 {
			body := strings.Repeat(fmt.Sprintf("%04d", i), 200_000)
			all.Go(func() { w.ask(tr, "POST", "/").with(body).do().got(200, body) })
		}
		all.Wait()
	})
}

func TestTransportManyStreams(t *testing.T) {
	eachUp(t, func(t *testing.T, w *upWorld) {
		var arrived sync.WaitGroup
		arrived.Add(1000)
		addr := w.serveHTTP(func(rw http.ResponseWriter, r *http.Request) {
			arrived.Done()
			arrived.Wait() // all of them are under way at the same time
			fmt.Fprint(rw, r.URL.Path)
		})
		tr := w.transport(addr, TransportConfig{Connections: 10, Connect: soon})
		var all sync.WaitGroup
		for i := range 1000 {
			path := fmt.Sprint("/", i)
			all.Go(func() { w.ask(tr, "GET", path).do().got(200, path) })
		}
		all.Wait()
		if n := w.dialled(); n != 10 {
			t.Errorf("%d connections were made", n)
		}
		w.quietly(tr, 10)
	})
}
