package route

import (
	"fmt"
	"slices"
)

// dropRivals leaves out sites that claim a host of a site before them on a common listener.
func (b *builder) dropRivals() {
	owners := map[string][]*site{}
	kept := b.sites[:0]
	for _, s := range b.sites {
		b.place = s.place
		if b.isRival(s, owners) {
			continue
		}
		kept = append(kept, s)
		for _, h := range s.hosts {
			owners[h.host] = append(owners[h.host], s)
		}
	}
	b.sites = kept
}

func (b *builder) isRival(s *site, owners map[string][]*site) (rival bool) {
	for _, h := range s.hosts {
		for _, o := range owners[h.host] {
			if !meet(s.Site, o.Site) {
				continue
			}
			rival = true
			b.report(-1, Problem{
				Severity: Error, Site: s.Name, Part: s.written(h.host), Pos: s.Pos, Other: o.Pos,
				Text: fmt.Sprintf("host %q belongs to site %q%s already", h.host, o.Name, at(o.Pos)),
			})
		}
	}
	return rival
}

// written returns the host as the site writes it, of which host is the normal form; "" where it is a route's.
func (s *Site) written(host string) string {
	for _, text := range s.Hosts {
		if h, err := parseHost(text); err == nil && h == host {
			return text
		}
	}
	return ""
}

// meet reports whether two sites share a listener.
func meet(s, o *Site) bool {
	if len(s.Listeners) == 0 || len(o.Listeners) == 0 {
		return true
	}
	return slices.ContainsFunc(s.Listeners, o.on)
}

func (s *Site) on(listener string) bool {
	return len(s.Listeners) == 0 || slices.Contains(s.Listeners, listener)
}
