package assemble

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/gaissmai/bart"

	"weir"
	"weir/config"
	"weir/feature/forward"
	"weir/proto/h1"
	"weir/server"
)

// listeners returns the listeners of the configuration.
func (b *builder) listeners() []server.ListenerSpec {
	var specs []server.ListenerSpec
	for _, l := range b.config.Listeners {
		specs = append(specs, server.ListenerSpec{
			Name: l.Name, Address: l.Address, Mode: l.Mode, Limit: l.MaxConnections,
			Limits:   h1.Limits{Line: l.Limits.Line, Head: l.Limits.Head, Fields: l.Limits.Fields, Trailer: l.Limits.Trailer},
			Timeouts: h1.Timeouts(l.Timeouts),
			Versions: versionsOf(l), Streams: l.Limits.Streams, Proxied: proxied[l.ProxyProtocol],
		})
	}
	if b.engine.draft {
		for _, broken := range b.config.BrokenListeners {
			specs = append(specs, server.ListenerSpec{Name: broken.Name})
		}
	}
	return specs
}

// withKept returns c with the listeners of prev that are broken in it: they stay as they were, and what sites have from
// them, such as that they are encrypted, stays with them.
func withKept(c *config.Config, prev *generation) *config.Config {
	if prev == nil {
		return c
	}
	kept := *c
	kept.Listeners = slices.Clip(c.Listeners)
	for _, old := range prev.config.Listeners {
		taken := func(l *config.Listener) bool {
			return l.Name == old.Name || l.Address == old.Address && !strings.HasSuffix(l.Address, ":0")
		}
		if isBroken(c, old) && prev.has(old.Name) && !slices.ContainsFunc(kept.Listeners, taken) {
			kept.Listeners = append(kept.Listeners, old)
		}
	}
	return &kept
}

// isBroken reports whether a listener of old is broken in c, by itself or with its file.
func isBroken(c *config.Config, old *config.Listener) bool {
	return slices.Contains(c.BrokenFiles, old.Pos.File) ||
		slices.ContainsFunc(c.BrokenListeners, func(b config.Broken) bool { return b.Name == old.Name })
}

var proxied = map[string]server.Proxied{"optional": server.ProxiedMaybe, "required": server.ProxiedAlways}

// versionsOf are the versions of HTTP that a listener speaks.
func versionsOf(l *config.Listener) server.Versions {
	has := func(p string) bool { return slices.Contains(l.Protocols, p) }
	switch {
	case len(l.Protocols) > 0:
		return server.Versions{H1: has("h1"), H2: has("h2") || has("h2c"), H3: has("h3")}
	case l.TLS != nil:
		return server.Versions{H1: true, H2: true, H3: !strings.HasPrefix(l.Address, "unix:")}
	}
	return server.Versions{H1: true}
}

// front is what every listener's exchanges begin with: what trusted proxies say of the client, then the router.
func (b *builder) front(trusted func(netip.Addr) bool) weir.Handler {
	h, err := believe(b.config, trusted, b.g.router)
	if err != nil {
		b.complain(config.Pos{}, fmt.Sprintf("trusted_proxies: %v", err))
	}
	return h
}

// believe puts before next what settles who the client is. It stands there also where nobody is trusted: what
// strangers say of the client must not get through.
func believe(c *config.Config, trusted func(netip.Addr) bool, next weir.Handler) (weir.Handler, error) {
	cfg, err := believing(c, trusted)
	if err != nil {
		return next, err
	}
	h, err := forward.NewBelieve(cfg, next)
	if err != nil {
		return next, err
	}
	return h, nil
}

// believing says what of a trusted proxy is believed.
func believing(c *config.Config, trusted func(netip.Addr) bool) (forward.BelieveConfig, error) {
	mode, err := forward.ParseMode(c.TrustedFields)
	return forward.BelieveConfig{Trusted: trusted, Fields: mode, Host: c.TrustedHost}, err
}

// trust returns what tells the addresses of trusted proxies; nil where there are none.
func trust(prefixes []netip.Prefix) func(netip.Addr) bool {
	if len(prefixes) == 0 {
		return nil
	}
	table := new(bart.Lite)
	for _, p := range prefixes {
		table.Insert(p)
	}
	return func(a netip.Addr) bool { return table.Contains(a.Unmap()) }
}
