package server

import (
	"context"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"weir"
	"weir/weirtest/dialect"
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

// freePort is one that nobody has, for TCP or UDP, on any address.
func freePort(t *testing.T) string {
	t.Helper()
	for {
		l, err := net.Listen("tcp", ":0")
		if err != nil {
			t.Fatal(err)
		}
		_, port, _ := net.SplitHostPort(l.Addr().String())
		u, err := net.ListenPacket("udp", ":"+port)
		l.Close()
		if err == nil {
			u.Close()
			return port
		}
	}
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
func comeH3(t *testing.T, addr string) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	c, err := dialect.H3(ctx, addr, nil, anybody())
	if err == nil {
		c.Abort()
	}
	return err
}

// A listener of HTTP/3 may be given a wider address: connections from before end as in a drain, and whoever comes to
// another of the addresses is served at once.
func TestListenerWidensH3(t *testing.T) {
	s := newServer(t, Config{})
	one, entered, leave := holdingBack("one")
	port := freePort(t)
	narrow := "127.0.0.1:" + port
	spec := h3Spec(t, "a", narrow)
	swap(t, s, snapshot(one, spec))
	busy := connectH3(t, s.Addr("a"))
	io.WriteString(busy, "GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
	<-entered

	spec.Address = ":" + port
	swap(t, s, snapshot(says("two"), spec))
	if got := connectH3(t, udpAddr(t, "127.0.0.2", port)).get(t); got != "two" {
		t.Errorf("at another address: %q", got)
	}
	if u, err := net.ListenPacket("udp4", "127.0.0.3:"+port); err == nil {
		u.Close()
		t.Error("others can have the port")
	}
	within(t, "at the address from before clients hear that they are refused", func() bool {
		err := comeH3(t, narrow)
		return err != nil && strings.Contains(err.Error(), "CONNECTION_REFUSED")
	})
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
	within(t, "the connection from before ends", func() bool { return len(s.Listeners()) == 1 })
	within(t, "its address leads to the new socket", func() bool { return comeH3(t, narrow) == nil })
	if got := connectH3(t, udpAddr(t, "127.0.0.1", port)).get(t); got != "two" {
		t.Errorf("at the address from before: %q", got)
	}
}

// HTTP/3 that is switched off first can be had on a narrower address, as the message says.
func TestListenerNarrowsH3(t *testing.T) {
	s := newServer(t, Config{})
	port := freePort(t)
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
		taken, err := net.ListenPacket("udp4", "127.0.0.1:"+freePort(t))
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
