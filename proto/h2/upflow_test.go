package h2

import (
	"io"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/http2"

	"weir"
)

// A client that takes nothing costs its window and no more, and holds nobody else.
func TestTransportSlowReader(t *testing.T) {
	eachUp(t, func(t *testing.T, w *upWorld) {
		if w.kind == "tls" {
			t.Skip("the scripted server speaks no TLS")
		}
		const window = 64 << 10
		slow := make(chan uint32, 1)
		o := w.newUpOrigin(func(p *upPeer) {
			p.hello()
			id := p.request()
			p.head(id, false, ":status", "200")
			for range window / minFrameSize { // the whole window
				p.data(id, false, strings.Repeat("x", minFrameSize))
			}
			slow <- id
			for i := p.request(); i != 0; i = p.request() {
				p.head(i, false, ":status", "200")
				p.data(i, true, strings.Repeat("y", minFrameSize))
			}
		})
		tr := w.transport(o.addr, TransportConfig{Window: window})
		release := make(chan struct{})
		c := w.ask(tr, "GET", "/")
		c.respond = func(x *weir.Exchange) error {
			s := x.Response.Body.(*upReader).s
			until(t, func() bool { s.c.mu.Lock(); defer s.c.mu.Unlock(); return s.input.size == window })
			<-release
			return x.Response.Body.Close()
		}
		var all sync.WaitGroup
		all.Go(func() { c.do() })
		<-slow
		for range 50 {
			w.ask(tr, "GET", "/").do().got(200, strings.Repeat("y", minFrameSize))
		}
		close(release)
		all.Wait()
		if o.accepted() != 1 {
			t.Errorf("%d connections", o.accepted())
		}
		w.quietly(tr, 1)
	})
}

// More than a window is the server's fault, and the stream's end; more than the connection's, the connection's.
func TestTransportWindowOverrun(t *testing.T) {
	w := newUpWorld(t, "poller")
	o := w.newUpOrigin(func(p *upPeer) {
		p.hello()
		id := p.request()
		p.head(id, false, ":status", "200")
		for range 5 {
			p.data(id, false, strings.Repeat("x", minFrameSize))
		}
		if code, whole := p.verdict(); code != http2.ErrCodeFlowControl || whole {
			t.Errorf("ended with %v, %v", code, whole)
		}
		p.ended()
	})
	tr := w.transport(o.addr, TransportConfig{Window: 64 << 10})
	c := w.ask(tr, "GET", "/")
	over := make(chan struct{})
	c.respond = func(x *weir.Exchange) error {
		s := x.Response.Body.(*upReader).s
		until(t, func() bool { s.c.mu.Lock(); defer s.c.mu.Unlock(); return s.fault != nil })
		close(over)
		_, err := io.Copy(io.Discard, x.Response.Body)
		return err
	}
	c.do().failed(weir.CauseUpstreamProtocol, weir.RetryNever)
	<-over
}

// A server that opens its windows byte by byte gets what it asked for, all streams by turns, and nothing more.
func TestTransportSmallWindows(t *testing.T) {
	w := newUpWorld(t, "poller")
	o := w.newUpOrigin(func(p *upPeer) {
		p.hello(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1})
		got := map[uint32]string{}
		total := 0
		for f := p.next(); f != nil; f = p.next() {
			d, ok := f.(*http2.DataFrame)
			if !ok {
				continue
			}
			id := d.StreamID
			got[id] += string(d.Data())
			if total += len(d.Data()); len(d.Data()) > 7 || total > startWindow {
				t.Errorf("%d bytes at once, %d in all", len(d.Data()), total)
			}
			if d.StreamEnded() {
				p.head(id, false, ":status", "200")
				p.data(id, true, got[id])
				continue
			}
			p.put(func(fr *http2.Framer) { fr.WriteWindowUpdate(id, 7) })
		}
	})
	tr := w.transport(o.addr, TransportConfig{})
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() {
			w.ask(tr, "POST", "/").with(strings.Repeat("0123456789", 30)).do().got(200, strings.Repeat("0123456789", 30))
		})
	}
	all.Wait()
	w.quietly(tr, 1)
}

// The connection's window is shared by turns: no upload starves.
func TestTransportSharedWindow(t *testing.T) {
	w := newUpWorld(t, "poller")
	const uploads, size = 8, 200 << 10
	o := w.newUpOrigin(func(p *upPeer) {
		p.hello(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 30})
		got := map[uint32]int{}
		for f := p.next(); f != nil; f = p.next() {
			d, ok := f.(*http2.DataFrame)
			if !ok {
				continue
			}
			n := len(d.Data())
			if got[d.StreamID] += n; d.StreamEnded() {
				for id, k := range got {
					if len(got) == uploads && k < size/8 {
						t.Errorf("stream %d is done, and of stream %d %d bytes have come", d.StreamID, id, k)
					}
				}
				p.head(d.StreamID, true, ":status", "200")
			}
			if n > 0 {
				p.put(func(fr *http2.Framer) { fr.WriteWindowUpdate(0, uint32(n)) })
			}
		}
	})
	tr := w.transport(o.addr, TransportConfig{})
	var all sync.WaitGroup
	for range uploads {
		all.Go(func() { w.ask(tr, "POST", "/").with(strings.Repeat("x", size)).do().got(200, "") })
	}
	all.Wait()
	w.quietly(tr, 1)
}

// A change of the window that the server announces counts for streams that are open, down below nothing, too.
func TestTransportWindowChanges(t *testing.T) {
	w := newUpWorld(t, "poller")
	o := w.newUpOrigin(func(p *upPeer) {
		window := func(n uint32) { p.hello(http2.Setting{ID: http2.SettingInitialWindowSize, Val: n}) }
		window(100)
		id := p.request()
		if d := p.await(http2.FrameData).(*http2.DataFrame); len(d.Data()) != 100 {
			t.Errorf("%d bytes", len(d.Data()))
		}
		window(10)  // 90 too many
		window(150) // 50 more
		if d := p.await(http2.FrameData).(*http2.DataFrame); len(d.Data()) != 50 {
			t.Errorf("%d bytes", len(d.Data()))
		}
		window(1000)
		if d := p.await(http2.FrameData).(*http2.DataFrame); len(d.Data()) != 850 {
			t.Errorf("%d bytes", len(d.Data()))
		}
		p.head(id, true, ":status", "200")
		p.ended()
	})
	tr := w.transport(o.addr, TransportConfig{})
	w.ask(tr, "POST", "/").with(strings.Repeat("x", 1000)).do().got(200, "")
}

// A server that reads nothing is not fed without end: output has a limit, and its connection gets no new requests.
func TestTransportTakesNothing(t *testing.T) {
	w := newUpWorld(t, "poller")
	hold := make(chan struct{})
	o := w.newUpOrigin(func(p *upPeer) {
		p.hello()
		<-hold
	})
	tr := w.transport(o.addr, TransportConfig{Connections: 1, Streams: 1000, Stall: soon})
	var all sync.WaitGroup
	field := strings.Repeat("v", 30_000)
	busy := make(chan struct{})
	var once sync.Once
	for range 600 {
		all.Go(func() {
			c := w.ask(tr, "GET", "/").field("X-A", field).field("X-B", field).do()
			if c.fault.Cause == weir.CauseUpstreamWrite && c.fault.Retry == weir.RetryAlways && c.fault.Err == errUpBusy {
				once.Do(func() { close(busy) })
			}
		})
	}
	<-busy
	tr.mu.Lock()
	c := tr.conns[0]
	tr.mu.Unlock()
	c.mu.Lock()
	if n := c.waiting(); n > outputMost+100_000 {
		t.Errorf("%d bytes wait", n)
	}
	c.mu.Unlock()
	close(hold)
	all.Wait()
}

// Padding is paid for like content, and given back.
func TestTransportPadding(t *testing.T) {
	w := newUpWorld(t, "poller")
	o := w.newUpOrigin(func(p *upPeer) {
		p.hello()
		id := p.request()
		p.head(id, false, ":status", "200")
		window := startWindow + 1
		for i := range 2500 {
			content := "x"
			if i >= 2000 {
				content = ""
			}
			for window < 257 {
				f, err := p.fr.ReadFrame()
				if err != nil {
					t.Error(i, err)
					return
				}
				if u, ok := f.(*http2.WindowUpdateFrame); ok && u.StreamID == id {
					window += int(u.Increment)
				}
			}
			p.put(func(fr *http2.Framer) { fr.WriteDataPadded(id, false, []byte(content), make([]byte, 255)) })
			window -= len(content) + 256
		}
		p.data(id, true, "y")
		p.ended()
	})
	tr := w.transport(o.addr, TransportConfig{Window: startWindow + 1, Stall: soon})
	w.ask(tr, "GET", "/").do().got(200, strings.Repeat("x", 2000)+"y")
}
