package forward

import (
	"net/netip"
	"strings"

	"weir"
	"weir/internal/syntax"
)

// An element is what one proxy says in Forwarded (RFC 7239, section 4). Values are without quotes.
type element struct {
	node, proto, host string
}

// believeForwarded takes over what Forwarded says. It is read from the right like X-Forwarded-For, and for
// the same reason: the left of it is anybody's, and may be made to confuse a reader from the left.
func (b *believer) believeForwarded(x *weir.Exchange) {
	list, _ := joined(&x.Request.Header, weir.FieldForwarded)
	x.Request.Header.DelKnown(weir.FieldForwarded)
	var believed element
	from, prefix := len(list), ""
	for end := len(list); end >= 0; {
		comma := lastComma(list[:end])
		at, text := trimAt(list, comma+1, end)
		end = comma
		if text == "" {
			continue
		}
		e, ok := parseElement(text)
		if !ok {
			forgetClient(x, noteForwarded)
			prefix = "for=unknown"
			break
		}
		believed, from = e, at
		if e.node == "" { // it says nothing of the client
			break
		}
		addr, ok := parseNode(e.node)
		if !ok || !bracketed(e.node, addr) { // "unknown" and hidden names are no addresses
			forgetClient(x, noteHidden)
			break
		}
		b.setClient(x, addr, e.node)
		if !b.trusted(addr) {
			break
		}
	}
	b.takeElement(x, believed)
	switch rest := list[from:]; {
	case prefix != "":
		x.Request.Header.AddKnown(weir.FieldForwarded, behind(prefix, rest))
	case rest != "":
		x.Request.Header.AddKnown(weir.FieldForwarded, rest)
	}
}

// takeElement takes over scheme and host.
func (b *believer) takeElement(x *weir.Exchange, e element) {
	if scheme := schemeOf(e.proto); scheme != "" {
		x.Request.Scheme = scheme
	}
	if e.host != "" {
		b.setHost(x, e.host)
	}
}

// bracketed reports whether node has the brackets that IPv6 needs in Forwarded.
func bracketed(node string, addr netip.Addr) bool { return addr.Is4() || node[0] == '[' }

// lastComma returns the index of the last comma of list that does not stand in quotes, or -1.
func lastComma(list string) int {
	quoted := false
	for i := len(list) - 1; i >= 0; i-- {
		switch {
		case list[i] == '"' && !escaped(list[:i]):
			quoted = !quoted
		case list[i] == ',' && !quoted:
			return i
		}
	}
	return -1
}

// escaped reports whether what follows before stands behind an odd number of backslashes.
func escaped(before string) bool {
	return (len(before)-len(strings.TrimRight(before, `\`)))&1 == 1
}

// parseElement reads one element. Quoted values that need escapes are refused: no address, protocol or host does.
func parseElement(s string) (e element, ok bool) {
	for {
		name, rest, found := strings.Cut(s, "=")
		if !found || !syntax.IsToken(name) {
			return e, false
		}
		value, rest, ok := cutValue(rest)
		if !ok || !e.set(name, value) {
			return e, false
		}
		rest = strings.TrimLeft(rest, " \t")
		if rest == "" {
			return e, true
		}
		if rest[0] != ';' {
			return e, false
		}
		s = strings.TrimLeft(rest[1:], " \t")
		if s == "" {
			return e, true
		}
	}
}

// set takes in a parameter; false: it came twice.
func (e *element) set(name, value string) bool {
	var to *string
	switch {
	case strings.EqualFold(name, "for"):
		to = &e.node
	case strings.EqualFold(name, "proto"):
		to = &e.proto
	case strings.EqualFold(name, "host"):
		to = &e.host
	default:
		return true
	}
	if *to != "" {
		return false
	}
	*to = value
	return true
}

// cutValue takes a token or a quoted string from the beginning of s.
func cutValue(s string) (value, rest string, ok bool) {
	if strings.HasPrefix(s, `"`) {
		end := strings.IndexByte(s[1:], '"')
		if end < 0 || strings.IndexByte(s[1:1+end], '\\') >= 0 {
			return "", "", false
		}
		return s[1 : 1+end], s[2+end:], true
	}
	end := strings.IndexAny(s, "; \t")
	if end < 0 {
		end = len(s)
	}
	// A bare address with a port is no token, but common.
	return s[:end], s[end:], syntax.IsToken(strings.ReplaceAll(s[:end], ":", ""))
}
