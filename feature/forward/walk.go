package forward

import (
	"net/netip"
	"strings"

	"weir/internal/syntax"
)

// A walk is what was found on the way from the right end of a list of addresses.
type walk struct {
	client    netip.Addr // the last address that is believed
	text      string     // as it stands in the list
	from      int        // where it begins in the list; without any, the list's end
	taken     int        // how many addresses are believed; 0: none, and client and text mean nothing
	malformed bool       // something that is no address ended the walk, so that the client is not known
}

// walk reads a list of X-Forwarded-For, whose last address a trusted peer has written.
func (b *believer) walk(list string) (w walk) {
	w.from = len(list)
	for end := len(list); end >= 0; {
		comma := strings.LastIndexByte(list[:end], ',')
		from, text := trimAt(list, comma+1, end)
		if text == "" { // an empty member of a list counts for nothing (RFC 9110, section 5.6.1)
			end = comma
			continue
		}
		addr, ok := parseNode(text)
		if !ok {
			w.malformed = true
			return w
		}
		w.client, w.text, w.from = addr, text, from
		w.taken++
		if !b.trusted(addr) {
			return w
		}
		end = comma
	}
	return w
}

// trimAt returns list[from:end] without white space at its ends, and where it begins.
func trimAt(list string, from, end int) (int, string) {
	for from < end && (list[from] == ' ' || list[from] == '\t') {
		from++
	}
	for end > from && (list[end-1] == ' ' || list[end-1] == '\t') {
		end--
	}
	return from, list[from:end]
}

// fromRight returns the n-th member of a list from the right, or the first one of a shorter list: proxies
// that replace a field instead of adding to it leave it with fewer members than they are.
func fromRight(list string, n int) string {
	last := ""
	for end := len(list); end >= 0 && n > 0; {
		comma := strings.LastIndexByte(list[:end], ',')
		if _, text := trimAt(list, comma+1, end); text != "" {
			last = text
			n--
		}
		end = comma
	}
	return last
}

// parseNode reads an address as proxies write it: with or without a port, IPv6 with or without brackets.
func parseNode(s string) (netip.Addr, bool) {
	host := s
	if strings.HasPrefix(s, "[") {
		end := strings.IndexByte(s, ']')
		if end < 0 || !strings.Contains(s[:end], ":") || s[end+1:] != "" && !isNodePort(s[end+1:]) {
			return netip.Addr{}, false
		}
		host = s[1:end]
	} else if colon := strings.IndexByte(s, ':'); colon >= 0 && colon == strings.LastIndexByte(s, ':') {
		if !isNodePort(s[colon:]) {
			return netip.Addr{}, false
		}
		host = s[:colon]
	}
	addr, err := netip.ParseAddr(host)
	if err != nil || addr.Zone() != "" {
		return netip.Addr{}, false
	}
	return addr.Unmap(), true
}

// isNodePort reports whether s is ":" and a port, which may be hidden (RFC 7239, section 6).
func isNodePort(s string) bool {
	if !strings.HasPrefix(s, ":") {
		return false
	}
	if strings.HasPrefix(s, ":_") {
		return len(s) > 2 && syntax.IsToken(s[1:])
	}
	return syntax.IsPort(s[1:])
}

// schemeOf returns "http" or "https" for what a proxy calls the protocol, or "".
func schemeOf(s string) string {
	switch {
	case strings.EqualFold(s, "https"), strings.EqualFold(s, "wss"):
		return "https"
	case strings.EqualFold(s, "http"), strings.EqualFold(s, "ws"):
		return "http"
	}
	return ""
}
