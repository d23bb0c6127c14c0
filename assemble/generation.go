package assemble

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"weir"
	"weir/cert"
	"weir/config"
	"weir/observe"
	"weir/route"
	"weir/server"
	"weir/upstream"
)

// A generation is one snapshot and all that was made for it.
type generation struct {
	config   *config.Config
	snapshot *server.Snapshot
	router   *route.Router
	pools    map[string]*pool
	sites    []*siteVersion
	routes   []*weir.Route
	logs     []observe.LogConfig

	releases  []func()                 // of certificates' files
	acmeNames []string                 // whose certificates come from public authorities
	public    map[cert.Source][]string // the names that public authorities certify, by site
	internal  map[cert.Source][]string // the names that weir's own authority signs
	defaults  []cert.Source            // of listeners
	tables    map[string]*cert.Table   // of listeners that encrypt, by name
	demands   []demand                 // that clients may bring names to

	failedExpects int
}

func newGeneration(c *config.Config) *generation {
	return &generation{config: c, pools: map[string]*pool{}, public: map[cert.Source][]string{}, internal: map[cert.Source][]string{}, tables: map[string]*cert.Table{}}
}

// A pool is an upstream with what it was made of.
type pool struct {
	config *config.Upstream
	*upstream.Pool
}

// A siteVersion is a site as it is served.
type siteVersion struct {
	*config.Site // of this configuration, or of the one that the last good version was in
	state        observe.SiteState
	why          config.Diagnostics // it is not SiteOK
	routes       []*weir.Route
	steps        [][]string // of their chains, names in order
	sealing      *sealing   // nil: it is not served encrypted
	https        *link      // before all of its routes; nil: nothing is
	asks         asks
	out          map[*config.Route]bool // of a draft: routes with errors that were found after it was read
}

// add takes a route up, and the names of its chain's features.
func (v *siteVersion) add(r *weir.Route, steps []string) {
	v.routes, v.steps = append(v.routes, r), append(v.steps, steps)
}

// stepsOf names the features of a route's chain.
func (g *generation) stepsOf(r *weir.Route) []string {
	for _, v := range g.sites {
		if i := slices.Index(v.routes, r); i >= 0 {
			return v.steps[i]
		}
	}
	return nil
}

// start has the pools begin with what they do by themselves.
func (g *generation) start() {
	for _, p := range g.pools {
		p.Start()
	}
}

// discard gives back what was made for a generation that was never served.
func (g *generation) discard() { g.retire() }

// retire ends what no later generation has taken over.
func (g *generation) retire() {
	for _, p := range g.pools {
		p.Close()
	}
	for _, release := range g.releases {
		release()
	}
}

// A builder makes one generation.
type builder struct {
	engine *Engine
	config *config.Config
	prev   *generation // nil at the start
	g      *generation
	diags  config.Diagnostics
	access map[string]*observe.AccessLog // by name
	failed map[string]error              // upstreams that could not be made
	said   map[string]bool               // diagnostics by place and text
	free   map[string][]string           // by broken site, hosts that are not kept for it; "" stands for all
	roots  map[string]*cert.Authorities  // by the files that they were read from
	shared
}

// build makes a generation of c, adopting what it can of prev. What is broken is left out or kept as it is
// in prev; the diagnostics say so.
func (e *Engine) build(c *config.Config, prev *generation) (*generation, config.Diagnostics) {
	c = withKept(c, prev)
	b := &builder{
		engine: e, config: c, prev: prev, g: newGeneration(c),
		access: map[string]*observe.AccessLog{}, failed: map[string]error{},
		said: map[string]bool{}, free: map[string][]string{}, roots: map[string]*cert.Authorities{}, shared: newShared(),
	}
	b.openLogs()
	b.chooseSites()
	listeners := b.listeners()
	trusted := trust(c.TrustedProxies)
	b.g.snapshot = &server.Snapshot{Listeners: listeners, Observer: b.observer(), Trusted: trusted, Loaded: time.Now()}
	b.makeRouter(listeners)
	if failed := b.expect(); len(failed) > 0 && prev == nil && !e.draft {
		for _, i := range failed { // a reload is refused; a start goes on without them
			b.g.sites[i] = &siteVersion{Site: b.g.sites[i].Site, state: observe.SiteBroken, why: b.g.sites[i].why}
		}
		b.makeRouter(listeners)
	}
	b.checkACME()
	b.g.acmeNames = b.g.ordered()
	b.g.snapshot.Listeners = b.sealListeners(listeners)
	b.g.snapshot.Router = b.front(trusted)
	if len(b.g.acmeNames)+len(b.g.demands) > 0 {
		b.g.snapshot.Router = &challenges{b.g.snapshot.Router, e.certs}
	}
	return b.g, b.diags
}

func (b *builder) say(d config.Diagnostic) config.Diagnostic {
	d = b.config.Quote(d)
	if key := d.String(); !b.said[key] { // after a failed test, the router is made again
		b.said[key] = true
		b.diags = append(b.diags, d)
	}
	return d
}

// complain records an error at pos.
func (b *builder) complain(pos config.Pos, text string) config.Diagnostic {
	return b.say(config.Diagnostic{Severity: config.Error, Pos: pos, Summary: text})
}

// chooseSites takes the sites of the configuration, and in place of broken ones the versions of prev.
func (b *builder) chooseSites() {
	named := map[string]bool{}
	for _, s := range b.config.Sites {
		named[s.Name] = true
		v := &siteVersion{Site: s, state: observe.SiteOK}
		if s.Broken != nil {
			v = b.lastGood(v, s.Broken)
		}
		b.g.sites = append(b.g.sites, v)
	}
	if b.prev == nil {
		return
	}
	for _, old := range b.prev.sites {
		if !named[old.Name] && slices.Contains(b.config.BrokenFiles, old.Pos.File) && old.state != observe.SiteBroken {
			why := config.Diagnostics{{Severity: config.Error, Pos: config.Pos{File: old.Pos.File}, Summary: "the file is broken"}}
			b.g.sites = append(b.g.sites, &siteVersion{Site: old.Site, state: observe.SiteKept, why: why})
		}
	}
}

// lastGood returns what is served in place of a broken version.
func (b *builder) lastGood(v *siteVersion, why config.Diagnostics) *siteVersion {
	if b.prev != nil && v.state == observe.SiteOK {
		for _, old := range b.prev.sites {
			if old.Name == v.Name && old.state != observe.SiteBroken {
				return &siteVersion{Site: old.Site, state: observe.SiteKept, why: why}
			}
		}
	}
	return &siteVersion{Site: v.Site, state: observe.SiteBroken, why: why}
}

// makeRouter makes routes of all sites and a router of those. A site that turns out to be broken gives way
// to its last good version, and is left out where there is none; so this ends after two rounds for each.
func (b *builder) makeRouter(listeners []server.ListenerSpec) {
	var names []string
	for i := range listeners {
		names = append(names, listeners[i].Name)
	}
	for {
		sites := b.siteSpecs(names)
		router, problems := route.New(sites, route.Options{Listeners: names})
		if b.blame(problems) {
			continue
		}
		b.g.router = router
		for _, p := range problems {
			b.sayProblem(p)
		}
		break
	}
	b.g.routes = nil
	for _, v := range b.g.sites {
		b.g.routes = append(b.g.routes, v.routes...)
	}
}

// siteSpecs makes the routes of all sites that are not broken.
func (b *builder) siteSpecs(listeners []string) []route.Site {
	var specs []route.Site
	for i := range b.g.sites {
		for b.g.sites[i].state != observe.SiteBroken {
			spec, errs := b.site(b.g.sites[i], listeners)
			if len(errs) == 0 {
				specs = append(specs, spec)
				break
			}
			b.breakSite(i, errs)
		}
	}
	for _, v := range b.g.sites {
		if v.state != observe.SiteBroken || b.engine.draft {
			continue
		}
		if spec, ok := b.keepHosts(v, listeners); ok {
			specs = append(specs, spec)
		}
	}
	return specs
}

// breakSite replaces the i-th site because of errs.
func (b *builder) breakSite(i int, errs []error) {
	v := b.g.sites[i]
	why := v.why
	for _, err := range errs {
		if d := b.complain(placeOf(err, v.Pos), err.Error()); !slices.Contains(why, d) {
			why = append(why, d)
		}
	}
	b.g.sites[i] = b.lastGood(v, why)
}

// A placedError is an error with the place of what is wrong.
type placedError struct {
	pos config.Pos
	err error
}

func (e *placedError) Error() string { return e.err.Error() }

// placedErrors are errors that say themselves where they are and what of. Several routes may have them in common.
type placedErrors []*placedError

func (e placedErrors) Error() string {
	var texts []string
	for _, err := range e {
		texts = append(texts, err.Error())
	}
	return strings.Join(texts, "\n")
}

// placeOf returns the place that err knows of, or otherwise.
func placeOf(err error, otherwise config.Pos) config.Pos {
	var at *placedError
	if errors.As(err, &at) {
		return at.pos
	}
	return otherwise
}

// blame breaks the sites that problems call wrong, and reports whether there are any.
func (b *builder) blame(problems []route.Problem) bool {
	if b.engine.draft {
		return b.blameRoutes(problems)
	}
	wrong := map[string]config.Diagnostics{}
	for _, p := range problems {
		if p.Severity != route.Error {
			continue
		}
		if v, _ := b.routeOf(p); v != nil && v.state == observe.SiteBroken {
			b.release(v, p.Part)
			wrong[p.Site] = nil
			continue
		}
		wrong[p.Site] = append(wrong[p.Site], b.say(b.diagnosticOf(p)))
	}
	for i, v := range b.g.sites {
		if why := wrong[v.Name]; why != nil && v.state != observe.SiteBroken {
			b.g.sites[i] = b.lastGood(v, append(v.why, why...))
		}
	}
	return len(wrong) > 0
}

// routeOf returns the site and the route that a problem is of; nil for a route where it is of the site.
func (b *builder) routeOf(p route.Problem) (*siteVersion, *config.Route) {
	for _, v := range b.g.sites {
		if v.Name != p.Site {
			continue
		}
		for _, r := range v.Routes {
			if p.Route != "" && p.Pos == r.Pos {
				return v, r
			}
		}
		return v, nil
	}
	return nil, nil
}

func (b *builder) sayProblem(p route.Problem) {
	if p.Severity == route.Warning {
		b.say(b.diagnosticOf(p))
	}
}

func (b *builder) diagnosticOf(p route.Problem) config.Diagnostic {
	d := config.Diagnostic{Severity: config.Warning, Summary: fmt.Sprintf("site %q: %s", p.Site, p.Text)}
	if p.Severity == route.Error {
		d.Severity = config.Error
	}
	d.Pos, _ = p.Pos.(config.Pos)
	switch v, r := b.routeOf(p); {
	case r != nil:
		d.Pos = r.Places.Of(p.Part, d.Pos)
	case v != nil:
		d.Pos = v.Places.Of(p.Part, d.Pos)
	}
	return d
}
