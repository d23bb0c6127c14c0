package config

import (
	"bytes"
	"regexp"
	"strings"
	"unicode/utf8"
)

// secretWords are what the names of things that must not be shown have in them.
const secretWords = `secret|passw(?:or)?d|token|authorization|api[-_]?key|credential|private|salt|(?:set-)?cookie"`

// A quoter quotes lines of the files without what may be secret in them.
type quoter struct {
	named    *regexp.Regexp    // name and text of a secret
	userinfo *regexp.Regexp    // of a URL
	sources  map[string][]byte // texts of all files that were read, by name
	hidden   []string          // values out of the environment
}

func newQuoter() *quoter {
	return &quoter{
		sources:  map[string][]byte{},
		named:    regexp.MustCompile(`(?i)("?[\w-]*(?:` + secretWords + `)[\w-]*"?\s*[=:]\s*)"(?:\$\{[^}]*\}|[^"\\]|\\.)*(?:"|$)`),
		userinfo: regexp.MustCompile(`://[^/@\s"]+@`),
	}
}

// Quote returns d with the line of the configuration that it is about, for diagnostics that are found later than in
// Load.
func (c *Config) Quote(d Diagnostic) Diagnostic {
	if c.quoter == nil {
		return d
	}
	d.Summary, d.Detail, d.Hint = c.quoter.hide(d.Summary), c.quoter.hide(d.Detail), c.quoter.hide(d.Hint)
	if src, ok := c.quoter.sources[d.Pos.File]; ok && d.Line == "" && d.Pos.Line > 0 {
		d.Line, d.Column = c.quoter.line(src, d.Pos.Line, d.Pos.Column)
		d.Width = max(d.Width, headWidth(d.Line, d.Column))
	}
	return d
}

// headWidth is how many characters of a line, from a column on, belong to the head of a block or to an attribute.
func headWidth(line string, column int) int {
	runes := []rune(line)
	if column < 1 || column > len(runes) {
		return 1
	}
	head, _, _ := strings.Cut(string(runes[column-1:]), " {")
	return max(utf8.RuneCountInString(strings.TrimRight(head, " \t")), 1)
}

// hide takes out of a text what may be secret.
func (q *quoter) hide(s string) string {
	for _, v := range q.hidden {
		s = strings.ReplaceAll(s, v, "***")
	}
	return q.redact(s)
}

// secretName reports whether values of that name must not be shown.
func (q *quoter) secretName(name string) bool {
	return q.named.MatchString(`"` + name + `" = ""`)
}

// redact takes out of s what may be secret.
func (q *quoter) redact(s string) string {
	s = q.named.ReplaceAllString(s, `$1"***"`)
	return q.userinfo.ReplaceAllString(s, "://***@")
}

// line returns line n of the text for showing, with the column that corresponds to column.
func (q *quoter) line(src []byte, n, column int) (string, int) {
	for ; n > 1; n-- {
		end := bytes.IndexByte(src, '\n')
		if end < 0 {
			return "", column
		}
		src = src[end+1:]
	}
	if end := bytes.IndexByte(src, '\n'); end >= 0 {
		src = src[:end]
	}
	full := strings.TrimRight(printable(src), " \t\r")
	shown := q.redact(full)
	if shown != full {
		// Behind the first thing that was taken out, columns are not what they were.
		column = min(column, utf8.RuneCountInString(commonPrefix(full, shown))+1)
	}
	return crop(shown, column)
}

// printable is src with everything that would move the cursor or is no text replaced.
func printable(src []byte) string {
	return strings.Map(func(c rune) rune {
		if c != '\t' && (c < ' ' || c == 0x7f || c >= 0x80 && c < 0xa0) {
			return '\uFFFD'
		}
		return c
	}, string(bytes.ToValidUTF8(src, []byte("\uFFFD"))))
}

func commonPrefix(a, b string) string {
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	return a[:i]
}

// crop shortens long lines to what stands around the column.
func crop(s string, column int) (string, int) {
	const before, width = 60, 160
	runes := []rune(s)
	if len(runes) <= width {
		return s, column
	}
	from := min(max(column-1-before, 0), len(runes)-1)
	to := min(from+width, len(runes))
	out := string(runes[from:to])
	if to < len(runes) {
		out += "..."
	}
	if from > 0 {
		return "..." + out, column - from + 3
	}
	return out, column
}
