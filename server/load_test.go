package server

import (
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Changes of what is served, one right after the other, cost no client of any version its connection or an answer.
func TestSwapsUnderLoad(t *testing.T) {
	s := newServer(t, Config{})
	spec := h3Spec(t, "a", "127.0.0.1:0")
	swap(t, s, snapshot(says("x"), spec))
	var over atomic.Bool
	var all sync.WaitGroup
	var answers atomic.Int64
	for _, c := range []*client{connectTLS(t, s.Addr("a")), connectH3(t, s.Addr("a")), connectTLS(t, s.Addr("a")), connectH3(t, s.Addr("a"))} {
		all.Go(func() {
			for !over.Load() {
				if err := c.try(); err != nil {
					t.Error(err)
					return
				}
				answers.Add(1)
			}
		})
	}
	for range 100 {
		swap(t, s, snapshot(says("x"), spec))
		time.Sleep(10 * time.Millisecond)
	}
	over.Store(true)
	all.Wait()
	if l := s.Listeners()[0]; l.Accepted != 4 || answers.Load() < 100 {
		t.Errorf("%d connections were accepted for 4, and %d answers given", l.Accepted, answers.Load())
	}
}

// try asks, and says what is wrong with the answer.
func (c *client) try() error {
	c.send()
	r, err := http.ReadResponse(c.r, nil)
	if err != nil {
		return err
	}
	if b, err := io.ReadAll(r.Body); err != nil || string(b) != "x" || r.Close {
		return fmt.Errorf("%q, %v, closes: %v", b, err, r.Close)
	}
	return nil
}
