package weir

import (
	"bytes"
	"strings"

	"weir/internal/syntax"
)

// Normalize returns path in its one normal form, the form that routes, rules and caches compare and
// that is sent upstream, and whether the path is fit to be served. It is idempotent, and returns its
// argument without allocating where that is normal already.
//
// The normal form (RFC 3986, section 6.2.2):
//
//   - Percent-escapes of unreserved characters are decoded ("%7e" is "~", "%2E" is "."). The
//     others stay, with their digits in upper case: "%2f" becomes "%2F" and never a separator.
//   - "." and ".." segments are resolved (RFC 3986, section 5.2.4), their escaped forms included.
//   - Bytes that may not stand in a path, but that browsers and scripts send as they are, are
//     escaped: " < > [ ] ^ ` { | } and every byte from 0x80 on.
//   - Doubled slashes stay, because they mean something to some servers. The router reads them as one.
//
// A path is refused (false) that
//
//   - does not begin with "/",
//   - leads above the root,
//   - holds a control character, a space, a backslash, "?" or "#" as it is, or "%00",
//   - holds a "%" that two hexadecimal digits do not follow,
//   - would climb at a server that reads it otherwise: a ".." between escaped slashes or backslashes
//     ("..%2Fadmin"), or one with a parameter ("/..;/admin").
//
// "*", the target of OPTIONS, is not a path.
func Normalize(path string) (string, bool) {
	if len(path) == 0 || path[0] != '/' {
		return "", false
	}
	if isNormal(path) {
		return path, true
	}
	escaped, ok := appendEscaped(make([]byte, 0, len(path)+32), path)
	if !ok {
		return "", false
	}
	return resolveDots(string(escaped))
}

// What becomes of a byte of a path.
const (
	pathPlain  = iota // stands as it is
	pathSlash         // separates
	pathEscape        // "%"
	pathOdd           // is escaped
	pathBad           // refuses the path
)

var pathClass = func() (t [256]uint8) {
	for c := range t {
		switch {
		case c == '/':
			t[c] = pathSlash
		case c == '%':
			t[c] = pathEscape
		case isUnreserved(byte(c)) || strings.IndexByte("!$&'()*+,;=:@", byte(c)) >= 0:
			t[c] = pathPlain
		case c <= ' ' || c == 0x7f || c == '\\' || c == '?' || c == '#':
			t[c] = pathBad
		default:
			t[c] = pathOdd
		}
	}
	return t
}()

func isUnreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
		c == '-' || c == '.' || c == '_' || c == '~'
}

// isNormal reports whether there is nothing to do for path.
func isNormal(path string) bool {
	for i := 0; i < len(path); i++ {
		switch pathClass[path[i]] {
		case pathPlain:
		case pathSlash:
			if i+1 < len(path) && path[i+1] == '.' && isDots(path[i+1:]) {
				return false
			}
		case pathEscape:
			if !isKept(path, i) || isSlash(path[i:]) && isParent(path[i+3:]) {
				return false
			}
			i += 2
		default:
			return false
		}
	}
	return true
}

// isKept reports whether the escape at path[i] stands in a normal path.
func isKept(path string, i int) bool {
	if i+2 >= len(path) {
		return false
	}
	hi, lo := syntax.Unhex(path[i+1]), syntax.Unhex(path[i+2])
	return hi < 16 && lo < 16 && path[i+1] < 'a' && path[i+2] < 'a' && hi|lo != 0 && !isUnreserved(hi<<4|lo)
}

// isDots reports whether rest, which begins with a dot, begins with a whole segment "." or with what
// isParent says.
func isDots(rest string) bool {
	return len(rest) == 1 || rest[1] == '/' || isParent(rest)
}

// isParent reports whether rest, with normal escapes, begins with a ".." that some server would take
// for a whole segment.
func isParent(rest string) bool {
	if !strings.HasPrefix(rest, "..") {
		return false
	}
	rest = rest[2:]
	return rest == "" || rest[0] == '/' || rest[0] == ';' || isSlash(rest) || strings.HasPrefix(rest, "%3B")
}

// isSlash reports whether rest begins with an escaped slash or backslash.
func isSlash(rest string) bool {
	return strings.HasPrefix(rest, "%2F") || strings.HasPrefix(rest, "%5C")
}

// appendEscaped appends path with its escapes in their normal form.
func appendEscaped(dst []byte, path string) ([]byte, bool) {
	for i := 0; i < len(path); i++ {
		c := path[i]
		switch pathClass[c] {
		case pathBad:
			return dst, false
		case pathOdd:
			dst = appendEscape(dst, c)
		case pathEscape:
			if i+2 >= len(path) {
				return dst, false
			}
			hi, lo := syntax.Unhex(path[i+1]), syntax.Unhex(path[i+2])
			if hi > 15 || lo > 15 || hi|lo == 0 {
				return dst, false
			}
			i += 2
			if v := hi<<4 | lo; isUnreserved(v) {
				dst = append(dst, v)
			} else {
				dst = appendEscape(dst, v)
			}
		default:
			dst = append(dst, c)
		}
	}
	return dst, true
}

func appendEscape(dst []byte, c byte) []byte {
	const digits = "0123456789ABCDEF"
	return append(dst, '%', digits[c>>4], digits[c&15])
}

// resolveDots returns path, whose escapes are normal, without dot segments.
func resolveDots(path string) (string, bool) {
	out := make([]byte, 0, len(path))
	for i := 0; i < len(path); {
		end := segmentEnd(path, i+1)
		switch segment := path[i+1 : end]; {
		case segment == "..":
			if len(out) == 0 {
				return "", false
			}
			out = out[:bytes.LastIndexByte(out, '/')]
			fallthrough
		case segment == ".":
			if end == len(path) {
				out = append(out, '/')
			}
		case climbs(segment):
			return "", false
		default:
			out = append(out, path[i:end]...)
		}
		i = end
	}
	return string(out), true
}

func segmentEnd(path string, i int) int {
	if n := strings.IndexByte(path[i:], '/'); n >= 0 {
		return i + n
	}
	return len(path)
}

// climbs reports whether a server that decodes slashes or drops parameters before it resolves dots
// would see a ".." in the segment.
func climbs(segment string) bool {
	if isParent(segment) {
		return true
	}
	for i := range segment {
		if isSlash(segment[i:]) && isParent(segment[i+3:]) {
			return true
		}
	}
	return false
}
