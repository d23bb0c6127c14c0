package config

import (
	"fmt"
	"slices"

	"github.com/hashicorp/hcl/v2"

	"weir/route"
)

func (l *loader) site(n *node) broken {
	s := &Site{Name: n.label, Pos: posOf(n.head)}
	before := len(l.list)
	l.missing = nil
	l.hosts(n, s)
	l.checkSettings(n)
	ls := l.layersOf(nil, n)
	l.needs(n, "use", "policy", get[[]string](n, "use")...)
	s.Settings = l.settings(ls)
	s.On = l.on(n)
	s.TLS = l.siteTLS(n, s)
	d := &draft{vague: n.vague, settings: n.settingsBroken() || l.list[before:].HasErrors() || l.usesBroken(n)}
	if !s.Unread {
		d.Hosts = s.Hosts
	}
	for _, c := range n.blocks {
		switch c.schema.name {
		case "route", "redirect", "respond":
			before := len(l.list)
			r := l.route(s, ls, c)
			r.Doubt = max(r.Doubt, l.doubt(c, l.list[before:]))
			s.Routes = append(s.Routes, r)
		case "expect":
			before := len(l.list)
			e := l.expect(s, c)
			s.Expects = append(s.Expects, e)
			d.expect(e, c.broken || l.list[before:].HasErrors())
		}
	}
	if len(s.Routes) == 0 && !n.broken {
		l.report(n.head, in(n, "there is no route"), "", `write route "/*" { proxy = upstream.NAME }`)
	}
	d.Routes = s.Routes
	l.config.Sites = append(l.config.Sites, s)
	if len(l.missing) > 0 {
		s.Broken, s.Routes, s.Draft = l.missing, nil, &d.Draft
		l.list = append(l.list, l.missing...)
	}
	return func(b Broken) { s.Broken, s.Routes, s.Draft = slices.Concat(b.Why, s.Broken), nil, &d.Draft }
}

// hosts are the hosts of a site: its label where it says nothing of them.
func (l *loader) hosts(n *node, s *Site) {
	written := get[[]host](n, "hosts")
	switch {
	case !n.tried["hosts"]:
		written = []host{{n.label, n.head}}
		if err := route.CheckHost(n.label); err != nil {
			s.Unread = true
			l.report(n.head, in(n, err.Error()), "the label is the host of a site that has no hosts", `write hosts = ["..."]`)
		}
	case !n.has("hosts"):
		written, s.Unread = n.hosts, true
	}
	s.addHosts(written)
	if n.has("hosts") && len(written) == 0 {
		l.report(n.at("hosts"), in(n, "hosts: there is none"), "", `write hosts = ["*"] for any`)
	}
}

func (s *Site) addHosts(list []host) {
	for _, h := range list {
		s.Hosts = append(s.Hosts, h.name)
		s.Places = append(s.Places, Place{h.name, posOf(h.at)})
	}
}

// A draft is a Draft in the making.
type draft struct {
	Draft
	vague    bool // there may be routes that could not be read
	settings bool // settings could not be read
}

// expect keeps a test whose outcome does not hang on what could not be read of the site itself.
func (d *draft) expect(e Expect, broken bool) {
	if d.settings { // they may decide on the answer
		e.Status, e.Location = 0, ""
	}
	if !broken && !d.vague && len(d.Hosts) > 0 && (e.Status != 0 || e.Location != "" || e.Route != "" || e.Upstream != "") {
		d.Expects = append(d.Expects, e)
	}
}

// settingsBroken reports whether something is wrong in a site that belongs to none of its routes and tests.
func (n *node) settingsBroken() bool {
	for name := range n.tried {
		if !n.has(name) {
			return true
		}
	}
	return n.vague || slices.ContainsFunc(n.blocks, func(c *node) bool {
		return c.broken && !slices.Contains([]string{"route", "redirect", "respond", "expect"}, c.schema.name)
	})
}

// usesBroken reports whether settings come from a policy that has errors.
func (l *loader) usesBroken(n *node) bool {
	return slices.ContainsFunc(get[[]string](n, "use"), func(name string) bool {
		sym := l.symbols.find("policy", name)
		return sym != nil && sym.broken
	})
}

// doubt says what can't be known of a route, of which list was said beyond what is wrong with its text.
func (l *loader) doubt(n *node, list Diagnostics) Doubt {
	switch {
	case n.vague:
		return DoubtfulMatch
	case n.broken || list.HasErrors() || l.usesBroken(n):
		return DoubtfulDeed
	}
	return NoDoubt
}

// needs says that the site cannot be served, because it needs something that is broken.
func (l *loader) needs(n *node, attr, kind string, names ...string) {
	for _, name := range names {
		if sym := l.symbols.find(kind, name); sym != nil && sym.broken {
			l.note(n.at(attr), in(n, fmt.Sprintf("the site is not served, because %s has errors", refName(kind, name))), firstAt(sym.wrong))
		}
	}
}

// firstAt says where the errors begin of which something else is told.
func firstAt(pos Pos) string {
	if pos.Line == 0 {
		return ""
	}
	return "the first of them is at " + pos.String()
}

// note keeps why the site at hand is broken.
func (l *loader) note(at hcl.Range, text, detail string) {
	rest := l.list
	l.list = nil
	l.add(Note, at, text, detail, "")
	l.missing = append(l.missing, l.list...)
	l.list = rest
}

// on is the site's listeners without those that are broken.
func (l *loader) on(n *node) []string {
	written := get[[]string](n, "on")
	usable := func(name string) bool {
		sym := l.symbols.find("listener", name)
		return sym != nil && !sym.broken
	}
	if len(written) > 0 && !slices.ContainsFunc(written, usable) {
		l.note(n.at("on"), in(n, "the site is not served, because none of its listeners can be used"), "")
	}
	return slices.DeleteFunc(slices.Clone(written), func(name string) bool { return l.symbols.find("listener", name) == nil })
}
