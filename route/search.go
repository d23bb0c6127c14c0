package route

import (
	"strings"

	"weir"
)

// A search is one look into trees.
type search struct {
	x       *weir.Exchange
	path    string    // doubled slashes merged
	routes  []entry   // of all trees
	entries []entry   // of the tree that is looked at
	tree    *skeleton // the tree
	near    *entry    // the first route that matches the path but not its conditions
	why     failure
	dear    *entry // a route whose expression was given up
}

// pick returns the first entry whose conditions hold.
func (s *search) pick(at span) *entry {
	for i := at.from; i < at.to; i++ {
		e := &s.entries[i]
		if e.cond == nil {
			return e
		}
		f := e.cond.check(s.x)
		if f.what == condNone {
			return e
		}
		if f.finding == tooDear {
			s.dear = e
		}
		if s.near == nil {
			s.near, s.why = e, f
		}
	}
	return nil
}

// find returns the route for what is searched, with the values of its parameters in x.Params, or nil.
func (h *hostEntry) find(s *search) *entry {
	e := h.first.find(s, s.routes[h.from:])
	for i := 1; e == nil && i < len(h.trees); i++ {
		e = h.trees[i].find(s, h.trees[i].entries)
	}
	return e
}

// find returns the one for the path of these, of which the first are the skeleton's.
func (k *skeleton) find(s *search, entries []entry) *entry {
	s.entries, s.tree = entries, k
	if s.path == "*" {
		return k.findServer(s)
	}
	if e := s.literals(0, 1); e != nil {
		return e
	}
	if e := s.partials(0, 1); e != nil {
		return e
	}
	for i := range k.regexps {
		if e := s.regexp(&k.regexps[i]); e != nil {
			return e
		}
	}
	if e := s.named(0, 1); e != nil {
		return e
	}
	return k.findAll(s)
}

// findServer returns the route for the path "*": one that takes every path.
func (k *skeleton) findServer(s *search) *entry {
	for i := range k.regexps {
		if g := &k.regexps[i]; g.pattern.matchesAll() {
			if e := s.pick(g.span); e != nil {
				return e
			}
		}
	}
	return k.findAll(s)
}

// findAll looks at the routes for every path only.
func (k *skeleton) findAll(s *search) *entry {
	e := s.pick(k.all)
	if e != nil {
		s.push(s.path[1:])
	}
	return e
}

// at searches below n, which path[:i] leads to.
func (s *search) at(n spot, i int) *entry {
	if e := s.literals(n, i); e != nil {
		return e
	}
	if e := s.partials(n, i); e != nil {
		return e
	}
	if e := s.named(n, i); e != nil {
		return e
	}
	return s.rest(n, i)
}

// literals tries the end of the path and the branch that begins with the next byte.
func (s *search) literals(n spot, i int) *entry {
	c := s.tree.code
	if i == len(s.path) {
		return s.pick(c.end(n))
	}
	first, at := c.first(n)
	k := strings.IndexByte(first, s.path[i])
	if k < 0 {
		return nil
	}
	branch := c.branch(at, len(first), k)
	text := c.text(branch)
	if !strings.HasPrefix(s.path[i:], text) {
		return nil
	}
	return s.at(branch, i+len(text))
}

func (s *search) partials(n spot, i int) *entry {
	f := s.tree.code.fork(n)
	if f < 0 || len(s.tree.forks[f].partials) == 0 {
		return nil
	}
	end, kept := segmentEnd(s.path, i), len(s.x.Params)
	partials := s.tree.forks[f].partials
	for k := range partials {
		p, ok := &partials[k], false
		if s.x.Params, ok = p.segment.match(s.path[i:end], s.x.Params); !ok {
			continue
		}
		if e := s.at(p.next, end); e != nil {
			return e
		}
		s.x.Params = s.x.Params[:kept]
	}
	return nil
}

func (s *search) named(n spot, i int) *entry {
	f := s.tree.code.fork(n)
	if f < 0 || s.tree.forks[f].named == 0 {
		return nil
	}
	end, kept := segmentEnd(s.path, i), len(s.x.Params)
	if end == i {
		return nil
	}
	s.push(s.path[i:end])
	if e := s.at(s.tree.forks[f].named, end); e != nil {
		return e
	}
	s.x.Params = s.x.Params[:kept]
	return nil
}

// rest tries the prefixes that end at n.
func (s *search) rest(n spot, i int) *entry {
	at := s.tree.code.rest(n)
	if at.to == 0 || i < len(s.path) && s.path[i] != '/' {
		return nil
	}
	e := s.pick(at)
	if e != nil {
		s.push(s.path[min(i+1, len(s.path)):])
	}
	return e
}

func (s *search) regexp(g *group) *entry {
	ok := false
	if s.x.Params, ok = g.pattern.matchRegexp(s.path, s.x.Params); !ok {
		return nil
	}
	if e := s.pick(g.span); e != nil {
		return e
	}
	s.x.Params = s.x.Params[:0]
	return nil
}

func (s *search) push(value string) {
	s.x.Params = append(s.x.Params, weir.Param{Value: value})
}
