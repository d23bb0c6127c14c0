package route

import (
	"encoding/binary"
	"iter"
	"strings"
)

// A code is a tree of nodes as bytes, one behind the other, so that a look-up in one of very many trees waits for few
// lines of memory. A node is
//
//	marks         1 byte
//	branches      1 byte   how many
//	text          2 bytes  its length
//	end, rest     8 bytes each: a span; where the marks say so
//	fork          4 bytes  index; where the marks say so
//	first bytes   1 byte for each branch
//	places        4 bytes for each branch: the spots of the nodes
//	text
//
// with numbers in little-endian order.
type code string

// A spot is where a node begins in the code. That of the root is 0.
type spot uint32

// The marks of a node. Times 8, 4 and 1 they are the lengths of what they stand for.
const (
	markEnd  = 1
	markRest = 2
	markFork = 4
)

const (
	codeHead     = 4
	codeLongText = 1<<16 - 1
)

// A fork is the branches of a node that are no literal text.
type fork struct {
	partials []partial
	named    spot // 0: none
}

// A partial leads over one segment.
type partial struct {
	segment segment
	next    spot
}

func (c code) number(at spot) uint32 {
	b := c[at : at+4]
	return uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 | uint32(b[3])<<24
}

func (c code) span(at spot) span { return span{int32(c.number(at)), int32(c.number(at + 4))} }

func (c code) end(n spot) span {
	if c[n]&markEnd == 0 {
		return span{}
	}
	return c.span(n + codeHead)
}

func (c code) rest(n spot) span {
	marks := spot(c[n])
	if marks&markRest == 0 {
		return span{}
	}
	return c.span(n + codeHead + 8*(marks&markEnd))
}

// fork returns the index of the node's fork, or -1.
func (c code) fork(n spot) int {
	marks := spot(c[n])
	if marks&markFork == 0 {
		return -1
	}
	return int(c.number(n + codeHead + 8*(marks&markEnd) + 4*(marks&markRest)))
}

// first returns the first byte of the text of each branch, and where they stand.
func (c code) first(n spot) (string, spot) {
	marks := spot(c[n])
	at := n + codeHead + 8*(marks&markEnd) + 4*(marks&markRest) + marks&markFork
	return string(c[at : at+spot(c[n+1])]), at
}

// branch returns the i-th of so many branches whose first bytes stand at first.
func (c code) branch(first spot, many, i int) spot {
	return spot(c.number(first + spot(many+4*i)))
}

// text returns the bytes that lead to n from the node before.
func (c code) text(n spot) string {
	first, at := c.first(n)
	at += spot(5 * len(first))
	return string(c[at : at+spot(c[n+2])+spot(c[n+3])<<8])
}

// A scribe writes a code.
type scribe struct {
	code  []byte
	forks []fork
}

// write gives k the tree below root.
func (k *skeleton) write(root *node) {
	var w scribe
	w.node(root)
	k.code, k.forks = code(w.code), w.forks
}

// node writes n and all below it, and returns where.
func (w *scribe) node(n *node) spot {
	if len(n.text) > codeLongText {
		n = n.split(codeLongText)
	}
	at := spot(len(w.code))
	w.code = append(w.code, n.marks(), byte(len(n.branches)))
	w.code = binary.LittleEndian.AppendUint16(w.code, uint16(len(n.text)))
	w.span(n.end)
	w.span(n.rest)
	index := len(w.forks)
	if n.forks() {
		w.number(uint32(index))
		w.forks = append(w.forks, fork{})
	}
	w.code = append(w.code, n.first...)
	places := len(w.code)
	w.code = append(w.code, make([]byte, 4*len(n.branches))...)
	w.code = append(w.code, n.text...)
	for i := range n.branches {
		below := w.node(&n.branches[i])
		binary.LittleEndian.PutUint32(w.code[places+4*i:], uint32(below))
	}
	if n.forks() {
		w.forks[index] = w.fork(n)
	}
	return at
}

func (w *scribe) fork(n *node) (f fork) {
	for _, p := range n.partials {
		f.partials = append(f.partials, partial{p.segment, w.node(p.next)})
	}
	if n.named != nil {
		f.named = w.node(n.named)
	}
	return f
}

func (w *scribe) number(n uint32) { w.code = binary.LittleEndian.AppendUint32(w.code, n) }

func (w *scribe) span(s span) {
	if s.to > 0 {
		w.number(uint32(s.from))
		w.number(uint32(s.to))
	}
}

func (n *node) forks() bool { return len(n.partials) > 0 || n.named != nil }

func (n *node) marks() (marks byte) {
	if n.end.to > 0 {
		marks |= markEnd
	}
	if n.rest.to > 0 {
		marks |= markRest
	}
	if n.forks() {
		marks |= markFork
	}
	return marks
}

// split returns a node that leads to n by the first so many bytes of its text.
func (n *node) split(many int) *node {
	below := *n
	below.text = n.text[many:]
	return &node{text: n.text[:many], first: below.text[:1], branches: []node{below}}
}

// trail returns the spots that path leads to from the root, up to the one in whose text it goes astray.
func (k *skeleton) trail(path string) []spot {
	var n spot
	trail := []spot{n}
	for path != "" {
		first, at := k.code.first(n)
		i, f := strings.IndexByte(first, path[0]), k.code.fork(n)
		switch {
		case i >= 0:
			n = k.code.branch(at, len(first), i)
			trail = append(trail, n)
			if !strings.HasPrefix(path, k.code.text(n)) {
				return trail
			}
			path = path[len(k.code.text(n)):]
		case f >= 0 && k.forks[f].named != 0:
			n = k.forks[f].named
			trail = append(trail, n)
			path = path[segmentEnd(path, 0):]
		default:
			return trail
		}
	}
	return trail
}

// collect appends the places of entries at n and below, until there are so many.
func (k *skeleton) collect(n spot, found []span, most int) []span {
	for _, at := range []span{k.code.end(n), k.code.rest(n)} {
		if at.to > 0 && len(found) < most {
			found = append(found, at)
		}
	}
	for below := range k.below(n) {
		if len(found) >= most {
			break
		}
		found = k.collect(below, found, most)
	}
	return found
}

// below yields the nodes that follow n, in order of precedence.
func (k *skeleton) below(n spot) iter.Seq[spot] {
	return func(yield func(spot) bool) {
		first, at := k.code.first(n)
		for i := range len(first) {
			if !yield(k.code.branch(at, len(first), i)) {
				return
			}
		}
		f := k.code.fork(n)
		if f < 0 {
			return
		}
		for i := range k.forks[f].partials {
			if !yield(k.forks[f].partials[i].next) {
				return
			}
		}
		if named := k.forks[f].named; named != 0 {
			yield(named)
		}
	}
}
