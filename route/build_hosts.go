package route

import (
	"cmp"
	"fmt"
	"iter"
	"slices"
	"strings"
)

// siteHosts returns the site's hosts in their normal form.
func (b *builder) siteHosts(s *Site) []string {
	var hosts []string
	seen := make(map[string]bool, len(s.Hosts))
	if len(s.Hosts) == 0 {
		b.siteError(s, "", "has no hosts; for any host write \"*\"")
	}
	for _, text := range s.Hosts {
		host, err := parseHost(text)
		switch {
		case err != nil:
			b.siteError(s, text, "%v", err)
		case seen[host]:
			b.report(-1, Problem{Severity: Warning, Site: s.Name, Part: text, Pos: s.Pos, Text: fmt.Sprintf("host %q stands there twice", text)})
		default:
			seen[host] = true
			hosts = append(hosts, host)
		}
	}
	return hosts
}

// routeHost returns the host that a route names, in normal form, or "" where it names none.
func routeHost(text string, hosts []string) (string, error) {
	if text == "" {
		return "", nil
	}
	host, err := parseHost(text)
	if err != nil {
		return "", err
	}
	for _, h := range hosts {
		if coversHost(h, host) || coversHost(host, h) {
			return host, nil
		}
	}
	if !strings.Contains(host, ".") {
		return "", fmt.Errorf("%q is not one of the site's hosts (%s); a path begins with \"/\"", text, strings.Join(hosts, ", "))
	}
	return "", fmt.Errorf("host %q is not one of the site's hosts (%s): add it to hosts", text, strings.Join(hosts, ", "))
}

// compareHosts orders hosts, the more specific first: exact ones, wildcards with more labels, "*", none.
func compareHosts(g, h string) int {
	return cmp.Or(
		cmp.Compare(hostRank(g), hostRank(h)),
		cmp.Compare(strings.Count(h, "."), strings.Count(g, ".")),
		cmp.Compare(g, h),
	)
}

func hostRank(host string) int {
	switch {
	case host == "":
		return 3
	case host == "*":
		return 2
	case host[0] == '*':
		return 1
	}
	return 0
}

// entryHosts returns the hosts that the table must know: the site's own, and those of routes which differ.
func entryHosts(hosts []string, trees []*tree) []string {
	own := map[string]bool{}
	for _, h := range hosts {
		own[h] = true
	}
	out := slices.Clone(hosts)
	for _, t := range trees {
		for host := range covering(t.host) {
			if own[host] && host != t.host {
				out = append(out, t.host)
				break
			}
		}
	}
	return out
}

func newHostSite(host string, s *site, trees map[string]*tree) *hostSite {
	h := &hostSite{host: host, site: s}
	for name := range covering(host) {
		if t := trees[name]; t != nil {
			h.trees = append(h.trees, t)
		}
	}
	if len(h.trees) == 0 {
		h.trees = []*tree{{skeleton: newSkeleton(nil)}}
	}
	return h
}

// covering yields host and all host patterns that cover it, the more specific first, and "".
func covering(host string) iter.Seq[string] {
	return func(yield func(string) bool) {
		if !yield(host) {
			return
		}
		for _, rest, ok := strings.Cut(host, "."); ok; _, rest, ok = strings.Cut(rest, ".") {
			if wild := "*." + rest; wild != host && !yield(wild) {
				return
			}
		}
		if host == "" || host == "*" || yield("*") {
			yield("")
		}
	}
}
