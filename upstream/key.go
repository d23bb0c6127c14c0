package upstream

import "weir"

// A keyer makes the keys of requests, which balancers go by.
type keyer struct {
	used   bool
	hash   bool           // the balancer takes keys
	by     *weir.Template // nil: the client's address
	sticky *sticky        // nil: off
}

func (p *Pool) newKeyer() keyer {
	k := keyer{by: p.cfg.HashBy, hash: p.cfg.Balance == "hash" || p.cfg.Balance == "maglev"}
	if p.cfg.Sticky != nil {
		k.sticky = newSticky(p.cfg.Sticky)
	}
	k.used = k.hash || k.sticky != nil
	return k
}

// of returns the key of x: the digest in its cookie or, without one, the hash of what it goes by.
func (k *keyer) of(x *weir.Exchange) uint64 {
	if k.sticky != nil {
		if d := k.sticky.digest(x); d != 0 {
			return d
		}
	}
	if !k.hash {
		return 0
	}
	return hashOf(k.by, x)
}

// want is the server that a request of that key waits for, where it waits for no other; nil: any.
func (k *keyer) want(set *set, key uint64) *condition {
	if k.sticky == nil || key == 0 {
		return nil
	}
	for _, s := range set.servers {
		if s.digest == key {
			return s.cond
		}
	}
	return nil
}

// hashOf returns the hash of what by says of x; nil: of the client's address.
func hashOf(by *weir.Template, x *weir.Exchange) uint64 {
	if by == nil {
		return hashString(x.ClientIP)
	}
	x.Scratch = by.Append(x.Scratch[:0], x)
	return hashBytes(x.Scratch)
}

// The hash is FNV-1a, finished by mix. It must never change: it is what keeps keys at their servers
// over restarts and from machine to machine.
const (
	fnvOffset = 14695981039346656037
	fnvPrime  = 1099511628211
)

func hashString(s string) uint64 {
	h := uint64(fnvOffset)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * fnvPrime
	}
	return mix(h)
}

func hashBytes(b []byte) uint64 {
	h := uint64(fnvOffset)
	for _, c := range b {
		h = (h ^ uint64(c)) * fnvPrime
	}
	return mix(h)
}
