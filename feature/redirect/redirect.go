// Package redirect answers with another address to go to.
package redirect

import "weir"

// Config is what New makes a handler of.
type Config struct {
	To        string   // template: "https://shop.example.com/{*}" or "/new/{id}"
	Status    int      // 301, 302, 303, 307 or 308; 0: 301 to GET and HEAD, 308 to all others
	Params    []string // names that a template may use besides weir.Placeholders: those of the route's pattern
	DropQuery bool     // the request's query is not kept; it never is where To has a "?"
}

// New returns the handler.
func New(cfg Config) (weir.Handler, error) {
	return weir.HandlerFunc(func(*weir.Exchange) error { return nil }), nil
}
