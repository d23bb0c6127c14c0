package config

import (
	"slices"

	"github.com/hashicorp/hcl/v2"
)

// A node is one block as it was read: checked against the table, its values in Go types.
type node struct {
	schema *block
	label  string
	head   hcl.Range // of its type and labels
	host   string    // of a label that is a path, as route.SplitHostPattern tells
	path   string
	params []string // names that templates may use
	open   bool     // they are not known
	what   string   // `site "shop": route "/*"`; "" at the top
	attrs  map[string]setting
	tried  map[string]bool // attributes that are written, right or wrong
	blocks []*node
	index  map[[2]string]*node // of blocks by name and label
	spoilt map[string]spoilt   // attributes in whose values something is wrong
	hosts  []host              // of a list with others that could not be read
	broken bool                // something in it was wrong
	vague  bool                // there may be more in it than could be read: blocks, of routes also conditions
}

// A spoilt is what could be read of an attribute.
type spoilt struct {
	list []Field
	at   hcl.Range
}

// A setting is the value of one attribute that is written.
type setting struct {
	value any
	at    hcl.Range // of the value
}

// get returns the value of an attribute, its default where none is written, or the zero value.
func get[T any](n *node, name string) T {
	var zero T
	if s, ok := n.attrs[name]; ok {
		v, _ := s.value.(T)
		return v
	}
	a := n.schema.attr(name)
	if a == nil || a.def == "" {
		return zero
	}
	v, _ := defaultOf(a).(T)
	return v
}

// defaultOf is the default of an attribute in its Go type.
func defaultOf(a *attr) any {
	if a.kind == statuses {
		r, _ := parseStatuses(a.def)
		return []StatusRange{r}
	}
	v, _ := parseScalar(a.kind, a.def)
	return v
}

// fieldNames are the names in an attribute, also where some of the values are wrong.
func (n *node) fieldNames(name string) []string {
	list := n.spoilt[name].list
	if n.has(name) {
		list = get[[]Field](n, name)
	}
	var out []string
	for _, f := range list {
		out = append(out, f.Name)
	}
	return out
}

func (n *node) has(name string) bool {
	if n == nil {
		return false
	}
	_, ok := n.attrs[name]
	return ok
}

// at is where an attribute's value is written; where it is not, where the block begins.
func (n *node) at(name string) hcl.Range {
	if s, ok := n.attrs[name]; ok {
		return s.at
	}
	if s, ok := n.spoilt[name]; ok {
		return s.at
	}
	return n.head
}

// child returns the block of that name, or nil.
func (n *node) child(name string) *node {
	if c := n.schema.block(name); c != nil && !c.many {
		return n.index[c.key("")]
	}
	i := slices.IndexFunc(n.blocks, func(c *node) bool { return c.schema.name == name })
	if i < 0 {
		return nil
	}
	return n.blocks[i]
}

// children returns all blocks of that name.
func (n *node) children(name string) []*node {
	var out []*node
	for _, c := range n.blocks {
		if c.schema.name == name {
			out = append(out, c)
		}
	}
	return out
}

// forget leaves of a block what has to be known where it stands there twice.
func (n *node) forget() { *n = node{schema: n.schema, label: n.label, head: n.head} }

func posOf(r hcl.Range) Pos {
	return Pos{File: r.Filename, Line: r.Start.Line, Column: r.Start.Column}
}

// section is the block of that name, or an empty one, which has all the defaults.
func (n *node) section(name string) *node {
	if c := n.child(name); c != nil {
		return c
	}
	c := n.schema.block(name)
	return &node{schema: c, head: n.head, what: in(n, name)}
}
