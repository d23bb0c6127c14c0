package upstream

import (
	"math/bits"
	"slices"

	"weir"
)

// A random draws two servers by their weights and takes the one with less to do: nearly as even as
// asking everybody, at the price of two, and without the herd that runs to the one idle server
// ("The Power of Two Choices", Mitzenmacher 2001).
type random struct{ lot }

func newRandom(m mixture) chooser { return &random{newLot(m)} }

func (b *random) first(uint64) int {
	i, j := b.two()
	if lighter(b.eps[j], b.eps[i]) {
		return j
	}
	return i
}

// Candidates implements weir.Balancer.
func (b *random) Candidates(_ uint64, dst []*weir.Endpoint) []*weir.Endpoint {
	i := b.first(0)
	return appendOthers(append(dst, b.eps[i]), b.eps, i, b.rand())
}

// lighter reports whether a has less to do than c, for its weight.
func lighter(a, c *weir.Endpoint) bool {
	return a.Active.Load()*c.EffectiveWeight() < c.Active.Load()*a.EffectiveWeight()
}

// A lot draws servers by their weights.
type lot struct {
	eps  []*weir.Endpoint
	sums []uint64 // of the weights up to each place; nil: all weights are the same
	rand func() uint64
}

func newLot(m mixture) lot {
	l := lot{eps: m.eps, rand: m.rand}
	weights := weightsOf(m.eps)
	if slices.Max(weights) == slices.Min(weights) {
		return l
	}
	sum := uint64(0)
	for _, w := range weights {
		sum += uint64(w)
		l.sums = append(l.sums, sum)
	}
	return l
}

// one draws a server. One in slow start is drawn anew mostly.
func (l *lot) one() int {
	i := l.place()
	for range 8 {
		if l.eps[i].Ramp.Load() == 0 || admits(l.eps[i], l.rand()) {
			break
		}
		i = l.place()
	}
	return i
}

func (l *lot) place() int {
	if l.sums == nil {
		i, _ := bits.Mul64(l.rand(), uint64(len(l.eps)))
		return int(i)
	}
	at, _ := bits.Mul64(l.rand(), l.sums[len(l.sums)-1])
	i, _ := slices.BinarySearch(l.sums, at+1)
	return i
}

// two draws two servers; they differ unless one weighs nearly everything.
func (l *lot) two() (i, j int) {
	i = l.one()
	for range 4 {
		if j = l.place(); j != i {
			break
		}
	}
	return i, j
}
