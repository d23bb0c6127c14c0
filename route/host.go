package route

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"golang.org/x/net/idna"

	"weir"
)

// CheckHost says what is wrong with a host as a site names it: "example.com", "*.example.com" or "*".
func CheckHost(text string) error {
	_, err := parseHost(text)
	return err
}

// parseHost returns the form in which a host of the configuration is kept: lower case, ASCII, no dot at
// the end, no brackets. "*" and "*.example.com" stay what they are.
func parseHost(text string) (string, error) {
	host := strings.TrimSuffix(strings.ToLower(strings.TrimSpace(text)), ".")
	bare := strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	if addr, err := netip.ParseAddr(bare); err == nil {
		return addr.String(), nil
	}
	wild := ""
	switch {
	case host == "*":
		return host, nil
	case strings.HasPrefix(host, "*."):
		wild, host = "*.", host[2:]
	case strings.Contains(host, "://"):
		_, bare, _ := strings.Cut(host, "://")
		bare, _, _ = strings.Cut(bare, "/")
		return "", fmt.Errorf("host %q: a host has no scheme: write %q", text, bare)
	}
	if err := checkHost(host); err != nil {
		return "", fmt.Errorf("host %q: %w", text, err)
	}
	ascii, err := idna.New(idna.MapForLookup(), idna.StrictDomainName(false), idna.Transitional(false)).ToASCII(host)
	if err != nil {
		return "", fmt.Errorf("host %q: not a domain name", text)
	}
	return wild + ascii, nil
}

func checkHost(host string) error {
	switch {
	case host == "":
		return errors.New("is empty")
	case strings.Contains(host, "*"):
		return errors.New("\"*\" stands alone or for the first labels, as in \"*.example.com\"")
	case strings.Contains(host, ":"):
		name, _, _ := strings.Cut(host, ":")
		return fmt.Errorf("the port belongs to the listener: write %q", name)
	case strings.Contains(host, ".."), strings.HasPrefix(host, "."):
		return errors.New("a label is empty")
	case strings.ContainsAny(host, " \t/?#@\\%\"'<>[]{}|^`~,;"):
		return errors.New("not a domain name")
	case len(host) > 253:
		return errors.New("is longer than 253 bytes")
	}
	return nil
}

// coversHost reports whether the host pattern general takes every host that special takes.
func coversHost(general, special string) bool {
	switch {
	case general == "*" || general == special:
		return true
	case strings.HasPrefix(general, "*."):
		return strings.HasSuffix(special, general[1:]) && len(special) > len(general)-1
	}
	return false
}

// A hostTable finds what a host belongs to: an exact name, else the longest wildcard, else the default.
// It is an open-addressed hash table, made once. What it finds stands in the table itself: of ten thousand hosts none is
// in a cache, and a look-up waits for each line of memory that it is led to by another.
type hostTable struct {
	slots  []hostEntry // a power of two, at most half full
	routes []entry     // of all trees
	labels int         // dots in the longest wildcard's name; -1: no wildcards
	any    *hostEntry  // "*"; nil: none
}

// A hostEntry is a host in a table. It is a line of the processor's cache long and holds all that a request needs to
// which the first tree has an answer.
type hostEntry struct {
	*hostSite           // nil: the place is empty
	first     *skeleton // of the first tree
	from      uint32    // where the first tree's entries begin among the table's
	hash      uint32    // of the name
	size      uint8     // of the name in text; 0: it is longer
	text      [39]byte
}

// A hostSite is a host of a site, and all trees to search for it, the one with the most specific host first; there are
// several where routes name hosts.
type hostSite struct {
	host  string // "example.com", "*.example.com", "*"
	site  *site
	trees []*tree // one at least
}

// name is the host, of a wildcard from its dot on.
func (h *hostSite) name() string { return strings.TrimPrefix(h.host, "*") }

// is reports whether the entry has that name.
func (h *hostEntry) is(name string) bool {
	return string(h.text[:h.size]) == name || weir.EqualFold(h.name(), name)
}

func newHostTable(hosts []*hostSite, routes []entry) *hostTable {
	size := 2
	for size < 2*len(hosts) {
		size *= 2
	}
	t := &hostTable{slots: make([]hostEntry, size), routes: routes, labels: -1}
	for _, h := range hosts {
		e := hostEntry{hostSite: h, first: h.trees[0].skeleton, from: h.trees[0].from}
		if h.host == "*" {
			t.any = &e
			continue
		}
		if h.host[0] == '*' {
			t.labels = max(t.labels, strings.Count(h.name(), "."))
		}
		t.insert(e)
	}
	return t
}

func (t *hostTable) insert(e hostEntry) {
	name := e.name()
	e.hash = hashHost(name)
	if len(name) <= len(e.text) {
		e.size = uint8(copy(e.text[:], name))
	}
	at := e.hash & uint32(len(t.slots)-1)
	for t.slots[at].hostSite != nil {
		at = (at + 1) & uint32(len(t.slots)-1)
	}
	t.slots[at] = e
}

// find returns the entry for the host of a request, or nil.
func (t *hostTable) find(host string) *hostEntry {
	if n := len(host); n > 0 && host[n-1] == '.' {
		host = host[:n-1]
	}
	if host == "" || host[0] == '.' {
		return t.any
	}
	if e := t.get(host); e != nil {
		return e
	}
	if t.labels >= 0 {
		if e := t.wildcard(host); e != nil {
			return e
		}
	}
	return t.any
}

// wildcard tries the ends of host that begin with a dot, the longest first, but none with more dots
// than any wildcard has.
func (t *hostTable) wildcard(host string) *hostEntry {
	dots := strings.Count(host, ".")
	for i := 1; i < len(host); i++ {
		if host[i] != '.' {
			continue
		}
		if dots <= t.labels {
			if e := t.get(host[i:]); e != nil {
				return e
			}
		}
		dots--
	}
	return nil
}

// get returns the entry with that name; a wildcard's name begins with its dot.
func (t *hostTable) get(name string) *hostEntry {
	hash := hashHost(name)
	for at := hash; ; at++ {
		e := &t.slots[at&uint32(len(t.slots)-1)]
		switch {
		case e.hostSite == nil:
			return nil
		case e.hash == hash && e.is(name):
			return e
		}
	}
}

// hashHost hashes a name eight bytes at a time without regard to the case of letters (bit 0x20).
func hashHost(s string) uint32 {
	const (
		fold = 0x2020202020202020
		mul  = 0x9E3779B97F4A7C15
	)
	h := uint64(len(s)) * mul
	for ; len(s) >= 8; s = s[8:] {
		v := uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
			uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
		h = (h ^ (v | fold)) * mul
		h ^= h >> 29
	}
	var v uint64
	for i := range len(s) {
		v = v<<8 | uint64(s[i]|0x20)
	}
	h = (h ^ v) * mul
	return uint32(h >> 32)
}
