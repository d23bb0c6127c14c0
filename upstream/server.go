package upstream

import (
	"sync/atomic"
	"time"

	"weir"
)

// A server is one member of a pool: an endpoint, which balancers see, and what is known of the
// machine behind it. It is handed from a pool to its successor where its description is the same.
// Where only the description has changed (its weight, say), there is a new server with the old
// one's condition, and the old one becomes a door to it.
type server struct {
	ep    *weir.Endpoint
	spec  Server
	cond  *condition
	line  *carrier
	queue *queue

	digest uint64       // what sticky cookies call it
	limit  atomic.Int64 // exchanges at a time; 0: no limit

	// heir is the server that took over, nil mostly. Exchanges of the old one count there.
	heir atomic.Pointer[server]
}

// A condition is what is known of a machine. It outlives pools.
type condition struct {
	// failures in a row under real requests, and when the first of them was.
	failures atomic.Int32
	since    atomic.Int64

	lapse atomic.Pointer[lapse] // the last failure; nil: there was none

	// The rest is guarded by memory.mu.

	health   verdict
	eject    ejection
	rampFrom int64 // when slow start began; 0: it is over, or there was none
}

// A lapse is an exchange that failed because of the server.
type lapse struct {
	cause weir.Cause
	at    time.Time
}

// A carrier is a transport and who closes it.
type carrier struct {
	weir.Transport
	key   string
	owner *Pool // guarded by memory.mu
}

// A verdict is what active checks have found.
type verdict struct {
	known   bool // a check has been made
	down    bool
	well    bool   // a check was good once
	row     int    // checks in a row that contradict the verdict
	reason  string // of the last check that failed; "" after a good one
	changed time.Time
	checked int64 // when the last check ended, internal/clock
}

// An ejection is what real requests have brought upon a server.
type ejection struct {
	out   bool
	until int64 // internal/clock
	times int   // in short succession
	total int
	why   string
	seen  bool      // a check has failed since: checks see what the requests saw
	at    time.Time // of the last change
}

// begin counts an exchange and returns the server that it counts at.
func (s *server) begin() *server {
	s.ep.Active.Add(1)
	return s.settle()
}

// tryBegin is begin where the server has room.
func (s *server) tryBegin() (*server, bool) {
	s = s.settle()
	limit := s.limit.Load()
	if limit <= 0 {
		return s.begin(), true
	}
	for {
		n := s.ep.Active.Load()
		if n >= limit {
			return nil, false
		}
		if s.ep.Active.CompareAndSwap(n, n+1) {
			return s.settle(), true
		}
	}
}

// end is the end of an exchange.
func (s *server) end() {
	s.ep.Active.Add(-1)
	s = s.settle()
	if s.queue.waiting.Load() > 0 {
		s.queue.freed(s)
	}
}

// EndExchange implements weir.Ender.
func (s *server) EndExchange(*weir.Exchange) { s.end() }

// settle moves what is counted here to the heir, if there is one, and returns the server that counts.
// It comes after every change of the count, and after the heir was made: one of the two sees the other.
func (s *server) settle() *server {
	for {
		h := s.heir.Load()
		if h == nil {
			return s
		}
		if n := s.ep.Active.Swap(0); n != 0 {
			h.ep.Active.Add(n)
		}
		s = h
	}
}

// inService reports whether the server may be asked. memory.mu is held.
func (c *condition) inService() bool { return !c.health.down && !c.eject.out }

// known reports whether one of list is in condition c.
func known(list []*server, c *condition) bool {
	for _, s := range list {
		if s.cond == c {
			return true
		}
	}
	return false
}

// inherit makes those of old that have been described anew in next doors to them.
func inherit(next, old []*server) {
	for _, s := range next {
		for _, o := range old {
			if o.cond != s.cond || o == s {
				continue
			}
			s.ep.Latency.Store(o.ep.Latency.Load())
			s.ep.Stamp.Store(o.ep.Stamp.Load())
			s.ep.Ramp.Store(o.ep.Ramp.Load())
			o.heir.Store(s)
			o.settle()
		}
	}
}
