package observe

import (
	"cmp"
	"io"
	"slices"
	"sync"

	"weir"
)

// Metrics count exchanges for each route, and together those that matched none. One Metrics lives as
// long as the process; a reload asks it for its routes anew and finds their counts as they were. What
// a client sends is never a label, so there are no more series than the configuration has routes. Its
// methods may be called concurrently.
type Metrics struct {
	shards int // a power of two
	slots  *statusSlots
	causes []weir.Cause
	none   *meter // of exchanges without a route

	mu     sync.Mutex // protects what follows
	routes map[routeKey]*meter
	past   Traffic // of routes that are gone
}

type routeKey struct{ site, route, upstream string }

// NewMetrics returns metrics without a count; shards is the number of pollers ([weir.Conn].Shard).
func NewMetrics(shards int) *Metrics {
	n := 1
	for n < shards {
		n *= 2
	}
	m := &Metrics{shards: n, slots: newStatusSlots(), causes: weir.Causes(), routes: map[routeKey]*meter{}}
	m.none = m.meter(routeKey{})
	return m
}

// Route returns the meter for weir.Route.Meter of a route with these names: the same one as before
// where they are the same.
func (m *Metrics) Route(site, route, upstream string) weir.Observer {
	k := routeKey{site, route, upstream}
	m.mu.Lock()
	defer m.mu.Unlock()
	if r := m.routes[k]; r != nil {
		return r
	}
	r := m.meter(k)
	m.routes[k] = r
	return r
}

// Retain forgets all routes but these: to be called when a snapshot has been swapped in. Exchanges that
// still run on a forgotten route are not counted.
func (m *Metrics) Retain(routes []*weir.Route) {
	keep := make(map[weir.Observer]bool, len(routes))
	for _, r := range routes {
		keep[r.Meter] = true
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for k, r := range m.routes {
		if !keep[r] {
			r.addTo(&m.past)
			delete(m.routes, k)
		}
	}
}

// Observe implements [weir.Observer]: it counts x with its route's meter, or where it has none, with
// that of requests without a route. It is the one observer of metrics that a snapshot needs.
func (m *Metrics) Observe(x *weir.Exchange) {
	if x.Route != nil && x.Route.Meter != nil {
		x.Route.Meter.Observe(x)
		return
	}
	m.none.Observe(x)
}

// all returns the meters that have counted something, in the order of their names.
func (m *Metrics) all() []*meter {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := make([]*meter, 0, len(m.routes)+1)
	if m.none.used() {
		out = append(out, m.none)
	}
	for _, r := range m.routes {
		if r.used() {
			out = append(out, r)
		}
	}
	for _, r := range out {
		if r.labels == "" {
			r.labels = labels("site", r.key.site, "route", r.key.route, "upstream", r.key.upstream)
		}
	}
	slices.SortFunc(out, func(a, b *meter) int {
		return cmp.Or(cmp.Compare(a.key.site, b.key.site), cmp.Compare(a.key.route, b.key.route), cmp.Compare(a.key.upstream, b.key.upstream))
	})
	return out
}

// Traffic is what has passed since the start, over all routes.
type Traffic struct {
	Exchanges uint64    `json:"exchanges"`
	Classes   [6]uint64 `json:"classes"` // by the first digit of the status; 0: unusual ones
	Faults    uint64    `json:"faults"`  // exchanges whose outcome is not "ok"
	Failed    uint64    `json:"failed"`  // these, and those answered with 5xx: what Recent keeps
	Retries   uint64    `json:"retries"`
	BytesIn   uint64    `json:"bytes_in"`  // of request bodies
	BytesOut  uint64    `json:"bytes_out"` // of response bodies
	Bounds    []float64 `json:"bounds"`    // upper bounds of durations in seconds
	Buckets   []uint64  `json:"buckets"`   // exchanges within each bound, not cumulative; one more for those above
}

// Traffic returns the sum over all routes, those that are gone included.
func (m *Metrics) Traffic() Traffic {
	meters := m.all()
	m.mu.Lock()
	t := m.past
	m.mu.Unlock()
	t.Bounds = make([]float64, len(bounds))
	for i, b := range bounds {
		t.Bounds[i] = seconds(b)
	}
	t.Buckets = append(make([]uint64, 0, len(bounds)+1), t.Buckets...)
	for _, r := range meters {
		r.addTo(&t)
	}
	return t
}

// WritePrometheus writes all metrics in Prometheus's text format 0.0.4: the counts, and what s says.
func (m *Metrics) WritePrometheus(w io.Writer, s Status) error {
	e := newExposition(w)
	m.writeMeters(e)
	writeStatus(e, &s)
	writeProcess(e)
	return e.flush()
}
