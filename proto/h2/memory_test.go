package h2

import (
	"io"
	"runtime"
	"testing"

	"weir"
)

// What one connection makes the server hold of bodies that nobody reads: what the windows allow, and hardly more.
func TestUnreadBodiesMemory(t *testing.T) {
	const most = 10 << 20
	w := newWorld(t, "poller")
	leave := make(chan struct{})
	w.serve(ServerConfig{Handler: weir.HandlerFunc(func(x *weir.Exchange) error {
		if x.Request.Header.Get("taste") != "" {
			io.ReadFull(x.Request.Body, make([]byte, 1))
		}
		<-leave
		return ok(x)
	})})
	t.Cleanup(func() { close(leave) })
	p := w.peer()
	for i := range 128 {
		if i < bigStreams {
			p.send(post(id(i), "taste", "1"))
			for p.until(frameWindow).stream != id(i) { // it waits for its first byte
			}
		} else {
			p.send(post(id(i)))
		}
	}
	before := inUse()
	fill(p, bigStreams, bigWindow)
	for i := bigStreams; i < 128; i++ {
		fillStream(p, id(i), startWindow)
	}
	want := bigStreams*bigWindow + (128-bigStreams)*startWindow
	waitFor(t, "a full connection", func() bool { unread, _ := held(w.srv); return unread >= want-bigStreams })
	unread, memory := held(w.srv)
	t.Logf("%d bytes unread in %d of memory; the heap has grown by %d", unread, memory, inUse()-before)
	if memory > most {
		t.Errorf("%d bytes unread take %d, want %d at most", unread, memory, most)
	}
}

func fill(p *peer, streams, n int) {
	for i := range streams {
		fillStream(p, id(i), n)
	}
}

// fillStream sends n bytes of a body.
func fillStream(p *peer, stream uint32, n int) {
	for ; n > 0; n -= minFrameSize {
		p.send(appendData(nil, stream, false, make([]byte, min(n, minFrameSize))))
	}
}

// held returns how many bytes of bodies a server holds, and the memory that they take.
func held(s *Server) (unread, memory int) {
	s.each(func(c *conn) {
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, st := range c.streams {
			unread += len(st.body.buf) - st.body.r
			memory += cap(st.body.buf)
		}
	})
	return unread, memory
}

func inUse() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
