package observe

import (
	"io"

	"weir"
)

// Metrics count exchanges: in total for each route, and what matched no route. One Metrics lives as
// long as the process; a reload asks it for its routes anew and finds their counts as they were.
// Its methods may be called concurrently.
type Metrics struct{}

// NewMetrics returns metrics without a count; shards is the number of pollers ([weir.Conn].Shard).
func NewMetrics(shards int) *Metrics { return &Metrics{} }

// Route returns the meter for weir.Route.Meter of a route with these names: the same one as before
// where they are the same.
func (m *Metrics) Route(site, route, upstream string) weir.Observer { return weir.Observers{} }

// Retain forgets the counts of all routes but these: to be called when a snapshot has been swapped in.
func (m *Metrics) Retain(routes []*weir.Route) {}

// Observe implements [weir.Observer]: it counts x with its route's meter, or where it has none, with
// that of requests without a route. It is the one observer of metrics that a snapshot needs.
func (m *Metrics) Observe(x *weir.Exchange) {}

// WritePrometheus writes all metrics in Prometheus's text format 0.0.4: the counts, and what s says.
func (m *Metrics) WritePrometheus(w io.Writer, s Status) error { return nil }

// Traffic returns the sum over all routes.
func (m *Metrics) Traffic() Traffic { return Traffic{} }

// Traffic is what has passed since the start, over all routes.
type Traffic struct {
	Exchanges uint64    `json:"exchanges"`
	Classes   [6]uint64 `json:"classes"` // by the first digit of the status; 0: unusual ones
	Faults    uint64    `json:"faults"`  // exchanges whose outcome is not "ok"
	Retries   uint64    `json:"retries"`
	BytesIn   uint64    `json:"bytes_in"`
	BytesOut  uint64    `json:"bytes_out"`
	Bounds    []float64 `json:"bounds"`  // upper bounds of durations in seconds
	Buckets   []uint64  `json:"buckets"` // exchanges within each bound, not cumulative; one more for those above
}
