package cert

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
)

const (
	maxName  = 253 // of a host name, RFC 1035 2.3.4
	maxLabel = 63
)

// normalName returns a name as tables have it: lower case, without a final dot, addresses in their shortest
// form. It refuses what cannot stand in a certificate.
func normalName(raw string) (string, error) {
	name := strings.TrimSuffix(lower(raw), ".")
	if a, err := netip.ParseAddr(name); err == nil && a.Zone() == "" {
		return a.Unmap().String(), nil
	}
	if !isHost(strings.TrimPrefix(name, "*.")) {
		return "", fmt.Errorf("%q is no name for a certificate: want a host name, \"*.\" and a host name, or an address", raw)
	}
	return name, nil
}

// isHost reports whether name is a host name of letters, digits, hyphens and underscores, as they are found in
// practice. Names in other scripts stand here in their ASCII form.
func isHost(name string) bool {
	if name == "" || len(name) > maxName {
		return false
	}
	for label := range strings.SplitSeq(name, ".") {
		if !isLabel(label) {
			return false
		}
	}
	return true
}

func isLabel(label string) bool {
	if label == "" || len(label) > maxLabel || label[0] == '-' || label[len(label)-1] == '-' {
		return false
	}
	for i := range len(label) {
		c := label[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return true
}

// lower is strings.ToLower for ASCII, and returns names that are in lower case already as they are.
func lower(s string) string {
	for i := range len(s) {
		if 'A' <= s[i] && s[i] <= 'Z' {
			return strings.ToLower(s)
		}
	}
	return s
}

// address is the IP address of a, the zero Addr where it has none.
func address(a net.Addr) netip.Addr {
	switch a := a.(type) {
	case nil:
		return netip.Addr{}
	case *net.TCPAddr:
		return a.AddrPort().Addr().Unmap()
	case *net.UDPAddr:
		return a.AddrPort().Addr().Unmap()
	}
	p, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return netip.Addr{}
	}
	return p.Addr().Unmap()
}
