package poll

import (
	"time"

	"weir/internal/clock"
)

// A Pace is how fast bytes must move: Bytes at least (0: one) for each Window of waiting; Window 0: no limit.
type Pace struct {
	Window time.Duration
	Bytes  int64
}

// least is how many bytes must move within a window.
func (p Pace) least() int64 { return max(p.Bytes, 1) }

// A pacer is how one direction of a connection stands with its pace. One goroutine at a time uses it.
type pacer struct {
	window int   // the window's number
	moved  int64 // bytes within it
	waited int64 // nanoseconds within it
	since  int64 // when the present wait began; 0: there is none
	ended  int64 // when the last one did
}

// begin begins another window.
func (p *pacer) begin() {
	p.window++
	p.moved, p.waited = 0, 0
}

// wait notes that a wait begins, and returns when the window ends; 0: never. A wait that is woken for nothing goes on as it
// was. Who has not had to wait for as long as a window begins another one.
func (p *pacer) wait(pace Pace) int64 {
	if p.since == 0 {
		p.since = clock.Now()
		if p.since-p.ended > int64(pace.Window) {
			p.begin()
		}
	}
	if pace.Window <= 0 {
		return 0
	}
	return p.since + int64(pace.Window) - p.waited
}

// rest ends the wait, if there is one.
func (p *pacer) rest() {
	if p.since != 0 {
		p.ended = clock.Now()
		p.waited += p.ended - p.since
		p.since = 0
	}
}

// progress ends the wait with n bytes that moved. Another window begins where those of this one have.
func (p *pacer) progress(n int64, pace Pace) {
	p.rest()
	if p.moved += n; p.moved >= pace.least() {
		p.begin()
	}
}
