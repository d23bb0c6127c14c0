package upstream

import (
	"slices"

	"weir"
)

// A set is an arrangement of the servers that are asked now. It is immutable; a change of health
// makes a new one.
type set struct {
	servers []*server                  // those that are asked, primaries first; bal speaks of them by their places
	bal     chooser                    // nil: there is none to ask
	reserve []*server                  // ejected ones, for requests that have tried all others
	members []*server                  // all servers, also those that are out
	kind    string                     // of bal
	index   map[*weir.Endpoint]*server // of servers
	panic   bool                       // the servers are ejected ones
}

// A placed is a server with the address that its name stands for.
type placed struct {
	Server
	name    string // of the endpoint
	address string
}

// enlist returns the servers that list describes, primaries first, using those of old where they
// fit. mem.mu is held.
func (p *Pool) enlist(list []placed, old []*server) []*server {
	var front, back []*server
	left := append([]*server(nil), old...)
	for _, pl := range list {
		s := p.member(pl, takeServer(left, pl))
		if pl.Backup {
			back = append(back, s)
		} else {
			front = append(front, s)
		}
	}
	return append(front, back...)
}

// takeServer returns the server of list with pl's name and address, and crosses it out.
func takeServer(list []*server, pl placed) *server {
	for i, s := range list {
		if s != nil && s.ep.Address == pl.address && s.ep.Name == pl.name {
			list[i] = nil
			return s
		}
	}
	return nil
}

// member returns a server for pl: old itself; or a new one in old's condition; or, where old is nil,
// a new one. mem.mu is held.
func (p *Pool) member(pl placed, old *server) *server {
	digest := serverDigest(p.deps.Secret, p.cfg.Name, pl.address)
	line := p.inherited(old)
	if line != nil && old.spec == pl.Server && old.digest == digest {
		return old
	}
	s := &server{
		ep: &weir.Endpoint{
			Upstream: p.cfg.Name, Name: pl.name, Address: pl.address,
			Weight: pl.Weight, Backup: pl.Backup, Location: pl.Location,
		},
		spec: pl.Server, digest: digest, queue: &p.mem.queue, cond: new(condition),
	}
	s.limit.Store(p.cfg.limitOf(pl.Server))
	if old != nil {
		s.cond = old.cond
	}
	if line == nil {
		line = &carrier{key: p.cfg.TransportKey, owner: p, Transport: p.cfg.Transport(s.ep)}
	}
	s.line, s.ep.Transport = line, line.Transport
	return s
}

// inherited returns the carrier of old where it can be used again; nil: it is of another kind, or
// closed. mem.mu is held.
func (p *Pool) inherited(old *server) *carrier {
	if old == nil || old.line.key != p.cfg.TransportKey || old.line.owner == nil {
		return nil
	}
	return old.line
}

// arrange makes the set of who is asked now. mem.mu is held.
func (p *Pool) arrange() {
	next := &set{members: p.members, kind: p.kind()}
	next.servers, next.reserve = p.asked()
	if len(next.servers) == 0 {
		next.servers, next.reserve = next.reserve, nil
		next.panic = len(next.servers) > 0
	}
	next.index = make(map[*weir.Endpoint]*server, len(next.servers))
	for _, s := range next.servers {
		next.index[s.ep] = s
	}
	if len(next.servers) > 0 {
		next.bal = p.balancer(next)
	}
	p.mem.set.Store(next)
	p.mem.announce(next.bal != nil)
}

// announce tells those who wait for the first server that there is one. mu is held.
func (m *memory) announce(some bool) {
	switch {
	case some && !m.some:
		close(m.arrived)
	case !some && m.some:
		m.arrived = make(chan struct{})
	}
	m.some = some
}

// asked returns the servers in service, and those that are out because of an ejection alone. mem.mu is held.
func (p *Pool) asked() (in, ejected []*server) {
	for _, s := range p.members {
		switch {
		case s.cond.inService():
			in = append(in, s)
		case !s.cond.health.down:
			ejected = append(ejected, s)
		}
	}
	return in, ejected
}

// kind tells balancers that can't stand for each other apart.
func (p *Pool) kind() string {
	if p.cfg.Sticky != nil {
		return p.cfg.Balance + " sticky"
	}
	return p.cfg.Balance
}

// balancer returns the balancer over next.servers: the one there is, where nothing has changed. mem.mu is held.
func (p *Pool) balancer(next *set) chooser {
	s := p.mem.set.Load()
	if s != nil && s.kind == next.kind && slices.Equal(s.members, next.members) && slices.Equal(s.servers, next.servers) {
		return s.bal
	}
	return p.newBalancer(next.servers)
}

// newBalancer returns a balancer over list, which is not empty. mem.mu is held.
func (p *Pool) newBalancer(list []*server) chooser {
	m := mixture{
		eps: endpointsOf(list), all: endpointsOf(p.members),
		turn: &p.mem.turn, rand: p.deps.Rand, clock: p.deps.Clock, tables: &p.mem.tables,
	}
	b := newChooser(p.cfg.Balance, m)
	if p.cfg.Sticky == nil || len(list) == 1 {
		return b
	}
	digests := make([]uint64, len(list))
	for i, s := range list {
		digests[i] = s.digest
	}
	return &stickyChooser{b, m.eps, digests}
}

func endpointsOf(list []*server) []*weir.Endpoint {
	out := make([]*weir.Endpoint, len(list))
	for i, s := range list {
		out[i] = s.ep
	}
	return out
}
