package assemble

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"weir/config"
	"weir/observe"
)

// circles finds redirects that no client gets off, alone or together. It tries each with one path that it is for.
func (g *generation) circles(e *Engine) (diags config.Diagnostics) {
	w, told := newWalk(g, e), map[string]bool{}
	for _, v := range g.sites {
		if v.state != observe.SiteOK {
			continue
		}
		for _, r := range v.Routes {
			if r.Redirect == nil || v.isVague(r) || strings.HasPrefix(r.Pattern, "~") {
				continue
			}
			way, key := w.circle(v, r)
			if way == nil || told[key] {
				continue
			}
			told[key] = true
			diags = append(diags, g.config.Quote(config.Diagnostic{
				Severity: config.Warning, Pos: r.Places.Of("to", r.Pos),
				Summary: fmt.Sprintf("site %q: %s %s", v.Name, r.Label, tellCircle(way)),
			}))
		}
	}
	return diags
}

// circle returns the way from a redirect to where it takes again what it has sent away, if that goes on for ever, and
// a key of the redirects in it. Else there is none.
func (w *walk) circle(v *siteVersion, r *config.Route) (way []hop, key string) {
	begin, ok := w.start(v, r)
	if !ok {
		return nil, ""
	}
	way, from := w.follow(begin)
	takes := func(h hop) bool { return h.by == r }
	if len(way) == 0 || !takes(way[0]) || !slices.ContainsFunc(way[from:], takes) {
		return nil, ""
	}
	var members []string
	for _, h := range way[from:] {
		if h.by != nil {
			members = append(members, h.by.Pos.String()+" "+h.by.Label)
		}
	}
	slices.Sort(members)
	again := 1 + slices.IndexFunc(way[1:], takes)
	return way[:again+1], strings.Join(slices.Compact(members), "\n")
}

// tellCircle says where a redirect sends the first of the requests, and who takes the others up to the last.
func tellCircle(way []hop) string {
	var b strings.Builder
	begin, end, who := &way[0], &way[len(way)-1], "it"
	b.WriteString("leads to itself: ")
	if len(way) > 2 {
		b.Reset()
		b.WriteString("leads in a circle: ")
		who = begin.by.Label
	}
	b.WriteString(begin.url.target + " goes to ")
	for i := range way[1 : len(way)-1] {
		h := &way[i+1]
		b.WriteString(h.from(begin) + ", which ")
		if h.by == nil {
			b.WriteString("is sent to https as ")
		} else {
			b.WriteString(h.by.Label + " at " + h.by.Pos.String() + " sends to ")
		}
	}
	return b.String() + end.from(begin) + ", which " + who + " takes again"
}

// samplePath is a path that a pattern matches.
func samplePath(pattern string) string {
	path := regexp.MustCompile(`\{[^}]*\}`).ReplaceAllString(pattern, "x")
	if rest, ok := strings.CutSuffix(path, "/*"); ok {
		return rest + "/x"
	}
	return path
}
