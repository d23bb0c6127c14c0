package route

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"weir/internal/spell"
)

// A site is a Site made ready.
type site struct {
	*Site
	place int // among the sites
	hosts []*hostSite
	trees []*tree
}

// A builder collects what New makes.
type builder struct {
	sites       []*site
	problems    []Problem
	expressions expressions
	patterns    map[string]*Pattern   // by their text
	names       map[string]*names     // of patterns, by what they are
	skeletons   map[string]*skeleton  // by the shapes of their patterns
	tables      map[string]*hostTable // by the sites in them
	routes      []entry               // of all trees
	place       int                   // of the site that is looked at
}

// New makes a router of the sites, and says what is wrong with them: all of it, in the order of the sites and
// their routes.
// The router is never nil; it leaves sites with an error out. It keeps the sites' slices, which must not
// be changed any more.
func New(sites []Site, o Options) (*Router, []Problem) {
	b := &builder{
		patterns: map[string]*Pattern{}, names: map[string]*names{}, skeletons: map[string]*skeleton{}, tables: map[string]*hostTable{},
	}
	for i := range sites {
		b.place = i
		if s, ok := b.site(&sites[i], o.Listeners); ok {
			b.sites = append(b.sites, s)
		}
	}
	b.dropRivals()
	b.settle()
	r := &Router{words: newWordIndex(b.hostNames())}
	r.tables = []listenerTable{{"", b.table("")}}
	for _, name := range o.Listeners {
		r.tables = append(r.tables, listenerTable{name, b.table(name)})
	}
	r.only = len(b.tables) == 1
	slices.SortStableFunc(b.problems, func(p, q Problem) int {
		return cmp.Or(cmp.Compare(p.place, q.place), cmp.Compare(p.written, q.written))
	})
	return r, b.problems
}

func (b *builder) hostNames() (names []string) {
	for _, s := range b.sites {
		for _, h := range s.hosts {
			names = append(names, h.host)
		}
	}
	return names
}

// site makes one site ready; false: it has an error.
func (b *builder) site(in *Site, listeners []string) (*site, bool) {
	before := len(b.problems)
	s := &site{Site: in, place: b.place}
	b.checkListeners(in, listeners)
	hosts := b.siteHosts(in)
	trees := map[string]*tree{}
	for host, entries := range b.groups(in, hosts) {
		trees[host] = newTree(host, entries, b.skeletons)
		s.trees = append(s.trees, trees[host])
	}
	slices.SortFunc(s.trees, func(t, u *tree) int { return compareHosts(t.host, u.host) })
	for _, host := range entryHosts(hosts, s.trees) {
		s.hosts = append(s.hosts, newHostSite(host, s, trees))
	}
	for _, t := range s.trees {
		b.checkTree(s, t)
	}
	b.checkHosted(s)
	return s, !slices.ContainsFunc(b.problems[before:], func(p Problem) bool { return p.Severity == Error })
}

// report notes a problem of the route that is written in that place, or of the site (-1).
func (b *builder) report(written int, p Problem) {
	p.place, p.written = b.place, written
	b.problems = append(b.problems, p)
}

func (b *builder) siteError(s *Site, part, format string, args ...any) {
	b.report(-1, Problem{Severity: Error, Site: s.Name, Part: part, Pos: s.Pos, Text: fmt.Sprintf(format, args...)})
}

func (b *builder) routeError(s *Site, written int, err error) {
	r := &s.Routes[written]
	p := Problem{Severity: Error, Site: s.Name, Route: r.label(), Pos: r.Pos, Text: r.label() + ": " + err.Error()}
	var part *partError
	if errors.As(err, &part) {
		p.Part = part.part
	}
	b.report(written, p)
}

// A partError is what is wrong with one part of a route.
type partError struct {
	part string
	error
}

// inPart says of which part of a route all errors in err are.
func inPart(part string, err error) error {
	var all []error
	for _, e := range each(err) {
		all = append(all, &partError{part, e})
	}
	return errors.Join(all...)
}

// each returns the errors that were joined to err, one by one; none for nil.
func each(err error) []error {
	joined, ok := err.(interface{ Unwrap() []error })
	switch {
	case err == nil:
		return nil
	case !ok:
		return []error{err}
	}
	var all []error
	for _, e := range joined.Unwrap() {
		all = append(all, each(e)...)
	}
	return all
}

func (b *builder) checkListeners(s *Site, listeners []string) {
	for _, name := range s.Listeners {
		if slices.Contains(listeners, name) {
			continue
		}
		if near := spell.Nearest(name, listeners); near != "" {
			b.siteError(s, "", "listener %q is not known, did you mean %q?", name, near)
		} else {
			b.siteError(s, "", "listener %q is not known", name)
		}
	}
}

// siteHosts returns the site's hosts in their normal form.
func (b *builder) siteHosts(s *Site) []string {
	var hosts []string
	if len(s.Hosts) == 0 {
		b.siteError(s, "", "has no hosts; for any host write \"*\"")
	}
	for _, text := range s.Hosts {
		host, err := parseHost(text)
		switch {
		case err != nil:
			b.siteError(s, text, "%v", err)
		case slices.Contains(hosts, host):
			b.report(-1, Problem{Severity: Warning, Site: s.Name, Part: text, Pos: s.Pos, Text: fmt.Sprintf("host %q stands there twice", text)})
		default:
			hosts = append(hosts, host)
		}
	}
	return hosts
}

// groups makes entries of the site's routes, by the host that they name.
func (b *builder) groups(s *Site, hosts []string) map[string][]entry {
	groups := map[string][]entry{}
	firsts := map[string]int32{} // of regular expressions: the place of the first route with it
	for i := range s.Routes {
		spec := &s.Routes[i]
		e, host, err := b.entry(spec, hosts)
		if err != nil {
			for _, e := range each(err) {
				b.routeError(s, i, e)
			}
			continue
		}
		b.checkFixed(s, i, e.cond)
		if spec.Partial {
			continue
		}
		e.written = int32(i)
		if e.pattern.re != nil {
			if _, ok := firsts[e.pattern.shape]; !ok {
				firsts[e.pattern.shape] = int32(i)
			}
			e.group = firsts[e.pattern.shape]
		}
		groups[host] = append(groups[host], e)
	}
	return groups
}

func (b *builder) entry(spec *Spec, hosts []string) (entry, string, error) {
	p, wrongPath := b.pattern(spec.Pattern)
	host, wrongHost := routeHost(spec.Host, hosts)
	c, wrongConditions := newConditions(spec, &b.expressions)
	err := errors.Join(wrongPath, inPart("host", wrongHost), wrongConditions)
	if err == nil && spec.Target == nil {
		err = errors.New("leads nowhere")
	}
	if err != nil {
		return entry{}, "", err
	}
	return entry{pattern: p, names: b.namesOf(p), cond: c, target: spec.Target, handler: spec.Target.Handler, spec: spec}, host, nil
}

// namesOf returns the names of p's parameters, which patterns with the same names have in common.
func (b *builder) namesOf(p *Pattern) *names {
	key := strings.Join(p.names, "\x00")
	if b.names[key] == nil {
		b.names[key] = (*names)(&p.names)
	}
	return b.names[key]
}

// pattern is ParsePattern, but parses each text once only.
func (b *builder) pattern(text string) (*Pattern, error) {
	if p, ok := b.patterns[text]; ok {
		return p, nil
	}
	p, err := ParsePattern(text)
	if err == nil {
		b.patterns[text] = p
	}
	return p, err
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

func (s *Site) on(listener string) bool {
	return len(s.Listeners) == 0 || slices.Contains(s.Listeners, listener)
}

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

// settle moves the entries of all trees to one place.
func (b *builder) settle() {
	n := 0
	for _, s := range b.sites {
		for _, t := range s.trees {
			n += len(t.entries)
		}
	}
	b.routes = make([]entry, 0, n)
	for _, s := range b.sites {
		for _, t := range s.trees {
			t.from = uint32(len(b.routes))
			b.routes = append(b.routes, t.entries...)
			t.entries = b.routes[t.from:]
		}
	}
}

// table returns the hosts of one listener; listeners with the same sites share one.
func (b *builder) table(listener string) *hostTable {
	var hosts []*hostSite
	var key []byte
	for _, s := range b.sites {
		if s.on(listener) {
			hosts = append(hosts, s.hosts...)
			key = binary.AppendUvarint(key, uint64(s.place))
		}
	}
	t, ok := b.tables[string(key)]
	if !ok {
		t = newHostTable(hosts, b.routes)
		b.tables[string(key)] = t
	}
	return t
}
