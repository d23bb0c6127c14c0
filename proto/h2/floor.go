package h2

import (
	"time"

	shared "weir/proto/internal/floor"
)

// floorWindow is how long a body may move more slowly than the floor before it is given up.
const floorWindow = shared.Window

// A floor judges a body by its progress: within a window of waiting for the client, at least rate x window bytes must have
// moved. Time spent on anything else does not count.
type floor struct {
	rate   int64 // bytes per second
	window time.Duration
	waited time.Duration
	moved  int64
}

// newFloor returns the floor of a body of the stream's exchange. In a call of gRPC any byte will do, in the time that an
// upgraded stream may be silent.
func (s *stream) newFloor() floor {
	if s.x.Call {
		return floor{window: s.cfg.Timeouts.Tunnel}
	}
	return floor{rate: s.cfg.Timeouts.BodyFloor, window: floorWindow}
}

// left is how long may yet be waited.
func (f *floor) left() time.Duration { return f.window - f.waited }

// progress notes that n bytes moved.
func (f *floor) progress(n int) {
	f.moved += int64(n)
	if f.moved >= f.rate*int64(f.window/time.Second) {
		f.moved, f.waited = 0, 0
	}
}
