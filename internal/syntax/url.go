package syntax

const hexDigits = "0123456789ABCDEF"

// AppendHex appends the two hexadecimal digits of c.
func AppendHex(dst []byte, c byte) []byte { return append(dst, hexDigits[c>>4], hexDigits[c&15]) }

// The bytes that may stand in a part of a URL as they are (RFC 3986, sections 3.3 and 3.4).
var (
	pathByte  = urlBytes("/!$&'()*+,;=:@-._~")
	queryByte = urlBytes("/?!$'()*,:@-._~") // without ";", which some servers take for "&"
)

func urlBytes(others string) (t [256]bool) {
	for c := range t {
		t[c] = isAlnum(byte(c))
	}
	for i := range others {
		t[others[i]] = true
	}
	return t
}

// AppendPath appends s as a piece of a path: what can't stand there is escaped; an escape that is there
// already stays.
func AppendPath(dst []byte, s string) []byte { return appendEscaped(dst, s, &pathByte, true) }

// AppendQuery appends s as a name or a value of a query: it means the same when it is decoded, and holds
// no "&", "=", "+" or "%" of its own.
func AppendQuery(dst []byte, s string) []byte { return appendEscaped(dst, s, &queryByte, false) }

// AppendQueryPiece appends s, which is a piece of a URL already, to a query: "&", ";", "=" and "+" are escaped,
// and an escape that is there already stays.
func AppendQueryPiece(dst []byte, s string) []byte { return appendEscaped(dst, s, &queryByte, true) }

func appendEscaped(dst []byte, s string, plain *[256]bool, keep bool) []byte {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if plain[c] || keep && c == '%' && i+2 < len(s) && Unhex(s[i+1]) < 16 && Unhex(s[i+2]) < 16 {
			dst = append(dst, c)
		} else {
			dst = AppendHex(append(dst, '%'), c)
		}
	}
	return dst
}

// DecodesTo reports whether raw, a name of a query as it was sent, means name.
func DecodesTo(raw, name string) bool {
	rest, ok := cutDecoded(raw, name)
	return ok && rest == ""
}

// DecodesToPrefix reports whether what raw means begins with prefix.
func DecodesToPrefix(raw, prefix string) bool {
	_, ok := cutDecoded(raw, prefix)
	return ok
}

// cutDecoded takes from the beginning of raw what means want.
func cutDecoded(raw, want string) (rest string, ok bool) {
	for i := 0; i < len(want); i++ {
		if raw == "" {
			return "", false
		}
		c, n := raw[0], 1
		switch {
		case c == '+':
			c = ' '
		case c == '%' && len(raw) > 2 && Unhex(raw[1]) < 16 && Unhex(raw[2]) < 16:
			c, n = Unhex(raw[1])<<4|Unhex(raw[2]), 3
		}
		if c != want[i] {
			return "", false
		}
		raw = raw[n:]
	}
	return raw, true
}

// AppendWholeQuery appends s, a whole query as a client has sent it: what can't stand there is escaped.
func AppendWholeQuery(dst []byte, s string) []byte {
	return appendEscaped(dst, s, &wholeQueryByte, true)
}

var wholeQueryByte = urlBytes("/?!$&'()*+,;=:@-._~")
