package assemble

import (
	"strconv"

	"weir"
	"weir/config"
	"weir/feature/access"
	"weir/feature/errors"
	"weir/feature/forward"
	"weir/feature/header"
	"weir/feature/maxbody"
	"weir/feature/requestid"
	"weir/feature/rewrite"
)

// A feature is one row of the table: a middleware that a route may have. Its make returns nil where the
// route does not ask for it; then it is not in the chain and costs nothing.
type feature struct {
	name  string
	phase weir.Phase
	make  func(b *builder, r *config.Route) (weir.Middleware, error)
}

// features is the table of all middlewares. The order within a phase is the order here.
func features() []feature {
	return []feature{
		{"request id", weir.PhaseObserve, makeRequestID},
		{"errors", weir.PhaseObserve, func(_ *builder, r *config.Route) (weir.Middleware, error) { return makeErrors(r.Errors) }},
		{"access", weir.PhaseAdmit, makeAccess},
		{"body limit", weir.PhaseAdmit, makeMaxBody},
		{"headers", weir.PhaseRewrite, makeHeader},
		{"rewrite", weir.PhaseRewrite, makeRewrite},
		{"forward", weir.PhaseForward, makeForward},
	}
}

func makeRequestID(_ *builder, r *config.Route) (weir.Middleware, error) {
	if r.RequestID.Header == "" {
		return nil, nil
	}
	accept := "never"
	if r.RequestID.Trust {
		accept = "trusted"
	}
	return requestid.New(requestid.Config{Header: r.RequestID.Header, Accept: accept, Return: true})
}

func makeErrors(pages []config.ErrorPage) (weir.Middleware, error) {
	if len(pages) == 0 {
		return nil, nil
	}
	var own, foreign errors.Config
	for _, p := range pages {
		page := errors.Page{Status: statusPattern(p.Status), File: p.File, Body: p.Body, Type: p.Type}
		own.Pages = append(own.Pages, page)
		if p.Upstream {
			foreign.Pages = append(foreign.Pages, page)
		}
	}
	all := make([]weir.Middleware, 1, 2)
	var err error
	if all[0], err = errors.New(own); err != nil || len(foreign.Pages) == 0 {
		return all[0], err
	}
	foreign.Upstream = true
	m, err := errors.New(foreign)
	return join(append(all, m)), err
}

// statusPattern writes a range as pages are named: "404", "5xx".
func statusPattern(r config.StatusRange) string {
	if r.Low == r.High {
		return strconv.Itoa(r.Low)
	}
	return strconv.Itoa(r.Low/100) + "xx"
}

func makeAccess(_ *builder, r *config.Route) (weir.Middleware, error) {
	if len(r.Allow)+len(r.Deny) == 0 {
		return nil, nil
	}
	return access.New(access.Config{Allow: texts(r.Allow), Deny: texts(r.Deny)})
}

func makeMaxBody(_ *builder, r *config.Route) (weir.Middleware, error) {
	if r.MaxBody == 0 {
		return nil, nil
	}
	return maxbody.New(maxbody.Config{Limit: r.MaxBody})
}

// makeHeader makes one middleware for each pair of transforms, as the later ones see what the earlier did.
func makeHeader(_ *builder, r *config.Route) (weir.Middleware, error) {
	var all []weir.Middleware
	for i := range max(len(r.Request), len(r.Response)) {
		var cfg header.Config
		if i < len(r.Request) {
			t := &r.Request[i]
			cfg.Request = fields(t)
			if t.Query != nil {
				cfg.Query = query(t.Query)
			}
		}
		if k := len(r.Response) - 1 - i; k >= 0 {
			cfg.Response = fields(&r.Response[k]) // the innermost acts first on the way back
		}
		m, err := header.New(cfg)
		if err != nil {
			return nil, err
		}
		all = append(all, m)
	}
	return join(all), nil
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

func query(t *config.QueryTransform) header.Query {
	return header.Query{Remove: t.Remove, Set: pairs(t.Set)}
}

func pairs(list []config.Field) []header.Pair {
	var out []header.Pair
	for _, f := range list {
		out = append(out, header.Pair(f))
	}
	return out
}

func makeRewrite(_ *builder, r *config.Route) (weir.Middleware, error) {
	w := r.Rewrite
	if w == nil {
		return nil, nil
	}
	x := r.Forwarded == config.ForwardedX || r.Forwarded == config.ForwardedBoth
	return rewrite.New(rewrite.Config{
		StripPrefix: w.Strip, Regex: w.Pattern, Replace: w.Replace, To: w.To, AddPrefix: w.Prefix,
		Prefix: x, Location: w.Strip != "",
	})
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
	cfg := forward.Config{Mode: mode, Host: r.Host}
	if !r.HideVia {
		cfg.Pseudonym = b.engine.via
	}
	if cfg.Host == "" {
		cfg.Host = b.upstreamHost(r)
	}
	return forward.New(cfg)
}
