package upstream

import "sync/atomic"

// A queue is where requests wait until a server has room.
type queue struct {
	waiting atomic.Int32
}

func (q *queue) freed(*server) {}
