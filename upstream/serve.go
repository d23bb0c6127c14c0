package upstream

import (
	"fmt"

	"weir"
)

// ServeExchange implements weir.Handler: it asks one server after the other until one answers or none may be
// asked any more.
func (p *Pool) ServeExchange(x *weir.Exchange) error {
	set := p.set.Load()
	if set.bal == nil {
		return p.nobody(set)
	}
	s := set.servers[set.bal.first(p.keys.of(x))].begin()
	if f := s.carry(x); f != nil {
		s.end()
		return f
	}
	x.AtEnd(s)
	return nil
}

// carry has the server's transport carry x.
func (s *server) carry(x *weir.Exchange) error {
	x.Endpoint = s.ep
	x.Attempts++
	return s.ep.Transport.RoundTrip(x)
}

// nobody is why there is no server to ask.
func (p *Pool) nobody(s *set) *weir.Fault {
	f := &weir.Fault{Op: fmt.Sprintf("upstream %q", p.cfg.Name), Side: weir.SideUpstream, Cause: weir.CauseNoHealthyServer, RetryAfter: 1}
	if !s.known {
		f.Cause = weir.CauseNoServer
	}
	return f
}
