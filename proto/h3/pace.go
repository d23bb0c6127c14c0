package h3

import (
	"time"

	"weir/internal/clock"
	"weir/proto/internal/floor"
)

// floorWindow is how long a body may move more slowly than the floor before it is given up.
const floorWindow = floor.Window

// at is t, a value of clock.Now, as QUIC's streams want their deadlines.
func at(t int64) time.Time { return clock.Wall(t) }

// past is a deadline that has been.
var past = time.Unix(1, 0)
