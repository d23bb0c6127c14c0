package h2

import (
	"testing"
	"time"

	"weir"
)

// refuses answers every upload at once, without reading it.
var refuses = choice{"/": func(x *weir.Exchange) error {
	if x.Request.Method == "POST" {
		x.Response.Text(413, "too large")
		return nil
	}
	return ok(x)
}}

// calmly makes sure that everything sent so far is taken without a reset.
func (p *peer) calmly() {
	p.t.Helper()
	p.send(appendPing(nil, false, [8]byte{1}))
	for {
		switch g := p.next(); g.typ {
		case frameReset, frameGoAway:
			p.t.Fatalf("got %+v %x", g.frame, g.p)
		case framePing:
			return
		}
	}
}

// fill sends as much DATA on a stream as its window lets through.
func (p *peer) fill(stream uint32) {
	p.t.Helper()
	piece := make([]byte, minFrameSize)
	for left := startWindow; left > 0; left -= len(piece) {
		piece = piece[:min(left, len(piece))]
		p.send(appendData(nil, stream, false, piece))
	}
}

// A client whose upload is refused may send what its window holds, and gets the time to read why before it is told to
// stop: some throw an answer away behind which they see a reset.
func TestRefusedUpload(t *testing.T) {
	for name, more := range map[string][]string{"length": {"content-length", "8000000"}, "no length": nil} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, w *world) {
				w.serve(ServerConfig{Handler: refuses})
				p := w.peer()
				began := time.Now()
				p.send(post(1, more...))
				if _, status, body := p.answer(); status != "413" || body != "too large" {
					t.Errorf("%s %q", status, body)
				}
				p.fill(1)
				p.calmly()
				p.resets(1, codeNone)
				if waited := time.Since(began); waited < remnantTime*9/10 {
					t.Errorf("reset after %v", waited)
				}
				p.send(get(3))
				if _, status, _ := p.answer(); status != "200" {
					t.Errorf("the next one gets %s", status)
				}
			})
		})
	}
}

// Who has read the answer may end an upload in the middle, and hears that this is the end.
func TestRefusedUploadGivenUp(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.serve(ServerConfig{Handler: refuses})
		p := w.peer()
		for i, end := range [][]byte{
			appendData(nil, id(0), true, []byte("some")),
			appendHeaders(nil, id(1), true, block("a", "b"), minFrameSize),
		} {
			p.send(post(id(i), "content-length", "8000000"))
			if _, status, _ := p.answer(); status != "413" {
				t.Error(status)
			}
			p.send(end)
			if i == 0 { // curl 7.88 ends its upload so, and waits for something to come
				p.resets(id(i), codeNone)
			}
			p.calmly()
		}
	})
}

// What is left of uploads takes no room from other requests, and no more than its window from us.
func TestRefusedUploadsBounded(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.serve(ServerConfig{Handler: refuses, Limits: Limits{Streams: 2}})
		p := w.peer()
		for i := range 10 {
			p.send(post(id(i)))
			if at, status, _ := p.answer(); status != "413" || at != id(i) {
				t.Errorf("%d: %d %s", i, at, status)
			}
		}
		w.srv.each(func(c *conn) {
			c.mu.Lock()
			defer c.mu.Unlock()
			if len(c.remains) > 2 {
				t.Errorf("%d are left", len(c.remains))
			}
		})
		p.fill(id(9))
		p.send(appendData(nil, id(9), false, []byte("x")))
		for {
			g := p.until(frameReset)
			if g.stream == id(9) {
				if errorCode(g.p[3]) != codeFlowControl {
					t.Errorf("reset with %x", g.p)
				}
				break
			}
		}
	})
}

// A connection that ends takes what is left of uploads with it.
func TestRefusedUploadGone(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.serve(ServerConfig{Handler: refuses})
		p := w.peer()
		p.send(post(1))
		p.answer()
		p.Close()
	})
}

// A window that overflows on a stream that has been answered, and whose client has not ended its side, is an error of that
// stream as before the answer.
func TestAnsweredWindowOverflows(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.serve(ServerConfig{Handler: refuses})
		p := w.peer()
		p.send(post(1))
		p.answer()
		p.send(rawWindow(nil, 1, 1))
		p.calmly()
		p.send(rawWindow(nil, 1, maxWindow))
		p.resets(1, codeFlowControl)
		p.send(rawWindow(nil, 1, maxWindow))
		p.calmly()
	})
}
