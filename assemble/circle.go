package assemble

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"weir"
	"weir/config"
	"weir/observe"
)

// circles finds redirects that lead to themselves. It tries each with one path that it is for.
func (g *generation) circles(e *Engine) (diags config.Diagnostics) {
	for _, v := range g.sites {
		if v.state != observe.SiteOK {
			continue
		}
		for i, r := range v.Routes {
			if r.Redirect == nil || r.Doubt != config.NoDoubt || v.out[r] || strings.HasPrefix(r.Pattern, "~") {
				continue
			}
			path := samplePath(r.Pattern)
			if to := g.follow(e, v, i, path); g.follow(e, v, i, to) != "" {
				diags = append(diags, g.config.Quote(config.Diagnostic{
					Severity: config.Warning, Pos: r.Places.Of("to", r.Pos),
					Summary: fmt.Sprintf("site %q: %s leads to itself: %s goes to %s, which it takes again", v.Name, r.Label, path, to),
				}))
			}
		}
	}
	return diags
}

// samplePath is a path that a pattern matches.
func samplePath(pattern string) string {
	path := regexp.MustCompile(`\{[^}]*\}`).ReplaceAllString(pattern, "x")
	if rest, ok := strings.CutSuffix(path, "/*"); ok {
		return rest + "/x"
	}
	return path
}

// follow returns where the i-th route, a redirect, sends a request for target, if it is the one to take it, and
// within its own host; else "".
func (g *generation) follow(e *Engine, v *siteVersion, i int, target string) string {
	r := v.Routes[i]
	if !strings.HasPrefix(target, "/") {
		return ""
	}
	host := firstHost(v.Hosts)
	if r.Host != "" {
		host = firstHost([]string{r.Host})
	}
	q := Request{URL: "http://" + host + target}
	for _, l := range g.snapshot.Listeners {
		if q.Listener == "" && slices.Contains(v.On, l.Name) {
			q.Listener = l.Name
		}
	}
	x, err := g.exchange(q)
	if err != nil {
		return ""
	}
	found, err := g.router.Lookup(x)
	if err != nil || found != v.routes[i] {
		return ""
	}
	if _, err := g.try(e, x, r); err != nil {
		return ""
	}
	return x.Response.Header.Known(weir.FieldLocation)
}
