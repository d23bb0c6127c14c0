package weir

import "time"

// An Observer is told of every exchange that ended. It must not block, keep x, or change it.
// It is called by many goroutines at once.
type Observer interface{ Observe(x *Exchange) }

// Observers calls each of its members in order.
type Observers []Observer

// Observe implements Observer.
func (os Observers) Observe(x *Exchange) {
	for _, o := range os {
		o.Observe(x)
	}
}

// A Route is what the configuration says of the requests that match it. It is immutable.
type Route struct {
	// What every exchange needs stands in the first cache line: of one in many routes, none is in a cache.

	Meter Observer // counts this route's exchanges; resolved when the route is made; nil: not counted
	Log   Observer // logs this route's exchanges; nil only where nothing is logged at all

	Host HostRule // what servers get as Host

	// How long a server may take, in place of what its transport was told; 0: as that says.
	Connect   time.Duration // to accept a connection
	FirstByte time.Duration // from the end of the request to the end of the answer's head
	Stall     time.Duration // silence in the middle of an answer, or of a server that takes no more

	Site     string  // name of the site
	Name     string  // the path pattern as written (with its conditions where there are several), for logs and metrics
	Upstream string  // name of the upstream, "" where there is none
	Handler  Handler // the chain
}

// A HostRule says what servers get as Host: whose word counts.
type HostRule uint8

// The rules.
const (
	HostAsUpstream HostRule = iota // what the upstream says, or the client's
	HostAsRoute                    // what the route's chain has made of Request.Authority
	HostAsServer                   // the server's own address
)
