package h2

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"weir"
	"weir/proto/h1"
	"weir/proto/internal/websocket"
)

// webSocket is a server that takes an HTTP/1.1 upgrade and follows a script then.
func webSocket(t *testing.T, accept func(key string) string, script func(c net.Conn, r *bufio.Reader)) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer c.Close()
				c.SetDeadline(time.Now().Add(soon))
				r := bufio.NewReader(c)
				q, err := http.ReadRequest(r)
				if err != nil {
					return
				}
				if q.Method != "GET" || q.Header.Get("Upgrade") != "websocket" || q.Header.Get("Connection") != "Upgrade" || q.Host != "a" {
					t.Errorf("the server got %+v", q)
				}
				switch q.URL.Path {
				case "/refuse":
					io.WriteString(c, "HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno")
					return
				case "/ignore":
					io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
					return
				}
				fmt.Fprintf(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
					"Sec-WebSocket-Accept: %s\r\nSec-WebSocket-Protocol: chat\r\n\r\nearly", accept(q.Header.Get("Sec-WebSocket-Key")))
				script(c, r)
			})
		}
	})
	t.Cleanup(func() { l.Close(); all.Wait() })
	return l.Addr().String()
}

// echoing sends back what it gets, to the end.
func echoing(c net.Conn, r *bufio.Reader) {
	io.Copy(struct{ io.Writer }{c}, r) // a splice would keep a pipe
	io.WriteString(c, "bye")
}

// proxy starts a server that hands everything to the HTTP/1.1 server at addr.
func (w *world) proxy(addr string, c ServerConfig) {
	tr := h1.NewTransport(&weir.Endpoint{Upstream: "u", Name: "o", Address: addr}, h1.TransportConfig{Group: w.group})
	w.t.Cleanup(tr.Close)
	c.Handler = weir.HandlerFunc(func(x *weir.Exchange) error { return tr.RoundTrip(x) })
	w.serve(c)
}

// connect is an extended CONNECT.
func connect(stream uint32, path string, more ...string) []byte {
	b := block(append([]string{
		":method", "CONNECT", ":protocol", "websocket", ":scheme", "https", ":authority", "a", ":path", path,
		"sec-websocket-version", "13",
	}, more...)...)
	return appendHeaders(nil, stream, false, b, minFrameSize)
}

func TestWebSocket(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.proxy(webSocket(t, websocket.Accept, echoing), ServerConfig{})
		p := w.peer()
		if g := p.until(frameSettings); !bytes.Contains(g.p, []byte{0, 8, 0, 0, 0, 1}) {
			t.Errorf("extended CONNECT is not announced: %x", g.p)
		}
		p.send(connect(1, "/ws"), appendData(nil, 1, false, []byte("+sent early+")))
		_, head, end := p.head()
		if head[":status"] != "200" || head["sec-websocket-protocol"] != "chat" || head["sec-websocket-accept"] != "" || end {
			t.Fatalf("answered with %v, end %v", head, end)
		}
		large := strings.Repeat("0123456789", 3000)
		p.send(appendData(nil, 1, false, []byte(large[:minFrameSize])), appendData(nil, 1, true, []byte(large[minFrameSize:])))
		got := ""
		for end := false; !end; {
			g := p.until(frameData)
			got += string(g.p)
			end = g.has(flagEndStream)
		}
		if want := "early+sent early+" + large + "bye"; got != want {
			t.Errorf("got %d bytes, want %d: %.100q", len(got), len(want), got)
		}
		o := w.ended(101, 0)
		if o.in != int64(len(large)+12) || o.out != int64(len(got)) {
			t.Errorf("counted %+v", o)
		}
	})
}

func TestWebSocketRefused(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.proxy(webSocket(t, func(string) string { return "wrong" }, echoing), ServerConfig{})
		p := w.peer()
		for i, tt := range []struct {
			request []byte
			status  string
			cause   weir.Cause
		}{
			{connect(1, "/refuse"), "403", 0},
			{connect(3, "/ignore"), "502", weir.CauseUpstreamUpgrade},
			{connect(5, "/wrong"), "502", weir.CauseUpstreamUpgrade},
			{appendHeaders(nil, 7, false, block(":method", "CONNECT", ":protocol", "other", ":scheme", "http", ":authority", "a", ":path", "/"), minFrameSize), "501", weir.CauseMethodRefused},
			{appendHeaders(nil, 9, false, block(":method", "CONNECT", ":authority", "a:1"), minFrameSize), "405", weir.CauseMethodRefused},
		} {
			p.send(tt.request)
			if at, status, _ := p.answer(); at != id(i) || status != tt.status {
				t.Errorf("%d: stream %d answered with %s, want %s", i, at, status, tt.status)
			}
			if o := w.outcome(); o.cause != tt.cause {
				t.Errorf("%d: ended with %+v", i, o)
			}
		}
		p.send(appendHeaders(nil, 11, true, block(":method", "CONNECT", ":protocol", "websocket", ":scheme", "http", ":authority", "a", ":path", "/"), minFrameSize))
		p.resets(11, codeProtocol)
	})
}

// Either end that breaks off breaks the other one off.
func TestWebSocketBroken(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ended := make(chan error, 10)
		w.proxy(webSocket(t, websocket.Accept, func(c net.Conn, r *bufio.Reader) {
			b, _ := r.ReadByte()
			if b == 'r' {
				c.(*net.TCPConn).SetLinger(0)
				return
			}
			_, err := io.Copy(io.Discard, r)
			ended <- err
		}), ServerConfig{})
		p := w.peer()
		p.send(connect(1, "/ws"), appendData(nil, 1, false, []byte("x")))
		p.head()
		p.send(appendReset(nil, 1, codeCancel))
		<-ended
		w.ended(101, weir.CauseClientGone)
		p.send(connect(3, "/ws"), appendData(nil, 3, false, []byte("r")))
		p.head()
		p.resets(3, codeCancel)
		w.outcome()
		p.send(connect(5, "/ws"), appendData(nil, 5, false, []byte("x")))
		p.head()
		p.Close()
		<-ended
		w.ended(101, weir.CauseClientGone)
	})
}

// A silent tunnel is given up after its time.
func TestWebSocketSilent(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.proxy(webSocket(t, websocket.Accept, echoing), ServerConfig{Timeouts: Timeouts{Tunnel: 50 * time.Millisecond}})
		p := w.peer()
		p.send(connect(1, "/ws"))
		p.head()
		p.resets(1, codeCancel)
		w.ended(101, weir.CauseClientIdle)
	})
}
