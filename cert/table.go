package cert

import (
	"crypto/tls"
	"fmt"
	"net/netip"
	"strings"
)

// An Entry says which source has the certificates of some names.
type Entry struct {
	// Names are exact host names ("shop.example.com"), names with a wildcard for the first label
	// ("*.example.com"), or addresses ("192.0.2.1", "2001:db8::1") for clients that send no name because
	// they were given an address. Case does not matter, a final dot neither.
	Names []string

	Source Source

	// Default entries are for clients that send no name or one that no entry has. One entry of a table may
	// be it; without one such clients get no certificate.
	Default bool

	// Policy is what holds for these names instead of the listener's policy; nil: that of the listener.
	Policy *Policy
}

// A Table finds the certificate for the name that a client asks for. In use it is immutable, and may be used
// concurrently.
type Table struct {
	exact     map[string]*Entry
	wild      map[string]*Entry // by what follows "*."
	addresses map[netip.Addr]*Entry
	fallback  *Entry
	entries   []Entry
	stapler   *Stapler // nil: none
}

// NewTable makes a table of the entries. It refuses names that are malformed or stand in two entries, a second
// default, and policies that cannot work.
func NewTable(entries []Entry) (*Table, error) {
	t := &Table{
		exact:     map[string]*Entry{},
		wild:      map[string]*Entry{},
		addresses: map[netip.Addr]*Entry{},
		entries:   append([]Entry(nil), entries...),
	}
	for i := range t.entries {
		if err := t.add(&t.entries[i]); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// Staple has what the table gives be stapled by s, whatever its sources are. It is called before the table is used; nil
// is no stapler.
func (t *Table) Staple(s *Stapler) { t.stapler = s }

func (t *Table) add(e *Entry) error {
	if e.Source == nil {
		return fmt.Errorf("no source of certificates for %q", e.Names)
	}
	if e.Policy != nil {
		if err := e.Policy.Check(); err != nil {
			return err
		}
	}
	if e.Default {
		if t.fallback != nil {
			return fmt.Errorf("two entries are the default: %q and %q", t.fallback.Names, e.Names)
		}
		t.fallback = e
	}
	for _, n := range e.Names {
		if err := t.addName(n, e); err != nil {
			return err
		}
	}
	return nil
}

func (t *Table) addName(raw string, e *Entry) error {
	name, err := normalName(raw)
	if err != nil {
		return err
	}
	taken := false
	if a, err := netip.ParseAddr(name); err == nil {
		taken = put(t.addresses, a.Unmap(), e)
	} else if parent, ok := strings.CutPrefix(name, "*."); ok {
		taken = put(t.wild, parent, e)
	} else {
		taken = put(t.exact, name, e)
	}
	if taken {
		return fmt.Errorf("two certificates for the name %q", raw)
	}
	return nil
}

// put enters e and reports whether another entry was there.
func put[K comparable](m map[K]*Entry, key K, e *Entry) bool {
	old := m[key]
	if old == nil {
		m[key] = e
	}
	return old != nil && old != e
}

// find returns the entry for a handshake; nil: there is none.
func (t *Table) find(hello *tls.ClientHelloInfo) *Entry {
	if e := t.named(hello.ServerName); e != nil {
		return e
	}
	if hello.ServerName == "" && len(t.addresses) > 0 && hello.Conn != nil {
		if e := t.addresses[address(hello.Conn.LocalAddr())]; e != nil {
			return e
		}
	}
	return t.fallback
}

// named returns the entry of a name, exact before wildcard; nil: there is none.
func (t *Table) named(name string) *Entry {
	if name == "" {
		return nil
	}
	name = lower(name)
	if e := t.exact[name]; e != nil {
		return e
	}
	if label, parent, ok := strings.Cut(name, "."); ok && label != "" {
		return t.wild[parent]
	}
	return nil
}

// Certificate returns the certificate for a handshake. The error is [ErrNoName] where no entry is meant, or that
// of the entry's source.
func (t *Table) Certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	e := t.find(hello)
	if e == nil {
		return nil, noName(hello.ServerName)
	}
	return t.of(e, hello)
}

// of is the certificate of an entry, stapled.
func (t *Table) of(e *Entry, hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	c, err := e.Source.Certificate(hello)
	if err != nil || t.stapler == nil {
		return c, err
	}
	return t.stapler.staple(c), nil
}

// Has reports whether the table has an entry for that name itself, the default not counted.
func (t *Table) Has(name string) bool {
	n, err := normalName(name)
	return err == nil && t.named(n) != nil
}

// Serves reports whether the table has an entry for a client that was given that name or address, the default counted.
func (t *Table) Serves(name string) bool {
	n, err := normalName(name)
	if err != nil {
		return t.fallback != nil
	}
	if a, err := netip.ParseAddr(n); err == nil && t.addresses[a] != nil {
		return true
	}
	return t.fallback != nil || t.named(n) != nil
}
