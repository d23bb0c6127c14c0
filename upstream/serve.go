package upstream

import (
	"fmt"
	"sync"
	"time"

	"weir"
)

// ServeExchange implements weir.Handler: it asks one server after the other until one answers or
// none may be asked any more.
func (p *Pool) ServeExchange(x *weir.Exchange) error {
	set := p.mem.set.Load()
	if set.bal == nil {
		var f *weir.Fault
		if set, f = p.await(x); f != nil {
			return f
		}
	}
	p.budget.count(x.Timing.Start)
	var key uint64
	if p.keys.used {
		key = p.keys.of(x)
	}
	var s *server
	if p.limited {
		var f *weir.Fault
		if s, f = p.admit(x, set, key); f != nil {
			return f
		}
	} else {
		s = set.servers[set.bal.first(key)].begin()
	}
	if err := s.carry(x); err != nil {
		return p.again(x, key, s, err)
	}
	p.done(x, s)
	return nil
}

// carry has the server's transport carry x.
func (s *server) carry(x *weir.Exchange) error {
	x.Endpoint = s.ep
	x.Attempts++
	return s.ep.Transport.RoundTrip(x)
}

// done is the good end of the search for a server: x has a head.
func (p *Pool) done(x *weir.Exchange, s *server) {
	x.AtEnd(s)
	if p.timed {
		s.sample(x.Timing.FirstByte-x.Timing.Sent, x.Timing.FirstByte)
	}
	if p.cfg.Outlier != nil {
		p.judge(x, s)
	}
	if p.keys.sticky != nil {
		p.keys.sticky.stick(x, s)
	}
}

// again goes on with other servers after s has failed with err.
func (p *Pool) again(x *weir.Exchange, key uint64, s *server, err error) error {
	var tried []*condition
	for {
		f := weir.AsFault(err)
		p.failed(s, f)
		tried = append(tried, s.cond)
		if len(tried) >= p.cfg.Retry.Attempts || !mayRetry(x, f) {
			return f
		}
		if !reachedNobody(f) && !p.budget.take() {
			x.Note = "not tried again: the retry budget is spent"
			return f
		}
		if s = p.next(x, key, tried, f); s == nil {
			return f
		}
		if err = s.carry(x); err == nil {
			p.done(x, s)
			return nil
		}
	}
}

// next begins an exchange at the server to ask after those that have been tried; nil: there is none.
// It waits for one that has no room. Where all have been tried, the best one is asked once more if it was reached
// and broke off: it may have closed just this connection. One that cannot be reached can't be a moment later, and one
// that is slow is at work.
func (p *Pool) next(x *weir.Exchange, key uint64, tried []*condition, f *weir.Fault) *server {
	s, full := p.another(key, tried)
	for s == nil && full {
		var why *weir.Fault
		if s, why = p.wait(x, &waiter{avoid: tried}); why != nil && why.Cause != weir.CauseNoHealthyServer {
			return nil
		}
		if s == nil { // those that it waited for may have been ejected, which can be asked after all
			s, full = p.another(key, tried)
		}
	}
	if s == nil && f.Retry == weir.RetryIdempotent {
		s, _ = p.another(key, nil)
	}
	return s
}

// mayRetry reports whether another server may be asked after f.
func mayRetry(x *weir.Exchange, f *weir.Fault) bool {
	if x.Request.Touched || f.Side != weir.SideUpstream {
		return false
	}
	return f.Retry == weir.RetryAlways || f.Retry == weir.RetryIdempotent && x.Request.Idempotent()
}

// reachedNobody reports whether f cost no server anything, so that asking another one multiplies no load: the budget does
// not count that. A server that is down, of which nothing is known yet, would else use it up.
func reachedNobody(f *weir.Fault) bool {
	return f.Cause == weir.CauseUpstreamConnect || f.Cause == weir.CauseUpstreamUnreachable
}

// failed counts what a fault says of the server, and gives its place free.
func (p *Pool) failed(s *server, f *weir.Fault) {
	if f.Side == weir.SideUpstream {
		s.cond.lapse.Store(&lapse{f.Cause, time.Now()})
		if p.timed {
			s.punish(p.deps.Clock())
		}
		if p.cfg.Outlier != nil {
			p.blame(s, f.Error())
		}
	}
	s.end()
}

// candidateLists hold candidates while a second server is looked for.
var candidateLists = sync.Pool{New: func() any { return new([]*weir.Endpoint) }}

// another begins an exchange at the best server that has room and has not been tried; full: some has
// no room. Ejected servers come last. That there is none must be so of the present set: in a reload limits change, too.
func (p *Pool) another(key uint64, tried []*condition) (s *server, full bool) {
	for {
		set := p.mem.set.Load()
		s, full = set.another(key, tried)
		if s != nil || full || p.mem.set.Load() == set {
			return s, full
		}
	}
}

func (set *set) another(key uint64, tried []*condition) (_ *server, full bool) {
	if set.bal == nil {
		return nil, false
	}
	list := candidateLists.Get().(*[]*weir.Endpoint)
	defer candidateLists.Put(list)
	*list = set.bal.Candidates(key, (*list)[:0])
	for _, ep := range *list {
		s := set.index[ep]
		if contains(tried, s.cond) {
			continue
		}
		if s, ok := s.tryBegin(); ok {
			return s, false
		}
		full = true
	}
	if full {
		return nil, true
	}
	for _, s := range set.reserve {
		if contains(tried, s.cond) {
			continue
		}
		if s, ok := s.tryBegin(); ok {
			return s, false
		}
	}
	return nil, false
}

func contains(list []*condition, c *condition) bool {
	for _, v := range list {
		if v == c {
			return true
		}
	}
	return false
}

// await returns the set as soon as there is a server to ask. It waits only while the very first
// look-ups of names are under way.
func (p *Pool) await(x *weir.Exchange) (*set, *weir.Fault) {
	if arrived, left := p.firstLookup(); left > 0 {
		w := &wakeup{c: make(chan struct{}, 1)}
		t := time.NewTimer(left)
		x.Watch(w)
		select {
		case <-arrived:
		case <-t.C:
		case <-w.c:
		}
		x.Watch(nil)
		t.Stop()
	}
	if set := p.mem.set.Load(); set.bal != nil {
		return set, nil
	}
	return nil, p.nobody()
}

// firstLookup returns what is closed when there is a first address, and how long requests may wait for it.
func (p *Pool) firstLookup() (arrived chan struct{}, left time.Duration) {
	p.mem.mu.Lock()
	defer p.mem.mu.Unlock()
	switch {
	case len(p.members) > 0 || len(p.names) == 0 || p.closed:
		return nil, 0
	case p.started == 0:
		return p.mem.arrived, p.cfg.FirstLookup
	}
	return p.mem.arrived, p.cfg.FirstLookup - time.Duration(p.deps.Clock()-p.started)
}

// nobody is why there is no server to ask.
func (p *Pool) nobody() *weir.Fault {
	f := p.refuse(weir.CauseNoHealthyServer)
	if len(p.mem.set.Load().members) == 0 {
		f.Cause = weir.CauseNoServer
	}
	return f
}

// refuse is the fault of a request that reached no server.
func (p *Pool) refuse(c weir.Cause) *weir.Fault {
	return &weir.Fault{Op: fmt.Sprintf("upstream %q", p.cfg.Name), Side: c.Side(), Cause: c, RetryAfter: 1}
}

// A wakeup is a canceler that a goroutine waits for.
type wakeup struct{ c chan struct{} }

// Cancel implements weir.Canceler.
func (w *wakeup) Cancel() {
	select {
	case w.c <- struct{}{}:
	default:
	}
}
