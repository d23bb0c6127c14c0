package h3

import (
	"math"
	"net/netip"
	"sync"
)

// A tally is how many unfinished handshakes there are of each proven address. It may be used concurrently.
type tally struct {
	mu sync.Mutex
	of map[netip.Addr]int
}

// enter counts one more; false: there are most already.
func (t *tally) enter(a netip.Addr, most int) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.of[a] >= most {
		return false
	}
	if t.of == nil {
		t.of = map[netip.Addr]int{}
	}
	t.of[a]++
	return true
}

// leave counts one off.
func (t *tally) leave(a netip.Addr) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.of[a]--; t.of[a] <= 0 {
		delete(t.of, a)
	}
}

// party returns what of an address one client has for itself at the least: of IPv6 that is a whole network.
func party(a netip.Addr) netip.Addr {
	if a.Is6() {
		if p, err := a.Prefix(64); err == nil {
			return p.Addr()
		}
	}
	return a
}

// shareOf is the part of Limits.Handshakes that one address may have while there are more than these.
const shareOf = 4

// share is how many unfinished handshakes one address may have.
func (k *socket) share() int {
	if k.crowd() < 1 {
		return math.MaxInt
	}
	return max(1, k.srv.config.Load().Limits.Handshakes/shareOf)
}
