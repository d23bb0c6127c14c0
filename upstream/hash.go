package upstream

import (
	"cmp"
	"math"
	"slices"
	"sync"

	"weir"
)

// A rendezvous gives each key its server, the one that scores highest with it. When a server leaves, its keys
// spread over the others and no other key moves; when a weight changes, only as many keys move as
// must ("rendezvous hashing", Thaler and Ravishankar 1998; weights as in Schindelhauer and
// Schomaker 2005).
type rendezvous struct {
	eps   []*weir.Endpoint
	seeds []uint64 // of the addresses
	equal bool     // all weights are the same
}

func newRendezvous(m mixture) chooser {
	b := &rendezvous{eps: m.eps}
	for _, ep := range m.eps {
		b.seeds = append(b.seeds, hashString(ep.Address))
	}
	w := weightsOf(m.eps)
	b.equal = slices.Min(w) == slices.Max(w)
	return b
}

func (b *rendezvous) first(key uint64) int {
	if !b.equal {
		return b.weighted(key)
	}
	best, most := 0, uint64(0)
	for i, seed := range b.seeds {
		if h := mix(key ^ seed); h > most {
			best, most = i, h
		}
		if b.eps[i].Ramp.Load() != 0 {
			return b.weighted(key)
		}
	}
	return best
}

// weighted is first where servers differ in weight.
func (b *rendezvous) weighted(key uint64) int {
	best, most := 0, -1.0
	for i := range b.eps {
		if s := b.score(key, i); s > most {
			best, most = i, s
		}
	}
	return best
}

// score is the weight of a server over an exponentially distributed number, which is drawn by the key
// and the server.
func (b *rendezvous) score(key uint64, i int) float64 {
	u := (float64(mix(key^b.seeds[i])>>11) + 0.5) / (1 << 53)
	return float64(b.eps[i].EffectiveWeight()) / -math.Log(u)
}

// A scored is a server with its score.
type scored struct {
	score float64
	ep    *weir.Endpoint
}

var scoreLists = sync.Pool{New: func() any { return new([]scored) }}

// Candidates implements weir.Balancer.
func (b *rendezvous) Candidates(key uint64, dst []*weir.Endpoint) []*weir.Endpoint {
	list := scoreLists.Get().(*[]scored)
	defer scoreLists.Put(list)
	*list = (*list)[:0]
	for i, ep := range b.eps {
		*list = append(*list, scored{b.score(key, i), ep})
	}
	slices.SortStableFunc(*list, func(a, c scored) int { return cmp.Compare(c.score, a.score) })
	for _, s := range *list {
		dst = append(dst, s.ep)
	}
	clear(*list)
	return dst
}
