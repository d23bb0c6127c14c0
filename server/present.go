package server

import (
	"net/netip"

	"weir"
)

// presently returns the snapshot's handler for the exchanges of a listener's connections, which may have been accepted under
// an earlier snapshot: the listener had another name, perhaps, or the peer was trusted and is not any more.
func presently(s *Snapshot, spec *ListenerSpec) weir.Handler {
	return &present{s.Router, spec.Name, s.Trusted}
}

// A present handler corrects what is known of a connection where it does not hold any more.
type present struct {
	next    weir.Handler
	name    string
	trusted func(netip.Addr) bool
}

// ServeExchange implements weir.Handler.
func (p *present) ServeExchange(x *weir.Exchange) error {
	c := x.Conn
	trusted := p.trusted != nil && c.Remote.IsValid() && p.trusted(c.Remote.Addr())
	if c.Trusted != trusted || c.Listener != p.name {
		now := *c // other streams of the connection have the same facts
		now.Trusted, now.Listener = trusted, p.name
		x.Conn = &now
	}
	return p.next.ServeExchange(x)
}
