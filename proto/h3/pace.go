package h3

import (
	"time"

	"weir/internal/clock"
)

// floorWindow is how long a body may move more slowly than the floor before it is given up.
const floorWindow = 10 * time.Second

// A floor judges a body by its progress and not by the wall clock: within each window at least rate x floorWindow bytes
// must have moved. A body of any size may so take as long as it needs, and one that trickles ends after a window.
type floor struct {
	rate  int64 // bytes per second
	began int64 // of the window
	moved int64 // within it
}

func (f *floor) begin(rate int64) { *f = floor{rate: rate, began: clock.Now()} }

// deadline is when the next bytes must have come at the latest.
func (f *floor) deadline() time.Time { return at(f.began + int64(floorWindow)) }

// progress notes that n bytes moved.
func (f *floor) progress(n int) {
	f.moved += int64(n)
	if f.moved >= f.rate*int64(floorWindow/time.Second) {
		f.moved, f.began = 0, clock.Now()
	}
}

// pause moves the window on by what was spent waiting for somebody else.
func (f *floor) pause(d int64) { f.began += d }

// at is t, a value of clock.Now, as QUIC's streams want their deadlines.
func at(t int64) time.Time { return clock.Wall(t) }

// past is a deadline that has been.
var past = time.Unix(1, 0)
