package h2

import (
	"encoding/binary"
	"io"
	"testing"
	"time"
)

// goAwayOf reads frames up to GOAWAY and returns its last stream.
func (p *peer) goAwayOf(code errorCode) uint32 {
	p.t.Helper()
	for {
		g := p.next()
		if g.typ != frameGoAway {
			continue
		}
		if got := errorCode(binary.BigEndian.Uint32(g.p[4:])); got != code {
			p.t.Fatalf("GOAWAY with %v", got)
		}
		return binary.BigEndian.Uint32(g.p)
	}
}

// ends makes sure that the server closes the connection.
func (p *peer) ends() {
	p.t.Helper()
	for {
		if _, err := p.read(); err == io.EOF {
			return
		} else if err != nil {
			p.t.Fatal(err)
		}
	}
}

// A drain refuses nothing at first, finishes what is under way, and closes.
func TestDrain(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		crowd := w.serveCrowd(Limits{})
		idle, busy := w.peer(), w.peer()
		idle.send(getPath(1, "/", "read", "1"))
		idle.answer()
		busy.send(get(1))
		waitFor(t, "a request under way", func() bool { return crowd.now.Load() == 1 })
		w.srv.Drain()
		if last := busy.goAwayOf(codeNone); last != maxStream {
			t.Errorf("first GOAWAY for %d", last)
		}
		busy.send(getPath(3, "/", "read", "1"))
		if at, status, _ := busy.answer(); at != 3 || status != "200" {
			t.Errorf("stream %d got %s", at, status)
		}
		if last := busy.goAwayOf(codeNone); last != 3 {
			t.Errorf("second GOAWAY for %d", last)
		}
		busy.send(get(5), appendData(nil, 5, true, []byte("x")), rawWindow(nil, 5, 1), appendReset(nil, 5, codeCancel)) // refused, without a word
		crowd.disperse()
		if at, status, _ := busy.answer(); at != 1 || status != "200" {
			t.Errorf("stream %d got %s", at, status)
		}
		busy.ends()
		idle.goAwayOf(codeNone)
		idle.goAwayOf(codeNone)
		idle.ends()
		late := w.peer()
		late.send(getPath(1, "/", "read", "1"))
		late.goAwayOf(codeNone)
		late.answer()
		late.goAwayOf(codeNone)
		late.ends()
	})
}

// Close does not wait for anybody.
func TestClose(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		crowd := w.serveCrowd(Limits{})
		p := w.peer()
		p.send(get(1))
		waitFor(t, "a request under way", func() bool { return crowd.now.Load() == 1 })
		w.srv.Close()
		crowd.disperse()
		waitFor(t, "an end", func() bool { return w.srv.Open() == 0 })
	})
}

// Nobody waits for requests of a client that has gone, or been cut off.
func TestDrainWithoutClient(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.serve(ServerConfig{Handler: echo})
		p, gone := w.peer(), w.peer()
		for _, p := range []*peer{p, gone} {
			p.send(getPath(1, "/", "read", "1"))
			p.answer()
		}
		begun := time.Now()
		w.srv.Drain()
		gone.Close()
		waitFor(t, "one connection less", func() bool { return w.srv.Open() == 1 })
		w.srv.Close()
		waitFor(t, "an end", func() bool { return w.srv.Open() == 0 })
		if waited := time.Since(begun); waited >= drainPatience {
			t.Errorf("it took %s", waited)
		}
	})
}

// A connection to which nothing is ever said ends by a drain as well.
func TestDrainSilent(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.serve(ServerConfig{Handler: echo})
		c := w.dial()
		waitFor(t, "a connection", func() bool { return w.srv.Open() == 1 })
		w.srv.Drain()
		if _, err := io.Copy(io.Discard, c); err != nil {
			t.Fatal(err)
		}
	})
}
