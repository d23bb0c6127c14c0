package cert

import (
	"crypto/tls"
	"errors"
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

// normalNames are names as tables have them, at least one.
func normalNames(raw []string) ([]string, error) {
	if len(raw) == 0 {
		return nil, errors.New("no name for a certificate")
	}
	var list []string
	for _, r := range raw {
		n, err := normalName(r)
		if err != nil {
			return nil, err
		}
		list = append(list, n)
	}
	return list, nil
}

// pickName is the one of the names that a client means: the one it asks for, the wildcard that covers it, or else the
// first, for clients of a default entry.
func pickName(names []string, hello *tls.ClientHelloInfo) string {
	asked := lower(hello.ServerName)
	if asked == "" && hello.Conn != nil {
		asked = address(hello.Conn.LocalAddr()).String()
	}
	_, parent, _ := strings.Cut(asked, ".")
	wild := ""
	for _, n := range names {
		if n == asked {
			return n
		}
		if n == "*."+parent {
			wild = n
		}
	}
	if wild != "" {
		return wild
	}
	return names[0]
}
