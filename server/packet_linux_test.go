package server

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"weir"
	"weir/weirtest/dialect"
	"weir/weirtest/freeport"
)

// holdingBack is a handler that says text, to /slow only when it is let.
func holdingBack(text string) (h weir.Handler, entered, leave chan struct{}) {
	entered, leave = make(chan struct{}), make(chan struct{})
	return weir.HandlerFunc(func(x *weir.Exchange) error {
		if x.Request.Path == "/slow" {
			entered <- struct{}{}
			<-leave
		}
		return says(text).ServeExchange(x)
	}), entered, leave
}

func udpAddr(t *testing.T, host, port string) net.Addr {
	t.Helper()
	a, err := net.ResolveUDPAddr("udp", net.JoinHostPort(host, port))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// comeH3 connects by HTTP/3 and goes.
func comeH3(addr string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	c, err := dialect.H3(ctx, addr, nil, anybody())
	if err == nil {
		c.Abort()
	}
	return err
}

// keepComing has clients come to an address by HTTP/3, one after the other, until it is told to stop.
func keepComing(t *testing.T, addr string) (stop func()) {
	t.Helper()
	var all sync.WaitGroup
	var over atomic.Bool
	all.Go(func() {
		for n := 0; !over.Load(); n++ {
			if err := comeH3(addr); err != nil {
				t.Errorf("client %d of %s does not come in: %v", n, addr, err)
				return
			}
		}
	})
	stop = sync.OnceFunc(func() { over.Store(true); all.Wait() })
	t.Cleanup(stop)
	return stop
}

// udpSockets is the number of UDP sockets that a server's listeners have.
func udpSockets(s *Server) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.listeners {
		n += len(l.sockets())
	}
	return n
}

// A listener of HTTP/3 may be given a wider address, and a yet wider one: connections from before end as in a drain, and
// whoever comes to any of the addresses is served at once, at any time.
func TestListenerWidensH3(t *testing.T) {
	s := newServer(t, Config{})
	one, entered, leave := holdingBack("one")
	port := freeport.Find(t)
	narrow := "127.0.0.1:" + port
	spec := h3Spec(t, "a", narrow)
	swap(t, s, snapshot(one, spec))
	busy := connectH3(t, s.Addr("a"))
	io.WriteString(busy, "GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
	<-entered
	stop := keepComing(t, narrow)

	for i, host := range []string{"0.0.0.0", ""} {
		spec.Address = host + ":" + port
		want := fmt.Sprint("wider ", i)
		swap(t, s, snapshot(says(want), spec))
		within(t, "the listener from before has gone", func() bool { return len(s.Listeners()) == 1 })
		for _, host := range []string{"127.0.0.2", "127.0.0.1"} {
			c := connectH3(t, udpAddr(t, host, port))
			if got := c.get(t); got != want {
				t.Errorf("at %s: %q", host, got)
			}
			c.Close()
		}
		if u, err := net.ListenPacket("udp4", "127.0.0.3:"+port); err == nil {
			u.Close()
			t.Error("others can have the port")
		}
	}
	spec.Address = narrow
	for range 2 {
		err := s.Swap(snapshot(says("three"), spec))
		if err == nil || !strings.Contains(err.Error(), "need the port until they end") {
			t.Errorf("a narrower one would take the datagrams of connections away: %v", err)
		}
	}
	close(leave)
	if got, _ := busy.receive(t); got != "one" {
		t.Errorf("the request from before got %q", got)
	}
	busy.Close()
	stop()
	within(t, "the sockets from before are closed", func() bool {
		if err := comeH3(narrow); err != nil {
			t.Fatalf("while sockets are closed a client does not come in: %v", err)
		}
		return udpSockets(s) == 1
	})
	if got := connectH3(t, udpAddr(t, "127.0.0.1", port)).get(t); got != "wider 1" {
		t.Errorf("at the address from before: %q", got)
	}
}

// HTTP/3 goes off and on again for all addresses of a listener that has been widened, and breaks off nothing.
func TestWidenedListenerSwitchesH3(t *testing.T) {
	s := newServer(t, Config{})
	one, entered, leave := holdingBack("one")
	port := freeport.Find(t)
	narrow := "127.0.0.1:" + port
	spec := h3Spec(t, "a", narrow)
	swap(t, s, snapshot(one, spec))
	busy := connectH3(t, s.Addr("a"))
	io.WriteString(busy, "GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
	<-entered
	spec.Address = ":" + port
	swap(t, s, snapshot(says("two"), spec))
	off := spec
	off.Versions.H3 = false
	for range 2 {
		swap(t, s, snapshot(says("two"), off))
		if err := comeH3(narrow); err == nil || !strings.Contains(err.Error(), "CONNECTION_REFUSED") {
			t.Errorf("while HTTP/3 is off: %v", err)
		}
		swap(t, s, snapshot(says("two"), spec))
		for _, host := range []string{"127.0.0.1", "127.0.0.2"} {
			if got := connectH3(t, udpAddr(t, host, port)).get(t); got != "two" {
				t.Errorf("at %s: %q", host, got)
			}
		}
	}
	close(leave)
	if got, _ := busy.receive(t); got != "one" {
		t.Errorf("the request from before got %q", got)
	}
}

// HTTP/3 that is switched off first can be had on a narrower address, as the message says.
func TestListenerNarrowsH3(t *testing.T) {
	s := newServer(t, Config{})
	port := freeport.Find(t)
	spec := h3Spec(t, "a", ":"+port)
	swap(t, s, snapshot(says("one"), spec))
	connectH3(t, udpAddr(t, "127.0.0.1", port)).get(t)
	off, narrow := spec, spec
	off.Versions.H3 = false
	narrow.Address = "127.0.0.1:" + port
	err := s.Swap(snapshot(says("two"), narrow))
	if err == nil || !strings.Contains(err.Error(), `take "h3" out of its protocols and reload`) {
		t.Fatal(err)
	}
	swap(t, s, snapshot(says("one"), off))
	within(t, "the connections of HTTP/3 have ended", func() bool { return s.Swap(snapshot(says("two"), narrow)) == nil })
	if got := connectH3(t, s.Addr("a")).get(t); got != "two" {
		t.Errorf("got %q", got)
	}
}

// What to do is said where another program has the UDP port.
func TestPacketPortIsTaken(t *testing.T) {
	s := newServer(t, Config{})
	within(t, "the UDP port is taken and the TCP port is not", func() bool { // another program may be faster
		taken, err := net.ListenPacket("udp4", "127.0.0.1:"+freeport.Find(t))
		if err != nil {
			return false
		}
		defer taken.Close()
		err = s.Swap(snapshot(says("x"), h3Spec(t, "a", taken.LocalAddr().String())))
		if err == nil {
			t.Fatal("no error")
		}
		if strings.Contains(err.Error(), "another program listens there") {
			return false
		}
		if !strings.Contains(err.Error(), "another program has the UDP port") {
			t.Fatal(err)
		}
		return true
	})
}
