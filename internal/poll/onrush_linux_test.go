package poll

import (
	"net"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// listening is a listener whose connections go to a channel, and its onrush.
func listening(t *testing.T) (*Listener, *onrush, chan Conn) {
	t.Helper()
	g, err := NewGroup(1)
	must(t, err)
	t.Cleanup(func() { g.Close() })
	source, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	got := make(chan Conn, 16)
	l, err := g.Listen(source, func(c Conn) { got <- c })
	must(t, err)
	return l, &l.fd.onrush, got
}

func deferral(t *testing.T, o *onrush) int {
	t.Helper()
	v, err := unix.GetsockoptInt(int(o.fd), unix.IPPROTO_TCP, unix.TCP_DEFER_ACCEPT)
	must(t, err)
	return v
}

// Connections are deferred while a thousand come in a second, and not before or after.
func TestOnrushBeginsAndEnds(t *testing.T) {
	l, o, _ := listening(t)
	defer l.Close()
	now := int64(time.Hour)
	o.count(now) // the first window begins
	for i := range onrushCount {
		if v := deferral(t, o); v != 0 {
			t.Fatalf("deferred after %d", i)
		}
		now += int64(onrushTime) / onrushCount / 2
		o.count(now)
	}
	if v := deferral(t, o); v != onrushSeconds {
		t.Fatalf("deferred for %d s after %d", v, onrushCount)
	}
	for range onrushCount - 1 {
		o.count(now)
	}
	if deferral(t, o) == 0 {
		t.Fatal("ended while many come")
	}
	o.count(now + 1)
	o.count(now + 2 + int64(onrushTime))
	if v := deferral(t, o); v != 0 {
		t.Fatalf("still deferred for %d s", v)
	}
}

// Who speaks is accepted at once, who is silent a little later, and neither is lost.
func TestOnrushAccepts(t *testing.T) {
	l, o, got := listening(t)
	defer l.Close()
	o.apply(true)
	silent, talker := dial(t, l.Addr().String()), dial(t, l.Addr().String())
	talker.Write([]byte("hello"))
	expect := func(who net.Conn) {
		t.Helper()
		select {
		case c := <-got:
			defer c.Close()
			if c.RemoteAddr().String() != who.LocalAddr().String() {
				t.Fatalf("%s was accepted before %s", c.RemoteAddr(), who.LocalAddr())
			}
			must2(t, c, "welcome", who)
		case <-time.After(30 * time.Second):
			t.Fatal("not accepted")
		}
	}
	expect(talker)
	expect(silent)
}

// The first bytes of a connection may be under way when its listener closes.
func TestOnrushAtTheEnd(t *testing.T) {
	l, o, got := listening(t)
	o.deferred.Store(true)
	o.apply(true)
	c := dial(t, l.Addr().String())
	go func() {
		for o.deferred.Load() {
			time.Sleep(time.Microsecond)
		}
		c.Write([]byte("hello"))
	}()
	must(t, l.Close())
	select {
	case c := <-got:
		c.Close()
	default:
		t.Fatal("lost")
	}
}
