package route

import "strings"

// A ground is the memory in which the nodes and the texts of one tree stand side by side, so that a
// lookup in one of very many trees waits for few lines of memory.
type ground struct {
	nodes []node
	text  string
	taken int // bytes of text
}

// newGround returns a ground with room for all below root.
func newGround(root *node) *ground {
	var text strings.Builder
	count := root.survey(&text)
	return &ground{nodes: make([]node, 0, count), text: text.String()}
}

// survey returns the number of nodes below n, and writes all texts in the order in which settle takes them.
func (n *node) survey(text *strings.Builder) int {
	text.WriteString(n.text)
	text.WriteString(n.first)
	count := len(n.branches)
	for i := range n.branches {
		count += n.branches[i].survey(text)
	}
	for i := range n.partials {
		count += 1 + n.partials[i].next.survey(text)
	}
	if n.named != nil {
		count += 1 + n.named.survey(text)
	}
	return count
}

// settle moves the texts of n and all that is below it to g.
func (n *node) settle(g *ground) {
	n.text, n.first = g.take(len(n.text)), g.take(len(n.first))
	n.branches = g.place(n.branches...)
	for i := range n.branches {
		n.branches[i].settle(g)
	}
	for i := range n.partials {
		n.partials[i].next = &g.place(*n.partials[i].next)[0]
		n.partials[i].next.settle(g)
	}
	if n.named != nil {
		n.named = &g.place(*n.named)[0]
		n.named.settle(g)
	}
}

func (g *ground) take(n int) string {
	g.taken += n
	return g.text[g.taken-n : g.taken]
}

// place copies nodes to g, whose room is enough, and returns the copies.
func (g *ground) place(nodes ...node) []node {
	from := len(g.nodes)
	g.nodes = append(g.nodes, nodes...)
	return g.nodes[from:len(g.nodes):len(g.nodes)]
}
