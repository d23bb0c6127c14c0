// Package maxbody limits the size of request bodies.
package maxbody

import "weir"

// Config is what New makes a middleware of.
type Config struct {
	Limit int64 // bytes, at least 0
}

// New returns the middleware, for weir.PhaseAdmit.
func New(cfg Config) (weir.Middleware, error) {
	return func(next weir.Handler) weir.Handler { return next }, nil
}
