package poll

import (
	"net"
	"testing"
	"time"
)

// Two listening sockets with many connections are both emptied in few turns.
func TestAcceptsGrow(t *testing.T) {
	p := &poller{}
	for turn, want := range []int{1, 2, 4, 8, 16, 32, 64, 64} {
		p.turns++
		for range 2 {
			if p.expect(); p.accepts != want {
				t.Fatalf("turn %d takes %d, want %d", turn, p.accepts, want)
			}
		}
	}
	p.turns += 2
	if p.expect(); p.accepts != 1 {
		t.Fatalf("after a pause %d are taken", p.accepts)
	}
}

// The socket of a listener that is detached stays open for the next one, and so does its queue.
func TestDetach(t *testing.T) {
	g := newGroup(t)
	source, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer source.Close()
	ln, err := g.Listen(source, func(c Conn) { c.Close() })
	must(t, err)
	ln.Detach()
	far, err := net.Dial("tcp", source.Addr().String())
	must(t, err)
	defer far.Close()
	got := make(chan Conn, 1)
	ln, err = g.Listen(source, func(c Conn) { got <- c })
	must(t, err)
	(<-got).Close()
	must(t, ln.Close())
}

// When Close returns, nobody is at accepting any more: the descriptor's number may be another's.
func TestCloseWaitsForAccept(t *testing.T) {
	g := newGroup(t)
	source, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	at, release := make(chan struct{}), make(chan struct{})
	ln, err := g.Listen(source, func(c Conn) {
		at <- struct{}{}
		<-release
		c.Close()
	})
	must(t, err)
	far, err := net.Dial("tcp", source.Addr().String())
	must(t, err)
	defer far.Close()
	<-at
	closed := make(chan error, 1)
	go func() { closed <- ln.Close() }()
	select {
	case <-closed:
		close(release)
		t.Fatal("closed while a connection is being accepted")
	case <-time.After(20 * time.Millisecond):
	}
	close(release)
	must(t, <-closed)
}
