package h2

import (
	"io"
	"strings"
	"testing"

	"golang.org/x/net/http2"

	"weir"
)

var takesSockets = http2.Setting{ID: http2.SettingEnableConnectProtocol, Val: 1}

// socket returns a client that asks for a WebSocket.
func (w *upWorld) socket(tr weir.Transport) *upClient {
	c := w.ask(tr, "GET", "/chat?a=b").field("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==").field("Sec-WebSocket-Version", "13")
	c.x.Request.Upgrade = "websocket"
	return c
}

func TestTransportWebSocket(t *testing.T) {
	w := newUpWorld(t, "poller")
	o := w.newUpOrigin(func(p *upPeer) {
		p.hello(takesSockets)
		h, ok := p.next().(*http2.MetaHeadersFrame)
		if !ok {
			t.Error("no request")
			return
		}
		asked := map[string]string{}
		for _, f := range h.Fields {
			asked[f.Name] = f.Value
		}
		if asked[":method"] != "CONNECT" || asked[":protocol"] != "websocket" || asked[":path"] != "/chat?a=b" || asked[":scheme"] != "http" ||
			asked[":authority"] != "example.org" || asked["sec-websocket-version"] != "13" || asked["sec-websocket-key"] != "" || h.StreamEnded() {
			t.Errorf("asked for %v", asked)
		}
		id := h.StreamID
		p.head(id, false, ":status", "200", "sec-websocket-protocol", "chat")
		for {
			d, ok := p.await(http2.FrameData).(*http2.DataFrame)
			if !ok {
				t.Error("no end")
				return
			}
			p.data(id, d.StreamEnded(), strings.ToUpper(string(d.Data())))
			if d.StreamEnded() {
				p.ended()
				return
			}
		}
	})
	tr := w.transport(o.addr, TransportConfig{})
	c := w.socket(tr)
	c.respond = func(x *weir.Exchange) error {
		up := x.Response.Upgrade
		if x.Response.Body != nil || up == nil {
			t.Fatalf("%+v", x.Response)
		}
		buf := make([]byte, 100)
		for _, word := range []string{"one", "two", "three"} {
			io.WriteString(up, word)
			if n, err := io.ReadFull(up, buf[:len(word)]); err != nil || string(buf[:n]) != strings.ToUpper(word) {
				t.Errorf("%q, %v", buf[:n], err)
			}
		}
		if err := up.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
			t.Error(err)
		}
		if n, err := up.Read(buf); n != 0 || err != io.EOF {
			t.Errorf("%d bytes, %v", n, err)
		}
		return up.Close()
	}
	c.do()
	// RFC 6455, section 1.3, has this key and this answer to it.
	if c.status != 101 || c.header.Get("Sec-WebSocket-Accept") != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" || c.header.Get("Sec-WebSocket-Protocol") != "chat" {
		t.Errorf("%d %v %v", c.status, c.header, c.fault)
	}
	if c.x.Request.Header.Get("Sec-WebSocket-Key") == "" {
		t.Error("the request has been changed")
	}
	w.quietly(tr, 1)
}

// Closing one end breaks off whoever reads or writes, and tells the server.
func TestTransportWebSocketCloses(t *testing.T) {
	w := newUpWorld(t, "poller")
	o := w.newUpOrigin(func(p *upPeer) {
		p.hello(takesSockets, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 10})
		p.head(p.request(), false, ":status", "200")
		if code, whole := p.verdict(); code != http2.ErrCodeCancel || whole {
			t.Errorf("ended with %v, %v", code, whole)
		}
		p.ended()
	})
	tr := w.transport(o.addr, TransportConfig{})
	c := w.socket(tr)
	c.respond = func(x *weir.Exchange) error {
		up := x.Response.Upgrade
		ends := make(chan error, 2)
		go func() {
			_, err := up.Read(make([]byte, 10))
			ends <- err
		}()
		go func() {
			_, err := up.Write(make([]byte, 100))
			ends <- err
		}()
		s := up.(*upSocket).s
		until(t, func() bool { s.c.mu.Lock(); defer s.c.mu.Unlock(); return s.room == 0 })
		up.Close()
		for range 2 {
			if err := <-ends; err == nil {
				t.Error("it is not broken off")
			}
		}
		return nil
	}
	if c.do(); c.status != 101 {
		t.Errorf("%d, %v", c.status, c.fault)
	}
	w.quietly(tr, 1)
}

func TestTransportNoWebSocket(t *testing.T) {
	w := newUpWorld(t, "poller")
	tr := w.transport(w.newUpOrigin(answering).addr, TransportConfig{})
	w.socket(tr).do().failed(weir.CauseUpstreamUpgrade, weir.RetryNever)
	w.ask(tr, "GET", "/").do().got(200, "ok")

	o := w.newUpOrigin(func(p *upPeer) {
		p.hello(takesSockets)
		id := p.request()
		p.head(id, false, ":status", "403")
		p.data(id, true, "no")
		p.head(p.request(), true, ":status", "200")
		p.ended()
	})
	tr = w.transport(o.addr, TransportConfig{})
	w.socket(tr).do().got(403, "no")
	w.socket(tr).do().failed(weir.CauseUpstreamUpgrade, weir.RetryNever)

	// Another upgrade is the client's wish, which nobody need fulfil (RFC 9110, section 7.8).
	tr = w.transport(w.newUpOrigin(answering).addr, TransportConfig{})
	c := w.ask(tr, "GET", "/")
	c.x.Request.Upgrade = "h2c"
	c.do().got(200, "ok")
}
