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
// It is an open-addressed hash table, made once.
type hostTable struct {
	slots  []hostSlot // a power of two, at most half full
	hosts  []hostEntry
	labels int        // dots in the longest wildcard's name; -1: no wildcards
	any    *hostEntry // "*"; nil: none
}

type hostSlot struct {
	hash  uint32
	index uint32 // of hosts, plus one; 0: the slot is empty
}

// A hostEntry is one host of a site. It is a line of the processor's cache long and holds all that a request
// needs to which the first tree has an answer.
type hostEntry struct {
	first paths  // of the first tree
	host  string // "example.com", "*.example.com", "*"
	*hostSite
	_ uint64
}

// A hostSite is what a host belongs to, and all trees to search for it, the one with the most specific host first;
// there are several where routes name hosts.
type hostSite struct {
	site  *site
	trees []*tree
}

// find returns the entry for what is searched, or nil.
func (h *hostEntry) find(s *search) *entry {
	e := h.first.find(s)
	for i := 1; e == nil && i < len(h.trees); i++ {
		e = h.trees[i].find(s)
	}
	return e
}

func newHostTable(hosts []hostEntry) *hostTable {
	size := 2
	for size < 2*len(hosts) {
		size *= 2
	}
	settleHosts(hosts)
	t := &hostTable{slots: make([]hostSlot, size), hosts: hosts, labels: -1}
	for i := range hosts {
		name := hosts[i].host
		if name == "*" {
			t.any = &hosts[i]
			continue
		}
		if wild, ok := strings.CutPrefix(name, "*"); ok {
			name = wild
			t.labels = max(t.labels, strings.Count(name, "."))
		}
		t.insert(name, uint32(i+1))
	}
	return t
}

// settleHosts moves the texts of the hosts to one place.
func settleHosts(hosts []hostEntry) {
	var all strings.Builder
	for i := range hosts {
		all.WriteString(hosts[i].host)
	}
	text := all.String()
	for i := range hosts {
		h := &hosts[i].host
		*h, text = text[:len(*h)], text[len(*h):]
	}
}

func (t *hostTable) insert(name string, index uint32) {
	hash := hashHost(name)
	at := hash & uint32(len(t.slots)-1)
	for t.slots[at].index != 0 {
		at = (at + 1) & uint32(len(t.slots)-1)
	}
	t.slots[at] = hostSlot{hash, index}
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
		s := t.slots[at&uint32(len(t.slots)-1)]
		if s.index == 0 {
			return nil
		}
		if s.hash != hash {
			continue
		}
		e := &t.hosts[s.index-1]
		have := e.host
		if have[0] == '*' {
			have = have[1:]
		}
		if have == name || weir.EqualFold(have, name) {
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
