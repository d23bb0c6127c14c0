package assemble

import (
	"fmt"
	"slices"

	"weir"
	"weir/config"
	"weir/observe"
	"weir/route"
)

// drafted returns c with its broken sites as far as they could be read in their places.
func drafted(c *config.Config) *config.Config {
	out := *c
	out.Sites = nil
	for i, s := range c.Sites {
		if s.Broken != nil && s.Draft != nil {
			s = draftOf(s, i)
		}
		out.Sites = append(out.Sites, s)
	}
	return &out
}

func draftOf(s *config.Site, place int) *config.Site {
	out := *s
	out.Broken, out.Routes, out.Expects = nil, s.Draft.Routes, s.Draft.Expects
	if len(out.Hosts) > 0 {
		return &out
	}
	// Its hosts could not be read: it gets one that nobody else has.
	out.Hosts, out.Routes = []string{fmt.Sprintf("site-%d.invalid", place)}, nil
	for _, r := range s.Draft.Routes {
		anywhere := *r
		anywhere.Host = ""
		out.Routes = append(out.Routes, &anywhere)
	}
	return &out
}

// leaveOut has a route of a draft take no part in what follows.
func (v *siteVersion) leaveOut(r *config.Route) {
	if v.out == nil {
		v.out = map[*config.Route]bool{}
	}
	v.out[r] = true
}

// draftRoute is b.route for a draft: a route that can't be made is left out, and the error told.
func (b *builder) draftRoute(v *siteVersion, r *config.Route, name string) (*weir.Route, []string) {
	nothing := &weir.Route{Site: v.Name, Name: name}
	if v.isVague(r) {
		return nothing, nil
	}
	target, steps, err := b.route(v, r, name)
	if err != nil {
		v.leaveOut(r)
		for _, e := range wrong(err, r.Pos, "site %q: %s", v.Name, r.Label) {
			b.complain(placeOf(e, r.Pos), e.Error())
		}
		return nothing, nil
	}
	return target, steps
}

// draftSpec is spec for a draft: of what a route is for, it says what is known.
func draftSpec(r *config.Route, target *weir.Route) route.Spec {
	if r.Doubt != config.DoubtfulMatch {
		return spec(r, target)
	}
	s := route.Spec{Pattern: r.Pattern, Host: r.Host, When: r.When, Target: target, Label: r.Label, Pos: r.Pos, Partial: true}
	if s.Pattern == "" { // it has been complained of
		s.Pattern = "/"
	}
	return s
}

// blameRoutes is blame for a draft: it leaves out the routes that problems call wrong, and tells of the warnings too.
func (b *builder) blameRoutes(problems []route.Problem) (again bool) {
	var routes []*config.Route
	for _, p := range problems {
		d := b.diagnosticOf(p)
		b.say(d)
		v, r := b.routeOf(p)
		switch {
		case p.Severity != route.Error || v == nil || r != nil && slices.Contains(routes, r):
		case r != nil && !v.out[r]:
			v.leaveOut(r)
			routes = append(routes, r)
			again = true
		case v.state != observe.SiteBroken:
			v.state, again = observe.SiteBroken, true
		}
	}
	return again
}

// isVague reports whether something of a route could not be read or made.
func (v *siteVersion) isVague(r *config.Route) bool { return r.Doubt != config.NoDoubt || v.out[r] }

// isDoubtful reports whether a route that could not be read or made may take a path.
func (v *siteVersion) isDoubtful(path string) bool {
	for _, r := range v.Routes {
		if r.Doubt != config.DoubtfulMatch && !v.out[r] {
			continue
		}
		p, err := route.ParsePattern(r.Pattern)
		if err != nil {
			return true
		}
		if _, ok := p.Match(path, nil); ok {
			return true
		}
	}
	return false
}

// allBroken reports whether there are sites, and none of them can be served.
func (g *generation) allBroken() bool {
	for _, v := range g.sites {
		if v.state != observe.SiteBroken {
			return false
		}
	}
	return len(g.sites) > 0
}
