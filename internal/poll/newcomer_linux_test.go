package poll

import (
	"net"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// welcomed returns a connection that came while the poller was busy, and whose first bytes were there by then.
func welcomed(t *testing.T, sent string) (*sock, net.Conn) {
	g, err := NewGroup(1)
	must(t, err)
	t.Cleanup(g.Close)
	got, busy, release := make(chan Conn, 1), make(chan struct{}), make(chan struct{})
	first := true
	l, err := g.Listen(listen(t), func(c Conn) {
		if first {
			first = false
			c.Close()
			close(busy)
			<-release
			return
		}
		c.Idle(taskFunc(func() { got <- c }))
	})
	must(t, err)
	t.Cleanup(func() { l.Close() })
	dial(t, l.Addr().String())
	<-busy
	far := dial(t, l.Addr().String())
	far.Write([]byte(sent))
	close(release)
	return (<-got).(*sock), far
}

// Who sends at once and is gone after the answer never is registered, not even late.
func TestNewcomerPassesBy(t *testing.T) {
	p, err := newPoller(&Group{}, 0)
	must(t, err)
	defer p.release()
	fd, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK, 0)
	must(t, err)
	defer unix.Close(fd[1])
	unix.Write(fd[1], []byte("hello"))
	s, ran := p.adopt(int32(fd[0])), 0
	p.welcome(s, func(c Conn) {
		if !c.Idle(taskFunc(func() { ran++ })) {
			t.Error("not idle")
		}
	})
	for _, task := range p.tasks.first(8) {
		task.Run(nil)
	}
	buf := make([]byte, 16)
	if n, err := s.TryRead(buf); ran != 1 || err != nil || string(buf[:n]) != "hello" {
		t.Fatalf("%d tasks ran, read %q, %v", ran, buf[:n], err)
	}
	s.Close()
	if p.registerNewcomers(never); s.known.Load() || p.newcomers.any() {
		t.Fatal("registered after Close")
	}
}

// The client's end is noticed though nobody waits for the connection.
func TestNewcomerHangsUp(t *testing.T) {
	c, far := welcomed(t, "hello")
	defer c.Close()
	gone := make(chan struct{})
	c.OnHangup(cancelFunc(func() { close(gone) }))
	far.Close()
	select {
	case <-gone:
	case <-time.After(10 * time.Second):
		t.Fatal("not noticed")
	}
}

// The deadline of one that waits is kept, and so is what comes after the first wait.
func TestNewcomerWaits(t *testing.T) {
	c, far := welcomed(t, "hello")
	defer c.Close()
	buf := make([]byte, 16)
	c.Read(buf)
	c.SetReadDeadline(c.p.now.Load() + int64(30*time.Millisecond))
	if _, err := c.Read(buf); err != ErrTimeout {
		t.Fatalf("%v", err)
	}
	c.SetReadDeadline(0)
	far.Write([]byte("again"))
	if n, err := c.Read(buf); err != nil || string(buf[:n]) != "again" {
		t.Fatalf("read %q, %v", buf[:n], err)
	}
}

func TestPromising(t *testing.T) {
	var n newcomers
	skipped := func() (k int) {
		for !n.promising() {
			k++
		}
		return k
	}
	for i, want := range []int{0, 1, 3, 7, 15, 31, 63, 64, 64} {
		if got := skipped(); got != want {
			t.Fatalf("after %d misses %d are skipped, want %d", i, got, want)
		}
		n.missed.Store(true)
	}
	skipped()
	for range manyHits {
		n.promising()
	}
	n.missed.Store(true)
	if got := skipped(); got != 1 {
		t.Fatalf("after a rare miss %d are skipped", got)
	}
}
