package upstream

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// A target is where servers are: an address, or a name that stands for several.
type target struct {
	text string
	host string // to be resolved; "": text is an address already
	port uint16
	srv  bool
}

// parseTarget reads the address of a server as the configuration gives it.
func parseTarget(s string) (target, error) {
	if path, ok := strings.CutPrefix(s, "unix:"); ok {
		if path == "" {
			return target{}, fmt.Errorf("server %q names no socket", s)
		}
		return target{text: s}, nil
	}
	if _, err := netip.ParseAddrPort(s); err == nil {
		return target{text: s}, nil
	}
	colon := strings.LastIndexByte(s, ':')
	if colon < 0 {
		return target{}, fmt.Errorf("server %q has no port", s)
	}
	host := s[:colon]
	port, err := strconv.ParseUint(s[colon+1:], 10, 16)
	if err != nil || port == 0 {
		return target{}, fmt.Errorf("server %q: port %q is not a number from 1 to 65535", s, s[colon+1:])
	}
	if !validName(host) {
		return target{}, fmt.Errorf("server %q: %q is neither an address nor a name", s, host)
	}
	return target{text: s, host: host, port: uint16(port)}, nil
}

// parseDiscover reads the name of a discover block.
func parseDiscover(s string) (target, error) {
	if !strings.HasPrefix(s, "_") {
		t, err := parseTarget(s)
		if err == nil && t.host == "" {
			err = fmt.Errorf("discover: %q is an address and no name", s)
		}
		return t, err
	}
	if !validName(s) || strings.Count(s, ".") < 2 {
		return target{}, fmt.Errorf("discover: %q is no name of SRV records, such as %q", s, "_http._tcp.example.com")
	}
	return target{text: s, host: s, srv: true}, nil
}

// validName reports whether s can be a name in the DNS.
func validName(s string) bool {
	if s == "" || len(s) > 253 || s[0] == '.' || strings.Contains(s, "..") {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.' {
			continue
		}
		return false
	}
	return true
}
