package upstream

import (
	"fmt"
	"time"

	"weir"
)

// An Explanation is what balancing would do with one request.
type Explanation struct {
	Upstream string      `json:"upstream"`
	Balance  string      `json:"balance"`
	Key      string      `json:"key,omitempty"`   // what "hash" and "maglev" go by, as text; "" with the others
	Queue    bool        `json:"queue,omitempty"` // no server has room: the request would wait
	Servers  []Explained `json:"servers"`
}

// Explained is one server of an Explanation. Those that would be asked stand in front, in the order in which
// they would be.
type Explained struct {
	Name    string `json:"name"`
	Address string `json:"address"`
	Weight  int    `json:"weight"`
	Backup  bool   `json:"backup,omitempty"`
	Speaks  string `json:"speaks,omitempty"` // the protocol; "": it chooses that itself, and has not yet
	Asked   bool   `json:"asked"`            // it would be asked, first or should those before it fail
	Reason  string `json:"reason"`           // why it stands there, or why it is not asked
}

// Explain returns what balancing would do with x now. Nothing is sent; with "round-robin" and
// "least-request" it takes one turn.
func (p *Pool) Explain(x *weir.Exchange) Explanation {
	e := Explanation{Upstream: p.cfg.Name, Balance: p.cfg.Balance}
	if p.keys.hash {
		e.Key = x.ClientIP
		if p.keys.by != nil {
			e.Key = p.keys.by.String(x)
		}
	}
	p.mem.mu.Lock()
	defer p.mem.mu.Unlock()
	set := p.mem.set.Load()
	if set.bal != nil {
		e.Servers = p.explainAsked(x, set)
		e.Queue = p.limited && set.bal != nil && !anyAsked(e.Servers)
	}
	for _, s := range p.members {
		if set.index[s.ep] == nil {
			e.Servers = append(e.Servers, p.explain(s, false, s.whyOut()))
		}
	}
	return e
}

// explainAsked returns the candidates, first those that have room. mem.mu is held.
func (p *Pool) explainAsked(x *weir.Exchange, set *set) (list []Explained) {
	var full []Explained
	key := p.keys.of(x)
	named := p.keys.want(set, key)
	for _, ep := range set.bal.Candidates(key, nil) {
		s := set.index[ep]
		if limit := s.limit.Load(); limit > 0 && ep.Active.Load() >= limit {
			full = append(full, p.explain(s, false, fmt.Sprintf("at its limit of %d exchanges at a time", limit)))
			continue
		}
		reason := "if those before it fail"
		switch {
		case s.cond == named:
			reason = "named by the client's cookie"
		case len(list) == 0:
			reason = p.whyFirst(ep)
		}
		list = append(list, p.explain(s, true, reason))
	}
	return append(list, full...)
}

// whyFirst tells why ep is the first choice.
func (p *Pool) whyFirst(ep *weir.Endpoint) string {
	set := p.mem.set.Load()
	switch {
	case set.panic:
		return "ejected, but no other server is left"
	case len(set.servers) == 1:
		return "the only server in service"
	case ep.Backup:
		return "a backup: no other server is in service"
	}
	switch p.cfg.Balance {
	case "random":
		return "the less busy of two drawn by lot"
	case "least-request":
		return fmt.Sprintf("least busy for its weight: %d exchanges under way", ep.Active.Load())
	case "least-time":
		return fmt.Sprintf("the sooner of two drawn by lot: %s to the first byte, %d exchanges under way",
			time.Duration(ep.Latency.Load()).Round(time.Microsecond), ep.Active.Load())
	case "hash", "maglev":
		return "where the key belongs"
	}
	return "its turn"
}

// whyOut tells why the server is not asked. memory.mu is held.
func (s *server) whyOut() string {
	switch c := s.cond; {
	case c.health.down:
		return "down since " + c.health.changed.Format(time.RFC3339) + ": " + c.health.reason
	case c.eject.out:
		return "ejected since " + c.eject.at.Format(time.RFC3339) + ": " + c.eject.why
	}
	return "not asked"
}

func (p *Pool) explain(s *server, asked bool, reason string) Explained {
	if r := s.ep.Ramp.Load(); r > 0 && r < 1000 {
		reason += fmt.Sprintf("; in slow start, at %d%% of its weight", r/10)
	}
	if l := s.cond.lapse.Load(); l != nil {
		reason += fmt.Sprintf("; failed last at %s: %s", l.at.Format(time.RFC3339), l.cause)
	}
	return Explained{
		Name: s.ep.Name, Address: s.ep.Address, Weight: s.ep.Weight, Backup: s.ep.Backup,
		Speaks: p.spoken(s), Asked: asked, Reason: reason,
	}
}

func anyAsked(list []Explained) bool {
	for _, e := range list {
		if e.Asked {
			return true
		}
	}
	return false
}
