package config

import (
	"bytes"
	"cmp"
	"slices"
	"strings"
)

// secretWords are what the names of things that must not be shown have in them.
var secretWords = [...]string{"secret", "passw", "passphrase", "token", "authorization", "apikey", "api-key", "api_key", "credential", "private", "salt"}

// A span is some bytes of a text.
type span struct{ from, to int }

// A form is how a text is written.
type form uint8

const (
	native  form = iota
	inJSON       // texts have no texts in them, values may stand on the next line
	message      // only what stands right behind a name is its value
)

// A censor finds what must not be shown: values under names that speak of a secret, and users and passwords in
// addresses. It knows just enough of the language to do so in texts that cannot be parsed, too; where it cannot tell it
// finds rather too much. It reads a text once, whatever is in it.
type censor struct {
	src     []byte
	form    form
	comment bool
	pos     int
	depth   int  // of brackets
	mode    int  // depth of a value that must not be shown; -1: there is none
	env     bool // the next text is the name of a variable
	found   []span
}

// secretsIn are the places of what must not be shown, in their order.
func secretsIn(src []byte, f form) []span {
	c := &censor{src: src, form: f, mode: -1}
	c.run()
	return merged(c.found)
}

// merged puts spans in their order, and makes one of those that overlap.
func merged(spans []span) []span {
	slices.SortFunc(spans, func(a, b span) int { return cmp.Compare(a.from, b.from) })
	out := spans[:0]
	for _, s := range spans {
		if n := len(out); n > 0 && s.from <= out[n-1].to {
			out[n-1].to = max(out[n-1].to, s.to)
			continue
		}
		out = append(out, s)
	}
	return out
}

func (c *censor) run() {
	for c.pos < len(c.src) {
		switch b := c.src[c.pos]; {
		case b == '"':
			c.text()
		case isWord(b):
			c.word()
		case b == '<' && c.mode >= 0 && c.form == native && c.heredoc():
		case c.form == native && !c.comment && (b == '#' || bytes.HasPrefix(c.src[c.pos:], []byte("//"))):
			c.remark()
		default:
			c.sign(b)
			c.pos++
		}
	}
}

func isWord(b byte) bool {
	return b == '_' || b == '-' || b >= '0' && b <= '9' || b|0x20 >= 'a' && b|0x20 <= 'z' || b >= 0x80
}

// sign follows brackets, and finds the end of a value.
func (c *censor) sign(b byte) {
	over := false
	switch b {
	case '{', '[', '(':
		c.depth++
	case '}', ']', ')':
		c.depth--
		over = c.depth < c.mode
	case ',':
		over = c.depth <= c.mode
	case '\n':
		over = c.depth <= c.mode && c.form != inJSON
	}
	if over {
		c.mode, c.env = -1, false
	}
}

// remark reads a comment, which changes nothing for what follows.
func (c *censor) remark() {
	end := len(c.src)
	if i := bytes.IndexByte(c.src[c.pos:], '\n'); i >= 0 {
		end = c.pos + i
	}
	inner := &censor{src: c.src[:end], comment: true, pos: c.pos + 1, mode: -1}
	inner.run()
	c.found = append(c.found, inner.found...)
	c.pos = end
}

// heredoc hides a text over several lines, if one begins here.
func (c *censor) heredoc() bool {
	first, rest, more := bytes.Cut(c.src[c.pos:], []byte("\n"))
	mark, ok := bytes.CutPrefix(first, []byte("<<"))
	if !ok || !more {
		return false
	}
	mark = bytes.TrimSpace(bytes.TrimPrefix(mark, []byte("-")))
	from := c.pos + len(first) + 1
	c.pos = from
	for len(rest) > 0 {
		line, after, _ := bytes.Cut(rest, []byte("\n"))
		if bytes.Equal(bytes.TrimSpace(line), mark) {
			break
		}
		c.hide(c.pos, c.pos+len(line))
		c.pos = min(c.pos+len(line)+1, len(c.src))
		rest = after
	}
	c.mode = -1
	return true
}

func (c *censor) hide(from, to int) {
	if from < to {
		c.found = append(c.found, span{from, to})
	}
}

// text reads a text in quotes: the name of something, or a value.
func (c *censor) text() {
	from := c.pos + 1
	to, closed := c.textEnd()
	c.pos = to
	if closed {
		c.pos++
		if value := c.behindName(c.pos); value >= 0 {
			c.userinfo(from, to)
			c.compared(from, to)
			c.named(c.src[from:to], true, value)
			return
		}
	}
	if c.mode >= 0 && !c.env {
		c.hide(from, to)
	} else {
		c.userinfo(from, to)
		c.compared(from, to)
	}
	c.env = false
	if c.form == message && c.depth <= c.mode {
		c.mode = -1
	}
}

// textEnd is where the text that begins here ends: at its closing quote or at the end of the line.
func (c *censor) textEnd() (end int, closed bool) {
	open := []byte{'"'}
	for i := c.pos + 1; i < len(c.src); i++ {
		b := c.src[i]
		top := open[len(open)-1]
		switch {
		case b == '\n':
			return i, false
		case top == '"' && b == '\\':
			i++
		case b == top || b == '}' && top == '{':
			if open = open[:len(open)-1]; len(open) == 0 {
				return i, true
			}
		case top == '{' && (b == '"' || b == '{'):
			open = append(open, b)
		case top == '"' && c.form == native && (b == '$' || b == '%') && i+1 < len(c.src) && c.src[i+1] == '{':
			if c.src[i-1] != b { // "$${" is no template
				open = append(open, '{')
			}
			i++
		}
	}
	return len(c.src), false
}

// word reads a name or a value without quotes.
func (c *censor) word() {
	from := c.pos
	for c.pos < len(c.src) && isWord(c.src[c.pos]) {
		c.pos++
	}
	word := c.src[from:c.pos]
	if value := c.behindName(c.pos); value >= 0 {
		c.named(word, false, value)
		return
	}
	if c.mode < 0 || c.form == message {
		return
	}
	switch next := c.next(c.pos); {
	case next == '(' || next == '.' || next == '[':
		c.env = next == '(' && string(word) == "env"
	case !bytes.Equal(word, []byte("true")) && !bytes.Equal(word, []byte("false")) && !bytes.Equal(word, []byte("null")):
		c.hide(from, c.pos)
	}
}

// next is the sign that follows.
func (c *censor) next(i int) byte {
	for ; i < len(c.src); i++ {
		if b := c.src[i]; b != ' ' && b != '\t' && (c.form != inJSON || b != '\n' && b != '\r') {
			return b
		}
	}
	return 0
}

// behindName is where a value begins if what ends at i is a name, or -1.
func (c *censor) behindName(i int) int {
	for ; i < len(c.src); i++ {
		switch b := c.src[i]; {
		case b == ':', b == '=' && !bytes.HasPrefix(c.src[i+1:], []byte("=")):
			return i + 1
		case b != ' ' && b != '\t' && (c.form != inJSON || b != '\n' && b != '\r'):
			return -1
		}
	}
	return -1
}

// named begins a value.
func (c *censor) named(name []byte, quoted bool, value int) {
	if c.mode >= 0 || bytes.ContainsFunc(name, func(r rune) bool { return r < 0x80 && !isWord(byte(r)) }) {
		return
	}
	next := c.next(value)
	lower := strings.ToLower(string(name))
	switch {
	case c.form == message && next != '"' && next != '{' && next != '[':
	case isCookie(lower) && (quoted || next == '{'):
		c.mode = c.depth
	case speaksOfSecret(lower) && (c.form != inJSON || next != '{'): // that may be a block which has the name
		c.mode = c.depth
	}
}

func isCookie(name string) bool { return name == "cookie" || name == "set-cookie" }

func speaksOfSecret(lower string) bool {
	for _, w := range secretWords {
		if strings.Contains(lower, w) {
			return true
		}
	}
	return false
}

// compared hides what a condition compares a secret with: texts in it that are no names of secrets.
func (c *censor) compared(from, to int) {
	text := c.src[from:to]
	if !bytes.ContainsAny(text, "'\\") || !bytes.ContainsAny(text, "=(") {
		return
	}
	if lower := strings.ToLower(string(text)); !speaksOfSecret(lower) && !strings.Contains(lower, "cookie") {
		return
	}
	for i := from; i < to; i++ {
		mark := c.src[i]
		if mark != '\'' && (mark != '"' || c.src[i-1] != '\\') {
			continue
		}
		end := i + 1
		for end < to && c.src[end] != mark {
			end++
		}
		last := end
		if mark == '"' && end < to {
			last-- // the backslash before it
		}
		if inner := strings.ToLower(string(c.src[i+1 : max(last, i+1)])); !speaksOfSecret(inner) && !isCookie(inner) {
			c.hide(i+1, last)
		}
		i = end
	}
}

// userinfo hides user and password of an address, with or without a scheme.
func (c *censor) userinfo(from, to int) {
	text := c.src[from:to]
	rest := text
	for {
		i := bytes.Index(rest, []byte("://"))
		if i < 0 {
			break
		}
		rest = rest[i+3:]
		c.hideUser(to-len(rest), rest)
	}
	if i := bytes.IndexAny(text, ":/@ "); i > 0 && text[i] == ':' && !bytes.HasPrefix(text[i:], []byte("://")) {
		c.hideUser(from, text)
	}
}

// hideUser hides what stands before the last @ of an address.
func (c *censor) hideUser(from int, address []byte) {
	if end := bytes.IndexAny(address, "/ \t\""); end >= 0 {
		address = address[:end]
	}
	if at := bytes.LastIndexByte(address, '@'); at > 0 {
		c.hide(from, from+at)
	}
}
