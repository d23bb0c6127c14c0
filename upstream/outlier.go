package upstream

import (
	"fmt"
	"time"

	"weir"
)

// judge counts an answer: a status from 500 is a failure of the server, any other ends a row of them.
func (p *Pool) judge(x *weir.Exchange, s *server) {
	if x.Response.Status >= 500 {
		p.blame(s, fmt.Sprintf("status %d", x.Response.Status))
		return
	}
	if s.cond.failures.Load() != 0 {
		s.cond.failures.Store(0)
	}
}

// blame counts a failure of s and ejects it where it was one too many.
func (p *Pool) blame(s *server, why string) {
	now := p.deps.Clock()
	n := s.cond.failures.Add(1)
	if n == 1 || now-s.cond.since.Load() > int64(p.cfg.Outlier.Within) {
		s.cond.failures.Store(1)
		s.cond.since.Store(now)
		n = 1
	}
	if int(n) >= p.cfg.Outlier.Errors {
		p.change(func() { p.eject(s, why, now) })
	}
}

// eject takes s out of service for a while, if as many others remain as must. mem.mu is held.
func (p *Pool) eject(s *server, why string, now int64) {
	e := &s.cond.eject
	if e.out || !p.has(s.cond) || !p.mayEject(s) {
		return
	}
	s.cond.failures.Store(0)
	if now-e.until > 10*int64(p.cfg.Outlier.Eject) {
		e.times = 0
	}
	d := p.cfg.Outlier.Eject << min(e.times, 4)
	*e = ejection{out: true, until: now + int64(d), times: e.times + 1, total: e.total + 1, why: why, at: time.Now()}
	p.readmits[s.cond] = time.AfterFunc(d, func() { p.readmit(s) })
	if c := p.checks[s.cond]; c != nil {
		c.hurry()
	}
	p.deps.Log.Warn("server ejected: requests fail", "upstream", p.cfg.Name, "server", s.ep.Name, "address", s.ep.Address, "for", d.String(), "reason", why)
}

// mayEject reports whether one more server may be out: never the last one in service, and of all
// servers no more than the share that the configuration allows, or one. mem.mu is held.
func (p *Pool) mayEject(s *server) bool {
	in, out := 0, 0
	for _, m := range p.members {
		switch {
		case m.cond.eject.out:
			out++
		case m.cond != s.cond && m.cond.inService():
			in++
		}
	}
	if in == 0 {
		return false
	}
	return out == 0 || (out+1)*100 <= p.cfg.Outlier.MaxEjected*len(p.members)
}

// readmit ends the ejection of s.
func (p *Pool) readmit(s *server) {
	p.change(func() {
		delete(p.readmits, s.cond)
		if !s.cond.eject.out {
			return
		}
		p.pardon(s, "its ejection is over")
	})
}

// relent ends the ejection of s with a good check, if one has failed meanwhile: then checks see what the requests saw, and
// it is over. Where they find nothing wrong the requests know better. It reports whether it makes a difference. mem.mu is held.
func (p *Pool) relent(s *server, err error) bool {
	e := &s.cond.eject
	if !e.out {
		return false
	}
	if err != nil {
		e.seen = true
		return false
	}
	if !e.seen {
		return false
	}
	p.unwatchEjection(s.cond)
	p.pardon(s, "its checks succeed again")
	return true
}

// pardon puts s, which is ejected, back into service. mem.mu is held.
func (p *Pool) pardon(s *server, why string) {
	s.cond.eject.out, s.cond.eject.at = false, time.Now()
	s.cond.failures.Store(0)
	p.deps.Log.Info("server back in service: "+why, "upstream", p.cfg.Name, "server", s.ep.Name, "address", s.ep.Address)
	p.ramp(s, true)
}

// resumeEjection goes on with an ejection that the pool before has begun. mem.mu is held.
func (p *Pool) resumeEjection(s *server) {
	e := &s.cond.eject
	if !e.out {
		return
	}
	if p.cfg.Outlier == nil {
		e.out = false
		return
	}
	p.unwatchEjection(s.cond)
	left := max(time.Duration(e.until-p.deps.Clock()), 0)
	p.readmits[s.cond] = time.AfterFunc(left, func() { p.readmit(s) })
}

// unwatchEjection forgets the timer of a server that leaves. mem.mu is held.
func (p *Pool) unwatchEjection(c *condition) {
	if t := p.readmits[c]; t != nil {
		t.Stop()
		delete(p.readmits, c)
	}
}
