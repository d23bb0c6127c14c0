package weir

import (
	"strings"

	"weir/internal/syntax"
)

// Cookie returns the value of the first cookie with that name, and whether there is one. It does not
// allocate.
func (r *Request) Cookie(name string) (string, bool) {
	fields := r.Header.Fields()
	for i := range fields {
		if fields[i].ID != FieldCookie {
			continue
		}
		for list := fields[i].Value; list != ""; {
			var n, v string
			if n, v, list = NextCookie(list); n == name {
				return v, true
			}
		}
	}
	return "", false
}

// RawQueryValue returns the value of the first query parameter with that name as it was sent (see
// [DecodeQuery]), and whether there is one. The name is compared decoded, byte by byte.
func (r *Request) RawQueryValue(name string) (string, bool) {
	for query := r.Query; query != ""; {
		var n, v string
		if n, v, query = NextQuery(query); queryNameIs(n, name) {
			return v, true
		}
	}
	return "", false
}

func queryNameIs(raw, name string) bool {
	j := 0
	for i := 0; i < len(raw); j++ {
		c, width := decodeByte(raw, i)
		if j >= len(name) || c != name[j] {
			return false
		}
		i += width
	}
	return j == len(name)
}

// NextCookie takes the first cookie off a Cookie field's value (RFC 6265, section 4.2.1). The quotes
// around a value are not part of it.
func NextCookie(list string) (name, value, rest string) {
	pair, rest, _ := strings.Cut(list, ";")
	name, value, _ = strings.Cut(pair, "=")
	value = strings.Trim(value, " \t")
	if n := len(value); n > 1 && value[0] == '"' && value[n-1] == '"' {
		value = value[1 : n-1]
	}
	return strings.Trim(name, " \t"), value, rest
}

// NextQuery takes the first parameter off a query, name and value as they were sent. Between two "&"
// there may be nothing: then both are empty.
func NextQuery(query string) (name, value, rest string) {
	pair, rest, _ := strings.Cut(query, "&")
	name, value, _ = strings.Cut(pair, "=")
	return name, value, rest
}

// DecodeQuery decodes a name or value of a query: "+" is a space, and an escape that is malformed stands
// for itself. The result may hold any byte, line breaks included. It allocates only where there is
// something to decode.
func DecodeQuery(s string) string {
	if decodesToItself(s) {
		return s
	}
	return string(appendDecoded(make([]byte, 0, len(s)), s))
}

func decodesToItself(s string) bool {
	return strings.IndexByte(s, '%') < 0 && strings.IndexByte(s, '+') < 0
}

func appendDecoded(dst []byte, s string) []byte {
	for i := 0; i < len(s); {
		c, width := decodeByte(s, i)
		dst = append(dst, c)
		i += width
	}
	return dst
}

// decodeByte returns what s[i] stands for, and how many bytes stand for it.
func decodeByte(s string, i int) (byte, int) {
	switch c := s[i]; {
	case c == '+':
		return ' ', 1
	case c == '%' && i+2 < len(s):
		if hi, lo := syntax.Unhex(s[i+1]), syntax.Unhex(s[i+2]); hi < 16 && lo < 16 {
			return hi<<4 | lo, 3
		}
	}
	return s[i], 1
}
