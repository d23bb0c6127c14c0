package upstream

import "time"

// Status is what an upstream is like at one moment, for /status and metrics.
type Status struct {
	Name        string         `json:"name"`
	Balance     string         `json:"balance"`
	Servers     []ServerStatus `json:"servers"`
	Names       []NameStatus   `json:"names,omitempty"`        // what is resolved
	Queue       *QueueStatus   `json:"queue,omitempty"`        // nil: there is none
	RetriesLeft int            `json:"retries_left,omitempty"` // of the budget, now; -1: no limit
	Panic       bool           `json:"panic,omitempty"`        // ejected servers are asked because no other is left
}

// ServerStatus is one server of Status.
type ServerStatus struct {
	Name      string    `json:"name"`
	Address   string    `json:"address"`
	Weight    int       `json:"weight"`
	Backup    bool      `json:"backup,omitempty"`
	Location  string    `json:"location,omitempty"`
	State     string    `json:"state"`            // "up", "unchecked", "down", "ejected"
	Reason    string    `json:"reason,omitempty"` // of down and ejected
	Since     time.Time `json:"since"`            // of the state
	Checked   time.Time `json:"checked"`          // end of the last check; zero: none yet
	Until     time.Time `json:"until"`            // end of the ejection
	Active    int64     `json:"active"`           // exchanges under way
	Idle      int       `json:"idle"`             // kept connections
	Limit     int64     `json:"limit,omitempty"`  // exchanges at a time
	LatencyMS float64   `json:"latency_ms"`       // moving average to the first byte; 0: not known, or not measured
	SlowStart int64     `json:"slow_start"`       // share of its weight in 1/1000; 1000: all
	Ejections int       `json:"ejections"`        // since the server was added
}

// NameStatus is one name that stands for servers.
type NameStatus struct {
	Name     string    `json:"name"`
	Servers  int       `json:"servers"`
	Resolved time.Time `json:"resolved"` // the last good answer; zero: none yet
	Next     time.Time `json:"next"`
	Error    string    `json:"error,omitempty"` // of the last look-up
}

// QueueStatus is the state of the queue.
type QueueStatus struct {
	Waiting int `json:"waiting"`
	Length  int `json:"length"`
}

// Status returns what the upstream is like now.
func (p *Pool) Status() Status {
	p.mem.mu.Lock()
	defer p.mem.mu.Unlock()
	st := Status{Name: p.cfg.Name, Balance: p.cfg.Balance}
	for _, s := range p.members {
		st.Servers = append(st.Servers, ServerStatus{
			Name: s.ep.Name, Address: s.ep.Address, Weight: s.ep.Weight, Backup: s.ep.Backup, Location: s.ep.Location,
			State: "up", Active: s.ep.Active.Load(), Idle: s.ep.Transport.Idle(), SlowStart: 1000,
		})
	}
	return st
}
