package h1

import (
	"regexp"
	"strconv"
	"strings"
)

// A reading is what a message head says of the body behind it, as the reference below understands it.
type reading struct {
	start  string
	fields [][2]string
	length int64 // -1: not told
	chunks bool
}

// The grammar, with a backquote as \x60.
var (
	refField   = regexp.MustCompile(`^([!#$%&'*+\-.^_\x60|~0-9A-Za-z]+):[ \t]*((?:[^\x00-\x1f\x7f]|\t)*)$`)
	refRequest = regexp.MustCompile(`^[!#$%&'*+\-.^_\x60|~0-9A-Za-z]+ [^\x00-\x20\x7f]+ HTTP/1\.[01]$`)
	refStatus  = regexp.MustCompile(`^HTTP/1\.[01] [1-9][0-9]{2}( (?:[^\x00-\x1f\x7f]|\t)*)?$`)
	refLength  = regexp.MustCompile(`^[0-9]{1,18}$`)
)

// readStrictly reads a head by the letter of RFC 9112, with plain means and none of the parser's code. It
// returns false for whatever is not beyond doubt. What the parser accepts, it must accept with the same
// reading; it may be laxer in what it does not look at.
func readStrictly(head string, start *regexp.Regexp) (r reading, ok bool) {
	head, ended := strings.CutSuffix(head, "\r\n\r\n")
	lines := strings.Split(head, "\r\n")
	if !ended || !start.MatchString(latin(lines[0])) {
		return r, false
	}
	r.start, r.length = lines[0], -1
	lengths, codings := 0, 0
	for _, line := range lines[1:] {
		m := refField.FindStringSubmatch(latin(line))
		if m == nil {
			return r, false
		}
		name, value := unlatin(m[1]), strings.Trim(unlatin(m[2]), " \t")
		r.fields = append(r.fields, [2]string{name, value})
		switch strings.ToLower(name) {
		case "content-length":
			n, err := strconv.ParseInt(value, 10, 64)
			if lengths++; err != nil || !refLength.MatchString(value) {
				return r, false
			}
			r.length = n
		case "transfer-encoding":
			if codings++; strings.ToLower(value) != "chunked" || len(value) != 7 {
				return r, false
			}
			r.chunks = true
		}
	}
	return r, lengths+codings <= 1 && (codings == 0 || strings.Contains(lines[0], "HTTP/1.1"))
}

// latin makes each byte of s one rune, so that expressions see bytes.
func latin(s string) string {
	var b strings.Builder
	for i := range len(s) {
		b.WriteRune(rune(s[i]))
	}
	return b.String()
}

func unlatin(s string) string {
	b := make([]byte, 0, len(s))
	for _, r := range s {
		b = append(b, byte(r))
	}
	return string(b)
}

// dechunkStrictly takes a chunked body apart by the letter of RFC 9112, section 7.1. ok is false where it is
// malformed, or has not ended.
func dechunkStrictly(wire string) (body, rest string, ok bool) {
	for {
		line, after, found := strings.Cut(wire, "\r\n")
		size, extension, extended := strings.Cut(line, ";")
		n, err := strconv.ParseUint(size, 16, 60)
		if !found || err != nil || len(size) > 15 || strings.Trim(size, "0123456789abcdefABCDEF") != "" || extended && !refField.MatchString(latin("x:"+extension)) {
			return body, wire, false
		}
		if n == 0 {
			wire = after
			break
		}
		if uint64(len(after)) < n+2 || after[n:n+2] != "\r\n" {
			return body, wire, false
		}
		body, wire = body+after[:n], after[n+2:]
	}
	for {
		line, after, found := strings.Cut(wire, "\r\n")
		if !found {
			return body, wire, false
		}
		if wire = after; line == "" {
			return body, wire, true
		}
		if !refField.MatchString(latin(line)) {
			return body, wire, false
		}
	}
}
