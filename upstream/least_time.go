package upstream

import (
	"time"

	"weir"
)

// A leastTime draws two servers by their weights and takes the one that would probably answer sooner:
// its time to the first byte, times what it has to do already. See latency.go for how that time is
// measured. A figure loses its worth with age, so that a server that was slow once is tried again.
type leastTime struct {
	lot
	clock func() int64
}

func newLeastTime(m mixture) chooser { return &leastTime{newLot(m), m.clock} }

func (b *leastTime) first(uint64) int {
	i, j := b.two()
	now := b.clock()
	if cost(b.eps[j], now) < cost(b.eps[i], now) {
		return j
	}
	return i
}

// Candidates implements weir.Balancer.
func (b *leastTime) Candidates(_ uint64, dst []*weir.Endpoint) []*weir.Endpoint {
	i := b.first(0)
	return appendOthers(append(dst, b.eps[i]), b.eps, i, b.rand())
}

// costUnknown stands for the latency of a server that has not answered yet: nothing to begin with,
// and much once a first exchange is under way there.
const costUnknown = int64(time.Second)

func cost(ep *weir.Endpoint, now int64) int64 {
	active, latency := ep.Active.Load(), ep.Latency.Load()
	if latency == 0 {
		return active * costUnknown
	}
	if age := now - ep.Stamp.Load(); age > int64(latencyMemory) {
		latency >>= min(age/int64(latencyMemory), 62)
	}
	return latency * (active + 1)
}
