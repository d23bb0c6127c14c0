package h3

import (
	"context"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/quic-go/quic-go"

	"weir"
)

// A drain lets what is under way end, refuses what comes later in a way that lets it come again, and ends.
func TestDrain(t *testing.T) {
	begun, goOn := make(chan struct{}), make(chan struct{})
	w := serve(t, ServerConfig{Handler: weir.HandlerFunc(func(x *weir.Exchange) error {
		if x.Request.Path == "/slow" {
			close(begun)
			<-goOn
		}
		return echo(x)
	})})
	r := w.raw()
	r.uni(appendSettings([]byte{streamControl}, 1<<16, false))
	slow := r.open(fields(":method", "GET", ":scheme", "https", ":authority", "a", ":path", "/slow"))
	slow.Close()
	<-begun
	idle := w.greeted()
	w.srv.Drain()
	w.srv.Drain()
	soon := r.open(request("GET")) // on its way already, perhaps
	soon.Close()
	if status, _, _ := r.answers(soon); status != 200 {
		t.Fatal(status)
	}
	w.ended(200, 0)
	control, err := r.AcceptUniStream(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := cat(appendSettings([]byte{streamControl}, 64<<10, true), appendGoAway(nil, 1<<62-4), appendGoAway(nil, 8))
	got := make([]byte, len(want))
	if _, err := io.ReadFull(control, got); err != nil || string(got) != string(want) {
		t.Fatalf("%x, want %x, %v", got, want, err)
	}
	late := r.open(request("GET"))
	r.resets(late, codeRequestRejected)
	close(goOn)
	if status, _, body := r.answers(slow); status != 200 || body != "GET /slow " {
		t.Fatalf("%d %q", status, body)
	}
	w.ended(200, 0)
	if _, err := w.dialQUIC(t.Context(), clientTLS(), &quic.Config{HandshakeIdleTimeout: time.Second}); err == nil {
		t.Error("a new connection was let in")
	}
	r.ends(codeNone)
	idle.ends(codeNone)
	select {
	case err := <-w.over:
		if err != nil {
			t.Error(err)
		}
		w.over <- nil
	case <-time.After(patience):
		t.Fatal("ServePacket did not return")
	}
}

// A drain does not wait for a client that has vanished, once its last answer has had its time; one that is there is told
// what it may still ask for.
func TestDrainWithoutClients(t *testing.T) {
	for _, vanished := range []bool{true, false} {
		w := serve(t, ServerConfig{Handler: echo})
		pc := listenUDP(t)
		tr := &quic.Transport{Conn: pc}
		c := clientTLS()
		c.NextProtos = []string{Protocol}
		q, err := tr.Dial(t.Context(), w.addr, c, &quic.Config{})
		if err != nil {
			t.Fatal(err)
		}
		r := &raw{t, q}
		for rtt := drainNotice; rtt > drainNotice/4; rtt = w.only().q.ConnectionStats().SmoothedRTT { // of a busy machine
			str := r.open(request("GET"))
			str.Close()
			r.answers(str)
			w.ended(200, 0)
		}
		if vanished {
			pc.Close()
		}
		w.longSilent()
		if rtt := w.only().q.ConnectionStats().SmoothedRTT; rtt > drainNotice/4 {
			t.Skipf("the machine is so busy that a round trip takes %s", rtt)
		}
		start := time.Now()
		w.srv.Drain()
		select {
		case err := <-w.over:
			w.over <- err
		case <-time.After(patience):
			t.Fatal("the drain does not end")
		}
		if took := time.Since(start); vanished != (took < drainNotice+drainLinger) {
			t.Errorf("vanished: %v, and the drain took %s", vanished, took)
		}
		tr.Close()
		pc.Close()
	}
}

// only returns the only connection that there is.
func (w *world) only() *conn {
	w.srv.mu.Lock()
	defer w.srv.mu.Unlock()
	_, conns := w.srv.snapshot()
	return conns[0]
}

// longSilent makes it long ago that the only client there is had its last answer and said something.
func (w *world) longSilent() {
	c := w.only()
	for heard, same := uint64(0), 0; c.used() > 0 || same < 20; time.Sleep(10 * time.Millisecond) {
		if now := c.q.ConnectionStats().PacketsReceived; now == heard {
			same++
		} else {
			heard, same = now, 0
		}
	}
	c.mu.Lock()
	c.last -= int64(drainLinger)
	c.mu.Unlock()
}

// Connections that come while a server begins to drain end, too.
func TestDrainWhileDialling(t *testing.T) {
	leaks(t)
	for range 10 {
		w := start(t, ServerConfig{Handler: echo}, Socket{})
		c := clientTLS()
		c.NextProtos = []string{Protocol}
		pc := listenUDP(t)
		tr := &quic.Transport{Conn: pc}
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				tr.Dial(ctx, w.addr, c, &quic.Config{})
				if i == 4 {
					w.srv.Drain()
				}
			})
		}
		all.Wait()
		tr.Close()
		pc.Close()
	}
}

// Connections end at a renewal, and new ones are taken.
func TestRenew(t *testing.T) {
	w := serve(t, ServerConfig{Handler: echo})
	r := w.raw()
	r.uni(appendSettings([]byte{streamControl}, 1<<16, false))
	w.srv.Renew()
	soon := r.open(request("GET")) // on its way already, perhaps
	soon.Close()
	if status, _, _ := r.answers(soon); status != 200 {
		t.Fatal(status)
	}
	next := w.greeted()
	w.ended(200, 0)
	r.ends(codeNone)
	str := next.open(request("GET"))
	str.Close()
	if status, _, _ := next.answers(str); status != 200 {
		t.Fatal(status)
	}
}
