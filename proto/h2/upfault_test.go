package h2

import (
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"weir"
	"weir/internal/poll"
)

const short = 600 * time.Millisecond

func TestTransportDialFaults(t *testing.T) {
	w := newUpWorld(t, "poller")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	tr := NewTransport(&weir.Endpoint{Upstream: "u", Name: "o", Address: l.Addr().String()}, TransportConfig{Group: w.group})
	defer tr.Close()
	if c := w.ask(tr, "GET", "/").do().failed(weir.CauseUpstreamConnect, weir.RetryAlways); !errors.Is(c.fault, syscall.ECONNREFUSED) {
		t.Error(c.fault)
	}
	own := &weir.Fault{Op: "dial", Side: weir.SideUpstream, Cause: weir.CauseUpstreamDNS, Retry: weir.RetryAlways, Err: errTest}
	tr = w.transport("", TransportConfig{Dial: func(*weir.Exchange) (poll.Conn, error) { return nil, own }})
	w.ask(tr, "GET", "/").do().failed(weir.CauseUpstreamDNS, weir.RetryAlways)
}

// What does not begin as HTTP/2 does is no server of it. No request has gone out by then.
func TestTransportGreeting(t *testing.T) {
	w := newUpWorld(t, "poller")
	for name, tt := range map[string]struct {
		script func(p *upPeer)
		cause  weir.Cause
	}{
		"HTTP/1.1": {func(p *upPeer) { io.WriteString(p.Conn, "HTTP/1.1 400 Bad Request\r\n\r\n"); p.ended() }, weir.CauseUpstreamProtocol},
		"ping":     {func(p *upPeer) { p.put(func(fr *http2.Framer) { fr.WritePing(false, [8]byte{}) }); p.ended() }, weir.CauseUpstreamProtocol},
		"closes":   {func(p *upPeer) {}, weir.CauseUpstreamClosed},
		"silent":   {func(p *upPeer) { io.Copy(io.Discard, p.Conn) }, weir.CauseUpstreamConnectTimeout},
		"push":     {func(p *upPeer) { p.hello(http2.Setting{ID: http2.SettingEnablePush, Val: 1}); p.ended() }, weir.CauseUpstreamProtocol},
	} {
		t.Run(name, func(t *testing.T) {
			o := w.newUpOrigin(tt.script)
			limit := soon
			if tt.cause == weir.CauseUpstreamConnectTimeout {
				limit = 300 * time.Millisecond
			}
			tr := w.transport(o.addr, TransportConfig{Connect: limit})
			c := w.ask(tr, "POST", "/").with("x").do()
			if c.fault == nil || c.fault.Retry != weir.RetryAlways || c.x.Request.Touched {
				t.Fatalf("%+v", c.fault)
			}
			if got := c.fault.Cause; got != tt.cause && (tt.cause != weir.CauseUpstreamClosed || got != weir.CauseUpstreamReset) {
				t.Errorf("%v", c.fault)
			}
			if tr.Idle() != 0 {
				t.Error("it is kept")
			}
		})
	}
}

// Requests that the server has not acted on go out again by themselves, whatever they do; others as they may.
func TestTransportRepeats(t *testing.T) {
	w := newUpWorld(t, "poller")
	refuse := func(p *upPeer) {
		p.hello()
		for id := p.request(); id != 0; id = p.request() {
			p.put(func(fr *http2.Framer) { fr.WriteRSTStream(id, http2.ErrCodeRefusedStream) })
		}
	}
	goAway := func(p *upPeer) {
		p.hello()
		p.request()
		p.put(func(fr *http2.Framer) { fr.WriteGoAway(0, http2.ErrCodeNo, nil) })
		p.ended()
	}
	cut := func(p *upPeer) {
		p.hello()
		id := p.request()
		p.head(id, true, ":status", "204")
		p.request()
	}
	for _, tt := range []struct {
		name, method string
		first        func(p *upPeer)
		warm         bool // the connection has been used before
		status       int
		cause        weir.Cause
		retry        weir.Retry
	}{
		{name: "refused", method: "POST", first: refuse, status: 200},
		{name: "goaway", method: "POST", first: goAway, status: 200},
		{name: "cut while kept", method: "GET", first: cut, warm: true, status: 200},
		{name: "cut while kept", method: "POST", first: cut, warm: true, cause: weir.CauseUpstreamClosed, retry: weir.RetryIdempotent},
	} {
		t.Run(tt.name+" "+tt.method, func(t *testing.T) {
			o := w.newUpOrigin(tt.first, answering)
			tr := w.transport(o.addr, TransportConfig{})
			if tt.warm {
				w.ask(tr, "GET", "/").do().got(204, "")
			}
			c := w.ask(tr, tt.method, "/").do()
			if tt.status != 0 {
				c.got(tt.status, "ok")
				return
			}
			if c.fault != nil && c.fault.Cause == weir.CauseUpstreamReset {
				tt.cause = weir.CauseUpstreamReset
			}
			c.failed(tt.cause, tt.retry)
		})
	}
	t.Run("not twice", func(t *testing.T) {
		o := w.newUpOrigin(refuse)
		tr := w.transport(o.addr, TransportConfig{})
		w.ask(tr, "GET", "/").do().failed(weir.CauseUpstreamReset, weir.RetryAlways)
		w.ask(tr, "POST", "/").with("x").do().failed(weir.CauseUpstreamReset, weir.RetryAlways)
		if n := o.accepted(); n != 2 {
			t.Errorf("%d connections", n)
		}
	})
}

// GOAWAY lets what is under way end, and nothing new begin.
func TestTransportGoAway(t *testing.T) {
	w := newUpWorld(t, "poller")
	release, said := make(chan struct{}), make(chan struct{})
	o := w.newUpOrigin(func(p *upPeer) {
		p.hello()
		id := p.request()
		p.head(id, false, ":status", "200")
		p.data(id, false, "be")
		p.put(func(fr *http2.Framer) { fr.WriteGoAway(id, http2.ErrCodeNo, []byte("bye")) })
		close(said)
		<-release
		p.data(id, true, "gin")
		if code := p.ended(); code != http2.ErrCodeNo {
			t.Errorf("ended with %v", code)
		}
	}, answering)
	tr := w.transport(o.addr, TransportConfig{})
	first := w.ask(tr, "GET", "/")
	var all sync.WaitGroup
	all.Go(func() { first.do() })
	<-said
	until(t, func() bool { return len(loads(tr)) == 0 })
	w.ask(tr, "GET", "/").do().got(200, "ok")
	close(release)
	all.Wait()
	first.got(200, "begin")
	w.quietly(tr, 1)
}

// A server that closes connections that carry nothing costs nobody a request.
func TestTransportServerClosesIdle(t *testing.T) {
	eachUp(t, func(t *testing.T, w *upWorld) {
		if w.kind == "tls" {
			t.Skip("the scripted server speaks no TLS")
		}
		once := func(p *upPeer) {
			p.hello()
			p.head(p.request(), true, ":status", "200")
			time.Sleep(30 * time.Millisecond) // trustFor has passed
		}
		o := w.newUpOrigin(once)
		tr := w.transport(o.addr, TransportConfig{})
		for range 5 {
			w.ask(tr, "POST", "/").do().got(200, "")
			until(t, func() bool { return len(loads(tr)) == 0 })
		}
		if o.accepted() != 5 {
			t.Errorf("%d connections", o.accepted())
		}
	})
}

// A talkingConn sleeps, and has something to say that nobody has noticed.
type talkingConn struct {
	deafConn
	silent bool
}

func (c *talkingConn) Reclaim() bool { return true }
func (c *talkingConn) Silent() bool  { return c.silent }

// What the server did while nobody looked is seen before a request is lost to it.
func TestTransportStale(t *testing.T) {
	for _, tt := range []struct {
		silent bool
		age    int64
		fresh  bool
		stale  bool
	}{
		{silent: true, age: trustFor},
		{age: trustFor, stale: true},
		{age: trustFor - 1},
		{age: trustFor, fresh: true}, // what it has to say is how it begins
	} {
		c := newUpConn(NewTransport(&weir.Endpoint{}, TransportConfig{}), &talkingConn{silent: tt.silent})
		if !tt.fresh {
			c.next = 3
		}
		if c.stale(c.idleSince+tt.age) != tt.stale {
			t.Errorf("%+v", tt)
		}
		x := &weir.Exchange{}
		x.Timing.Start = c.idleSince + tt.age
		if f := c.refuses(x, false); f != nil {
			t.Errorf("%+v, careless: %v", tt, f)
		}
		if f := c.refuses(x, true); (f != nil) != tt.stale || f != nil && f.Retry != weir.RetryAlways {
			t.Errorf("%+v: %v", tt, f)
		}
	}
}

func TestTransportTimeouts(t *testing.T) {
	w := newUpWorld(t, "poller")
	stuck := func(frames func(p *upPeer, id uint32)) func(p *upPeer) {
		return func(p *upPeer) {
			p.hello()
			id := p.request()
			frames(p, id)
			if r, ok := p.await(http2.FrameRSTStream).(*http2.RSTStreamFrame); !ok || r.StreamID != id || r.ErrCode != http2.ErrCodeCancel {
				t.Errorf("got %v", r)
			}
			p.ended()
		}
	}
	head := stuck(func(p *upPeer, id uint32) {})
	body := stuck(func(p *upPeer, id uint32) {
		p.head(id, false, ":status", "200")
		p.data(id, false, "be")
	})
	c := w.ask(w.transport(w.newUpOrigin(head).addr, TransportConfig{FirstByte: short}), "GET", "/").do()
	c.failed(weir.CauseUpstreamHeaderTimeout, weir.RetryNever)
	c = w.ask(w.transport(w.newUpOrigin(body).addr, TransportConfig{Stall: short}), "GET", "/").do()
	c.failed(weir.CauseUpstreamBodyTimeout, weir.RetryNever)
	if c.body != "be" {
		t.Errorf("got %q", c.body)
	}
	// The route's word goes before the transport's.
	c = w.ask(w.transport(w.newUpOrigin(head).addr, TransportConfig{}), "GET", "/")
	c.x.Route = &weir.Route{FirstByte: short}
	c.do().failed(weir.CauseUpstreamHeaderTimeout, weir.RetryNever)
}

// The time to the first byte begins when the body has gone, and a server that takes nothing of it is given up.
func TestTransportUploadStalls(t *testing.T) {
	w := newUpWorld(t, "poller")
	o := w.newUpOrigin(func(p *upPeer) {
		p.hello(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 10})
		p.await(http2.FrameRSTStream)
		p.ended()
	})
	tr := w.transport(o.addr, TransportConfig{Stall: short, FirstByte: 2 * short})
	began := time.Now()
	w.ask(tr, "POST", "/").with(strings.Repeat("x", 1000)).do().failed(weir.CauseUpstreamHeaderTimeout, weir.RetryNever)
	if d := time.Since(began); d < 3*short {
		t.Errorf("it took %v", d)
	}
}

// A client may take longer for its upload than the server may for its answer.
func TestTransportSlowUpload(t *testing.T) {
	w := newUpWorld(t, "poller")
	for _, expect := range []bool{false, true} {
		o := w.newUpOrigin(func(p *upPeer) {
			p.hello()
			id := p.request()
			if expect {
				p.head(id, false, ":status", "100")
			}
			p.await(http2.FrameData)
			p.await(http2.FrameData)
			p.head(id, true, ":status", "200")
			p.ended()
		})
		tr := w.transport(o.addr, TransportConfig{FirstByte: short})
		body, in := newPipeBody()
		c := w.ask(tr, "POST", "/")
		c.x.Request.Body, c.x.Request.Expect = body, expect
		go func() {
			io.WriteString(in, "a")
			time.Sleep(2 * short)
			io.WriteString(in, "b")
			in.Close()
		}()
		c.do().got(200, "")
	}
}

// A trailer goes on without what is hidden of it, and where nothing is left not at all.
func TestTransportHiddenTrailer(t *testing.T) {
	w := newUpWorld(t, "poller")
	o := w.newUpOrigin(func(p *upPeer) {
		p.hello()
		for range 2 {
			id, seen := p.request(), ""
			for f := p.next(); f != nil; f = p.next() {
				if h, ok := f.(*http2.MetaHeadersFrame); ok {
					for _, field := range h.Fields {
						seen += field.Name
					}
				}
				if f.Header().Flags.Has(http2.FlagDataEndStream) {
					break
				}
			}
			p.head(id, false, ":status", "200")
			p.data(id, true, "trailer "+seen)
		}
		p.ended()
	})
	tr := w.transport(o.addr, TransportConfig{})
	for hidden, want := range map[string]string{"a": "trailer b", "": "trailer "} {
		body, in := newPipeBody()
		body.trailer = new(weir.Header)
		body.trailer.Add("a", "1")
		body.trailer.Add("b", "2")
		c := w.ask(tr, "POST", "/")
		c.x.Request.Body = body
		c.x.Request.HideTrailer(func(f *weir.Field) bool { return hidden == "" || f.Name == hidden })
		go func() {
			io.WriteString(in, "content")
			in.Close()
		}()
		c.do().got(200, want)
	}
}

// An answer that ends too early is never taken for a whole one.
func TestTransportCut(t *testing.T) {
	w := newUpWorld(t, "poller")
	for name, tt := range map[string]struct {
		frames func(p *upPeer, id uint32)
		cause  weir.Cause
	}{
		"closed": {func(p *upPeer, id uint32) {}, weir.CauseUpstreamBodyCut},
		"reset": {func(p *upPeer, id uint32) {
			p.put(func(fr *http2.Framer) { fr.WriteRSTStream(id, http2.ErrCodeInternal) })
			p.ended()
		}, weir.CauseUpstreamBodyCut},
		"reset in peace": {func(p *upPeer, id uint32) {
			p.put(func(fr *http2.Framer) { fr.WriteRSTStream(id, http2.ErrCodeNo) })
			p.ended()
		}, weir.CauseUpstreamBodyCut},
		"too short": {func(p *upPeer, id uint32) { p.data(id, true, "x"); p.ended() }, weir.CauseUpstreamFraming},
		"too long":  {func(p *upPeer, id uint32) { p.data(id, false, "xxxxxxxxxx"); p.ended() }, weir.CauseUpstreamFraming},
	} {
		t.Run(name, func(t *testing.T) {
			o := w.newUpOrigin(func(p *upPeer) {
				p.hello()
				id := p.request()
				p.head(id, false, ":status", "200", "content-length", "5")
				p.data(id, false, "be")
				tt.frames(p, id)
			})
			tr := w.transport(o.addr, TransportConfig{})
			c := w.ask(tr, "GET", "/").do().failed(tt.cause, weir.RetryNever)
			if !strings.HasPrefix("bex", c.body) || c.bodyErr == nil {
				t.Errorf("got %q, %v", c.body, c.bodyErr)
			}
		})
	}
}

// A server may stop an upload once it has answered.
func TestTransportAnswersEarly(t *testing.T) {
	w := newUpWorld(t, "poller")
	o := w.newUpOrigin(func(p *upPeer) {
		p.hello()
		id := p.request()
		p.head(id, false, ":status", "413")
		p.data(id, true, "too much")
		p.put(func(fr *http2.Framer) { fr.WriteRSTStream(id, http2.ErrCodeNo) })
		p.ended()
	})
	tr := w.transport(o.addr, TransportConfig{})
	body, in := newPipeBody()
	c := w.ask(tr, "POST", "/")
	c.x.Request.Body = body
	c.do().got(413, "too much")
	if _, err := in.Write([]byte("x")); err == nil {
		t.Error("the upload goes on")
	}
	w.quietly(tr, 1)
}

// When the client goes, its stream alone ends.
func TestTransportClientGone(t *testing.T) {
	w := newUpWorld(t, "poller")
	arrived, release := make(chan uint32), make(chan struct{})
	o := w.newUpOrigin(func(p *upPeer) {
		p.hello()
		arrived <- p.request()
		second := p.request()
		arrived <- second
		if r, ok := p.await(http2.FrameRSTStream).(*http2.RSTStreamFrame); !ok || r.StreamID == second || r.ErrCode != http2.ErrCodeCancel {
			t.Errorf("got %v", r)
		}
		<-release
		p.head(second, true, ":status", "200")
		p.ended()
	})
	tr := w.transport(o.addr, TransportConfig{})
	first, second := w.ask(tr, "GET", "/"), w.ask(tr, "GET", "/")
	var all sync.WaitGroup
	all.Go(func() { first.do() })
	<-arrived
	all.Go(func() { second.do() })
	<-arrived
	first.leave()
	close(release)
	all.Wait()
	first.failed(weir.CauseClientGone, weir.RetryNever)
	second.got(200, "")
	w.quietly(tr, 1)
}

// Whoever has enough of an answer gives it up without the connection.
func TestTransportClosesEarly(t *testing.T) {
	eachUp(t, func(t *testing.T, w *upWorld) {
		if w.kind == "tls" {
			t.Skip("the scripted server speaks no TLS")
		}
		resets := make(chan http2.ErrCode, 10)
		o := w.newUpOrigin(func(p *upPeer) {
			p.hello()
			for id := p.request(); id != 0; id = p.request() {
				p.head(id, false, ":status", "200")
				p.data(id, false, strings.Repeat("x", 16000))
				if r, ok := p.await(http2.FrameRSTStream).(*http2.RSTStreamFrame); ok {
					resets <- r.ErrCode
				}
				p.data(id, true, "late") // it had not seen the reset yet
			}
		})
		tr := w.transport(o.addr, TransportConfig{})
		for range 5 {
			c := w.ask(tr, "GET", "/")
			c.respond = func(x *weir.Exchange) error {
				var one [1]byte
				x.Response.Body.Read(one[:])
				return x.Response.Body.Close()
			}
			if c.do(); c.fault != nil {
				t.Fatal(c.fault)
			}
			if code := <-resets; code != http2.ErrCodeCancel {
				t.Errorf("reset with %v", code)
			}
		}
		if o.accepted() != 1 {
			t.Errorf("%d connections", o.accepted())
		}
	})
}

// The client's own failure in the middle of its upload is the client's.
func TestTransportUploadFails(t *testing.T) {
	w := newUpWorld(t, "poller")
	o := w.newUpOrigin(func(p *upPeer) {
		p.hello()
		if r, ok := p.await(http2.FrameRSTStream).(*http2.RSTStreamFrame); !ok || r.ErrCode != http2.ErrCodeCancel {
			t.Errorf("got %v", r)
		}
		p.ended()
	})
	tr := w.transport(o.addr, TransportConfig{})
	body, in := newPipeBody()
	c := w.ask(tr, "POST", "/")
	c.x.Request.Body = body
	go func() {
		io.WriteString(in, "some")
		in.CloseWithError(&weir.Fault{Op: "read request body", Side: weir.SideClient, Cause: weir.CauseRequestBody, Err: errTest})
	}()
	if c.do().failed(weir.CauseRequestBody, weir.RetryNever); !errors.Is(c.fault, errTest) {
		t.Error(c.fault)
	}
}

// A connection that has died in silence is noticed by PING, and nothing new goes to it once that is doubtful.
func TestTransportMute(t *testing.T) {
	w := newUpWorld(t, "poller")
	hold := make(chan struct{})
	defer close(hold)
	o := w.newUpOrigin(func(p *upPeer) {
		p.hello()
		p.request()
		<-hold // no answer to anything
	}, answering)
	tr := w.transport(o.addr, TransportConfig{Ping: short})
	w.ask(tr, "GET", "/").do().failed(weir.CauseUpstreamUnreachable, weir.RetryIdempotent)
	w.ask(tr, "GET", "/").do().got(200, "ok")

	o = w.newUpOrigin(func(p *upPeer) {
		p.hello()
		p.head(p.request(), true, ":status", "204")
		p.request()
		<-hold
	}, answering)
	tr = w.transport(o.addr, TransportConfig{Ping: -1, Connect: soon})
	w.ask(tr, "GET", "/").do().got(204, "")
	c := w.ask(tr, "GET", "/")
	c.x.Route = &weir.Route{FirstByte: short}
	c.do().failed(weir.CauseUpstreamHeaderTimeout, weir.RetryNever)
	w.ask(tr, "GET", "/").do().got(200, "ok")
}

// One that is only slow answers PING, and is left alone.
func TestTransportSlowIsNotMute(t *testing.T) {
	w := newUpWorld(t, "poller")
	o := w.newUpOrigin(func(p *upPeer) {
		p.hello()
		id := p.request()
		for range 4 {
			ping, ok := p.await(http2.FramePing).(*http2.PingFrame)
			if !ok {
				t.Error("no PING")
				return
			}
			p.put(func(fr *http2.Framer) { fr.WritePing(true, ping.Data) })
		}
		p.head(id, true, ":status", "200")
		p.ended()
	})
	tr := w.transport(o.addr, TransportConfig{Ping: short / 3, Connect: 10 * short})
	w.ask(tr, "GET", "/").do().got(200, "")
}

func TestTransportKeepIdle(t *testing.T) {
	w := newUpWorld(t, "poller")
	codes := make(chan http2.ErrCode, 1)
	o := w.newUpOrigin(func(p *upPeer) {
		p.hello()
		p.head(p.request(), true, ":status", "200")
		codes <- p.ended()
	})
	tr := w.transport(o.addr, TransportConfig{KeepIdle: short})
	began := time.Now()
	w.ask(tr, "GET", "/").do().got(200, "")
	if code := <-codes; code != http2.ErrCodeNo || time.Since(began) < short {
		t.Errorf("ended with %v after %v", code, time.Since(began))
	}
	if tr.Idle() != 0 {
		t.Error("it is kept")
	}
}

// What a server says of itself is heeded: the size of its table, and of the heads that it takes.
func TestTransportServersSettings(t *testing.T) {
	w := newUpWorld(t, "poller")
	o := w.newUpOrigin(func(p *upPeer) {
		p.fr.ReadMetaHeaders = nil
		p.hello(http2.Setting{ID: http2.SettingHeaderTableSize, Val: 0}, http2.Setting{ID: http2.SettingMaxHeaderListSize, Val: 1000})
		for i := range 2 {
			h, ok := p.await(http2.FrameHeaders).(*http2.HeadersFrame)
			if !ok {
				t.Error("no request")
				return
			}
			if resized := h.HeaderBlockFragment()[0] == hpackResize; resized != (i == 0) {
				t.Errorf("head %d begins with the table's size: %v", i, resized)
			}
			p.head(h.StreamID, true, ":status", "200")
		}
		p.ended()
	})
	tr := w.transport(o.addr, TransportConfig{})
	w.ask(tr, "GET", "/").do().got(200, "")
	w.ask(tr, "GET", "/").field("X-A", strings.Repeat("v", 1000)).do().failed(weir.CauseRequestHeaderTooLarge, weir.RetryNever)
	w.ask(tr, "GET", "/").do().got(200, "")
	w.quietly(tr, 1)
}

// A connection whose numbers have run out gives way to another one.
func TestTransportLastStream(t *testing.T) {
	w := newUpWorld(t, "poller")
	o := w.newUpOrigin(answering)
	tr := w.transport(o.addr, TransportConfig{})
	w.ask(tr, "GET", "/").do().got(200, "ok")
	tr.mu.Lock()
	c := tr.conns[0]
	tr.mu.Unlock()
	c.mu.Lock()
	c.next = maxStream - 2
	c.mu.Unlock()
	for range 4 {
		w.ask(tr, "POST", "/").do().got(200, "ok")
	}
	if o.accepted() != 2 {
		t.Errorf("%d connections", o.accepted())
	}
	until(t, func() bool { c.mu.Lock(); defer c.mu.Unlock(); return c.closed })
	w.quietly(tr, 1)
}

// A connection whose last answer has come whole before it is given up is closed, too.
func TestTransportLastStreamAnsweredAtOnce(t *testing.T) {
	w := newUpWorld(t, "net.Conn")
	o := w.newUpOrigin(answering)
	var tr *Transport
	var last atomic.Bool
	tr = w.transport(o.addr, TransportConfig{Dial: func(*weir.Exchange) (poll.Conn, error) {
		c, err := net.Dial("tcp", o.addr)
		if err != nil {
			return nil, err
		}
		return poll.FromNetConn(&lateConn{c, func() {
			if last.Load() {
				until(t, func() bool { l := loads(tr); return len(l) == 0 || l[0] == 0 })
			}
		}}), nil
	}})
	w.ask(tr, "GET", "/").do().got(200, "ok")
	tr.mu.Lock()
	c := tr.conns[0]
	tr.mu.Unlock()
	c.mu.Lock()
	c.next = maxStream
	c.mu.Unlock()
	last.Store(true)
	w.ask(tr, "GET", "/").do().got(200, "ok")
	until(t, func() bool { c.mu.Lock(); defer c.mu.Unlock(); return c.closed })
	if c.end != errUpClosed {
		t.Errorf("it ended with %v", c.end)
	}
	w.quietly(tr, 0)
}

// A lateConn does something between the end of a write and its return.
type lateConn struct {
	net.Conn
	written func()
}

func (c *lateConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.written()
	return n, err
}

// GOAWAY may be said twice, but never for more.
func TestTransportGoAwayTwice(t *testing.T) {
	w := newUpWorld(t, "poller")
	said := make(chan struct{})
	o := w.newUpOrigin(func(p *upPeer) {
		p.hello()
		first, second := p.request(), p.request()
		p.put(func(fr *http2.Framer) {
			fr.WriteGoAway(maxStream, http2.ErrCodeNo, nil) // soon
			fr.WriteGoAway(first, http2.ErrCodeNo, nil)     // now
		})
		<-said
		p.put(func(fr *http2.Framer) { fr.WriteGoAway(second, http2.ErrCodeNo, nil) })
		if code := p.ended(); code != http2.ErrCodeProtocol {
			t.Errorf("ended with %v", code)
		}
	}, answering)
	tr := w.transport(o.addr, TransportConfig{})
	clients := []*upClient{w.ask(tr, "POST", "/"), w.ask(tr, "POST", "/")}
	var all sync.WaitGroup
	all.Go(func() { clients[0].do() })
	until(t, func() bool { l := loads(tr); return len(l) == 1 && l[0] == 1 })
	clients[1].do().got(200, "ok") // on another
	close(said)
	all.Wait()
	clients[0].failed(weir.CauseUpstreamProtocol, weir.RetryIdempotent)
}
