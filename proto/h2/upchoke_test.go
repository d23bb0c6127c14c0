package h2

import (
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"weir"
)

// An upload that a server does not read may fill the window of the whole connection. What else has content goes by
// another one, and what has none does not care.
func TestTransportUnreadUpload(t *testing.T) {
	w := newUpWorld(t, "poller")
	taken := make(chan *upPeer, 1)
	o := w.newUpOrigin(func(p *upPeer) {
		p.hello()
		p.request()
		for n := 0; n < startWindow; { // takes no window back
			n += int(p.await(http2.FrameData).Header().Length)
		}
		taken <- p
		p.serve()
	}, reading)
	tr := w.transport(o.addr, TransportConfig{})
	body, in := newPipeBody()
	c := w.ask(tr, "POST", "/")
	c.x.Request.Body = body
	var all sync.WaitGroup
	all.Go(func() { c.do() })
	all.Go(func() { io.WriteString(in, strings.Repeat("x", 2*startWindow)) })
	<-taken
	until(t, func() bool {
		tr.mu.Lock()
		defer tr.mu.Unlock()
		return len(tr.conns) == 1 && tr.conns[0].isChoked()
	})
	for range 3 {
		w.ask(tr, "POST", "/").with("some").do().got(200, "some")
	}
	w.ask(tr, "GET", "/").do().got(200, "ok")
	if o.accepted() != 2 {
		t.Errorf("%d connections", o.accepted())
	}
	c.leave()
	in.Close()
	all.Wait()
}

// Where there may be no other connection, content waits for the one there is.
func TestTransportUnreadUploadAlone(t *testing.T) {
	w := newUpWorld(t, "poller")
	o := w.newUpOrigin(func(p *upPeer) {
		p.hello()
		first := p.request()
		for n := 0; n < startWindow; {
			n += int(p.await(http2.FrameData).Header().Length)
		}
		second := p.request()
		p.put(func(fr *http2.Framer) { fr.WriteWindowUpdate(0, 4*startWindow) })
		for d := p.await(http2.FrameData); d.Header().StreamID != second || !d.(*http2.DataFrame).StreamEnded(); {
			d = p.await(http2.FrameData)
		}
		p.head(second, true, ":status", "204")
		p.head(first, true, ":status", "413")
		p.await(http2.FrameRSTStream)
		p.ended()
	})
	tr := w.transport(o.addr, TransportConfig{Connections: 1})
	body, in := newPipeBody()
	c := w.ask(tr, "POST", "/")
	c.x.Request.Body = body
	var all sync.WaitGroup
	all.Go(func() { c.do() })
	all.Go(func() { io.WriteString(in, strings.Repeat("x", 2*startWindow)) })
	until(t, func() bool {
		tr.mu.Lock()
		defer tr.mu.Unlock()
		return len(tr.conns) == 1 && tr.conns[0].isChoked()
	})
	w.ask(tr, "POST", "/").with("some").do().got(204, "")
	all.Wait()
	in.Close()
	c.got(413, "")
}

// Where no other connection can be opened, content waits for the one there is as well.
func TestTransportChokedAndStuck(t *testing.T) {
	tr := NewTransport(&weir.Endpoint{}, TransportConfig{Group: newUpWorld(t, "poller").group})
	c := &upConn{t: tr, limit: 10}
	c.choked.Store(1)
	tr.conns = []*upConn{c}
	if tr.pick(0, true, nil) != nil || tr.pick(0, false, nil) != c {
		t.Error("a choked connection is chosen, or not for what has no content")
	}
	wait := &upWaiter{wake: make(chan struct{}, 1), content: true}
	tr.enter(wait)
	tr.failWaiters(&weir.Fault{})
	if wait.conn != c || wait.fault != nil || tr.pick(0, true, nil) != c {
		t.Errorf("who waits is given %v, %v", wait.conn, wait.fault)
	}
	tr.stuck -= int64(time.Hour)
	if tr.pick(0, true, nil) != nil {
		t.Error("nobody tries again")
	}
	c.choked.Store(0)
	if tr.pick(0, true, nil) != c {
		t.Error("it is not chosen when it takes content again")
	}
}

// reading is a script that answers with the content of the request, or "ok" to one without.
func reading(p *upPeer) {
	p.hello()
	for f := p.next(); f != nil; f = p.next() {
		switch f := f.(type) {
		case *http2.MetaHeadersFrame:
			if f.StreamEnded() {
				p.head(f.StreamID, false, ":status", "200")
				p.data(f.StreamID, true, "ok")
			}
		case *http2.DataFrame:
			p.head(f.StreamID, false, ":status", "200")
			p.data(f.StreamID, true, string(f.Data()))
		}
	}
}
