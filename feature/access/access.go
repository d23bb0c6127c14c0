// Package access lets clients in by their address.
//
// The narrowest network that a client belongs to decides, whether it is allowed or denied: "deny 10.0.0.0/8"
// and "allow 10.1.0.0/16" let 10.1.2.3 in and keep 10.2.3.4 out. The same network in both lists is an error.
// A client that no network holds is denied where anything is allowed, and let in where things are only denied.
// A client without an address, on a unix socket, is one that no network holds.
//
// The client is the exchange's, not the connection's: behind a trusted proxy the one that the proxy names.
package access

import (
	"fmt"

	"weir"
	"weir/internal/networks"
)

// Config is what New makes a middleware of. An entry is a network ("10.0.0.0/8"), an address ("2001:db8::1")
// or a file of those, one on a line, with comments behind "#" ("lists/partners.txt").
type Config struct {
	Allow []string
	Deny  []string
	Read  func(name string) ([]byte, error) // nil: from the disk, up to 64 MB
}

type access struct {
	next  weir.Handler
	rules *rules
}

// rules say what becomes of an address.
type rules struct {
	table networks.Table[rule]
	rest  rule // for an address that no network holds
}

type rule struct {
	deny   bool
	source string // the entry that says so
}

// New returns the middleware, for weir.PhaseAdmit.
func New(cfg Config) (weir.Middleware, error) {
	r := &rules{rest: rule{deny: len(cfg.Allow) > 0, source: "no network of allow holds it"}}
	for _, list := range []struct {
		name    string
		deny    bool
		entries []string
	}{{"allow", false, cfg.Allow}, {"deny", true, cfg.Deny}} {
		entries, err := networks.Read(list.entries, cfg.Read)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", list.name, err)
		}
		for _, e := range entries {
			if other, ok := r.table.Get(e.Prefix); ok && other.deny != list.deny {
				return nil, fmt.Errorf("network %q is both allowed (%s) and denied (%s)", e.Prefix, other.source, e.Source)
			}
			r.table.Set(e.Prefix, rule{list.deny, e.Source})
		}
	}
	return func(next weir.Handler) weir.Handler { return &access{next, r} }, nil
}

// ServeExchange implements weir.Handler.
func (a *access) ServeExchange(x *weir.Exchange) error {
	if r := a.rules.of(x); r.deny {
		return weir.Refuse(weir.CauseDenied, fmt.Sprintf("access: client %q: %s", x.ClientIP, r.source))
	}
	return a.next.ServeExchange(x)
}

func (r *rules) of(x *weir.Exchange) rule {
	if found, ok := r.table.Lookup(x.Client); ok {
		return found
	}
	return r.rest
}
