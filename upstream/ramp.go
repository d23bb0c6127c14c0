package upstream

import "time"

// rampFloor is the share of its weight, in 1/1000, that a server in slow start gets at least.
const rampFloor = 50

// ramp begins the slow start of s, or goes on with the one it is in. mem.mu is held.
func (p *Pool) ramp(s *server, anew bool) {
	if p.cfg.SlowStart <= 0 {
		s.cond.rampFrom = 0
		s.ep.Ramp.Store(0)
		return
	}
	if anew {
		s.cond.rampFrom = p.deps.Clock()
	}
	s.climb(p.deps.Clock(), p.cfg.SlowStart)
	if p.rampTimer == nil {
		p.rampTimer = time.AfterFunc(p.rampStep(), p.climb)
	}
}

// rampStep is the time between two changes of a share.
func (p *Pool) rampStep() time.Duration {
	return min(max(p.cfg.SlowStart/50, 20*time.Millisecond), time.Second)
}

// climb gives each server in slow start its share of now.
func (p *Pool) climb() {
	p.mem.mu.Lock()
	defer p.mem.mu.Unlock()
	if !p.works() {
		return
	}
	now, some := p.deps.Clock(), false
	for _, s := range p.members {
		if s.cond.rampFrom != 0 {
			some = s.climb(now, p.cfg.SlowStart) || some
		}
	}
	if !some {
		p.rampTimer = nil
		return
	}
	p.rampTimer.Reset(p.rampStep())
}

// climb sets the share of s, and reports whether slow start goes on.
func (s *server) climb(now int64, over time.Duration) bool {
	share := 1000 * (now - s.cond.rampFrom) / int64(over)
	if share >= 1000 {
		s.cond.rampFrom = 0
		s.ep.Ramp.Store(0)
		return false
	}
	s.ep.Ramp.Store(max(share, rampFloor))
	return true
}
