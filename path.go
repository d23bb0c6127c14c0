package weir

import "strings"

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
	buf, ok := appendEscaped(make([]byte, 0, len(path)+32), path)
	if !ok {
		return "", false
	}
	buf, ok = resolveDots(buf)
	if !ok {
		return "", false
	}
	return string(buf), true
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

// isNormal reports whether there is nothing to do for path. It may say false of a normal path, never
// true of one that is not.
func isNormal(path string) bool {
	for i := 0; i < len(path); i++ {
		switch pathClass[path[i]] {
		case pathPlain:
		case pathSlash:
			if i+1 < len(path) && path[i+1] == '.' && dotsAt(path, i+1) {
				return false
			}
		case pathEscape:
			if !isKept(path, i) {
				return false
			}
			i += 2
			if path[i] == 'F' || path[i] == 'C' { // perhaps an escaped slash or backslash
				if i+1 < len(path) && path[i+1] == '.' && dotsAt(path, i+1) {
					return false
				}
			}
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
	hi, lo := unhex(path[i+1]), unhex(path[i+2])
	return hi < 16 && lo < 16 && path[i+1] < 'a' && path[i+2] < 'a' && hi|lo != 0 && !isUnreserved(hi<<4|lo)
}

// dotsAt reports whether one or two dots stand at path[i] and then something that may end a segment.
func dotsAt(path string, i int) bool {
	rest := path[i+1:]
	if len(rest) > 0 && rest[0] == '.' {
		rest = rest[1:]
	}
	return rest == "" || rest[0] == '/' || rest[0] == ';' || rest[0] == '%'
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
			hi, lo := unhex(path[i+1]), unhex(path[i+2])
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

// unhex returns the value of a hexadecimal digit, or a value above 15.
func unhex(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10
	}
	return 255
}

// resolveDots resolves the dot segments of path, which begins with a slash, in place.
func resolveDots(path []byte) ([]byte, bool) {
	out := path[:0]
	for i := 0; i < len(path); {
		end := i + 1
		for end < len(path) && path[end] != '/' {
			end++
		}
		segment := path[i+1 : end]
		switch {
		case string(segment) == ".":
		case string(segment) == "..":
			if len(out) == 0 {
				return nil, false
			}
			out = out[:lastSlash(out)]
		case climbs(segment):
			return nil, false
		default:
			out = append(out, path[i:end]...)
			i = end
			continue
		}
		if end == len(path) {
			out = append(out, '/')
		}
		i = end
	}
	return out, true
}

func lastSlash(b []byte) int {
	i := len(b) - 1
	for b[i] != '/' {
		i--
	}
	return i
}

// climbs reports whether a server that decodes slashes or drops parameters before it resolves dots
// would see a ".." in the segment, whose escapes are normal.
func climbs(segment []byte) bool {
	start := true
	for i := 0; i < len(segment); i++ {
		if start && segment[i] == '.' && i+1 < len(segment) && segment[i+1] == '.' {
			rest := segment[i+2:]
			if len(rest) == 0 || rest[0] == ';' || isEscapeOf(rest, "%2F") || isEscapeOf(rest, "%5C") || isEscapeOf(rest, "%3B") {
				return true
			}
		}
		start = isEscapeOf(segment[i:], "%2F") || isEscapeOf(segment[i:], "%5C")
		if start {
			i += 2
		}
	}
	return false
}

func isEscapeOf(b []byte, escape string) bool {
	return len(b) >= len(escape) && string(b[:len(escape)]) == escape
}
