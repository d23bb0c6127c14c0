package upstream

import "weir"

// An Explanation is what balancing would do with one request.
type Explanation struct {
	Upstream string
	Balance  string
	Key      string // what "hash" and "maglev" go by, as text
	Servers  []Explained
}

// Explained is one server of an Explanation, the one that would be asked first in front.
type Explained struct {
	Name, Address string
	Asked         bool   // it would be asked, should those before it fail
	Reason        string // why it stands there, or why it is not asked
}

// Explain returns what balancing would do with x now. Nothing is sent.
func (p *Pool) Explain(x *weir.Exchange) Explanation {
	e := Explanation{Upstream: p.cfg.Name, Balance: p.cfg.Balance}
	set := p.set.Load()
	if set.bal == nil {
		return e
	}
	for _, ep := range set.bal.Candidates(p.keys.of(x), nil) {
		e.Servers = append(e.Servers, Explained{Name: ep.Name, Address: ep.Address, Asked: true})
	}
	return e
}
