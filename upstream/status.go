package upstream

import (
	"time"

	"weir"
	"weir/internal/clock"
)

// Status is what an upstream is like at one moment, for /status and metrics.
type Status struct {
	Name        string         `json:"name"`
	Balance     string         `json:"balance"`
	Servers     []ServerStatus `json:"servers"`
	Names       []NameStatus   `json:"names,omitempty"` // what is resolved
	Queue       *QueueStatus   `json:"queue,omitempty"` // nil: there is none
	RetriesLeft int            `json:"retries_left"`    // of the budget, now; -1: no limit
	Panic       bool           `json:"panic,omitempty"` // ejected servers are asked because no other is left
}

// ServerStatus is one server of Status.
type ServerStatus struct {
	Name      string    `json:"name"`
	Address   string    `json:"address"`
	Weight    int       `json:"weight"`
	Backup    bool      `json:"backup,omitempty"`
	Location  string    `json:"location,omitempty"`
	State     string    `json:"state"`                // "up", "unchecked", "down", "ejected"
	Reason    string    `json:"reason,omitempty"`     // why the last check failed, or the server is ejected
	Since     time.Time `json:"since,omitzero"`       // of the state; zero: since the server was added
	Checked   time.Time `json:"checked,omitzero"`     // end of the last check; zero: none yet
	Until     time.Time `json:"until,omitzero"`       // end of the ejection
	Active    int64     `json:"active"`               // exchanges under way
	Idle      int       `json:"idle"`                 // kept connections
	Protocol  string    `json:"protocol"`             // that is spoken with it; "": its choice is not known yet
	Limit     int64     `json:"limit,omitempty"`      // exchanges at a time
	LatencyMS float64   `json:"latency_ms,omitempty"` // moving average to the first byte; 0: not known, or not measured
	SlowStart int64     `json:"slow_start"`           // share of its weight in 1/1000; 1000: all
	Ejections int       `json:"ejections"`            // since the server was added
}

// NameStatus is one name that stands for servers.
type NameStatus struct {
	Name     string    `json:"name"`
	Servers  int       `json:"servers"`
	Resolved time.Time `json:"resolved,omitzero"` // the last good answer; zero: none yet
	Next     time.Time `json:"next,omitzero"`     // the next look-up
	Error    string    `json:"error,omitempty"`   // of the last look-up
}

// QueueStatus is the state of the queue.
type QueueStatus struct {
	Waiting int `json:"waiting"`
	Length  int `json:"length"` // how many may wait
}

// Status returns what the upstream is like now.
func (p *Pool) Status() Status {
	st := Status{Name: p.cfg.Name, Balance: p.cfg.Balance, RetriesLeft: p.budget.remaining()}
	if p.cfg.Retry.Attempts == 1 {
		st.RetriesLeft = 0
	}
	if p.limited {
		st.Queue = &QueueStatus{int(p.mem.queue.waiting.Load()), p.cfg.Queue.Length}
	}
	p.mem.mu.Lock()
	defer p.mem.mu.Unlock()
	st.Panic = p.mem.set.Load().panic
	for _, s := range p.members {
		v := s.status(p.cfg.Health != nil)
		v.Protocol = p.spoken(s)
		st.Servers = append(st.Servers, v)
	}
	for _, n := range p.names {
		st.Names = append(st.Names, n.status())
	}
	return st
}

// spoken is the protocol that is spoken with the server; "": it chooses that itself, and has not yet.
func (p *Pool) spoken(s *server) string {
	if c, ok := s.line.Transport.(weir.Chooser); ok {
		if now, chooses := c.Spoken(); chooses {
			return now
		}
	}
	return p.cfg.Protocol
}

// status returns what the server is like. mem.mu is held.
func (s *server) status(checked bool) ServerStatus {
	ep := s.ep
	st := ServerStatus{
		Name: ep.Name, Address: ep.Address, Weight: ep.Weight, Backup: ep.Backup, Location: ep.Location,
		State: "up", Reason: s.cond.health.reason, Since: s.cond.health.changed,
		Active: ep.Active.Load(), Idle: ep.Transport.Idle(), Limit: s.limit.Load(),
		LatencyMS: float64(ep.Latency.Load()) / 1e6, SlowStart: 1000, Ejections: s.cond.eject.total,
	}
	if r := ep.Ramp.Load(); r != 0 {
		st.SlowStart = r
	}
	if c := s.cond.health.checked; c != 0 {
		st.Checked = clock.Wall(c)
	}
	e := &s.cond.eject
	if e.at.After(st.Since) {
		st.Since = e.at
	}
	switch {
	case s.cond.health.down:
		st.State = "down"
	case e.out:
		st.State, st.Reason, st.Since, st.Until = "ejected", e.why, e.at, clock.Wall(e.until)
	case checked && !s.cond.health.known:
		st.State = "unchecked"
	}
	return st
}

// status returns what is known of the name. mem.mu is held.
func (n *name) status() NameStatus {
	st := NameStatus{Name: n.target.text, Servers: len(n.hits), Resolved: n.resolved, Error: n.problem}
	if n.due != 0 {
		st.Next = clock.Wall(n.due)
	}
	return st
}
