package upstream

import (
	"math"
	"time"
)

// latencyMemory is the time in which a sample loses most of its weight.
const latencyMemory = 10 * time.Second

// sample takes the time to the first byte of one answer into the server's moving average. The
// average jumps up with a slow answer and comes down slowly ("peak EWMA", as in Finagle), because a
// server in trouble shows it by single slow answers first.
func (s *server) sample(took, now int64) {
	if took < 1 {
		took = 1
	}
	last := s.ep.Latency.Load()
	if took < last {
		age := max(now-s.ep.Stamp.Load(), 0)
		w := math.Exp(-float64(age) / float64(latencyMemory))
		took = int64(w*float64(last) + (1-w)*float64(took))
	}
	s.ep.Latency.Store(took)
	s.ep.Stamp.Store(now)
}

// punish makes a server that has failed look slow: it would look fast otherwise, because a refusal
// comes quickly and leaves it idle.
func (s *server) punish(now int64) {
	worse := max(2*s.ep.Latency.Load(), int64(100*time.Millisecond))
	s.sample(min(worse, int64(time.Minute)), now)
}
