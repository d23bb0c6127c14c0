package h1

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
)

// told counts how often it was canceled, and whether that was while it watched.
type told struct {
	watching atomic.Bool
	times    atomic.Int32
	late     atomic.Bool
}

func (c *told) Cancel() {
	c.times.Add(1)
	runtime.Gosched() // lets him stop who may not
	if !c.watching.Load() {
		c.late.Store(true)
	}
}

func TestWatchTellsOnce(t *testing.T) {
	var w watch
	var before, during, after told
	w.set(&before)
	w.set(&during)
	w.cancel()
	w.cancel()
	w.set(nil)
	w.set(&after)
	w.set(nil)
	if b, d, a := before.times.Load(), during.times.Load(), after.times.Load(); b != 0 || d != 1 || a != 1 {
		t.Errorf("told %d, %d and %d times", b, d, a)
	}
}

// Nobody is told after he has stopped watching, and he who watches when the client goes, or comes after that, is told.
func TestWatchRace(t *testing.T) {
	for range 2000 {
		var w watch
		var gone atomic.Bool
		var clients sync.WaitGroup
		clients.Add(2)
		for range 2 {
			go func() {
				defer clients.Done()
				w.cancel()
				gone.Store(true)
			}()
		}
		for {
			last := gone.Load()
			c := new(told)
			c.watching.Store(true)
			w.set(c)
			w.set(nil)
			c.watching.Store(false)
			if last && c.times.Load() != 1 {
				t.Fatalf("told %d times of a client that has gone", c.times.Load())
			}
			if c.late.Load() {
				t.Fatal("told after it has stopped watching")
			}
			if last {
				break
			}
		}
		clients.Wait()
	}
}
