package upstream

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
	"math/rand/v2"

	"weir"
)

// A Target is one of the handlers that a split leads to.
type Target struct {
	Name    string // of the upstream; a key finds its target by it. "": what Handler's method Name says, if it has one
	Handler weir.Handler
	Weight  int // share of the requests; 0: none
}

// A split leads requests to one of several handlers.
type split struct {
	targets []Target // those with a weight
	seeds   []uint64 // of their names
	total   uint64
	key     *weir.Template // nil: by lot
	rand    func() uint64
}

// NewSplit returns a handler that leads requests to targets by their weights. With a key, requests
// of the same key always go to the same target, and a change of weights moves as few keys as can be;
// without one (nil) each request is drawn by lot. rand may be nil.
func NewSplit(targets []Target, key *weir.Template, draw func() uint64) (weir.Handler, error) {
	s := &split{key: key, rand: draw}
	if draw == nil {
		s.rand = rand.Uint64
	}
	for _, t := range targets {
		switch {
		case t.Weight < 0:
			return nil, fmt.Errorf("split: weight %d of %q is negative", t.Weight, t.Name)
		case t.Weight == 0:
			continue
		}
		s.seeds = append(s.seeds, s.seed(&t))
		s.targets = append(s.targets, t)
		s.total += uint64(t.Weight)
	}
	switch len(s.targets) {
	case 0:
		return nil, errors.New("split: no target has a weight")
	case 1:
		return s.targets[0].Handler, nil
	}
	return s, nil
}

// seed returns what tells the target from those before it.
func (s *split) seed(t *Target) uint64 {
	if n, ok := t.Handler.(interface{ Name() string }); ok && t.Name == "" {
		t.Name = n.Name()
	}
	seed := hashString(t.Name)
	for _, before := range s.targets {
		if before.Name == t.Name {
			seed = mix(seed + 1)
		}
	}
	return seed
}

// ServeExchange implements weir.Handler.
func (s *split) ServeExchange(x *weir.Exchange) error {
	if s.key != nil {
		return s.targets[s.keyed(hashOf(s.key, x))].Handler.ServeExchange(x)
	}
	left, _ := bits.Mul64(s.rand(), s.total)
	for i := range s.targets {
		w := uint64(s.targets[i].Weight)
		if left < w {
			return s.targets[i].Handler.ServeExchange(x)
		}
		left -= w
	}
	return s.targets[0].Handler.ServeExchange(x)
}

// keyed returns the target of a key by weighted rendezvous, as in hash.go.
func (s *split) keyed(key uint64) int {
	best, most := 0, -1.0
	for i, seed := range s.seeds {
		u := (float64(mix(key^seed)>>11) + 0.5) / (1 << 53)
		if score := float64(s.targets[i].Weight) / -math.Log(u); score > most {
			best, most = i, score
		}
	}
	return best
}
