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
//
// Where there are many routes, an exchange waits for the memory of its own, which no cache holds. So all that Observe
// reads of a meter stands in its first cache line.
type meter struct {
	m    *Metrics
	few  [4]atomic.Pointer[cells] // of the first cores
	rest []atomic.Pointer[cells]  // of the others

	key    routeKey
	labels string // as they stand in the exposition; made when first asked for, under m.mu
}

// cells are the counters of one meter and one core. They are added to by whoever serves a connection of that core,
// which is hardly ever two at a time: so one lock for all is cheaper than an atomic addition for each.
//
// Most exchanges change two cache lines: the first, and that of the bucket for the time that they took, which is near
// that for the time to the first byte. All in all there are six, which is a size that the allocator has, so that
// they begin where cache lines do.
type cells struct {
	mu sync.Mutex // protects all below

	in, out  uint64
	sums     [histograms]int64 // nanoseconds
	statuses [3]slotCount      // the first ones that came
	buckets  [len(bounds) + 1][histograms]uint64
	rare     *rare // nil: nothing of it has come
}

// rare are the counters that most routes and cores do not need.
type rare struct {
	bad      uint64 // 5xx that servers or routes answered themselves: outcome "ok"
	retries  uint64
	statuses []uint64 // by slot, without those in cells; nil: there are none
	causes   []uint64 // by cause; nil: there are none
}

// A slotCount is the slot of a status in the lowest eight bits, and above them how often it came; 0: not taken.
type slotCount uint64

func (n slotCount) slot() uint8   { return uint8(n) }
func (n slotCount) count() uint64 { return uint64(n >> 8) }

// A histogram is one of those that a meter has.
type histogram uint8

const (
	durations histogram = iota
	firsts              // time to the first byte of the server that answered

	histograms = iota
)

func (c *cells) observe(h histogram, ns int64) {
	c.buckets[bucketOf(ns)][h]++
	c.sums[h] += ns
}

func bucketOf(ns int64) (i int) {
	for i < len(bounds) && ns > bounds[i] {
		i++
	}
	return i
}

func (m *Metrics) meter(k routeKey) *meter {
	r := &meter{m: m, key: k}
	if more := m.shards - len(r.few); more > 0 {
		r.rest = make([]atomic.Pointer[cells], more)
	}
	return r
}

// Observe implements [weir.Observer].
func (r *meter) Observe(x *weir.Exchange) {
	c := r.of(x.Conn.Shard)
	slot := r.m.slots.slot(x.Response.Status)
	first := firstByte(x)
	c.mu.Lock()
	c.addStatus(slot, r.m)
	if x.Response.Status != 101 { // how long two sides talked says nothing of how fast the first answer was
		c.observe(durations, x.Timing.End-x.Timing.Start)
	}
	if first > 0 {
		c.observe(firsts, first)
	}
	c.in += uint64(x.BytesIn)
	c.out += uint64(x.BytesOut)
	if x.Fault != nil || x.Response.Status >= 500 || x.Attempts > 1 {
		c.addTrouble(x, r.m)
	}
	c.mu.Unlock()
}

func (c *cells) addStatus(slot uint8, m *Metrics) {
	for i, n := range c.statuses {
		if n == 0 || n.slot() == slot {
			c.statuses[i] = (n | slotCount(slot)) + 1<<8
			return
		}
	}
	s := c.seldom()
	if s.statuses == nil {
		s.statuses = make([]uint64, len(m.slots.labels))
	}
	s.statuses[slot]++
}

// addTrouble counts what was not as it should be.
func (c *cells) addTrouble(x *weir.Exchange, m *Metrics) {
	s := c.seldom()
	if x.Fault != nil {
		if s.causes == nil {
			s.causes = make([]uint64, len(m.causes)+1)
		}
		s.causes[x.Fault.Cause]++
	} else if x.Response.Status >= 500 {
		s.bad++
	}
	if x.Attempts > 1 {
		s.retries += uint64(x.Attempts - 1)
	}
}

func (c *cells) seldom() *rare {
	if c.rare == nil {
		c.rare = &rare{}
	}
	return c.rare
}

// status returns how often the status of a slot came; c.mu is held.
func (c *cells) status(slot uint8) uint64 {
	for _, n := range c.statuses {
		if n != 0 && n.slot() == slot {
			return n.count()
		}
	}
	if c.rare == nil || c.rare.statuses == nil {
		return 0
	}
	return c.rare.statuses[slot]
}

// cause returns how many exchanges ended by a cause; c.mu is held.
func (c *cells) cause(cause weir.Cause) uint64 {
	if c.rare == nil || c.rare.causes == nil {
		return 0
	}
	return c.rare.causes[cause]
}

func (c *cells) bad() uint64 {
	if c.rare == nil {
		return 0
	}
	return c.rare.bad
}

func (c *cells) retries() uint64 {
	if c.rare == nil {
		return 0
	}
	return c.rare.retries
}

// at is where the cells of a core are found.
func (r *meter) at(core int) *atomic.Pointer[cells] {
	if core < len(r.few) {
		return &r.few[core]
	}
	return &r.rest[core-len(r.few)]
}

func (r *meter) of(shard int) *cells {
	p := r.at(shard & (r.m.shards - 1))
	if c := p.Load(); c != nil {
		return c
	}
	p.CompareAndSwap(nil, &cells{})
	return p.Load()
}

func (r *meter) used() bool {
	for i := range r.m.shards {
		if r.at(i).Load() != nil {
			return true
		}
	}
	return false
}

// each calls f with the counters of each core that has some; they stand still meanwhile.
func (r *meter) each(f func(c *cells)) {
	for i := range r.m.shards {
		if c := r.at(i).Load(); c != nil {
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

func (r *meter) tally(h histogram) (t tally) {
	r.each(func(c *cells) {
		for i := range c.buckets {
			t.buckets[i] += c.buckets[i][h]
			t.count += c.buckets[i][h]
		}
		t.sum += c.sums[h]
	})
	return t
}

// faults is the number of exchanges whose outcome was not "ok".
func (r *meter) faults() (n uint64) {
	for _, cause := range r.m.causes {
		n += r.sum(func(c *cells) uint64 { return c.cause(cause) })
	}
	return n
}

// addTo adds r's counts to t.
func (r *meter) addTo(t *Traffic) {
	for i, class := range r.m.slots.class {
		n := r.sum(func(c *cells) uint64 { return c.status(uint8(i)) })
		t.Exchanges += n
		t.Classes[class] += n
	}
	faults := r.faults()
	t.Faults += faults
	t.Failed += faults + r.sum((*cells).bad)
	t.Retries += r.sum((*cells).retries)
	t.BytesIn += r.sum(func(c *cells) uint64 { return c.in })
	t.BytesOut += r.sum(func(c *cells) uint64 { return c.out })
	if t.Buckets == nil || len(t.Buckets) < len(bounds)+1 {
		t.Buckets = make([]uint64, len(bounds)+1)
	}
	for i, n := range r.tally(durations).buckets {
		t.Buckets[i] += n
	}
}
