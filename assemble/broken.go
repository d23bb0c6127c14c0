package assemble

import (
	"slices"
	"strconv"

	"weir"
	"weir/config"
	"weir/observe"
	"weir/route"
)

// keepHosts makes a site that keeps the hosts of a broken one from those with wildcards, which may have other rules, if
// there is one to be kept.
func (b *builder) keepHosts(v *siteVersion, listeners []string) (s route.Site, ok bool) {
	v.routes, v.steps = nil, nil
	on := usable(v.On, listeners)
	var hosts []string
	for _, h := range v.Hosts {
		if !slices.Contains(b.free[v.Name], h) && !slices.Contains(hosts, h) {
			hosts = append(hosts, h)
		}
	}
	if len(hosts) == 0 || slices.Contains(b.free[v.Name], "") || len(v.On) > 0 && len(on) == 0 {
		return s, false
	}
	target := &weir.Route{
		Site: v.Name, Name: "/*",
		Handler: weir.HandlerFunc(func(*weir.Exchange) error { return weir.Refuse(weir.CauseSiteBroken, "route") }),
		Meter:   b.engine.metrics.Route(v.Name, "/*", ""),
		Log:     b.logs(nil),
	}
	v.add(target, nil)
	return route.Site{Name: v.Name, Hosts: hosts, Listeners: on, Pos: v.Pos, Routes: []route.Spec{
		{Pattern: "/*", Target: target, Label: "none: the site is broken", Pos: v.Pos},
	}}, true
}

// release has a broken site lose a host that is another site's, or no host; all where it can't be told which.
func (b *builder) release(v *siteVersion, host string) {
	if !slices.Contains(v.Hosts, host) {
		host = ""
	}
	b.free[v.Name] = append(b.free[v.Name], host)
}

// usable are those of the listeners of a site that there are.
func usable(on, listeners []string) []string {
	var out []string
	for _, name := range on {
		if slices.Contains(listeners, name) {
			out = append(out, name)
		}
	}
	return out
}

// tellBroken says of the site that takes a request what it is that is served, and where a site that could not be read
// might have taken it.
func (g *generation) tellBroken(out *Explanation) {
	exact := false
	for _, v := range g.sites {
		if v.Name == out.Site && out.Site != "" {
			exact = slices.Contains(v.Hosts, out.Host)
			v.tell(out)
		}
	}
	if exact {
		return
	}
	for _, v := range g.sites {
		if v.state == observe.SiteBroken && v.Unread {
			out.Perhaps = append(out.Perhaps, "site "+strconv.Quote(v.Name)+", whose hosts could not all be read: "+first(v.why))
		}
	}
	for _, f := range g.config.LostFiles {
		out.Perhaps = append(out.Perhaps, "a site of "+f.Name+", which could not be read: "+first(f.Why))
	}
}

// tell says why the site is not served as it is written.
func (v *siteVersion) tell(out *Explanation) {
	switch v.state {
	case observe.SiteBroken:
		out.SiteWhy += "; it is broken and not served"
	case observe.SiteKept:
		out.SiteWhy += "; it is broken, this is its last good version"
	default:
		return
	}
	for _, d := range v.why {
		out.Broken = append(out.Broken, oneLine(d))
	}
}

func first(why config.Diagnostics) string {
	if len(why) == 0 {
		return "nobody knows why"
	}
	return oneLine(why[0])
}

// oneLine is a diagnostic without the line that it is about. What follows from an error says where that is.
func oneLine(d config.Diagnostic) string {
	if d.Severity == config.Note && d.Detail != "" {
		return d.String() + "; " + d.Detail
	}
	return d.String()
}
