package h3

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"weir"
	"weir/internal/poll"
	"weir/proto/h1"
	"weir/proto/internal/websocket"
)

// switching starts an HTTP/1 server that answers an upgrade and then does what f does. accept makes the answer to a key.
func switching(t *testing.T, accept func(key string) string, f func(c net.Conn, r *bufio.Reader)) string {
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
				c.SetDeadline(time.Now().Add(patience))
				r := bufio.NewReader(c)
				q, err := http.ReadRequest(r)
				if err != nil || q.Method != "GET" || q.Header.Get("Upgrade") != "websocket" || q.Header.Get("Connection") != "Upgrade" ||
					q.Header.Get("Sec-WebSocket-Version") != "13" || q.Header.Get("Early-Data") != "" {
					io.WriteString(c, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
					return
				}
				io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Protocol: chat\r\nSec-WebSocket-Accept: "+
					accept(q.Header.Get("Sec-WebSocket-Key"))+"\r\n\r\n")
				f(c, r)
			})
		}
	})
	t.Cleanup(func() { l.Close(); all.Wait() })
	return l.Addr().String()
}

func echoing(c net.Conn, r *bufio.Reader) {
	io.WriteString(c, "hello ")
	io.Copy(c, r)
	c.(*net.TCPConn).CloseWrite()
}

// byH1 returns a transport to an HTTP/1 server.
func byH1(t *testing.T, addr string) weir.Transport {
	t.Helper()
	g, err := poll.NewGroup(1)
	if err != nil {
		t.Fatal(err)
	}
	tr := h1.NewTransport(&weir.Endpoint{Upstream: "u", Name: "o", Address: addr}, h1.TransportConfig{Group: g})
	t.Cleanup(func() { tr.Close(); g.Close() })
	return tr
}

func connect(more ...string) []byte {
	return fields(append([]string{
		":method", "CONNECT", ":protocol", "websocket", ":scheme", "https", ":authority", "a.test", ":path", "/ws",
		"sec-websocket-version", "13",
	}, more...)...)
}

// A WebSocket goes through to a server of HTTP/1, and through two of weir that speak HTTP/3 with each other.
func TestWebSocket(t *testing.T) {
	leaks(t)
	near := start(t, ServerConfig{Handler: forward(byH1(t, switching(t, websocket.Accept, echoing)))}, Socket{})
	far, tr := proxy(t, near.addr.String(), TransportConfig{})
	for name, w := range map[string]*world{"HTTP/1": near, "HTTP/3": far} {
		t.Run(name, func(t *testing.T) {
			r := w.greeted()
			r.t = t
			str := r.open(connect())
			in := &input{}
			in.reset(str)
			status, h := r.head(in)
			if status != 200 || h.Get("sec-websocket-protocol") != "chat" || h.Len() != 1 {
				t.Fatalf("%d %v", status, h)
			}
			in.phase = phaseContent
			sent := content(300 << 10)
			var sending sync.WaitGroup
			sending.Go(func() {
				for i := 0; i < len(sent); i += 10000 {
					str.Write(data(sent[i:min(i+10000, len(sent))]))
				}
				str.Close()
			})
			var got strings.Builder
			for {
				p, err := in.content(inputSize)
				got.Write(p)
				if err == io.EOF {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			sending.Wait()
			if got.String() != "hello "+sent {
				t.Errorf("%d bytes", got.Len())
			}
			if o := w.ended(101, 0); o.in != int64(len(sent)) || o.out != int64(len(sent)+6) {
				t.Errorf("%+v", o)
			}
		})
	}
	near.ended(101, 0) // for the far one
	if n := tr.Idle(); n != 1 {
		t.Errorf("%d idle", n)
	}
}

// A client that breaks a WebSocket off has it broken off at the server, and the other way round.
func TestWebSocketBrokenOff(t *testing.T) {
	leaks(t)
	ended := make(chan error, 1)
	near := start(t, ServerConfig{Handler: forward(byH1(t, switching(t, websocket.Accept, func(c net.Conn, r *bufio.Reader) {
		_, err := io.Copy(io.Discard, r)
		ended <- err
	})))}, Socket{})
	far, _ := proxy(t, near.addr.String(), TransportConfig{})
	r := far.greeted()
	str := r.open(connect())
	in := &input{}
	in.reset(str)
	r.head(in)
	str.Write(data("x"))
	str.CancelWrite(codeRequestCancelled.stream())
	str.CancelRead(codeRequestCancelled.stream())
	<-ended
	far.ended(101, weir.CauseClientGone)
	near.ended(101, weir.CauseClientGone)
}

func TestWebSocketIdle(t *testing.T) {
	leaks(t)
	w := start(t, ServerConfig{
		Timeouts: Timeouts{Tunnel: 100 * time.Millisecond},
		Handler:  forward(byH1(t, switching(t, websocket.Accept, echoing))),
	}, Socket{})
	r := w.greeted()
	str := r.open(connect())
	r.resets(str, codeRequestCancelled)
	w.ended(101, weir.CauseClientIdle)
}

func TestWebSocketRefused(t *testing.T) {
	leaks(t)
	for name, tt := range map[string]struct {
		handler weir.Handler
		status  int
		cause   weir.Cause
	}{
		"a wrong answer":    {forward(byH1(t, switching(t, func(string) string { return "x" }, echoing))), 502, weir.CauseUpstreamUpgrade},
		"no upgrade":        {echo, 502, weir.CauseUpstreamUpgrade},
		"an honest refusal": {answerWith(func(x *weir.Exchange) { x.Response.Text(403, "no") }), 403, 0},
	} {
		t.Run(name, func(t *testing.T) {
			w := start(t, ServerConfig{Handler: tt.handler}, Socket{})
			r := w.greeted()
			str := r.open(connect())
			if status, _, _ := r.answers(str); status != tt.status {
				t.Error(status)
			}
			w.ended(tt.status, tt.cause)
		})
	}
}
