package observe

import "unicode/utf8"

const hexDigits = "0123456789abcdef"

// Whoever sends a request chooses much of what stands in a log line. What is written here can neither
// end a field or a line nor steer the terminal of who reads it.

// appendJSON appends s as the inside of a JSON string (RFC 8259, section 7): valid UTF-8 stays, other
// bytes become U+FFFD, unprintable characters \uXXXX.
func appendJSON(dst []byte, s string) []byte {
	n := plain(s)
	dst = append(dst, s[:n]...)
	if n == len(s) {
		return dst
	}
	return escapeJSON(dst, s[n:])
}

func escapeJSON(dst []byte, s string) []byte {
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c < ' ' || c == 0x7f:
			dst = appendU00(dst, c)
		case c < utf8.RuneSelf:
			dst = append(dst, c)
		default:
			r, size := utf8.DecodeRuneInString(s[i:])
			switch {
			case r == utf8.RuneError && size == 1:
				dst = append(dst, `\ufffd`...)
			case unprintable(r):
				dst = append(dst, '\\', 'u', hexDigits[r>>12], hexDigits[r>>8&15], hexDigits[r>>4&15], hexDigits[r&15])
			default:
				dst = append(dst, s[i:i+size]...)
			}
			i += size
			continue
		}
		i++
	}
	return dst
}

// unprintable reports whether r, which is not ASCII, is a control character (C1), ends a line for some readers, or
// changes the direction in which they see what follows. None of these is above U+FFFF.
func unprintable(r rune) bool {
	switch {
	case r < 0xa0, r == 0x061c, r == 0x200e, r == 0x200f:
		return true
	case r >= 0x2028 && r <= 0x202e, r >= 0x2066 && r <= 0x2069:
		return true
	}
	return false
}

func appendU00(dst []byte, c byte) []byte {
	return append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
}

// appendQuoted appends s as it may stand between quotes in the combined format: quotes, backslashes and
// all bytes that are not printable ASCII become \xXX, as nginx writes them. An empty s becomes "-".
func appendQuoted(dst []byte, s string) []byte {
	if s == "" {
		return append(dst, '-')
	}
	n := plain(s)
	dst = append(dst, s[:n]...)
	for _, c := range []byte(s[n:]) {
		if c < ' ' || c >= 0x7f || c == '"' || c == '\\' {
			dst = appendX(dst, c)
			continue
		}
		dst = append(dst, c)
	}
	return dst
}

// appendBare is appendQuoted for a place without quotes: a space would end it.
func appendBare(dst []byte, s string) []byte {
	from := len(dst)
	dst = appendQuoted(dst, s)
	for i := from; i < len(dst); i++ {
		if dst[i] == ' ' {
			dst[i] = '_'
		}
	}
	return dst
}

// fitValue makes the value dst[from:] fit to stand in a template, between quotes or without: quotes, backslashes,
// unprintable characters and what is not UTF-8 become \xXX.
func fitValue(dst []byte, from int) []byte {
	from += plain(dst[from:])
	if from == len(dst) {
		return dst
	}
	rest := string(dst[from:])
	dst = dst[:from]
	for i := 0; i < len(rest); {
		r, size := utf8.DecodeRuneInString(rest[i:])
		piece := rest[i : i+size]
		i += size
		switch {
		case r == utf8.RuneError && size == 1, r < ' ', r == '"', r == '\\', r >= 0x7f && unprintable(r):
			for _, c := range []byte(piece) {
				dst = appendX(dst, c)
			}
		default:
			dst = append(dst, piece...)
		}
	}
	return dst
}

func appendX(dst []byte, c byte) []byte {
	return append(dst, '\\', 'x', hexDigits[c>>4], hexDigits[c&15])
}

// tameControls replaces the control characters of b[from:], save tabs, with \xXX.
func tameControls(b []byte, from int) []byte {
	for i := from; i < len(b); i++ {
		if isControl(b[i]) {
			rest := string(b[i:])
			return appendTamed(b[:i], rest)
		}
	}
	return b
}

func appendTamed(dst []byte, s string) []byte {
	for _, c := range []byte(s) {
		if isControl(c) {
			dst = appendX(dst, c)
			continue
		}
		dst = append(dst, c)
	}
	return dst
}

func isControl(c byte) bool { return c < ' ' && c != '\t' || c == 0x7f }

// plain returns how many bytes at the beginning of s are printable ASCII other than quote and
// backslash. It looks at eight bytes at a time.
func plain[S string | []byte](s S) int {
	i := 0
	for ; i+8 <= len(s); i += 8 {
		v := uint64(s[i]) | uint64(s[i+1])<<8 | uint64(s[i+2])<<16 | uint64(s[i+3])<<24 |
			uint64(s[i+4])<<32 | uint64(s[i+5])<<40 | uint64(s[i+6])<<48 | uint64(s[i+7])<<56
		if special(v) {
			break
		}
	}
	for ; i < len(s); i++ {
		if c := s[i]; c < ' ' || c >= 0x7f || c == '"' || c == '\\' {
			return i
		}
	}
	return i
}

// special reports whether one of v's eight bytes is below 0x20, above 0x7e, a quote or a backslash.
// (With every byte below 0x80, the borrow of one byte can make a false alarm of another, never hide one.)
func special(v uint64) bool {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	below := v - ones*0x20
	quote := (v ^ ones*'"') - ones
	slash := (v ^ ones*'\\') - ones
	del := v + ones
	return (v|below|quote|slash|del)&highs != 0
}
