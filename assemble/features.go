package assemble

import (
	"fmt"
	"time"

	"weir"
	"weir/config"
	"weir/feature/access"
	"weir/feature/errors"
	"weir/feature/forward"
	"weir/feature/header"
	"weir/feature/https"
	"weir/feature/maxbody"
	"weir/feature/requestid"
	"weir/feature/rewrite"
	"weir/route"
)

// A feature is one row of the table: a middleware that a route may have. Where the route does not ask for it, it is
// not in the chain and costs nothing.
type feature struct {
	name  string
	phase weir.Phase
	// key returns what make goes by, as something comparable: routes with equal keys may share a middleware and its
	// handlers. nil: the route does not ask for it.
	key func(r *config.Route) any
	// make may return nil, too, where there is nothing to do.
	make func(b *builder, r *config.Route) (weir.Middleware, error)
}

// features is the table of all middlewares. The order within a phase is the order here.
func features() []feature {
	return []feature{
		{"request id", weir.PhaseObserve, keyOfRequestID, func(_ *builder, r *config.Route) (weir.Middleware, error) { return makeRequestID(r.Settings) }},
		{"errors", weir.PhaseObserve, keyOfErrors, func(_ *builder, r *config.Route) (weir.Middleware, error) { return makeErrors(r.Settings) }},
		{"access", weir.PhaseAdmit, keyOfAccess, makeAccess},
		{"body limit", weir.PhaseAdmit, keyOfMaxBody, makeMaxBody},
		{"rewrite", weir.PhaseRewrite, keyOfRewrite, makeRewrite},
		{"headers", weir.PhaseRewrite, keyOfHeader, makeHeader},
		{"forward", weir.PhaseForward, keyOfForward, makeForward},
	}
}

// https is for sites on encrypted listeners. It stands before all others.
func (b *builder) https(v *siteVersion) *link {
	wrap := https.New(b.httpsConfig(v))
	if wrap == nil {
		return nil
	}
	return newLink("https", weir.PhaseObserve, wrap)
}

func (b *builder) httpsConfig(v *siteVersion) https.Config {
	cfg := https.Config{Covers: b.g.covers(v)}
	if v.sealing == nil {
		return cfg
	}
	t := tlsOf(v.Site)
	if !t.NoRedirect {
		cfg.Port, cfg.Knows = v.sealing.port, v.sealing.knows
	}
	switch {
	case t.HSTS != nil:
		cfg.HSTS = *t.HSTS
	case t.From != config.FromInternal && v.sealing.public:
		cfg.HSTS = 365 * 24 * time.Hour
	}
	return cfg
}

func makeRequestID(s *config.Settings) (weir.Middleware, error) {
	id := s.RequestID
	if id == nil {
		return nil, nil
	}
	return requestid.New(requestid.Config{
		Header: id.Header, Accept: id.Accept, Format: id.Format, Hide: id.Hide, Return: id.Return,
	})
}

func makeErrors(s *config.Settings) (weir.Middleware, error) {
	if len(s.Errors) == 0 {
		return nil, nil
	}
	wrap, err := errors.New(errorsConfig(s))
	if wrong, ok := err.(errors.PageErrors); ok {
		return nil, placedPages(s, wrong)
	}
	return wrap, err
}

// placedPages gives what is wrong with pages its places.
func placedPages(s *config.Settings, wrong errors.PageErrors) (out placedErrors) {
	for _, w := range wrong {
		p := &s.Errors[w.Index]
		out = append(out, &placedError{p.Pos, fmt.Errorf("%s: %w", p.Label, w.Err)})
	}
	return out
}

func errorsConfig(s *config.Settings) errors.Config {
	cfg := errors.Config{Upstream: s.ErrorsUpstream}
	for _, p := range s.Errors {
		cfg.Pages = append(cfg.Pages, errors.Page{Status: p.Status, File: p.File, Body: p.Body, Type: p.Type})
	}
	return cfg
}

func makeAccess(_ *builder, r *config.Route) (weir.Middleware, error) {
	if len(r.Allow)+len(r.Deny) == 0 {
		return nil, nil
	}
	return access.New(access.Config{Allow: r.Allow, Deny: r.Deny})
}

func makeMaxBody(_ *builder, r *config.Route) (weir.Middleware, error) {
	if r.MaxBody < 0 {
		return nil, nil
	}
	return maxbody.New(maxbody.Config{Limit: r.MaxBody})
}

func makeHeader(_ *builder, r *config.Route) (weir.Middleware, error) {
	var all []weir.Middleware
	for _, cfg := range headerConfigs(r) {
		m, err := header.New(cfg)
		if err != nil {
			return nil, err
		}
		all = append(all, m)
	}
	return join(all), nil
}

// headerConfigs returns one for each pair of transforms, as the later ones see what the earlier did.
func headerConfigs(r *config.Route) (all []header.Config) {
	for i := range max(len(r.Request), len(r.Response)) {
		cfg := header.Config{Params: params(r)}
		if i < len(r.Request) {
			t := &r.Request[i]
			cfg.Request = fields(t)
			cfg.Query = header.Query{Remove: t.QueryRemove, Set: pairs(t.QuerySet)}
		}
		if k := len(r.Response) - 1 - i; k >= 0 {
			cfg.Response = fields(&r.Response[k]) // the innermost acts first on the way back
		}
		all = append(all, cfg)
	}
	return all
}

// join makes one middleware of several, the first outermost; nil where there are none.
func join(all []weir.Middleware) weir.Middleware {
	if len(all) < 2 {
		if len(all) == 1 {
			return all[0]
		}
		return nil
	}
	return func(next weir.Handler) weir.Handler {
		for i := len(all) - 1; i >= 0; i-- {
			next = all[i](next)
		}
		return next
	}
}

func fields(t *config.Transform) header.Fields {
	return header.Fields{Remove: t.Remove, Set: pairs(t.Set), Add: pairs(t.Add), Default: pairs(t.Default)}
}

func pairs(list []config.Field) []header.Pair {
	var out []header.Pair
	for _, f := range list {
		out = append(out, header.Pair(f))
	}
	return out
}

// params returns the names that the route's pattern gives to templates.
func params(r *config.Route) []string {
	p, err := route.ParsePattern(r.Pattern)
	if err != nil {
		return nil // the router complains of it
	}
	return p.Names()
}

func makeRewrite(_ *builder, r *config.Route) (weir.Middleware, error) {
	if r.Rewrite == nil {
		return nil, nil
	}
	return rewrite.New(rewriteConfig(r))
}

func rewriteConfig(r *config.Route) rewrite.Config {
	w := r.Rewrite
	return rewrite.Config{
		StripPrefix: w.StripPrefix, Regex: w.Regex, Replace: w.Replace, To: w.To, AddPrefix: w.AddPrefix,
		Params: params(r), Prefix: w.Prefix, Location: w.Location,
	}
}

// makeForward stands before upstreams alone.
func makeForward(b *builder, r *config.Route) (weir.Middleware, error) {
	if r.Proxy == "" && r.Split == nil {
		return nil, nil
	}
	mode, err := forward.ParseMode(r.Forwarded)
	if err != nil {
		return nil, err
	}
	_, host := hostOf(r)
	cfg := forward.Config{Mode: mode, Port: r.ForwardedPort, Host: host, Params: params(r)}
	if r.Via {
		cfg.Pseudonym = b.engine.pseudonym(b.config)
	}
	return forward.New(cfg)
}
