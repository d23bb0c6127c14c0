// Package networks reads lists of networks and finds the narrowest one that an address belongs to.
package networks

import (
	"bytes"
	"fmt"
	"net/netip"
	"strings"

	"github.com/gaissmai/bart"

	"weir/internal/bounded"
)

// An Entry is one network and where it is written.
type Entry struct {
	Prefix netip.Prefix // masked
	Source string       // as it is written, or the file and line it stands in: "lists/partners.txt:7"
}

// maxFile is how large a list may be: about a million networks.
const maxFile = 64 << 20

// Read returns the networks that a list names: "10.0.0.0/8", "2001:db8::1", or a file of those
// ("lists/partners.txt") with one on a line, where "#" begins a comment. read reads files; nil: from the disk, up to 64 MB.
func Read(list []string, read func(name string) ([]byte, error)) ([]Entry, error) {
	if read == nil {
		read = func(name string) ([]byte, error) { return bounded.ReadFile(name, maxFile) }
	}
	var out []Entry
	for _, item := range list {
		if !isFile(item) {
			p, err := Parse(item)
			if err != nil {
				return nil, err
			}
			out = append(out, Entry{p, item})
			continue
		}
		text, err := read(item)
		if err != nil {
			return nil, fmt.Errorf("list of networks %q: %w", item, err)
		}
		if out, err = readFile(out, item, text); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// isFile tells the name of a file from a network: only a file has a letter beyond "f" and no colon.
func isFile(item string) bool {
	return !strings.Contains(item, ":") && strings.IndexFunc(item, func(r rune) bool {
		return r > 'f' || 'F' < r && r < 'a' && r != '_'
	}) >= 0
}

func readFile(out []Entry, name string, text []byte) ([]Entry, error) {
	line := 0
	for raw := range bytes.Lines(text) {
		line++
		item, _, _ := strings.Cut(string(raw), "#")
		if item = strings.TrimSpace(item); item == "" {
			continue
		}
		p, err := Parse(item)
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", name, line, err)
		}
		out = append(out, Entry{p, fmt.Sprintf("%s:%d", name, line)})
	}
	return out, nil
}

// Parse reads a network, or an address as the network of it alone. IPv4 in the guise of IPv6 is IPv4. Bits
// behind the network's length are an error, because it is not clear which of the two was meant.
func Parse(s string) (netip.Prefix, error) {
	if !strings.Contains(s, "/") {
		a, err := netip.ParseAddr(s)
		if err != nil || a.Zone() != "" {
			return netip.Prefix{}, fmt.Errorf("%q is no network and no address", s)
		}
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("%q is no network, such as \"10.0.0.0/8\"", s)
	}
	if p.Masked() != p {
		return netip.Prefix{}, fmt.Errorf("network %q has bits behind its length: write %q, or %q for that address alone", s, p.Masked(), p.Addr())
	}
	if a := p.Addr(); a.Is4In6() {
		if p.Bits() < 96 {
			return netip.Prefix{}, fmt.Errorf("network %q holds IPv4 and other addresses: write them apart", s)
		}
		return netip.PrefixFrom(a.Unmap(), p.Bits()-96), nil
	}
	return p, nil
}

// A Table holds a value for each network. It must not be changed once several goroutines use it.
type Table[V any] struct{ t bart.Table[V] }

// Get returns the value of exactly that network.
func (t *Table[V]) Get(p netip.Prefix) (V, bool) { return t.t.Get(p) }

// Set sets the value of a network.
func (t *Table[V]) Set(p netip.Prefix, v V) { t.t.Insert(p, v) }

// Lookup returns the value of the narrowest network that addr belongs to. It does not allocate.
func (t *Table[V]) Lookup(addr netip.Addr) (V, bool) {
	if !addr.IsValid() {
		var none V
		return none, false
	}
	return t.t.Lookup(addr.Unmap())
}

// A Set is a number of networks. The zero Set is empty; it may be used by many goroutines at once.
type Set struct{ t bart.Lite }

// NewSet returns the set of the entries' networks.
func NewSet(entries []Entry) *Set {
	s := new(Set)
	for _, e := range entries {
		s.t.Insert(e.Prefix)
	}
	return s
}

// Contains reports whether addr belongs to one of the networks. It does not allocate.
func (s *Set) Contains(addr netip.Addr) bool { return addr.IsValid() && s.t.Contains(addr.Unmap()) }
