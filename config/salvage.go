package config

import (
	"bytes"
	"iter"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// A piece is some lines of a file: what stands at its top, from the line that it begins with to the next.
type piece struct {
	line, from, to int // number of the first line; bytes
	name           string
}

func (p piece) start() hcl.Pos { return hcl.Pos{Line: p.line, Column: 1, Byte: p.from} }

// salvage reads a file with an error of grammar piece by piece, so that a broken site does not take the
// others down. The parser goes on after an error, too, but what it makes of the rest may be something that
// nobody wrote; a piece is taken only if it is right by itself.
//
// Pieces begin where a line begins with a name that may stand at the top, without a blank before it. Broken
// ones are blocks with a label, which are reported as such; where anything else is broken, or it can't be
// told which, there is no salvation.
func (l *loader) salvage(name string, src []byte) ([]item, bool) {
	var out []item
	broken := 0
	for _, p := range l.pieces(src) {
		if nativeDepth(name, src[p.from:p.to], p.start()).HasErrors() {
			return nil, false // taken by itself it is something else than in its place
		}
		f, diags := hclsyntax.ParseConfig(src[p.from:p.to], name, p.start())
		diags = l.redefined.keep(f.Body, diags)
		if !diags.HasErrors() {
			out = append(out, l.items(f.Body, l.schema)...)
			continue
		}
		it, ok := l.brokenBlock(name, src, p)
		if !ok {
			return nil, false
		}
		it.broken = diags
		out = append(out, it)
		broken++
	}
	return out, broken > 0
}

// lost are the sites of a file of which nothing can be taken because of diags. They are broken with it, and keep their
// hosts.
func (l *loader) lost(name string, src []byte, diags hcl.Diagnostics) []item {
	var out []item
	for _, p := range l.pieces(src) {
		if it, ok := l.brokenBlock(name, src, p); ok && it.name == "site" {
			it.broken, it.lost = diags, true
			out = append(out, it)
		}
	}
	return out
}

// pieces takes a file apart.
func (l *loader) pieces(src []byte) []piece {
	out := []piece{{line: 1}}
	names := l.schema.names()
	for line := range newLines().code(src) {
		if name := leading(line.text); slices.Contains(names, name) {
			out[len(out)-1].to = line.from
			out = append(out, piece{line: line.number, from: line.from, name: name})
		}
	}
	out[len(out)-1].to = len(src)
	return out
}

// leading is the name that a line begins with, be it known or not.
func leading(line string) string {
	end := strings.IndexFunc(line, func(c rune) bool {
		return c != '_' && c != '-' && !unicode.IsLetter(c) && !unicode.IsMark(c) && !unicode.IsNumber(c)
	})
	if end < 0 {
		return line
	}
	return line[:end]
}

// A lines finds what goes on behind the end of a line.
type lines struct{ plain, heredoc *regexp.Regexp }

// A line of a text: its number, counted from 1, and where it begins.
type line struct {
	number, from int
	text         string // with its end
}

func newLines() lines {
	return lines{
		plain:   regexp.MustCompile(`"(?:[^"\\]|\\.)*"|/\*.*?\*/|(?:#|//).*`), // texts and comments
		heredoc: regexp.MustCompile(`<<-?(\w+)\s*$`),
	}
}

// code yields the lines of a text that begin outside of comments and of texts over several lines. One that never ends
// has not begun: it would hide all that follows.
func (l lines) code(src []byte) iter.Seq[line] {
	return func(yield func(line) bool) {
		heredoc, comment := "", false
		at, ends := line{number: 1}, &ends{src: src}
		for text := range bytes.Lines(src) {
			at.text = string(text)
			rest := at.from + len(text)
			switch {
			case heredoc != "":
				if strings.TrimSpace(at.text) == heredoc {
					heredoc = ""
				}
			case comment:
				comment = !strings.Contains(at.text, "*/")
			case !yield(at):
				return
			default:
				heredoc, comment = l.opened(at.text, rest, ends)
			}
			at.number++
			at.from = rest
		}
	}
}

// opened is a text up to a line with its mark, or a comment, that ends in what follows, from byte rest on.
func (l lines) opened(line string, rest int, in *ends) (heredoc string, comment bool) {
	if !strings.Contains(line, "<<") && !strings.Contains(line, "/*") {
		return "", false
	}
	line = l.plain.ReplaceAllString(line, "")
	if m := l.heredoc.FindStringSubmatch(line); m != nil {
		if last, ok := in.marks()[m[1]]; ok && last >= rest {
			return m[1], false
		}
		return "", false
	}
	return "", strings.Contains(line, "/*") && in.comment() >= rest
}

// An ends tells where something ends in a text for the last time. It looks once, and only if it is asked: to look behind
// each beginning takes minutes where there are many.
type ends struct {
	src   []byte
	last  int // where the last comment ends; -1: nowhere, 0: not looked for yet
	words map[string]int
}

// comment returns where the last comment ends, or -1.
func (e *ends) comment() int {
	if e.last == 0 {
		e.last = bytes.LastIndex(e.src, []byte("*/"))
	}
	return e.last
}

// marks are those of texts over several lines, with the beginning of the mark's line.
func (e *ends) marks() map[string]int {
	if e.words == nil {
		e.words = marksIn(e.src)
	}
	return e.words
}

// marksIn are the words that stand on a line alone, with the byte at which the last such line begins.
func marksIn(src []byte) map[string]int {
	out, from := map[string]int{}, 0
	for text := range bytes.Lines(src) {
		if word := bytes.TrimSpace(text); len(word) > 0 && !bytes.ContainsAny(word, " \t={}[]\"") {
			out[string(word)] = from
		}
		from += len(text)
	}
	return out
}

// brokenBlock is what can be said of a piece that cannot be parsed: which block it is.
func (l *loader) brokenBlock(name string, src []byte, p piece) (item, bool) {
	if !slices.Contains([]string{"site", "listener", "upstream", "policy", "log"}, p.name) {
		return item{}, false
	}
	m := regexp.MustCompile(`^\w+[ \t]+"([^"\\$%\n]+)"[ \t]*\{`).FindSubmatchIndex(src[p.from:p.to])
	if m == nil {
		return item{}, false
	}
	place := func(from, to int) hcl.Range {
		pos := func(i int) hcl.Pos {
			return hcl.Pos{Line: p.line, Column: 1 + utf8.RuneCount(src[p.from:p.from+i]), Byte: p.from + i}
		}
		return hcl.Range{Filename: name, Start: pos(from), End: pos(to)}
	}
	return item{
		name: p.name, at: place(0, len(p.name)),
		labels: []string{string(src[p.from+m[2] : p.from+m[3]])}, places: []hcl.Range{place(m[2]-1, m[3]+1)},
		piece: p,
	}, true
}

// blame says why a block cannot be parsed.
func (l *loader) blame(n *node, it item) {
	if !it.lost {
		l.foreignIn(n, it.broken)
		return
	}
	var pos Pos
	if first := it.broken[0].Subject; first != nil {
		pos = posOf(*first)
	}
	l.add(Note, n.head, in(n, "the site is not served, because the file that it is in has errors"), firstAt(pos), "")
}

// unreadable leaves a block out that cannot be parsed.
func (l *loader) unreadable(it item) {
	n := l.newNode(l.root, l.schema.block(it.name), it, it.labels[0])
	l.blame(n, it)
	if first := l.root.firstOf(n.schema, n.label); first != nil {
		l.second(first, n)
		l.flush()
		return
	}
	l.root.add(n)
	b := Broken{Name: n.label, Pos: posOf(n.head), Why: l.flush()}
	if sym := l.symbols.find(it.name, n.label); sym != nil {
		sym.broken, sym.wrong = true, b.Why[0].Pos
	}
	switch it.name {
	case "site":
		l.config.Sites = append(l.config.Sites, l.rescued(n, it, b))
	case "listener":
		l.config.BrokenListeners = append(l.config.BrokenListeners, b)
	case "upstream":
		l.config.BrokenUpstreams = append(l.config.BrokenUpstreams, b)
	}
}
