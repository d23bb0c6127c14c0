package upstream

import (
	"context"
	"reflect"
	"time"
)

// A check asks one server again and again how it is.
type check struct {
	p     *Pool
	s     *server
	timer *time.Timer
	done  bool // guarded by memory.mu, as are the next two
	busy  bool // it is being made
	again bool // the next one is due when this one has ended
}

// watch begins the checks of s: at once where it has none behind it, else when the next one would
// have been due. mem.mu is held.
func (p *Pool) watch(s *server) {
	if p.cfg.Health == nil {
		return
	}
	p.unwatch(s.cond)
	c := &check{p: p, s: s}
	p.checks[s.cond] = c
	var wait time.Duration
	if v := &s.cond.health; v.checked != 0 {
		wait = max(p.pause()-time.Duration(p.deps.Clock()-v.checked), 0)
	}
	c.timer = time.AfterFunc(wait, c.run)
}

// unwatch ends the checks of c. mem.mu is held.
func (p *Pool) unwatch(c *condition) {
	if ch := p.checks[c]; ch != nil {
		ch.stop()
		delete(p.checks, c)
	}
}

func (c *check) stop() {
	c.done = true
	c.timer.Stop()
}

// hurry makes the next check due now. mem.mu is held.
func (c *check) hurry() {
	if c.again = c.busy; !c.busy {
		c.timer.Reset(0)
	}
}

// begin reports whether a check may be made now: one at a time.
func (c *check) begin() bool {
	c.p.mem.mu.Lock()
	defer c.p.mem.mu.Unlock()
	if c.done || c.busy {
		return false
	}
	c.busy = true
	return true
}

// pause is the time until the next check. mem.mu is held.
func (c *check) pause() time.Duration {
	if c.again {
		c.again = false
		return 0
	}
	return c.p.pauseAfter(&c.s.cond.health)
}

// pause is the time between two checks, varied so that those of many servers do not coincide.
func (p *Pool) pause() time.Duration {
	d := p.cfg.Health.Interval
	return d - d/10 + time.Duration(p.deps.Rand()%uint64(d/5+1))
}

// startPause is how long the next check of a server is waited for at most that has never been well: it is
// being started, most likely, just as weir is.
const startPause = time.Second

func (p *Pool) pauseAfter(v *verdict) time.Duration {
	if v.down && !v.well {
		return min(p.pause(), startPause)
	}
	return p.pause()
}

// run makes one check and sets the time of the next.
func (c *check) run() {
	p := c.p
	if !c.begin() {
		return
	}
	ctx, cancel := context.WithTimeout(p.ctx, p.cfg.Health.Timeout)
	err := p.cfg.Health.ask(ctx, p.deps.Dial, c.s.ep)
	cancel()
	p.mem.mu.Lock()
	c.busy = false
	if c.done || !p.works() {
		p.mem.mu.Unlock()
		return
	}
	changed := p.learn(c.s, err)
	changed = p.relent(c.s, err) || changed
	if changed {
		p.arrange()
	}
	c.timer.Reset(c.pause())
	p.mem.mu.Unlock()
	if changed {
		p.mem.queue.offer()
	}
}

// learn takes the result of a check into account, and reports whether it makes a difference.
// mem.mu is held.
func (p *Pool) learn(s *server, err error) bool {
	v := &s.cond.health
	v.checked = p.deps.Clock()
	if !v.judge(err, p.cfg.Health) {
		return false
	}
	v.changed = time.Now()
	if v.down {
		p.deps.Log.Warn("server out of service: its checks fail", "upstream", p.cfg.Name, "server", s.ep.Name, "address", s.ep.Address, "reason", v.reason)
		return true
	}
	p.deps.Log.Info("server back in service: its checks succeed", "upstream", p.cfg.Name, "server", s.ep.Name, "address", s.ep.Address)
	p.ramp(s, true)
	return true
}

// judge changes the verdict by one more check, and reports whether it is another one now. The very
// first check decides alone: what is not known yet is not worth several failures. So does the first good one
// of a server that starts more slowly than weir.
func (v *verdict) judge(err error, h *Health) (changed bool) {
	first := !v.known
	v.known = true
	v.reason = ""
	if err != nil {
		v.reason = err.Error()
	}
	defer func() { v.well = v.well || err == nil }()
	if (err != nil) == v.down {
		v.row = 0
		return false
	}
	v.row++
	need := h.Fall
	if v.down {
		need = h.Rise
	}
	if v.row < need && !first && !(v.down && !v.well) {
		return false
	}
	v.down, v.row = !v.down, 0
	return true
}

// renew makes the verdict fit for other checks: what they will find is not known, but until then the
// last state holds. Without checks there is no verdict.
func (v *verdict) renew(h *Health) {
	if h == nil {
		*v = verdict{}
		return
	}
	v.row, v.checked = 0, 0
}

func sameHealth(a, b *Health) bool {
	if a == nil || b == nil {
		return a == b
	}
	x, y := *a, *b
	x.TLS, y.TLS, x.Transport, y.Transport = nil, nil, nil, nil // functions cannot be compared
	return (a.TLS == nil) == (b.TLS == nil) && (a.Transport == nil) == (b.Transport == nil) && reflect.DeepEqual(x, y)
}
