package upstream

import (
	"sync/atomic"

	"weir"
)

// maxSequence bounds the turns of one round. Weights that need more are rounded.
const maxSequence = 4096

// A roundRobin gives each server its turns, those of a heavy one spread over the round: smooth weighted
// round robin, as nginx has it. The round is computed once, so that a choice is one addition.
type roundRobin struct {
	eps  []*weir.Endpoint
	seq  []uint16 // one round: places in eps
	turn *atomic.Uint64
}

func newRoundRobin(m mixture) chooser {
	return &roundRobin{eps: m.eps, seq: smooth(weightsOf(m.eps)), turn: m.turn}
}

func (b *roundRobin) first(uint64) int {
	n := b.turn.Add(1) - 1
	i := b.seq[n%uint64(len(b.seq))]
	if b.eps[i].Ramp.Load() == 0 {
		return int(i)
	}
	return b.ramped(n)
}

// ramped is first where a server in slow start has its turn: it passes most of them on, to all others alike.
func (b *roundRobin) ramped(n uint64) int {
	size := uint64(len(b.seq))
	h, at := mix(n), n
	for range 8 {
		if i := b.seq[at%size]; admits(b.eps[i], h) {
			return int(i)
		}
		at = mix(at + 1)
	}
	for k := range size {
		if i := b.seq[(at+k)%size]; admits(b.eps[i], h) {
			return int(i)
		}
	}
	return int(b.seq[n%size])
}

// Candidates implements weir.Balancer. After the one whose turn it is come the others in the order of the list,
// from a place that changes, so that a server that fails burdens all others alike.
func (b *roundRobin) Candidates(_ uint64, dst []*weir.Endpoint) []*weir.Endpoint {
	first := b.first(0)
	dst = append(dst, b.eps[first])
	return appendOthers(dst, b.eps, first, mix(b.turn.Load()))
}

// appendOthers appends all of eps but the one at except, in a circle that begins at a place given by h.
func appendOthers(dst, eps []*weir.Endpoint, except int, h uint64) []*weir.Endpoint {
	n := len(eps)
	if n == 1 {
		return dst
	}
	at := (except + 1 + int(h%uint64(n-1))) % n
	for range n {
		if at != except {
			dst = append(dst, eps[at])
		}
		if at++; at == n {
			at = 0
		}
	}
	return dst
}

func weightsOf(eps []*weir.Endpoint) []int {
	w := make([]int, len(eps))
	for i, ep := range eps {
		w[i] = max(ep.Weight, 1)
	}
	return w
}

// smooth returns a round in which place i comes weights[i] times (or nearly so, see maxSequence),
// as evenly spread as can be.
func smooth(weights []int) []uint16 {
	weights = reduce(weights)
	total := 0
	for _, w := range weights {
		total += w
	}
	seq := make([]uint16, 0, total)
	if total == len(weights) {
		for i := range weights {
			seq = append(seq, uint16(i))
		}
		return seq
	}
	current := make([]int, len(weights))
	for range total {
		best := 0
		for i, w := range weights {
			current[i] += w
			if current[i] > current[best] {
				best = i
			}
		}
		current[best] -= total
		seq = append(seq, uint16(best))
	}
	return seq
}

// reduce divides weights by what they have in common, and rounds them where they are too large still.
func reduce(weights []int) []int {
	out := append([]int(nil), weights...)
	common, total := 0, 0
	for _, w := range out {
		common = gcd(common, w)
		total += w
	}
	total /= common
	limit := max(maxSequence, 2*len(out))
	for i := range out {
		out[i] /= common
		if total > limit {
			out[i] = max(1, int(int64(out[i])*int64(limit)/int64(total)))
		}
	}
	return out
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
