package upstream

import (
	"slices"

	"weir"
)

// The sizes of the table: primes, so that every step walks through all of it. With the small one, at
// most a tenth more keys than must move when one of maglevMany servers leaves for good; with the large
// one, when one of a hundred does; of three hundred it is half as many more.
const (
	maglevSmall = 65537
	maglevLarge = 655373
	maglevMany  = 24
)

// A maglev gives each key its server by one look into a table. Shares are more even than those of
// other consistent hashes, and the cost does not depend on the number of servers ("Maglev", Eisenbud
// et al. 2016). The table is made of all servers, also of those that are out of service: no key moves
// but theirs while they are out, and those come back.
type maglev struct {
	eps   []*weir.Endpoint
	table []uint16 // places in live
	live  []int16  // places in eps; -1: out of service
}

func newMaglev(m mixture) chooser {
	all := m.all
	if all == nil {
		all = m.eps
	}
	b := &maglev{eps: m.eps, table: m.tables.table(all), live: make([]int16, len(all))}
	for i, ep := range all {
		b.live[i] = int16(slices.Index(m.eps, ep))
	}
	return b
}

// A tableCache keeps the tables made last: making one takes milliseconds, and servers go out of
// service and come back.
type tableCache struct{ last []cachedTable }

type cachedTable struct {
	addresses []string
	weights   []int
	table     []uint16
}

// table returns the table of all. It may be called on nil.
func (c *tableCache) table(all []*weir.Endpoint) []uint16 {
	t := cachedTable{weights: weightsOf(all)}
	for _, ep := range all {
		t.addresses = append(t.addresses, ep.Address)
	}
	if c != nil {
		for _, l := range c.last {
			if slices.Equal(l.addresses, t.addresses) && slices.Equal(l.weights, t.weights) {
				return l.table
			}
		}
	}
	size := maglevSmall
	if len(all) > maglevMany {
		size = maglevLarge
	}
	t.table = maglevTable(all, size)
	if c != nil {
		c.last = append(c.last[max(len(c.last)-1, 0):], t)
	}
	return t.table
}

// A walk is the order in which a server wants the places of the table.
type walk struct {
	at, step int
	credit   int // turns that it has saved up, in units of the greatest weight
	weight   int
}

// maglevTable fills the table: in turn, servers take the next free place that they want.
func maglevTable(eps []*weir.Endpoint, size int) []uint16 {
	weights := weightsOf(eps)
	most := slices.Max(weights)
	walks := make([]walk, len(eps))
	for i, ep := range eps {
		h := hashString(ep.Address)
		walks[i] = walk{at: int(h % uint64(size)), step: int(mix(h+1)%uint64(size-1)) + 1, weight: weights[i]}
	}
	table := make([]uint16, size)
	for left := size; left > 0; {
		for i := range walks {
			w := &walks[i]
			if w.credit += w.weight; w.credit < most {
				continue
			}
			w.credit -= most
			table[w.free(table)] = uint16(i) + 1
			if left--; left == 0 {
				break
			}
		}
	}
	for i := range table {
		table[i]--
	}
	return table
}

// free walks to the next place that nobody has taken. There is one.
func (w *walk) free(table []uint16) int {
	for {
		at := w.at
		if w.at += w.step; w.at >= len(table) {
			w.at -= len(table)
		}
		if table[at] == 0 {
			return at
		}
	}
}

func (b *maglev) first(key uint64) int {
	if i := b.live[b.table[key%uint64(len(b.table))]]; i >= 0 && b.eps[i].Ramp.Load() == 0 {
		return int(i)
	}
	return b.elsewhere(key)
}

// elsewhere is first where the key's server is out of service, or in slow start: then it keeps its
// share of the keys.
func (b *maglev) elsewhere(key uint64) int {
	for n := range uint64(64) {
		place := b.place(key, n)
		if i := b.live[place]; i >= 0 && admits(b.eps[i], mix(key+uint64(place))) {
			return int(i)
		}
	}
	return int(key % uint64(len(b.eps)))
}

// place returns the server, in live, at the n-th place where a key looks.
func (b *maglev) place(key, n uint64) uint16 {
	if n > 0 {
		key = mix(key + n)
	}
	return b.table[key%uint64(len(b.table))]
}

// maglevOrder is how many candidates stand in the order in which the key looks; it matters for a few only.
const maglevOrder = 8

// Candidates implements weir.Balancer.
func (b *maglev) Candidates(key uint64, dst []*weir.Endpoint) []*weir.Endpoint {
	from := len(dst)
	dst = append(dst, b.eps[b.first(key)])
	for n := uint64(0); n < 64 && len(dst)-from < min(maglevOrder, len(b.eps)); n++ {
		i := b.live[b.place(key, n)]
		if i >= 0 && !slices.Contains(dst[from:], b.eps[i]) {
			dst = append(dst, b.eps[i])
		}
	}
	ordered := dst[from:]
	for _, ep := range b.eps {
		if !slices.Contains(ordered, ep) {
			dst = append(dst, ep)
		}
	}
	return dst
}
