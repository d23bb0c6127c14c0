package h2

import (
	"testing"

	"weir/internal/poll"
)

// A stuck is a connection whose client takes nothing.
type stuck struct {
	deaf
	writing, release chan struct{}
}

func (s stuck) SetWritePace(*poll.Pace) {}

func (s stuck) Post(p []byte) (int, error) {
	s.writing <- struct{}{}
	<-s.release
	return len(p), nil
}

// Those who wait for room in the output get it when a write begins, not when it ends: the next one fills meanwhile.
func TestCrowdedWhileWriting(t *testing.T) {
	c := newWalker()
	s := stuck{writing: make(chan struct{}), release: make(chan struct{})}
	c.Conn = s
	c.out = make([]byte, outMost)
	var w waiter
	w.init()
	c.mu.Lock()
	c.crowded.add(&w)
	done := make(chan struct{})
	go func() { c.writeOut(); c.mu.Unlock(); close(done) }()
	<-s.writing
	select {
	case <-w.ch:
	default:
		t.Error("nobody is let in while a write takes its time")
	}
	close(s.release)
	<-done
}
