// Package floor judges bodies by their progress and not by the wall clock: a body of any size may take as long as it
// needs, and one that trickles ends after a window.
package floor

import (
	"time"

	"weir/internal/clock"
	"weir/internal/poll"
)

// Window is how long a body may move more slowly than the floor before it is given up.
const Window = 10 * time.Second

// Bytes returns how many bytes must move within a window at a floor of rate bytes per second.
func Bytes(rate int64) int64 { return rate * int64(Window/time.Second) }

// lump is what the system of a TCP client may take at once, having taken nothing for long: a program that reads slowly gives it
// room packet by packet, and it joins packets up to this size. It tells of the room when all of one has been read.
const lump = 64 << 10

// Sending is the pace that the client of a TCP connection has to keep. Its window is longer than Window where a lump takes
// longer at that speed: one that reads as fast as the floor seems to stand still between two of them.
func Sending(rate int64) poll.Pace {
	window := max(Window, lump*time.Second/time.Duration(rate))
	return poll.Pace{Window: window, Bytes: int64(float64(rate) * window.Seconds())}
}

// A Floor is what is left of a window for one body: within each, at least Bytes must have moved. It is used by one
// goroutine at a time. Times are those of clock.Now.
type Floor struct {
	rate  int64 // bytes per second
	began int64 // of the window
	moved int64 // within it
}

// Begin begins the first window, at rate bytes per second.
func (f *Floor) Begin(rate int64) { *f = Floor{rate: rate, began: clock.Now()} }

// Rate returns what Begin was told.
func (f *Floor) Rate() int64 { return f.rate }

// Deadline is when the next bytes must have come at the latest.
func (f *Floor) Deadline() int64 { return f.began + int64(Window) }

// Progress notes that n bytes moved. The next window begins when the bytes of this one have.
func (f *Floor) Progress(n int) {
	f.moved += int64(n)
	if f.moved >= Bytes(f.rate) {
		f.moved, f.began = 0, clock.Now()
	}
}

// Pause moves the window on by what was spent waiting for somebody else, in nanoseconds.
func (f *Floor) Pause(d int64) { f.began += d }
