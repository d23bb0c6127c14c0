package route

import (
	"fmt"
	"strings"

	"weir"
	"weir/internal/spell"
)

// The texts here are made only for requests that match nothing. Strangers cause those at will, so that
// the work is bounded: no more than a few dozen names are compared.

// noteNoSite says which host comes nearest to that of a request without a site.
func (r *Router) noteNoSite(x *weir.Exchange) string {
	host := strings.TrimSuffix(strings.ToLower(x.Request.Host()), ".")
	if host == "" {
		return "the request names no host, and no site has the host \"*\""
	}
	mine := r.table(x)
	for _, t := range r.tables[1:] {
		if t.hosts == mine {
			continue
		}
		if e := t.hosts.find(host); e != nil {
			return fmt.Sprintf("host %q is of site %q on listener %q, not on %q", clip(host), e.site.Name, t.listener, listenerName(x))
		}
	}
	if near := r.words.near(host); near != "" {
		return fmt.Sprintf("no site has host %q, the nearest is %q", clip(host), near)
	}
	return fmt.Sprintf("no site has host %q", clip(host))
}

func listenerName(x *weir.Exchange) string {
	if x.Conn == nil {
		return ""
	}
	return x.Conn.Listener
}

// noteNoRoute says which route of the site comes nearest and why it lost: the first that matches the path,
// otherwise the one whose path is most like it.
func noteNoRoute(h *hostEntry, s *search) string {
	if s.near != nil {
		return fmt.Sprintf("site %q: nearest is %s: %s", h.site.Name, s.near.spec.label(), s.near.cond.reason(s.why, s.x))
	}
	if s.path == "*" {
		return fmt.Sprintf("site %q has no route for the server as a whole: only routes for every path take \"*\"", h.site.Name)
	}
	path := clip(s.x.Request.Path)
	near := nearestEntry(h.trees, s.path)
	if near == nil {
		return fmt.Sprintf("site %q has no route for %q", h.site.Name, path)
	}
	return fmt.Sprintf("site %q: nearest is %s: path %q does not match", h.site.Name, near.spec.label(), path)
}

// maxCompared bounds how many patterns of a tree are compared with a path that none matches.
const maxCompared = 32

// nearestEntry returns the entry whose pattern has the most in common with path.
func nearestEntry(trees []*tree, path string) *entry {
	var best *entry
	most := 0
	for _, t := range trees {
		for _, at := range t.candidates(path) {
			e := &t.entries[at.from]
			if n := likeness(e.pattern, path); best == nil || n > most {
				best, most = e, n
			}
		}
	}
	return best
}

// candidates returns the places of some entries: those that begin as path does, as far as that goes, and
// some others.
func (k *skeleton) candidates(path string) []span {
	var found []span
	if k.all.to > 0 {
		found = append(found, k.all)
	}
	for i := range k.regexps[:min(len(k.regexps), maxCompared/2)] {
		found = append(found, k.regexps[i].span)
	}
	most := len(found) + maxCompared
	trail := k.trail(path[1:])
	for i := len(trail) - 1; i >= 0 && len(found) < most; i-- {
		found = k.collect(trail[i], found, most)
	}
	return found
}

// likeness is how much of path the pattern has: bytes of a common beginning, and a bonus where a slip of
// the pen is all that differs.
func likeness(p *Pattern, path string) int {
	if p.re != nil {
		return commonPrefix(p.prefix, path)
	}
	shape := strings.TrimSuffix(p.shape, "/*")
	near := path
	if p.rest {
		near = path[:min(len(path), len(shape))]
	}
	n := commonPrefix(shape, path)
	if d := spell.Distance(near, shape, 4); d < 4 {
		n += len(shape) - d
	}
	return n
}

// clip makes a text of a request short enough for a log line.
func clip(s string) string {
	const most = 100
	if len(s) > most {
		return s[:most] + "..."
	}
	return s
}
