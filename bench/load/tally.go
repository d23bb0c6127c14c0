package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// An asker makes one request, waits for its whole answer, and returns the bytes of content. One goroutine at a
// time calls it.
type asker func() (int64, error)

// A tally is what came of a load.
type tally struct {
	time   time.Duration   // until the last answer
	took   []time.Duration // of each request that was answered as it should be
	bytes  int64
	errors int64
	first  error // of the errors
}

// pause keeps an asker whose requests fail at once from doing nothing else.
const pause = 10 * time.Millisecond

// load has everybody ask for a while, one request after the other.
func load(ctx context.Context, during time.Duration, askers []asker) *tally {
	tallies := make([]tally, len(askers))
	start := time.Now()
	var everybody sync.WaitGroup
	for i, ask := range askers {
		everybody.Go(func() { tallies[i].work(ctx, start.Add(during), ask) })
	}
	everybody.Wait()
	sum := &tally{time: time.Since(start)}
	for i := range tallies {
		sum.add(&tallies[i])
	}
	slices.Sort(sum.took)
	return sum
}

func (t *tally) work(ctx context.Context, end time.Time, ask asker) {
	for now := time.Now(); now.Before(end) && ctx.Err() == nil; {
		n, err := ask()
		then := time.Now()
		t.count(n, then.Sub(now), err)
		if err != nil {
			time.Sleep(pause)
			then = time.Now()
		}
		now = then
	}
}

func (t *tally) count(bytes int64, took time.Duration, err error) {
	if err != nil {
		t.errors++
		if t.first == nil {
			t.first = err
		}
		return
	}
	t.bytes += bytes
	t.took = append(t.took, took)
}

func (t *tally) add(of *tally) {
	t.bytes += of.bytes
	t.errors += of.errors
	t.took = append(t.took, of.took...)
	if t.first == nil {
		t.first = of.first
	}
}

func (t *tally) requests() int { return len(t.took) }

// within is the time, in microseconds, in which so many percent were answered; took is in order.
func (t *tally) within(percent int) float64 {
	if len(t.took) == 0 {
		return 0
	}
	return float64(t.took[(len(t.took)-1)*percent/100].Nanoseconds()) / 1e3
}

// String is the line that is printed.
func (t *tally) String() string {
	return fmt.Sprintf("figures %d %d %d %d %.1f %.1f", t.requests(), t.time.Microseconds(), t.bytes, t.errors, t.within(50), t.within(99))
}
