package weir

import "sync/atomic"

// A Transport carries exchanges to one server. It keeps that server's connections.
//
// RoundTrip sends x.Request and fills in x.Response. It returns at the response head, while the
// request body may still be going out; the response body gives the connection back when it has been
// read to its end, and drops it when it is closed before. Interim answers go to x.Inform. An error is
// a *Fault whose Retry says what may follow; then nothing of x.Response is filled in. RoundTrip may
// be called by many goroutines at once.
//
// Idle is the number of kept connections. Close closes them; exchanges under way are not touched,
// and their connections are closed when they end.
type Transport interface {
	RoundTrip(x *Exchange) error
	Idle() int
	Close()
}

// A Chooser is a Transport whose server may choose the protocol. Spoken is the one that it chose last, "h1" or "h2"; "":
// that is not known yet. chooses is false where it has no choice.
type Chooser interface {
	Transport
	Spoken() (protocol string, chooses bool)
}

// An Endpoint is one server of an upstream, as a balancer and a transport see it. What it is called
// does not change; its live figures are atomics that anybody may read.
type Endpoint struct {
	Upstream  string // the upstream's name
	Name      string // as the configuration calls it: "10.0.0.11:8080", "unix:/run/app.sock"
	Address   string // what is dialled: "10.0.0.11:8080" or "unix:/run/app.sock"; an address, not a name
	Weight    int    // at least 1
	Backup    bool   // asked only where no other server can be
	Location  string
	Transport Transport

	Active  atomic.Int64 // exchanges under way
	Latency atomic.Int64 // nanoseconds to the first byte, peak-sensitive moving average; 0: not known
	Stamp   atomic.Int64 // internal/clock time of the last Latency sample
	Ramp    atomic.Int64 // slow start: share of its weight the server gets now, in 1/1000; 0 means 1000
}

// EffectiveWeight is Weight, in thousandths, with slow start taken into account; at least 1.
func (e *Endpoint) EffectiveWeight() int64 {
	w := int64(e.Weight) * 1000
	if r := e.Ramp.Load(); r > 0 && r < 1000 {
		w = w * r / 1000
	}
	return max(w, 1)
}

// A Balancer puts servers in order of preference. Candidates appends to dst the servers to try, best
// first, given the key of the request (0 where the balancer takes none); the caller asks the first one
// that is in service. It is a pure choice: it knows nothing of health, retries or queues. It may be
// called by many goroutines at once and does not allocate where dst has room.
type Balancer interface {
	Candidates(key uint64, dst []*Endpoint) []*Endpoint
}

// An Ender is told when an exchange is over, whatever became of it, before it is observed.
type Ender interface{ EndExchange(x *Exchange) }
