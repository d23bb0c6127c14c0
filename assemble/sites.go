package assemble

import (
	"errors"
	"fmt"
	"strings"

	"weir"
	"weir/config"
	"weir/feature/redirect"
	"weir/feature/respond"
	"weir/route"
	"weir/upstream"
)

// site makes all routes of a site, and says all that is wrong with them.
func (b *builder) site(v *siteVersion, listeners []string) (s route.Site, errs []error) {
	s = route.Site{Name: v.Name, Hosts: v.Hosts, Pos: v.Pos}
	v.routes, v.steps = make([]*weir.Route, 0, len(v.Routes)), make([][]string, 0, len(v.Routes))
	s.Routes = make([]route.Spec, 0, len(v.Routes))
	s.Listeners = usable(v.On, listeners)
	if len(v.On) > 0 && len(s.Listeners) == 0 {
		return s, []error{fmt.Errorf("site %q: none of its listeners can be used", v.Name)}
	}
	if err := b.seal(v); err != nil {
		errs = append(errs, err)
	}
	v.https = b.https(v)
	names := routeNames(v.Routes)
	for i, r := range v.Routes {
		if b.engine.draft {
			target, steps := b.draftRoute(v, r, names[i])
			v.add(target, steps)
			if !v.out[r] {
				s.Routes = append(s.Routes, draftSpec(r, target))
			}
			continue
		}
		target, steps, err := b.route(v, r, names[i])
		if err != nil {
			errs = append(errs, wrong(err, r.Pos, "site %q: %s", v.Name, r.Label)...)
			continue
		}
		v.add(target, steps)
		s.Routes = append(s.Routes, spec(r, target))
	}
	var err error
	if s.Missing, err = b.missing(v); err != nil {
		errs = append(errs, wrong(err, v.Pos, "site %q", v.Name)...)
	}
	return s, errs
}

// wrong returns an error of what a format names and where that is, or those in it that know that better.
func wrong(err error, pos config.Pos, format string, args ...any) (out []error) {
	var placed placedErrors
	if !errors.As(err, &placed) {
		return []error{&placedError{placeOf(err, pos), fmt.Errorf(format+": %w", append(args, err)...)}}
	}
	for _, e := range placed {
		out = append(out, e)
	}
	return out
}

// missing makes what answers requests that the site has no route for: nil where the plain answer will do.
func (b *builder) missing(v *siteVersion) (weir.Handler, error) {
	pages, err := makeErrors(&v.Settings)
	if err != nil {
		return nil, err
	}
	var all []weir.Middleware
	if v.https != nil {
		all = append(all, v.https.wrap)
	}
	if pages == nil && all == nil {
		return nil, nil
	}
	id, err := makeRequestID(&v.Settings)
	if err != nil {
		return nil, err
	}
	if id != nil {
		all = append(all, id)
	}
	if pages != nil {
		all = append(all, pages)
	}
	return join(all)(weir.HandlerFunc(noRoute)), nil
}

// noRoute is what a site answers that has no route for a request.
func noRoute(*weir.Exchange) error { return weir.Refuse(weir.CauseNoRoute, "route") }

func spec(r *config.Route, target *weir.Route) route.Spec {
	return route.Spec{
		Pattern: r.Pattern, Host: r.Host, Methods: r.Methods,
		Header: matches(r.Header), Query: matches(r.Query), Cookie: matches(r.Cookie),
		Clients: r.Clients, When: r.When, Target: target, Label: r.Label, Pos: r.Pos,
	}
}

func matches(list []config.Condition) []route.Match {
	var out []route.Match
	for _, c := range list {
		out = append(out, route.ParseMatch(c.Name, c.Value))
	}
	return out
}

// routeNames returns the names of routes for logs and metrics: the pattern, and where several have the same
// one, what sets them apart.
func routeNames(routes []*config.Route) []string {
	count := map[string]int{}
	for _, r := range routes {
		count[r.Host+r.Pattern]++
	}
	names := make([]string, len(routes))
	for i, r := range routes {
		names[i] = r.Host + r.Pattern
		if count[names[i]] > 1 {
			names[i] += conditions(r)
		}
	}
	return names
}

func conditions(r *config.Route) string {
	var b strings.Builder
	if len(r.Methods) > 0 {
		b.WriteString(" " + strings.Join(r.Methods, ","))
	}
	for _, kind := range []struct {
		word string
		list []config.Condition
	}{{"header", r.Header}, {"query", r.Query}, {"cookie", r.Cookie}} {
		for _, c := range kind.list {
			fmt.Fprintf(&b, " %s.%s=%s", kind.word, c.Name, c.Value)
		}
	}
	for _, n := range r.Clients {
		b.WriteString(" " + n.String())
	}
	if r.When != "" {
		b.WriteString(" when " + r.When)
	}
	return b.String()
}

// route makes one route, and names the features of its chain.
func (b *builder) route(v *siteVersion, r *config.Route, name string) (*weir.Route, []string, error) {
	end, leads, err := b.origin(r)
	if err != nil {
		return nil, nil, err
	}
	target := &weir.Route{
		Site: v.Name, Name: name, Upstream: leads,
		Connect: r.Timeouts.Connect, FirstByte: r.Timeouts.FirstByte, Stall: r.Timeouts.Idle,
		Meter: b.engine.metrics.Route(v.Name, name, leads),
		Log:   b.routeLog(r.Settings),
	}
	target.Host, _ = hostOf(r)
	handler, steps, err := b.chain(v, r, end)
	target.Handler = handler
	return target, steps, err
}

// origin makes what answers at the end of the chain, and says where it leads.
func (b *builder) origin(r *config.Route) (end weir.Handler, leads string, err error) {
	switch {
	case r.Respond != nil:
		end, err = makeRespond(r.Respond, params(r))
		return end, "", err
	case r.Redirect != nil:
		end, err = redirect.New(redirect.Config{
			To: r.Redirect.To, Status: r.Redirect.Status, DropQuery: r.Redirect.DropQuery, Params: params(r),
		})
		if err != nil {
			err = &placedError{r.Places.Of("to", r.Pos), err}
		}
		return end, "", err
	case r.Split != nil:
		end, leads, err = b.split(r.Split)
	default:
		leads = r.Proxy
		end, err = b.pool(r.Proxy)
	}
	if err != nil || r.Mirror == nil {
		return end, leads, err
	}
	shadow, err := b.pool(r.Mirror.Upstream)
	if err != nil {
		return nil, "", err
	}
	return upstream.NewMirror(end, shadow, upstream.Mirror{
		Sample: r.Mirror.Sample, MaxBody: r.Mirror.MaxBody, Concurrent: r.Mirror.Concurrent,
	}, nil, b.engine.o.Log), leads, nil
}

// split makes a handler that spreads over pools; it leads to all of them.
func (b *builder) split(s *config.Split) (weir.Handler, string, error) {
	var names []string
	var ways []upstream.Target
	for _, to := range s.To {
		p, err := b.pool(to.Upstream)
		if err != nil {
			return nil, "", err
		}
		names = append(names, to.Upstream)
		ways = append(ways, upstream.Target{Handler: p, Weight: to.Weight})
	}
	by, err := template(s.By)
	if err != nil {
		return nil, "", err
	}
	end, err := upstream.NewSplit(ways, by, nil)
	return end, strings.Join(names, ","), err
}

// template parses a template; nil for none.
func template(text string) (*weir.Template, error) {
	if text == "" {
		return nil, nil
	}
	return weir.ParseTemplate(text)
}

func makeRespond(r *config.Respond, params []string) (weir.Handler, error) {
	cfg := respond.Config{Status: r.Status, Body: r.Body, ContentType: r.Type, Params: params}
	for _, f := range r.Headers {
		cfg.Header = append(cfg.Header, respond.Pair(f))
	}
	return respond.New(cfg)
}
