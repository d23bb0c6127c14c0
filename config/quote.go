package config

import (
	"bytes"
	"cmp"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
)

// Lines are quoted for so many diagnostics, and so many secrets of the files are known, that nobody reads more.
const (
	maxQuoted = 2000
	maxHidden = 2000
)

// A quoter quotes lines of the files without what may be secret in them.
type quoter struct {
	userinfo *regexp.Regexp       // of a URL
	sources  map[string][]byte    // texts of all files that were read, by name
	quotable map[string]*quotable // those of which lines were quoted
	quoted   int                  // lines
	hidden   []string             // values out of the environment
	inFiles  []string             // secrets that are written in the files
	replacer *strings.Replacer    // of all that is hidden, when there were known
	known    int                  // of these
}

func newQuoter() *quoter {
	return &quoter{
		sources:  map[string][]byte{},
		quotable: map[string]*quotable{},
		userinfo: regexp.MustCompile(`://[^/@\s"]+@`),
	}
}

// A quotable is a file as it is quoted.
type quotable struct {
	src     []byte
	starts  []int  // of its lines
	secrets []span // in their order
}

// file prepares a file for being quoted, once.
func (q *quoter) file(name string) *quotable {
	if t := q.quotable[name]; t != nil {
		return t
	}
	src, ok := q.sources[name]
	if !ok {
		return nil
	}
	form := native
	if isJSON(name) {
		form = inJSON
	}
	t := &quotable{src: src, starts: []int{0}, secrets: secretsIn(src, form)}
	for i, c := range src {
		if c == '\n' {
			t.starts = append(t.starts, i+1)
		}
	}
	q.quotable[name] = t
	for _, s := range t.secrets {
		const short = 8 // it is too likely a word of ours
		if len(q.inFiles) == maxHidden {
			break
		}
		for _, v := range readings(src[s.from:s.to]) {
			if len(v) >= short {
				q.inFiles = append(q.inFiles, v)
			}
		}
	}
	return t
}

// readings are a secret as it is written, and as it is meant.
func readings(written []byte) []string {
	s := string(written[:min(len(written), 4096)])
	out := []string{s}
	if meant, err := strconv.Unquote(`"` + s + `"`); err == nil && meant != s {
		out = append(out, meant)
	}
	return out
}

// within are the secrets between two bytes.
func (t *quotable) within(from, to int) []span {
	first, _ := slices.BinarySearchFunc(t.secrets, from, func(s span, from int) int { return cmp.Compare(s.to, from+1) })
	last := first
	for last < len(t.secrets) && t.secrets[last].from < to {
		last++
	}
	return t.secrets[first:last]
}

// Quote returns d with the line of the configuration that it is about, for diagnostics that are found later than in
// Load.
func (c *Config) Quote(d Diagnostic) Diagnostic {
	if c.quoter == nil {
		return d
	}
	q := c.quoter
	if t := q.file(d.Pos.File); t != nil && d.Line == "" && d.Pos.Line > 0 && d.Pos.Line <= len(t.starts) {
		at := t.byteOf(d.Pos)
		q.quote(&d, t, at)
		d.Width = max(d.Width, headWidth(d.Line, d.Column))
		q.censor(&d, t.within(at, at+1), t)
		return d
	}
	q.censor(&d, nil, nil)
	return d
}

// byteOf is where a place is.
func (t *quotable) byteOf(p Pos) int {
	i, line := t.starts[p.Line-1], t.line(p.Line)
	for range p.Column - 1 {
		_, n := utf8.DecodeRune(t.src[i:line.to])
		i += n
	}
	return i
}

// line is a line without its end.
func (t *quotable) line(n int) span {
	s := span{t.starts[n-1], len(t.src)}
	if n < len(t.starts) {
		s.to = t.starts[n] - 1
	}
	if s.to > s.from && t.src[s.to-1] == '\r' {
		s.to--
	}
	return s
}

// at writes the line of a place to a diagnostic.
func (q *quoter) at(d *Diagnostic, at hcl.Range) {
	t := q.file(at.Filename)
	if t == nil || at.Start.Line < 1 || at.Start.Line > len(t.starts) {
		q.censor(d, nil, nil)
		return
	}
	q.quote(d, t, at.Start.Byte)
	d.Width = width(at, d.Line, d.Column)
	secrets := t.within(at.Start.Byte, max(at.End.Byte, at.Start.Byte+1))
	if len(secrets) > 0 { // how long it is nobody needs to know
		d.Width = min(d.Width, max(secrets[0].from-at.Start.Byte, 0)+len("***")+1)
	}
	q.censor(d, secrets, t)
}

func (q *quoter) quote(d *Diagnostic, t *quotable, at int) {
	if q.quoted++; q.quoted <= maxQuoted {
		d.Line, d.Column = t.show(d.Pos.Line, at)
	}
}

// show returns what stands around a byte of a line for showing, and the column that it has there.
func (t *quotable) show(n, at int) (string, int) {
	line := t.line(n)
	at = min(max(at, line.from), line.to)
	from, to := max(line.from, at-600), min(line.to, at+1200)
	for from > line.from && !utf8.RuneStart(t.src[from]) {
		from--
	}
	for to < line.to && !utf8.RuneStart(t.src[to]) {
		to++
	}
	var b strings.Builder
	column := 0
	copyTo := func(end int) {
		if from <= at && at <= end && column == 0 {
			b.WriteString(printable(t.src[from:at]))
			column = utf8.RuneCountInString(b.String()) + 1
			from = at
		}
		b.WriteString(printable(t.src[from:end]))
		from = end
	}
	head := from > line.from
	for _, s := range t.within(from, to) {
		copyTo(max(s.from, from))
		if s.from <= at && at < s.to && column == 0 {
			column = utf8.RuneCountInString(b.String()) + 1
		}
		b.WriteString("***")
		from = min(s.to, line.to)
	}
	to = max(from, to)
	copyTo(to)
	shown := b.String()
	if to == line.to {
		shown = strings.TrimRight(shown, " \t\r")
	}
	return crop(shown, column, head, to < line.to)
}

// headWidth is how many characters of a line, from a column on, belong to a text, the head of a block or an attribute.
func headWidth(line string, column int) int {
	runes := []rune(line)
	if column < 1 || column > len(runes) {
		return 1
	}
	rest := string(runes[column-1:])
	if text := regexp.MustCompile(`^"(?:[^"\\]|\\.)*"`).FindString(rest); text != "" {
		return utf8.RuneCountInString(text)
	}
	head, _, _ := strings.Cut(rest, " {")
	return max(utf8.RuneCountInString(strings.TrimRight(head, " \t")), 1)
}

// censor takes what may be secret out of the texts of a diagnostic that is about these secrets of a file, if any.
func (q *quoter) censor(d *Diagnostic, secrets []span, t *quotable) {
	var values []string
	for _, s := range secrets[:min(len(secrets), 50)] {
		values = append(values, readings(t.src[s.from:s.to])...)
	}
	for _, text := range []*string{&d.Summary, &d.Detail, &d.Hint} {
		*text = q.hide(*text)
		if len(values) > 0 {
			*text = withoutParts(*text, values)
		}
	}
}

// withoutParts takes out of a text what it quotes of these values, be it a part: a complaint names the place that it is
// about.
func withoutParts(text string, values []string) string {
	var b strings.Builder
	for {
		i := strings.IndexAny(text, "\"`")
		if i < 0 {
			b.WriteString(text)
			return b.String()
		}
		end := i + 1
		for end < len(text) && text[end] != text[i] {
			if text[end] == '\\' && text[i] == '"' {
				end++
			}
			end++
		}
		end = min(end, len(text))
		b.WriteString(text[:i+1])
		if part := text[i+1 : end]; slices.ContainsFunc(values, func(v string) bool { return haveInCommon(part, v) }) {
			b.WriteString("***")
		} else {
			b.WriteString(part)
		}
		if end == len(text) {
			return b.String()
		}
		b.WriteByte(text[end])
		text = text[end+1:]
	}
}

// haveInCommon reports whether a part of a message is about a value: it is all there is of one, or they share four
// bytes.
func haveInCommon(part, value string) bool {
	const enough = 4
	if len(part) < enough || len(value) < enough {
		return len(part) > 1 && strings.Contains(value, part) || len(value) > 1 && strings.Contains(part, value)
	}
	for i := range len(part) - enough + 1 {
		if strings.Contains(value, part[i:i+enough]) {
			return true
		}
	}
	return false
}

// hide takes out of a text what may be secret.
func (q *quoter) hide(s string) string {
	if s == "" {
		return ""
	}
	if n := len(q.hidden) + len(q.inFiles); n != q.known || q.replacer == nil {
		all := slices.Concat(q.hidden, q.inFiles)
		slices.SortStableFunc(all, func(a, b string) int { return len(b) - len(a) })
		var pairs []string
		for _, v := range all {
			pairs = append(pairs, v, "***")
		}
		q.replacer, q.known = strings.NewReplacer(pairs...), n
	}
	return q.redact(q.replacer.Replace(s))
}

// secretName reports whether values of that name must not be shown.
func (q *quoter) secretName(name string) bool {
	name = strings.ToLower(name)
	return isCookie(name) || strings.HasPrefix(name, `cookie "`) || speaksOfSecret(name)
}

// redact takes out of a message what may be secret.
func (q *quoter) redact(s string) string {
	var b strings.Builder
	from := 0
	for _, secret := range secretsIn([]byte(s), message) {
		b.WriteString(s[from:secret.from] + "***")
		from = secret.to
	}
	b.WriteString(s[from:])
	return q.userinfo.ReplaceAllString(b.String(), "://***@")
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

// crop shortens long lines to what stands around the column; head and tail say that there is more of the line.
func crop(s string, column int, head, tail bool) (string, int) {
	const before, width = 60, 160
	runes := []rune(s)
	from, to := 0, len(runes)
	if len(runes) > width {
		from = min(max(column-1-before, 0), len(runes)-1)
		to = min(from+width, len(runes))
	}
	out := string(runes[from:to])
	if tail || to < len(runes) {
		out += "..."
	}
	if head || from > 0 {
		return "..." + out, column - from + 3
	}
	return out, column
}
