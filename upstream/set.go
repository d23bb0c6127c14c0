package upstream

import "weir"

// A set is an arrangement of the servers that are asked now. It is immutable; a change of health makes a new one.
type set struct {
	servers []*server // those that are asked, primaries first; bal speaks of them by their places
	bal     chooser   // nil: there is none to ask
	known   bool      // every name has been resolved, or some server is known
}

// assemble makes the members from the configuration, adopting those of p.prev. mem.mu is held.
func (p *Pool) assemble() []*server {
	var specs []placed
	for _, s := range p.cfg.Servers {
		specs = append(specs, placed{s, s.Address})
	}
	var old []*server
	if p.prev != nil {
		old = p.prev.members
	}
	return p.enlist(specs, old)
}

// A placed is a server with the address that its name stands for.
type placed struct {
	Server
	address string
}

// enlist returns the servers that specs describe, primaries first, using those of old where they fit.
func (p *Pool) enlist(specs []placed, old []*server) []*server {
	var front, back []*server
	left := append([]*server(nil), old...)
	for _, spec := range specs {
		s := p.member(spec, takeServer(left, spec))
		if spec.Backup {
			back = append(back, s)
		} else {
			front = append(front, s)
		}
	}
	return append(front, back...)
}

// takeServer returns the server of list with the name and address of spec, and crosses it out.
func takeServer(list []*server, spec placed) *server {
	for i, s := range list {
		if s != nil && s.ep.Address == spec.address && s.ep.Name == spec.Address {
			list[i] = nil
			return s
		}
	}
	return nil
}

// member returns a server for spec: old itself, or a new one in its condition, or (old is nil) a new one.
func (p *Pool) member(spec placed, old *server) *server {
	if old != nil && old.spec == spec.Server && old.line.key == p.cfg.TransportKey {
		return old
	}
	s := &server{
		ep: &weir.Endpoint{
			Upstream: p.cfg.Name, Name: spec.Address, Address: spec.address,
			Weight: spec.Weight, Backup: spec.Backup, Location: spec.Location,
		},
		spec:  spec.Server,
		queue: &p.mem.queue,
	}
	if old != nil {
		s.cond = old.cond
	} else {
		s.cond = new(condition)
	}
	if old != nil && old.line.key == p.cfg.TransportKey {
		s.line = old.line
	} else {
		s.line = &carrier{key: p.cfg.TransportKey, owner: p, Transport: p.cfg.Transport(s.ep)}
	}
	s.ep.Transport = s.line.Transport
	return s
}

// arrange makes the set of who is asked now. mem.mu is held.
func (p *Pool) arrange() {
	next := &set{servers: p.asked(), known: len(p.members) > 0}
	if len(next.servers) > 0 {
		next.bal = newChooser(p.cfg.Balance, mixture{
			eps: endpointsOf(next.servers), turn: &p.mem.turn, rand: p.deps.Rand, clock: p.deps.Clock,
		})
	}
	p.set.Store(next)
}

// asked returns the servers in service or, where there are none, those that are out because of an ejection alone.
func (p *Pool) asked() []*server {
	var in, ejected []*server
	for _, s := range p.members {
		switch {
		case s.cond.inService():
			in = append(in, s)
		case !s.cond.health.down:
			ejected = append(ejected, s)
		}
	}
	if len(in) > 0 {
		return in
	}
	return ejected
}

func endpointsOf(list []*server) []*weir.Endpoint {
	out := make([]*weir.Endpoint, len(list))
	for i, s := range list {
		out[i] = s.ep
	}
	return out
}
