package weirtest

import (
	"fmt"
	"strconv"
	"strings"
)

// A glyph is one byte of a text, or (star) any number of any bytes.
type glyph struct {
	b    byte
	star bool
}

// glyphs reads a text with its escapes.
func glyphs(s string) ([]glyph, error) {
	var out []glyph
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '*':
			out = append(out, glyph{star: true})
		case s[i] != '\\':
			out = append(out, glyph{b: s[i]})
		case i+1 == len(s):
			return nil, fmt.Errorf("%q ends in the middle of an escape", s)
		default:
			b, n, err := unescape(s[i+1:])
			if err != nil {
				return nil, err
			}
			out = append(out, glyph{b: b})
			i += n
		}
	}
	return out, nil
}

// unescape reads what follows a backslash: the byte it means and its length.
func unescape(s string) (byte, int, error) {
	switch s[0] {
	case 'r':
		return '\r', 1, nil
	case 'n':
		return '\n', 1, nil
	case 't':
		return '\t', 1, nil
	case '\\', '*', '@':
		return s[0], 1, nil
	case 'x':
		if len(s) >= 3 {
			if v, err := strconv.ParseUint(s[1:3], 16, 8); err == nil {
				return byte(v), 3, nil
			}
		}
	}
	return 0, 0, fmt.Errorf("unknown escape %q", `\`+s[:1])
}

// toSend returns the bytes that a text stands for.
func toSend(s string) ([]byte, error) {
	if n, ok := size(s); ok {
		return Pattern(n), nil
	}
	gs, err := glyphs(s)
	if err != nil {
		return nil, err
	}
	out := make([]byte, len(gs))
	for i, g := range gs {
		if out[i] = g.b; g.star {
			out[i] = '*'
		}
	}
	return out, nil
}

// size reads @N.
func size(s string) (int, bool) {
	rest, ok := strings.CutPrefix(s, "@")
	if !ok {
		return 0, false
	}
	n, err := strconv.Atoi(rest)
	return n, err == nil
}

// Pattern returns the first n bytes of an endless text in which a missing, doubled or moved piece shows.
func Pattern(n int) []byte {
	out := make([]byte, 0, n+16)
	for i := 0; len(out) < n; i++ {
		out = append(strconv.AppendInt(append(out, '<'), int64(i)*2654435761%1000003, 36), '>')
	}
	return out[:n]
}

// matches reports whether got is what the text says.
func matches(text, got string) (bool, error) {
	if n, ok := size(text); ok {
		return got == string(Pattern(n)), nil
	}
	gs, err := glyphs(text)
	if err != nil {
		return false, err
	}
	return glob(gs, got), nil
}

// glob goes back to the last star only, which is enough: an earlier one could not help.
func glob(gs []glyph, s string) bool {
	i, j, star, mark := 0, 0, -1, 0
	for j < len(s) {
		switch {
		case i < len(gs) && gs[i].star:
			star, mark = i, j
			i++
		case i < len(gs) && gs[i].b == s[j]:
			i++
			j++
		case star >= 0:
			mark++
			i, j = star+1, mark
		default:
			return false
		}
	}
	for i < len(gs) && gs[i].star {
		i++
	}
	return i == len(gs)
}

// brief shortens what a failed expectation quotes.
func brief(s string) string {
	if len(s) > 300 {
		return fmt.Sprintf("%q... (%d bytes)", s[:300], len(s))
	}
	return strconv.Quote(s)
}
