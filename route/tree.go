package route

import (
	"cmp"
	"slices"
	"strings"

	"weir"
)

// An entry is a route as the tree holds it.
type entry struct {
	pattern *Pattern
	cond    *conditions // nil: none
	target  *weir.Route
	spec    *Spec
	written int // place in the site
	group   int // of a regular expression: place of the first route with the same one
}

// compare orders the entries of a tree: the one to ask first before the other.
func (e *entry) compare(f *entry) int {
	return cmp.Or(e.comparePath(f), e.cond.compare(f.cond), cmp.Compare(e.written, f.written))
}

// comparePath is 0 for two patterns of one shape. Where both match a path, the one that is more specific at
// the first segment in which they differ comes first.
func (e *entry) comparePath(f *entry) int {
	p, q := e.pattern, f.pattern
	if p.re != nil && q.re != nil {
		return cmp.Compare(e.group, f.group)
	}
	for i := 0; ; i++ {
		a, b := p.rankAt(i), q.rankAt(i)
		if a != b {
			return cmp.Compare(a, b)
		}
		if a == rankEnd || a == rankRest {
			return 0
		}
		if c := p.segments[i].compare(q.segments[i]); c != 0 {
			return c
		}
	}
}

func (p *Pattern) rankAt(i int) rank {
	switch {
	case p.re != nil:
		return rankRegexp
	case i < len(p.segments):
		return p.segments[i].rank()
	case p.rest:
		return rankRest
	}
	return rankEnd
}

// compare orders two segments of one rank: more literal bytes first, more of them at the beginning
// first, then by alphabet.
func (s segment) compare(t segment) int {
	return cmp.Or(
		cmp.Compare(t.spelt(), s.spelt()),
		cmp.Compare(len(t.literals[0]), len(s.literals[0])),
		slices.Compare(s.literals, t.literals),
	)
}

func (s segment) spelt() (n int) {
	for _, l := range s.literals {
		n += len(l)
	}
	return n
}

// A tree is the routes of a site that are for one host, or for all of them.
type tree struct {
	*skeleton
	entries []entry // in order of precedence
	host    string  // the host that its routes are for, "" where they are for all of the site's
}

// A skeleton finds the entries for a path: a radix tree whose branches are tried in the order of
// precedence until there is an entry all of whose conditions hold. No branch is entered twice for one
// path, so that the work is bounded by the number of routes. It knows the places of entries in their
// order and nothing else of them; sites of the same paths share one, so that ten thousand of them find
// it in the processor's cache.
type skeleton struct {
	root    node // what stands after the first slash
	regexps []group
	all     span // "/*"
}

// A node is a place in a path, reached by the text of its branch. Its lists are in order of precedence.
type node struct {
	text     string // the bytes that lead here from the node before
	first    string // the first byte of the text of each branch
	branches []*node
	partials []partial // at the beginning of a segment only
	named    *node     // at the beginning of a segment only; nil: none
	end      span      // the path ends here
	rest     span      // the path ends here, or goes on with a slash
}

// A span is the places of the entries of one shape.
type span struct{ from, to int32 }

// A partial leads over one segment.
type partial struct {
	segment segment
	next    *node
}

// A group is the routes of one regular expression.
type group struct {
	pattern *Pattern
	span
}

// newTree makes a tree of entries, which it sorts.
func newTree(host string, entries []entry, shared map[string]*skeleton) *tree {
	slices.SortFunc(entries, func(e, f entry) int { return e.compare(&f) })
	var key []byte
	for i := range entries {
		key = append(append(key, entries[i].pattern.shape...), 0)
	}
	k, ok := shared[string(key)]
	if !ok {
		k = newSkeleton(entries)
		shared[string(key)] = k
	}
	return &tree{k, entries, host}
}

func newSkeleton(entries []entry) *skeleton {
	k := &skeleton{}
	for i := 0; i < len(entries); {
		p, from := entries[i].pattern, i
		for i < len(entries) && entries[i].pattern.shape == p.shape {
			i++
		}
		k.insert(p, span{int32(from), int32(i)})
	}
	return k
}

func (k *skeleton) insert(p *Pattern, at span) {
	switch {
	case p.re != nil:
		k.regexps = append(k.regexps, group{p, at})
		return
	case p.rest && len(p.segments) == 0:
		k.all = at
		return
	}
	n, literal := &k.root, ""
	for i, s := range p.segments {
		if i > 0 {
			literal += "/"
		}
		if s.rank() == rankLiteral {
			literal += s.literals[0]
			continue
		}
		n = n.literal(literal).variable(s)
		literal = ""
	}
	n = n.literal(literal)
	if p.rest {
		n.rest = at
	} else {
		n.end = at
	}
}

// literal returns the node that text leads to from n, and makes it where there is none.
func (n *node) literal(text string) *node {
	if text == "" {
		return n
	}
	i := strings.IndexByte(n.first, text[0])
	if i < 0 {
		next := &node{text: text}
		n.first += text[:1]
		n.branches = append(n.branches, next)
		return next
	}
	branch := n.branches[i]
	common := commonPrefix(branch.text, text)
	if common < len(branch.text) {
		fork := &node{text: text[:common], first: branch.text[common : common+1], branches: []*node{branch}}
		branch.text = branch.text[common:]
		n.branches[i] = fork
		branch = fork
	}
	return branch.literal(text[common:])
}

// variable returns the node behind a segment with names.
func (n *node) variable(s segment) *node {
	if s.rank() == rankNamed {
		if n.named == nil {
			n.named = &node{}
		}
		return n.named
	}
	for _, p := range n.partials {
		if slices.Equal(p.segment.literals, s.literals) {
			return p.next
		}
	}
	next := &node{}
	n.partials = append(n.partials, partial{s, next})
	return next
}

func commonPrefix(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

// A search is one look into trees.
type search struct {
	x       *weir.Exchange
	path    string  // doubled slashes merged
	entries []entry // of the tree that is looked at
	near    *entry  // the first route that matches the path but not its conditions
	why     failure
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
		if s.near == nil {
			s.near, s.why = e, f
		}
	}
	return nil
}

// find returns the route for the path, with the values of its parameters in x.Params, or nil.
func (t *tree) find(s *search) *entry {
	s.entries = t.entries
	k := t.skeleton
	if s.path == "*" {
		return k.findAll(s)
	}
	if e := s.literals(&k.root, 1); e != nil {
		return e
	}
	if e := s.partials(&k.root, 1); e != nil {
		return e
	}
	for i := range k.regexps {
		if e := s.regexp(&k.regexps[i]); e != nil {
			return e
		}
	}
	if e := s.named(&k.root, 1); e != nil {
		return e
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
func (s *search) at(n *node, i int) *entry {
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
func (s *search) literals(n *node, i int) *entry {
	if i == len(s.path) {
		return s.pick(n.end)
	}
	k := strings.IndexByte(n.first, s.path[i])
	if k < 0 {
		return nil
	}
	branch := n.branches[k]
	if !strings.HasPrefix(s.path[i:], branch.text) {
		return nil
	}
	return s.at(branch, i+len(branch.text))
}

func (s *search) partials(n *node, i int) *entry {
	if len(n.partials) == 0 {
		return nil
	}
	end, kept := segmentEnd(s.path, i), len(s.x.Params)
	for k := range n.partials {
		p, ok := &n.partials[k], false
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

func (s *search) named(n *node, i int) *entry {
	if n.named == nil {
		return nil
	}
	end, kept := segmentEnd(s.path, i), len(s.x.Params)
	if end == i {
		return nil
	}
	s.push(s.path[i:end])
	if e := s.at(n.named, end); e != nil {
		return e
	}
	s.x.Params = s.x.Params[:kept]
	return nil
}

// rest tries the prefixes that end at n.
func (s *search) rest(n *node, i int) *entry {
	if n.rest.to == 0 || i < len(s.path) && s.path[i] != '/' {
		return nil
	}
	e := s.pick(n.rest)
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
