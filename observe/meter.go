package observe

import (
	"strconv"
	"sync"
	"sync/atomic"

	"weir"
)

// bounds are the upper bounds of the histograms' buckets in nanoseconds. An array that nobody writes.
var bounds = [...]int64{
	100e3, 250e3, 500e3,
	1e6, 2500e3, 5e6, 10e6, 25e6, 50e6, 100e6, 250e6, 500e6,
	1e9, 2500e6, 5e9, 10e9, 30e9, 60e9,
}

func seconds(ns int64) float64 { return float64(ns) / 1e9 }

// statusSlots gives each registered status a place, and the others of a class one together: a server
// may answer what it likes and makes no more series.
type statusSlots struct {
	of     [600]uint8
	labels []string
	class  []uint8
}

func newStatusSlots() *statusSlots {
	s := &statusSlots{labels: []string{"other"}, class: []uint8{0}}
	for class := 1; class <= 5; class++ {
		rest := s.add(strconv.Itoa(class)+"xx", class)
		for code := class * 100; code < class*100+100; code++ {
			s.of[code] = rest
			if weir.StatusText(code) != "" {
				s.of[code] = s.add(strconv.Itoa(code), class)
			}
		}
	}
	return s
}

func (s *statusSlots) add(label string, class int) uint8 {
	s.labels = append(s.labels, label)
	s.class = append(s.class, uint8(class))
	return uint8(len(s.labels) - 1)
}

func (s *statusSlots) slot(status int) uint8 {
	if uint(status) < uint(len(s.of)) {
		return s.of[status]
	}
	return 0
}

// A meter counts the exchanges of one route. Each core has counters of its own, made when it first needs
// them: so cores do not wait for each other's cache lines, and routes that nobody asks for cost nothing.
type meter struct {
	m      *Metrics
	key    routeKey
	labels string // as they stand in the exposition
	cells  []atomic.Pointer[cells]
}

// cells are the counters of one meter and one core. They are added to by whoever serves a connection of that core,
// which is hardly ever two at a time: so one lock for all is cheaper than an atomic addition for each.
type cells struct {
	mu sync.Mutex // protects all below

	statuses  []uint64 // by slot
	causes    []uint64 // by cause; that of CauseNone stays 0
	durations histogram
	firsts    histogram // time to the first byte of the server that answered
	bad       uint64    // 5xx that servers or routes answered themselves: outcome "ok"
	in, out   uint64
	retries   uint64
}

type histogram struct {
	buckets [len(bounds) + 1]uint64
	sum     int64 // nanoseconds
}

func (h *histogram) observe(ns int64) {
	h.buckets[bucketOf(ns)]++
	h.sum += ns
}

func bucketOf(ns int64) (i int) {
	for i < len(bounds) && ns > bounds[i] {
		i++
	}
	return i
}

func (m *Metrics) meter(k routeKey) *meter {
	return &meter{
		m: m, key: k,
		labels: labels("site", k.site, "route", k.route, "upstream", k.upstream),
		cells:  make([]atomic.Pointer[cells], m.shards),
	}
}

// Observe implements [weir.Observer].
func (r *meter) Observe(x *weir.Exchange) {
	c := r.of(x.Conn.Shard)
	slot := r.m.slots.slot(x.Response.Status)
	first := firstByte(x)
	c.mu.Lock()
	c.statuses[slot]++
	if x.Fault != nil {
		c.causes[x.Fault.Cause]++
	} else if x.Response.Status >= 500 {
		c.bad++
	}
	if x.Response.Status != 101 { // how long two sides talked says nothing of how fast the first answer was
		c.durations.observe(x.Timing.End - x.Timing.Start)
	}
	if first > 0 {
		c.firsts.observe(first)
	}
	c.in += uint64(x.BytesIn)
	c.out += uint64(x.BytesOut)
	if x.Attempts > 1 {
		c.retries += uint64(x.Attempts - 1)
	}
	c.mu.Unlock()
}

func (r *meter) of(shard int) *cells {
	p := &r.cells[shard&(len(r.cells)-1)]
	if c := p.Load(); c != nil {
		return c
	}
	p.CompareAndSwap(nil, &cells{
		statuses: make([]uint64, len(r.m.slots.labels)),
		causes:   make([]uint64, len(r.m.causes)+1),
	})
	return p.Load()
}

func (r *meter) used() bool {
	for i := range r.cells {
		if r.cells[i].Load() != nil {
			return true
		}
	}
	return false
}

// each calls f with the counters of each core that has some; they stand still meanwhile.
func (r *meter) each(f func(c *cells)) {
	for i := range r.cells {
		if c := r.cells[i].Load(); c != nil {
			c.mu.Lock()
			f(c)
			c.mu.Unlock()
		}
	}
}

// sum adds up one counter over the cores.
func (r *meter) sum(counter func(c *cells) uint64) (n uint64) {
	r.each(func(c *cells) { n += counter(c) })
	return n
}

// A tally is a histogram added up over the cores.
type tally struct {
	buckets [len(bounds) + 1]uint64
	count   uint64
	sum     int64
}

func (r *meter) tally(of func(c *cells) *histogram) (t tally) {
	r.each(func(c *cells) {
		h := of(c)
		for i, n := range h.buckets {
			t.buckets[i] += n
			t.count += n
		}
		t.sum += h.sum
	})
	return t
}

func durationsOf(c *cells) *histogram { return &c.durations }
func firstsOf(c *cells) *histogram    { return &c.firsts }

// faults is the number of exchanges whose outcome was not "ok".
func (r *meter) faults() (n uint64) {
	for _, cause := range r.m.causes {
		n += r.sum(func(c *cells) uint64 { return c.causes[cause] })
	}
	return n
}

// addTo adds r's counts to t.
func (r *meter) addTo(t *Traffic) {
	for i, class := range r.m.slots.class {
		n := r.sum(func(c *cells) uint64 { return c.statuses[i] })
		t.Exchanges += n
		t.Classes[class] += n
	}
	faults := r.faults()
	t.Faults += faults
	t.Failed += faults + r.sum(func(c *cells) uint64 { return c.bad })
	t.Retries += r.sum(func(c *cells) uint64 { return c.retries })
	t.BytesIn += r.sum(func(c *cells) uint64 { return c.in })
	t.BytesOut += r.sum(func(c *cells) uint64 { return c.out })
	if t.Buckets == nil || len(t.Buckets) < len(bounds)+1 {
		t.Buckets = make([]uint64, len(bounds)+1)
	}
	for i, n := range r.tally(durationsOf).buckets {
		t.Buckets[i] += n
	}
}
