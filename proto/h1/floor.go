package h1

import (
	"weir/internal/poll"
	"weir/proto/internal/floor"
)

// floorWindow is how long a body may move more slowly than the floor before it is given up.
const floorWindow = floor.Window

// paceOf is the floor as a splice has to keep it.
func paceOf(rate int64) poll.Pace {
	return poll.Pace{Window: floorWindow, Bytes: floor.Bytes(rate)}
}
