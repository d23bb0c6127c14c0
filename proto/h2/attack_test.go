package h2

import (
	"bytes"
	"encoding/binary"
	"io"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"weir"
	"weir/proto/internal/section"
	"weir/proto/internal/tell"
)

// ok answers without looking.
var ok = weir.HandlerFunc(func(x *weir.Exchange) error {
	x.Response.Text(200, "ok")
	return nil
})

// A crowd is a handler that does not answer before it is told to, and counts.
type crowd struct {
	now, most, all atomic.Int64
	leave          chan struct{}
	once           sync.Once
}

// serveCrowd starts the server with a crowd.
func (w *world) serveCrowd(l Limits) *crowd {
	c := &crowd{leave: make(chan struct{})}
	w.serve(ServerConfig{Limits: l, Handler: weir.HandlerFunc(func(x *weir.Exchange) error {
		if x.Request.Header.Get("read") != "" {
			return echo(x)
		}
		return c.ServeExchange(x)
	})})
	w.t.Cleanup(c.disperse)
	return c
}

func (c *crowd) disperse() { c.once.Do(func() { close(c.leave) }) }

func (c *crowd) ServeExchange(x *weir.Exchange) error {
	c.all.Add(1)
	n := c.now.Add(1)
	for old := c.most.Load(); n > old && !c.most.CompareAndSwap(old, n); old = c.most.Load() {
	}
	<-c.leave
	c.now.Add(-1)
	return ok(x)
}

// CVE-2023-44487: requests are reset as soon as they are sent.
func TestRapidReset(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		var served atomic.Int64
		w.serve(ServerConfig{Handler: weir.HandlerFunc(func(x *weir.Exchange) error { served.Add(1); return ok(x) })})
		p := w.peer()
		p.flood(100000, codeCalm, func(i int) []byte { return appendReset(get(id(i)), id(i), codeCancel) })
		if n := served.Load(); n > 20*patienceMost {
			t.Errorf("%d requests were served", n)
		}
	})
}

// A stream that its client has reset counts until its handler has ended: a client can't have more of them at work than it
// is allowed streams.
func TestResetStreamsCount(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		crowd := w.serveCrowd(Limits{Streams: 10})
		p := w.peer()
		for i := range 100 {
			p.send(get(id(i)), appendReset(nil, id(i), codeCancel))
		}
		p.send(get(id(100)))
		for n := 0; ; {
			g := p.until(frameReset)
			if n++; errorCode(binary.BigEndian.Uint32(g.p)) != codeRefusedStream {
				t.Fatalf("stream %d was not refused", g.stream)
			}
			if g.stream == id(100) {
				break
			}
		}
		if n := crowd.most.Load(); n > 10 {
			t.Errorf("%d handlers at a time", n)
		}
		crowd.disperse()
		p.flood(100000, codeCalm, func(i int) []byte { return appendReset(get(id(200+i)), id(200+i), codeCancel) })
	})
}

// The client makes the server reset streams, in every way there is, instead of doing so itself (CVE-2025-8671).
func TestMadeYouReset(t *testing.T) {
	for name, provoke := range map[string]func(stream uint32) []byte{
		"window of nothing":   func(s uint32) []byte { return rawWindow(get(s), s, 0) },
		"window overflow":     func(s uint32) []byte { return rawWindow(get(s), s, maxWindow) },
		"data after the end":  func(s uint32) []byte { return appendData(get(s), s, true, []byte("x")) },
		"longer than said":    func(s uint32) []byte { return appendData(post(s, "content-length", "1"), s, true, []byte("xx")) },
		"shorter than said":   func(s uint32) []byte { return appendData(post(s, "content-length", "3"), s, true, []byte("xx")) },
		"upper case":          func(s uint32) []byte { return post(s, "X-Upper", "1") },
		"connection field":    func(s uint32) []byte { return post(s, "connection", "close") },
		"depends on itself":   func(s uint32) []byte { return selfDependent(s) },
		"trailer without end": func(s uint32) []byte { return appendHeaders(post(s), s, false, block("a", "b"), minFrameSize) },
		"stream window": func(s uint32) []byte {
			b := post(s)
			for range 5 {
				b = appendData(b, s, false, make([]byte, minFrameSize))
			}
			return b
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, "poller")
			crowd := w.serveCrowd(Limits{Streams: 20})
			p := w.peer()
			code := codeCalm
			if name == "window of nothing" {
				code = codeProtocol // on a stream that has been refused, it is nobody's mistake
			}
			p.flood(20000, code, func(i int) []byte { return provoke(id(i)) })
			if n := crowd.most.Load(); n > 20 {
				t.Errorf("%d handlers at a time", n)
			}
			crowd.disperse()
		})
	}
}

// rawWindow appends a WINDOW_UPDATE that need not make sense.
func rawWindow(dst []byte, stream uint32, n uint32) []byte {
	return binary.BigEndian.AppendUint32(appendFrame(dst, 4, frameWindow, 0, stream), n)
}

func selfDependent(stream uint32) []byte {
	b := request("GET")
	head := appendFrame(nil, prioritySize+len(b), frameHeaders, flagEndHeaders|flagEndStream|flagPriority, stream)
	head = binary.BigEndian.AppendUint32(head, stream)
	return append(append(head, 1), b...)
}

// Frames that lead to nothing: what one costs to answer, or to look at, must not be had for ever.
func TestFloods(t *testing.T) {
	open := post(1)
	for name, flood := range map[string][]byte{
		"SETTINGS":             appendSettings(nil),
		"SETTINGS in full":     appendSettings(nil, make([]settingValue, 2700)...),
		"SETTINGS window":      appendSettings(appendSettings(nil, settingValue{settingWindow, 1}), settingValue{settingWindow, 100}),
		"acknowledgements":     appendSettingsAck(nil),
		"PING":                 appendPing(nil, false, [8]byte{1}),
		"PING acknowledged":    appendPing(nil, true, [8]byte{1}),
		"empty DATA":           appendData(nil, 1, false, nil),
		"padding alone":        append(appendFrame(nil, 101, frameData, flagPadded, 1), append([]byte{100}, make([]byte, 100)...)...),
		"PRIORITY":             append(appendFrame(nil, 5, framePriority, 0, 3), 0, 0, 0, 1, 1),
		"WINDOW_UPDATE":        rawWindow(nil, 0, 1),
		"WINDOW_UPDATE stream": rawWindow(nil, 1, 1),
		"unknown frames":       appendFrame(nil, 0, 0x77, 0, 1),
		"GOAWAY":               appendGoAway(nil, 0, codeNone, ""),
		"resets of the past":   appendReset(nil, 1, codeCancel),
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, "poller")
			w.serve(ServerConfig{Handler: weir.HandlerFunc(func(x *weir.Exchange) error {
				var b [100]byte
				for {
					if _, err := x.Request.Body.Read(b[:]); err != nil {
						return err
					}
				}
			})})
			p := w.peer()
			p.send(open)
			if n := p.flood(1e6, codeCalm, func(int) []byte { return flood }); n == 1e6 {
				t.Errorf("it took %d of them", n)
			}
		})
	}
}

// CVE-2024-27316 and its like: a head that never ends.
func TestContinuationFlood(t *testing.T) {
	head := appendFrame(nil, 0, frameHeaders, flagEndStream, 1)
	for name, size := range map[string]int{"empty": 0, "one byte": 1, "full": minFrameSize} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, "poller")
			w.serve(ServerConfig{Handler: ok})
			p := w.peer()
			p.send(head)
			part := append(appendFrame(nil, size, frameContinuation, 0, 1), bytes.Repeat([]byte{0x82}, size)...)
			if n := p.flood(1e6, codeCalm, func(int) []byte { return part }); n == 1e6 {
				t.Errorf("it took %d of them", n)
			}
		})
	}
}

// A few bytes that stand for many.
func TestHeaderBombs(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.serve(ServerConfig{Handler: ok})
		p := w.peer()
		var want string
		expect := func(stream uint32, block []byte) {
			t.Helper()
			p.send(appendHeaders(nil, stream, true, block, minFrameSize))
			at, status, _ := p.answer()
			if at != stream || status != want {
				t.Fatalf("stream %d: %d answered with %s, want %s", stream, at, status, want)
			}
		}
		want = "431"
		bomb := section.AppendString(append(request("GET"), 0x40), "a")
		bomb = section.AppendString(bomb, strings.Repeat("x", 3900))
		expect(1, append(bomb, bytes.Repeat([]byte{0x80 | 62}, 10000)...)) // 40 MB of fields
		expect(3, request("GET", "large", strings.Repeat("x", 70000)))
		many := request("GET")
		for range 200 {
			many = append(many, 0x80|62)
		}
		expect(5, many)
		want = "414"
		expect(7, block(":method", "GET", ":scheme", "http", ":authority", "a", ":path", "/"+strings.Repeat("x", 9000)))
		want = "200"
		expect(9, request("GET", "large", strings.Repeat("x", 30000)))
		p.send(appendHeaders(nil, 11, true, request("GET", "larger", strings.Repeat("x", 200000)), minFrameSize))
		p.goneAway(codeCalm)
	})
}

// Bodies that nobody reads hold no more than their streams' windows, and hold up no other stream.
func TestUnreadBodies(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		crowd := w.serveCrowd(Limits{})
		p := w.peer()
		piece := make([]byte, minFrameSize)
		for i := range 100 {
			p.send(post(id(i)))
			for range 3 {
				p.send(appendData(nil, id(i), false, piece))
			}
			p.send(appendData(nil, id(i), false, piece[:startWindow-3*minFrameSize]))
		}
		p.send(post(id(101), "read", "yes"), appendData(nil, id(101), true, []byte("body")))
		if at, status, body := p.answer(); at != id(101) || status != "200" || body != "POST / body" {
			t.Fatalf("%d %s %q", at, status, body)
		}
		p.send(appendData(nil, id(7), false, []byte("x")))
		p.resets(id(7), codeFlowControl)
		crowd.disperse()
	})
}

// More than the connection's window is the connection's fault.
func TestConnectionWindow(t *testing.T) {
	w := newWorld(t, "poller")
	crowd := w.serveCrowd(Limits{})
	c := &conn{recv: 10}
	if err := c.data(&frame{length: 11, typ: frameData, stream: 1}, make([]byte, 11)); err == nil || err.code != codeFlowControl {
		t.Errorf("got %v", err)
	}
	p := w.peer()
	p.send(rawWindow(nil, 0, maxWindow-startWindow))
	p.send(rawWindow(nil, 0, 1))
	p.goneAway(codeFlowControl)
	p = w.peer(settingValue{settingWindow, 100})
	p.send(get(1), rawWindow(nil, 1, maxWindow-100), appendSettings(nil, settingValue{settingWindow, 101}))
	p.goneAway(codeFlowControl)
	crowd.disperse()
}

// An endless is a body without end.
type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }
func (endless) Close() error               { return nil }
func (endless) Len() int64                 { return -1 }
func (endless) Trailer() *weir.Header      { return nil }

// A client that opens its windows wide and takes nothing makes the server hold only so much.
func TestUntakenAnswers(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.serve(ServerConfig{Handler: weir.HandlerFunc(func(x *weir.Exchange) error {
			x.Response.Status, x.Response.Body = 200, endless{}
			return nil
		})})
		p := w.peer(settingValue{settingWindow, maxWindow})
		p.send(rawWindow(nil, 0, maxWindow-startWindow))
		for i := range 100 {
			p.send(get(id(i)))
		}
		waitFor(t, "a full output", func() bool {
			n, streams := 0, 0
			w.srv.each(func(c *conn) {
				c.mu.Lock()
				defer c.mu.Unlock()
				streams = len(c.streams)
				if n = len(c.out); n > outMost+minFrameSize+100*100 {
					t.Errorf("the output holds %d bytes", n)
				}
			})
			return n >= outMost && streams == 100
		})
		p.Close()
		for range 100 {
			if o := w.outcome(); o.cause != weir.CauseClientGone {
				t.Fatalf("ended with %+v", o)
			}
		}
	})
}

// A quiet is a body that does not come before it is closed.
type quiet chan struct{}

func (q quiet) Read([]byte) (int, error) { <-q; return 0, io.EOF }
func (quiet) Close() error               { return nil }
func (quiet) Len() int64                 { return -1 }
func (quiet) Trailer() *weir.Header      { return nil }

// A client that takes nothing makes the server hold only so much of interim answers, and of heads whose
// content is late.
func TestUntakenHeads(t *testing.T) {
	var large weir.Header
	large.Add("Link", strings.Repeat("x", 60_000))
	var late quiet
	for name, answer := range map[string]func(x *weir.Exchange) error{
		"interim": func(x *weir.Exchange) error {
			for range 3 {
				if err := x.Inform(103, &large); err != nil {
					return err
				}
			}
			return ok(x)
		},
		"late": func(x *weir.Exchange) error {
			x.Response.Status, x.Response.Body = 200, late
			x.Response.Header.Add("Link", large.Get("Link"))
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, "poller")
			late = make(quiet)
			w.serve(ServerConfig{Handler: weir.HandlerFunc(answer)})
			p := w.peer()
			defer close(late)
			defer p.Close()
			holds := func() (n int) {
				w.srv.each(func(c *conn) {
					c.mu.Lock()
					defer c.mu.Unlock()
					n = len(c.out)
				})
				return n
			}
			for i := range 120 {
				p.send(get(id(i)))
			}
			waitFor(t, "a full output", func() bool { return holds() >= outMost })
			for end := time.Now().Add(20 * tell.HeadWait); time.Now().Before(end); runtime.Gosched() {
				if n := holds(); n > outMost+70_000 {
					t.Fatalf("the output holds %d bytes", n)
				}
			}
		})
	}
}

// waitFor asks again and again.
func waitFor(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(soon); !is(); runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatalf("there never is %s", what)
		}
	}
}

// A client that lets a byte through at a time does not get the server to send a frame for each for ever.
func TestTinyWindows(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.serve(ServerConfig{Handler: weir.HandlerFunc(func(x *weir.Exchange) error {
			x.Response.Status, x.Response.Body = 200, endless{}
			return nil
		})})
		p := w.peer(settingValue{settingWindow, 1})
		p.send(get(1))
		p.flood(100000, codeCalm, func(int) []byte { return rawWindow(nil, 1, 1) })
	})
}
