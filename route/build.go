package route

import (
	"cmp"
	"encoding/binary"
	"errors"
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
