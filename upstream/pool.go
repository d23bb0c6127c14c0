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
// Close. Start makes the new pool the current one: it runs the checks from then on and closes the
// kept connections of servers that it has no use for. Exchanges that still run on the old pool keep
// its rules, but are led to the servers of the new one.
//
// Whether a server is asked:
//
//	         checks fail                   failures in a row
//	 +----------------------- in service ---------------------+
//	 v                         ^      ^                        v
//	down ---- checks succeed --+      +----- time is over -- ejected
//
// An ejection also ends with a good check, if one has failed since it began.
//
// A server that has not been checked yet is taken as healthy. Where no server in service is left
// the ejected ones are asked after all, because real requests were too severe a judge; those that
// fail their checks are not.
//
// The order of reading: serve.go (an exchange), set.go (who is asked), balance.go and the balancers,
// server.go (what is known of a server), health.go, outlier.go, ramp.go, queue.go, names.go.
package upstream

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"weir"
)

// A Pool is a set of servers that share the requests of the routes that lead to it. It implements
// [weir.Handler]. All methods may be called concurrently.
type Pool struct {
	cfg  Config
	deps Deps
	mem  *memory
	keys keyer // of requests

	budget  *budget // of retries; nil: no limit
	limited bool    // some server takes only so many exchanges at a time
	timed   bool    // answers are timed for the balancer

	ctx    context.Context // of checks and look-ups
	cancel context.CancelFunc

	// The rest is guarded by mem.mu.

	prev      *Pool // until Start
	started   int64 // internal/clock; 0: not yet
	closed    bool
	members   []*server
	names     []*name
	checks    map[*condition]*check
	readmits  map[*condition]*time.Timer
	rampTimer *time.Timer // nil: no server is in slow start
}

// A memory is what a pool hands to its successor: all pools of one upstream share it.
type memory struct {
	set   atomic.Pointer[set] // who is asked now, by all of them; replaced under mu
	queue queue
	turn  atomic.Uint64

	mu      sync.Mutex // protects the rest, and the conditions of servers
	current *Pool      // the one started last
	tables  tableCache
	some    bool          // there is a server to ask
	arrived chan struct{} // closed when there is
}

var _ weir.Handler = (*Pool)(nil)

// New returns a pool that goes on from prev, which may be nil. It does no I/O and waits for nothing.
// Until Start the pool serves with prev's servers or, where there is no prev, without checks and
// without what is behind names.
func New(cfg Config, deps Deps, prev *Pool) (*Pool, error) {
	cfg = cfg.orDefaults()
	if err := cfg.check(); err != nil {
		return nil, err
	}
	p := &Pool{
		cfg: cfg, deps: deps.orDefaults(), prev: prev,
		timed:    cfg.Balance == "least-time",
		limited:  cfg.limits(),
		checks:   map[*condition]*check{},
		readmits: map[*condition]*time.Timer{},
	}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	p.remember(prev)
	p.keys = p.newKeyer()
	p.budget = newBudget(cfg.Retry, p.deps.Clock)
	p.mem.mu.Lock()
	defer p.mem.mu.Unlock()
	p.names = p.nameList()
	p.members = p.enlist(p.places(), p.predecessors())
	if prev == nil {
		p.arrange()
	}
	return p, nil
}

// remember takes prev's memory, or makes one.
func (p *Pool) remember(prev *Pool) {
	if prev != nil {
		p.mem = prev.mem
		return
	}
	p.mem = &memory{arrived: make(chan struct{})}
	p.mem.queue.set = &p.mem.set
	p.mem.turn.Store(p.deps.Rand() >> 1)
}

// predecessors returns the servers to adopt from. mem.mu is held.
func (p *Pool) predecessors() []*server {
	if p.prev == nil {
		return nil
	}
	return p.prev.members
}

// Name returns the upstream's name.
func (p *Pool) Name() string { return p.cfg.Name }

// Start makes p the current pool of its upstream and begins to check servers and to resolve names.
// It waits for neither. Only the first call does something.
func (p *Pool) Start() {
	prev, ok := p.begin()
	if !ok {
		return
	}
	if prev != nil {
		prev.Close()
	}
	p.mem.queue.offer()
}

// begin is Start under the lock. It returns the pool that p follows.
func (p *Pool) begin() (prev *Pool, ok bool) {
	p.mem.mu.Lock()
	defer p.mem.mu.Unlock()
	if p.closed || p.started != 0 {
		return nil, false
	}
	prev, p.prev = p.prev, nil
	p.started = p.deps.Clock()
	p.mem.current = p
	p.succeed(prev)
	for _, s := range p.members {
		p.employ(s, prev != nil && !prev.has(s.cond))
	}
	p.arrange()
	for _, s := range p.members { // not before: where those of a set have no room, there may be another set by then
		s.limit.Store(p.cfg.limitOf(s.spec))
	}
	p.startNames()
	return prev, true
}

// succeed takes over from prev, with what has changed there since New. mem.mu is held.
func (p *Pool) succeed(prev *Pool) {
	if prev == nil {
		return
	}
	for _, n := range p.names {
		n.adopt(prev)
	}
	p.members = p.enlist(p.places(), append(p.unmatched(prev), prev.members...))
	inherit(p.members, prev.members)
	if sameHealth(p.cfg.Health, prev.cfg.Health) {
		return
	}
	for _, s := range p.members {
		s.cond.health.renew(p.cfg.Health)
	}
}

// unmatched returns those of p's servers that prev does not know better by now: it may have got another one for their place
// since New, because a name stood for something else in between. mem.mu is held.
func (p *Pool) unmatched(prev *Pool) []*server {
	return slices.DeleteFunc(slices.Clone(p.members), func(s *server) bool {
		return !prev.has(s.cond) && takeServer(slices.Clone(prev.members), placed{name: s.ep.Name, address: s.ep.Address}) != nil
	})
}

// employ makes s a working member: its checks and timers run, its connections are p's. A fresh one
// came to an upstream that was serving already. mem.mu is held.
func (p *Pool) employ(s *server, fresh bool) {
	s.line.owner = p
	p.resumeEjection(s)
	if fresh || s.cond.rampFrom != 0 {
		p.ramp(s, fresh)
	}
	p.watch(s)
}

// has reports whether a member of p is in condition c. mem.mu is held.
func (p *Pool) has(c *condition) bool { return known(p.members, c) }

// Close ends the checks and closes the kept connections of all servers that no other pool has taken
// over. Exchanges under way are not touched, and the pool still serves. It may be called more than
// once.
func (p *Pool) Close() {
	p.cancel()
	for _, c := range p.stop() {
		c.Close()
	}
}

// stop ends all timers and returns the transports to close.
func (p *Pool) stop() []*carrier {
	p.mem.mu.Lock()
	defer p.mem.mu.Unlock()
	p.closed, p.prev = true, nil
	for _, c := range p.checks {
		c.stop()
	}
	for _, t := range p.readmits {
		t.Stop()
	}
	for _, n := range p.names {
		n.stop()
	}
	if p.rampTimer != nil {
		p.rampTimer.Stop()
	}
	var out []*carrier
	for _, s := range p.members {
		out = append(out, p.disown(s)...)
	}
	return out
}

// disown returns the transport of s where it is p's to close. mem.mu is held.
func (p *Pool) disown(s *server) []*carrier {
	if s.line.owner != p {
		return nil
	}
	s.line.owner = nil
	return []*carrier{s.line}
}

// works reports whether p is the current pool, and not about to end: what its checks find counts, and
// it says who is asked. mem.mu is held.
func (p *Pool) works() bool { return p.mem.current == p && p.ctx.Err() == nil }

// change runs f under the lock and puts its effect into force, unless p is no longer the current
// pool.
func (p *Pool) change(f func()) {
	p.mem.mu.Lock()
	if !p.works() {
		p.mem.mu.Unlock()
		return
	}
	f()
	p.arrange()
	p.mem.mu.Unlock()
	p.mem.queue.offer()
}
