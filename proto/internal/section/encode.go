package section

import (
	"strings"

	"weir"
)

// What HPACK and QPACK write alike. Strings are plain, without Huffman code.

// AppendInt appends n in the lower bits of a byte whose upper ones are those of first (RFC 7541, section 5.1).
func AppendInt(dst []byte, first byte, bits uint, n int) []byte {
	most := 1<<bits - 1
	if n < most {
		return append(dst, first|byte(n))
	}
	dst = append(dst, first|byte(most))
	for n -= most; n >= 0x80; n >>= 7 {
		dst = append(dst, byte(n)|0x80)
	}
	return append(dst, byte(n))
}

// AppendString appends s, its length before it.
func AppendString(dst []byte, s string) []byte {
	return append(AppendInt(dst, 0, 7, len(s)), s...)
}

// AppendLower appends a name in lower case.
func AppendLower(dst []byte, name string) []byte {
	at := len(dst)
	dst = append(dst, name...)
	for i := at; i < len(dst); i++ {
		if c := dst[i]; 'A' <= c && c <= 'Z' {
			dst[i] = c + 'a' - 'A'
		}
	}
	return dst
}

// Secret reports whether nobody on the way may put a field into a table (RFC 7541, section 7.1.3; RFC 9204, section 7.1.3).
func Secret(id weir.FieldID) bool { return secretField[id] }

var secretField = marked(weir.FieldAuthorization, weir.FieldCookie, weir.FieldSetCookie)

// Sendable returns the value of f as it may stand in a section. false: f may not be there at all. A name or value that no
// codec lets in and only a handler could have made is left out, and so are the fields of an HTTP/1 connection; white space
// around a value is no part of it.
func Sendable(f *weir.Field) (value string, ok bool) {
	if f.Wire {
		return f.Value, !Own(f.ID)
	}
	value = strings.Trim(f.Value, " \t")
	return value, !Own(f.ID) && IsToken(f.Name) && IsValue(value)
}
