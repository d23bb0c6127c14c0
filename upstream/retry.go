package upstream

import (
	"sync"
	"sync/atomic"
	"time"
)

// budgetWindow is the time that a budget looks back: between one and two windows.
const budgetWindow = 5 * time.Second

// A budget keeps retries from multiplying the load of an upstream that is in trouble: they may be so
// many percent of the recent requests, and a few always. Requests only count, and only while that may matter to a window:
// two of them after somebody has asked. The sums are made when a retry asks.
type budget struct {
	requests atomic.Int64
	until    atomic.Int64 // so long they count, internal/clock

	percent int64
	floor   int64 // retries allowed in two windows whatever the requests
	clock   func() int64

	mu      sync.Mutex // protects the rest
	started int64      // of the window
	base    [2]int64   // requests when the window before and this one began
	retries [2]int64   // in the window before and in this one
}

func newBudget(r Retry, clock func() int64) *budget {
	if r.Budget < 0 || r.Attempts == 1 {
		return nil
	}
	b := &budget{
		percent: int64(r.Budget),
		floor:   int64(r.MinPerSecond) * int64(2*budgetWindow/time.Second),
		clock:   clock,
	}
	b.begin(clock())
	return b
}

// count counts a request that came at t. It may be called on nil.
func (b *budget) count(t int64) {
	if b != nil && t < b.until.Load() {
		b.requests.Add(1)
	}
}

// begin begins a window. mu is held.
func (b *budget) begin(now int64) {
	b.started = now
	b.until.Store(now + int64(2*budgetWindow))
}

// take reports whether a retry is allowed now, and counts it. It may be called on nil: no limit.
func (b *budget) take() bool {
	if b == nil {
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.left() <= 0 {
		return false
	}
	b.retries[1]++
	return true
}

// left returns the retries that are allowed now. mu is held.
func (b *budget) left() int64 {
	total := b.requests.Load()
	b.roll(b.clock(), total)
	return b.floor + (total-b.base[0])*b.percent/100 - b.retries[0] - b.retries[1]
}

// roll begins a new window where the old one is over.
func (b *budget) roll(now, total int64) {
	switch age := now - b.started; {
	case age < int64(budgetWindow):
		return
	case age < int64(2*budgetWindow):
		b.base = [2]int64{b.base[1], total}
		b.retries = [2]int64{b.retries[1], 0}
	default:
		b.base = [2]int64{total, total}
		b.retries = [2]int64{}
	}
	b.begin(now)
}

// remaining is left for a status page; -1: no limit.
func (b *budget) remaining() int {
	if b == nil {
		return -1
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return int(max(b.left(), 0))
}
