package upstream

import "weir"

// maxLook is how many servers a choice looks at; of more it sees a part that changes.
const maxLook = 32

// A leastRequest takes the server with the fewest exchanges under way for its weight. Among equals
// it goes round, so that weights hold where nobody is busy.
type leastRequest struct{ roundRobin }

func newLeastRequest(m mixture) chooser {
	return &leastRequest{*newRoundRobin(m).(*roundRobin)}
}

func (b *leastRequest) first(uint64) int {
	best := b.roundRobin.first(0)
	at := best
	for range min(len(b.eps), maxLook) - 1 {
		if at++; at == len(b.eps) {
			at = 0
		}
		if lighter(b.eps[at], b.eps[best]) {
			best = at
		}
	}
	return best
}

// Candidates implements weir.Balancer.
func (b *leastRequest) Candidates(_ uint64, dst []*weir.Endpoint) []*weir.Endpoint {
	i := b.first(0)
	return appendOthers(append(dst, b.eps[i]), b.eps, i, mix(b.turn.Load()))
}
