package h2

import "time"

// floorWindow is how long a body may move more slowly than the floor before it is given up.
const floorWindow = 10 * time.Second

// A floor judges a body by its progress: within a window of waiting for the client, at least rate x window bytes must have
// moved. Time spent on anything else does not count.
type floor struct {
	rate   int64 // bytes per second
	window time.Duration
	waited time.Duration
	moved  int64
}

func (f *floor) begin(rate int64) { *f = floor{rate: rate, window: floorWindow} }

// left is how long may yet be waited.
func (f *floor) left() time.Duration { return f.window - f.waited }

// progress notes that n bytes moved.
func (f *floor) progress(n int) {
	f.moved += int64(n)
	if f.moved >= f.rate*int64(f.window/time.Second) {
		f.moved, f.waited = 0, 0
	}
}
