package config

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// A piece is some lines of a file: what stands at its top, from the line that it begins with to the next.
type piece struct {
	line, from, to int // number of the first line; bytes
	name           string
}

// salvage reads a file with an error of grammar piece by piece, so that a broken site does not take the
// others down. The parser goes on after an error, too, but what it makes of the rest may be something that
// nobody wrote; a piece is taken only if it is right by itself.
//
// Pieces begin where a line begins with a name that may stand at the top, without a blank before it. Broken
// ones are blocks with a label, which are reported as such; where anything else is broken, or it can't be
// told which, there is no salvation.
func (l *loader) salvage(name string, src []byte) ([]item, bool) {
	pieces := l.pieces(src)
	var out []item
	broken := 0
	for _, p := range pieces {
		start := hcl.Pos{Line: p.line, Column: 1, Byte: p.from}
		if nativeDepth(name, src[p.from:p.to], start).HasErrors() {
			return nil, false // taken by itself it is something else than in its place
		}
		f, diags := hclsyntax.ParseConfig(src[p.from:p.to], name, start)
		diags = l.keepRedefined(diags)
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

// pieces takes a file apart.
func (l *loader) pieces(src []byte) []piece {
	out := []piece{{line: 1}}
	names, form := l.schema.names(), newLines()
	heredoc, comment, from := "", false, 0
	for i, text := range bytes.SplitAfter(src, []byte("\n")) {
		line := string(text)
		switch {
		case heredoc != "":
			if strings.TrimSpace(line) == heredoc {
				heredoc = ""
			}
		case comment:
			comment = !strings.Contains(line, "*/")
		default:
			if name := leading(line); slices.Contains(names, name) {
				out[len(out)-1].to = from
				out = append(out, piece{line: i + 1, from: from, name: name})
			}
			heredoc, comment = form.opened(line)
		}
		from += len(text)
	}
	out[len(out)-1].to = len(src)
	return out
}

// leading is the name that a line begins with.
func leading(line string) string {
	end := strings.IndexFunc(line, func(c rune) bool { return c != '_' && (c < 'a' || c > 'z') })
	return line[:max(end, 0)]
}

// A lines finds what goes on behind the end of a line.
type lines struct{ plain, heredoc *regexp.Regexp }

func newLines() lines {
	return lines{
		plain:   regexp.MustCompile(`"(?:[^"\\]|\\.)*"|/\*.*?\*/|(?:#|//).*`), // texts and comments
		heredoc: regexp.MustCompile(`<<-?(\w+)\s*$`),
	}
}

// opened is a text up to a line with its mark, or a comment.
func (l lines) opened(line string) (heredoc string, comment bool) {
	line = l.plain.ReplaceAllString(line, "")
	if m := l.heredoc.FindStringSubmatch(line); m != nil {
		return m[1], false
	}
	return "", strings.Contains(line, "/*")
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
	}, true
}

// unreadable leaves a block out that cannot be parsed.
func (l *loader) unreadable(it item) {
	n := l.newNode(l.root, l.schema.block(it.name), it, it.labels[0])
	l.foreignIn(n, it.broken)
	if first := l.root.firstOf(n.schema, n.label); first != nil {
		l.second(first, n)
		l.flush()
		return
	}
	l.root.add(n)
	b := Broken{Name: n.label, Pos: posOf(n.head), Why: l.flush().errors()}
	if sym := l.symbols.find(it.name, n.label); sym != nil {
		sym.broken = true
	}
	switch it.name {
	case "site":
		l.config.Sites = append(l.config.Sites, &Site{Name: b.Name, Pos: b.Pos, Broken: b.Why})
	case "listener":
		l.config.BrokenListeners = append(l.config.BrokenListeners, b)
	case "upstream":
		l.config.BrokenUpstreams = append(l.config.BrokenUpstreams, b)
	}
}
