package h2

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/http2"

	"weir"
	"weir/internal/poll"
	"weir/proto/h1"
)

// forward hands everything to tr.
func forward(tr weir.Transport) weir.Handler {
	return weir.HandlerFunc(func(x *weir.Exchange) error { return tr.RoundTrip(x) })
}

// eachFront runs f with a client and the address it asks, where a server of HTTP/1.1, or of HTTP/2, hands everything to h2's
// transport.
func eachFront(t *testing.T, origin http.HandlerFunc, f func(t *testing.T, client *http.Client, url string)) {
	for _, version := range []string{"HTTP/1.1", "HTTP/2"} {
		t.Run(version, func(t *testing.T) {
			w := newUpWorld(t, "poller")
			tr := w.transport(w.serveHTTP(origin), TransportConfig{})
			if version == "HTTP/2" {
				w.serve(ServerConfig{Handler: forward(tr)})
			} else {
				w.serveHTTP1(forward(tr))
			}
			f(t, clientOf(t, version == "HTTP/2"), w.url(""))
		})
	}
}

// clientOf returns a client that is not ours, and asks for nothing by itself.
func clientOf(t *testing.T, two bool) *http.Client {
	tr := &http.Transport{Protocols: new(http.Protocols)}
	tr.Protocols.SetHTTP1(!two)
	tr.Protocols.SetUnencryptedHTTP2(two)
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: soon}
}

// serveHTTP1 starts our server of HTTP/1.1.
func (w *upWorld) serveHTTP1(h weir.Handler) {
	srv := h1.NewServer(h1.ServerConfig{Handler: h, Observer: w})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.t.Fatal(err)
	}
	w.addr = l.Addr().String()
	pl, err := w.group.Listen(l, func(c poll.Conn) {
		w.served.Add(1)
		facts := factsOf(c)
		facts.Protocol = "HTTP/1.1"
		srv.Serve(c, facts, w.served.Done)
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		pl.Close()
		srv.Close()
		w.served.Wait()
	})
}

func TestProxyMessages(t *testing.T) {
	big := bytes.Repeat([]byte("0123456789"), 60_000)
	eachFront(t, func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("X-Saw", r.Proto+" "+r.Method+" "+r.Host+" "+r.URL.String())
		if r.URL.Path == "/length" {
			rw.Header().Set("Content-Length", r.Header.Get("Content-Length"))
		}
		rw.Header().Set("Trailer", "X-Sum")
		n, _ := io.Copy(rw, r.Body)
		rw.Header().Set("X-Sum", fmt.Sprint(n))
	}, func(t *testing.T, client *http.Client, url string) {
		for _, path := range []string{"/", "/length"} {
			for _, body := range [][]byte{nil, []byte("hello"), big} {
				req, _ := http.NewRequest("POST", url+path+"?q", bytes.NewReader(body))
				req.Host = "site.example"
				resp, err := client.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				got, err := io.ReadAll(resp.Body)
				resp.Body.Close()
				if err != nil || !bytes.Equal(got, body) || resp.StatusCode != 200 {
					t.Errorf("%d, %d bytes, %v", resp.StatusCode, len(got), err)
				}
				if saw := resp.Header.Get("X-Saw"); saw != "HTTP/2.0 POST site.example "+path+"?q" {
					t.Errorf("it saw %q", saw)
				}
				chunked := resp.ProtoMajor == 2 || resp.ContentLength < 0 // else HTTP/1.1 has no place for a trailer
				if path == "/" && len(body) > 0 && chunked && resp.Trailer.Get("X-Sum") != fmt.Sprint(len(body)) {
					t.Errorf("trailer %v", resp.Trailer)
				}
			}
		}
	})
}

// A head leaves before its body comes, and each piece of a body as it comes.
func TestProxyStreams(t *testing.T) {
	next := make(chan string)
	eachFront(t, func(rw http.ResponseWriter, r *http.Request) {
		rc := http.NewResponseController(rw)
		rw.Header().Set("Content-Type", "text/event-stream")
		rc.Flush()
		for event := range next {
			if event == "" {
				return
			}
			io.WriteString(rw, event)
			rc.Flush()
		}
	}, func(t *testing.T, client *http.Client, url string) {
		resp, err := client.Get(url + "/")
		if err != nil {
			t.Fatal(err)
		}
		for i := range 20 {
			event := fmt.Sprintf("data: %d\n\n", i)
			next <- event
			got := make([]byte, len(event))
			if _, err := io.ReadFull(resp.Body, got); err != nil || string(got) != event {
				t.Fatalf("got %q, %v", got, err)
			}
		}
		next <- ""
		if rest, err := io.ReadAll(resp.Body); len(rest) > 0 || err != nil {
			t.Errorf("%q, %v", rest, err)
		}
		resp.Body.Close()
	})
}

// Both directions of one stream are open through two of our connections.
func TestProxyBothWays(t *testing.T) {
	w := newUpWorld(t, "poller")
	tr := w.transport(w.serveHTTP(func(rw http.ResponseWriter, r *http.Request) {
		rc := http.NewResponseController(rw)
		rc.Flush()
		buf := make([]byte, 100)
		for {
			n, err := r.Body.Read(buf)
			rw.Write(bytes.ToUpper(buf[:n]))
			rc.Flush()
			if err != nil {
				return
			}
		}
	}), TransportConfig{})
	w.serve(ServerConfig{Handler: forward(tr)})
	pr, pw := io.Pipe()
	resp, err := clientOf(t, true).Post(w.url("/"), "application/grpc", pr)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 50 {
		word := fmt.Sprintf("word %d", i)
		io.WriteString(pw, word)
		got := make([]byte, len(word))
		if _, err := io.ReadFull(resp.Body, got); err != nil || string(got) != strings.ToUpper(word) {
			t.Fatalf("got %q, %v", got, err)
		}
	}
	pw.Close()
	if rest, err := io.ReadAll(resp.Body); len(rest) > 0 || err != nil {
		t.Errorf("%q, %v", rest, err)
	}
	resp.Body.Close()
	w.ended(200, weir.CauseNone)
}

// A WebSocket goes through two of our connections, and its end through both.
func TestProxyWebSocket(t *testing.T) {
	w := newUpWorld(t, "poller")
	o := w.newUpOrigin(func(p *upPeer) {
		p.hello(takesSockets)
		id := p.request()
		p.head(id, false, ":status", "200")
		for {
			d, ok := p.await(http2.FrameData).(*http2.DataFrame)
			if !ok {
				return
			}
			p.data(id, d.StreamEnded(), strings.ToUpper(string(d.Data())))
			if d.StreamEnded() {
				p.ended()
				return
			}
		}
	})
	w.serve(ServerConfig{Handler: forward(w.transport(o.addr, TransportConfig{}))})
	c := w.socket(w.transport(w.addr, TransportConfig{}))
	c.respond = func(x *weir.Exchange) error {
		up := x.Response.Upgrade
		buf := make([]byte, 5)
		for range 20 {
			io.WriteString(up, "hello")
			if _, err := io.ReadFull(up, buf); err != nil || string(buf) != "HELLO" {
				t.Errorf("%q, %v", buf, err)
			}
		}
		up.(interface{ CloseWrite() error }).CloseWrite()
		if n, err := up.Read(buf); n != 0 || err != io.EOF {
			t.Errorf("%d bytes, %v", n, err)
		}
		return up.Close()
	}
	if c.do(); c.status != 101 {
		t.Fatalf("%d, %v", c.status, c.fault)
	}
	if o := w.outcome(); o.status != 101 || o.in != 100 || o.out != 100 {
		t.Errorf("%+v", o)
	}
}

// When a client goes, the server behind us is told, and others are not touched.
func TestProxyClientGoes(t *testing.T) {
	told := make(chan struct{}, 1)
	arrived := make(chan struct{})
	var all sync.WaitGroup
	eachFront(t, func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/stay" {
			return
		}
		arrived <- struct{}{}
		<-r.Context().Done()
		told <- struct{}{}
	}, func(t *testing.T, client *http.Client, url string) {
		req, _ := http.NewRequest("GET", url+"/go", nil)
		ctx, cancel := context.WithCancel(t.Context())
		all.Go(func() {
			if resp, err := client.Do(req.WithContext(ctx)); err == nil {
				resp.Body.Close()
				t.Error("it has been answered")
			}
		})
		<-arrived
		cancel()
		all.Wait()
		<-told
		resp, err := client.Get(url + "/stay")
		if err != nil || resp.StatusCode != 200 {
			t.Fatal(resp, err)
		}
		resp.Body.Close()
	})
}
