package route

import (
	"cmp"
	"slices"
	"strings"

	"weir"
)

// An entry is a route as the tree holds it. It is a line of the processor's cache long and holds all that a
// request needs that takes this route.
type entry struct {
	cond    *conditions // nil: none
	target  *weir.Route
	handler weir.Handler // the target's
	names   *names       // the pattern's; those that are alike are one
	pattern *Pattern
	spec    *Spec
	written int32 // place in the site
	group   int32 // of a regular expression: place of the first route with the same one
}

// names are the names of a pattern's parameters.
type names []string

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
	from    uint32  // where they begin among those of all trees
	host    string  // the host that its routes are for, "" where they are for all of the site's
}

// A skeleton finds the entries for a path: a radix tree whose branches are tried in the order of
// precedence until there is an entry all of whose conditions hold. No branch is entered twice for one
// path, so that the work is bounded by the number of routes. It knows the places of entries in their
// order and nothing else of them; sites of the same paths share one, so that ten thousand of them find
// it in the processor's cache.
type skeleton struct {
	code    code // the tree of what stands after the first slash
	all     span // "/*"
	regexps []group
	forks   []fork
	_       [40]byte // two lines of the processor's cache, of which most requests need the first
}

// A node is a place in a path, reached by the text of its branch, while the tree is made. Its lists are in order of
// precedence.
type node struct {
	text     string // the bytes that lead here from the node before
	first    string // the first byte of the text of each branch
	branches []node
	partials []bough // at the beginning of a segment only
	named    *node   // at the beginning of a segment only; nil: none
	end      span    // the path ends here
	rest     span    // the path ends here, or goes on with a slash
}

// A span is the places of the entries of one shape.
type span struct{ from, to int32 }

// A bough leads over one segment.
type bough struct {
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
	return &tree{skeleton: k, entries: entries, host: host}
}

func newSkeleton(entries []entry) *skeleton {
	k, root := &skeleton{}, &node{}
	for i := 0; i < len(entries); {
		p, from := entries[i].pattern, i
		for i < len(entries) && entries[i].pattern.shape == p.shape {
			i++
		}
		k.insert(root, p, span{int32(from), int32(i)})
	}
	k.write(root)
	return k
}

func (k *skeleton) insert(root *node, p *Pattern, at span) {
	switch {
	case p.re != nil:
		k.regexps = append(k.regexps, group{p, at})
	case p.rest && len(p.segments) == 0:
		k.all = at
	case p.rest:
		root.behind(p.segments).rest = at
	default:
		root.behind(p.segments).end = at
	}
}

// behind returns the node that the segments lead to from n.
func (n *node) behind(segments []segment) *node {
	literal := ""
	for i, s := range segments {
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
	return n.literal(literal)
}

// literal returns the node that text leads to from n, and makes it where there is none.
func (n *node) literal(text string) *node {
	if text == "" {
		return n
	}
	i := strings.IndexByte(n.first, text[0])
	if i < 0 {
		n.first += text[:1]
		n.branches = append(n.branches, node{text: text})
		return &n.branches[len(n.branches)-1]
	}
	branch := &n.branches[i]
	common := commonPrefix(branch.text, text)
	if common < len(branch.text) {
		below := *branch
		below.text = branch.text[common:]
		*branch = node{text: text[:common], first: below.text[:1], branches: []node{below}}
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
	n.partials = append(n.partials, bough{s, next})
	return next
}

func commonPrefix(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}
