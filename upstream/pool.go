// Package upstream holds what stands behind a site: pools of servers, the choice among them, and what
// is known of their health.
//
// A [Pool] is the end of a chain. It is made from a [Config] and, where there is one, from the pool
// that it replaces, and takes over everything of it that is still true: servers with their counters
// and kept connections, the verdicts of checks, ejections, slow starts, addresses of names, and the
// requests that wait in the queue.
//
//	New(cfg, deps, prev) -> Start -> ... -> New(cfg2, deps, p) -> Start -> ... -> Close
//
// New changes nothing about prev; a pool that was made and is not wanted after all is given to
// Close. Start makes the new pool the current one: it runs the checks from then on and closes the kept
// connections of servers that it has no use for. Exchanges that still run on the old pool end
// there as they began.
//
// Whether a server is asked:
//
//	         checks fail                   failures in a row
//	 +----------------------- in service ---------------------+
//	 v                         ^      ^                        v
//	down ---- checks succeed --+      +----- time is over -- ejected
//
// A server that has not been checked yet is taken as healthy. Where no server in service is left
// the ejected ones are asked after all, because real requests were too severe a judge; those that
// fail their checks are not.
package upstream

import (
	"sync"
	"sync/atomic"

	"weir"
)

// A Pool is a set of servers that share the requests of the routes that lead to it. It implements
// [weir.Handler]. All methods may be called concurrently.
type Pool struct {
	cfg  Config
	deps Deps
	mem  *memory
	set  atomic.Pointer[set] // who is asked now; replaced under mem.mu
	keys keyer               // of requests

	// Guarded by mem.mu.

	prev    *Pool // until Start
	members []*server
	closed  bool
}

// A memory is what a pool hands to its successor: all pools of one upstream share it.
type memory struct {
	mu      sync.Mutex // protects current, and the conditions of servers
	current *Pool      // the one started last
	queue   queue
	turn    atomic.Uint64
}

var _ weir.Handler = (*Pool)(nil)

// New returns a pool that goes on from prev, which may be nil. It does no I/O and waits for nothing. The pool serves at
// once, but checks, names and slow start wait for Start.
func New(cfg Config, deps Deps, prev *Pool) (*Pool, error) {
	cfg = cfg.orDefaults()
	if err := cfg.check(); err != nil {
		return nil, err
	}
	p := &Pool{cfg: cfg, deps: deps.orDefaults(), prev: prev}
	if prev != nil {
		p.mem = prev.mem
	} else {
		p.mem = new(memory)
		p.mem.turn.Store(p.deps.Rand() >> 1)
	}
	p.keys = p.newKeyer()
	p.mem.mu.Lock()
	defer p.mem.mu.Unlock()
	p.members = p.assemble()
	p.arrange()
	return p, nil
}

// Name returns the upstream's name.
func (p *Pool) Name() string { return p.cfg.Name }

// Start makes p the current pool of its upstream and begins to check servers and to resolve names. It does not wait
// for either. Only the first call does something.
func (p *Pool) Start() {
	p.mem.mu.Lock()
	if p.closed || p.mem.current == p {
		p.mem.mu.Unlock()
		return
	}
	prev := p.prev
	p.prev = nil
	p.mem.current = p
	for _, s := range p.members {
		s.line.owner = p
	}
	p.mem.mu.Unlock()
	if prev != nil {
		prev.Close()
	}
}

// Close ends the checks and closes the kept connections of all servers that no other pool has taken over. Exchanges
// under way are not touched, and the pool still serves. It may be called more than once.
func (p *Pool) Close() {
	for _, c := range p.stop() {
		c.Close()
	}
}

// stop marks p as closed and returns the transports to close.
func (p *Pool) stop() []*carrier {
	p.mem.mu.Lock()
	defer p.mem.mu.Unlock()
	p.closed = true
	var out []*carrier
	for _, s := range p.members {
		if s.line.owner == p {
			s.line.owner = nil
			out = append(out, s.line)
		}
	}
	return out
}
