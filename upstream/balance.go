package upstream

import (
	"strings"
	"sync/atomic"

	"weir"
)

// A chooser is a balancer that can name its first candidate by its place in the list that it was
// made of, without writing a list: the one question that nearly every request asks.
type chooser interface {
	weir.Balancer
	first(key uint64) int
}

// A mixture is what a balancer is made of.
type mixture struct {
	eps    []*weir.Endpoint // primaries before backups; at least one
	all    []*weir.Endpoint // with those that are out of service, in any order
	turn   *atomic.Uint64   // counts choices; it goes on over changes of the list
	rand   func() uint64
	clock  func() int64
	tables *tableCache
}

// kinds are the balancers by their names in the configuration.
var kinds = []struct {
	name string
	make func(mixture) chooser
}{
	{"round-robin", newRoundRobin},
	{"random", newRandom},
	{"least-request", newLeastRequest},
	{"least-time", newLeastTime},
	{"hash", newRendezvous},
	{"maglev", newMaglev},
}

// Balances returns the names that Config.Balance may have.
func Balances() []string {
	names := make([]string, len(kinds))
	for i := range kinds {
		names[i] = kinds[i].name
	}
	return names
}

func balanceNames() string { return strings.Join(Balances(), ", ") }

func balanceKnown(name string) bool {
	for i := range kinds {
		if kinds[i].name == name {
			return true
		}
	}
	return false
}

// newChooser returns the balancer of that name over m: the cheapest form that does the same.
func newChooser(name string, m mixture) chooser {
	if len(m.eps) == 1 {
		return single{m.eps[0]}
	}
	for i := range kinds {
		if kinds[i].name == name {
			return newTiers(kinds[i].make, m)
		}
	}
	return single{m.eps[0]}
}

// single is the balancer of one server.
type single struct{ ep *weir.Endpoint }

func (single) first(uint64) int { return 0 }

// Candidates implements weir.Balancer.
func (s single) Candidates(_ uint64, dst []*weir.Endpoint) []*weir.Endpoint { return append(dst, s.ep) }

// tiers asks one balancer for the primaries and another for the backups.
type tiers struct {
	chooser
	backups chooser
}

// newTiers returns a balancer over m that puts backups last.
func newTiers(make func(mixture) chooser, m mixture) chooser {
	n := 0
	for n < len(m.eps) && !m.eps[n].Backup {
		n++
	}
	if n == 0 || n == len(m.eps) {
		return make(m)
	}
	front, back := m, m
	front.eps, back.eps = m.eps[:n], m.eps[n:]
	front.all, back.all = nil, nil
	for _, ep := range m.all {
		if ep.Backup {
			back.all = append(back.all, ep)
		} else {
			front.all = append(front.all, ep)
		}
	}
	return tiers{make(front), make(back)}
}

// Candidates implements weir.Balancer.
func (t tiers) Candidates(key uint64, dst []*weir.Endpoint) []*weir.Endpoint {
	return t.backups.Candidates(key, t.chooser.Candidates(key, dst))
}

// mix spreads the bits of n evenly (the finaliser of MurmurHash3).
func mix(n uint64) uint64 {
	n ^= n >> 33
	n *= 0xff51afd7ed558ccd
	n ^= n >> 33
	n *= 0xc4ceb9fe1a85ec53
	return n ^ n>>33
}

// admits reports whether a server in slow start takes the choice that hashes to h.
func admits(ep *weir.Endpoint, h uint64) bool {
	r := ep.Ramp.Load()
	return r == 0 || r >= 1000 || int64(h%1000) < r
}
