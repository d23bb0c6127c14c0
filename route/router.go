package route

import (
	"fmt"
	"strings"

	"weir"
)

// A Router leads each exchange to its route. It is immutable and may be used by many goroutines at once.
type Router struct {
	tables []listenerTable // the first one is for listeners that no site names
	only   bool            // all listeners have the same sites
	words  *wordIndex      // all hosts
}

// A listenerTable is the hosts that one listener answers for.
type listenerTable struct {
	listener string
	hosts    *hostTable
}

// ServeExchange implements weir.Handler. It brings x.Request.Path into normal form (RawPath keeps what was
// sent), finds the route, sets x.Route and x.Params, and calls the route's handler. A path that has no
// normal form is refused with weir.CauseRequestPath, and a request for which an expression would cost too much
// with weir.CauseExpression; where there is no site or no route, x.Note says what
// came nearest.
//
// The values in x.Params are pieces of the normal path with its escapes; "*" is what a prefix leaves,
// without the slash before it.
func (r *Router) ServeExchange(x *weir.Exchange) error {
	e, h, err := r.lookup(x)
	switch {
	case err == nil:
		return e.handler.ServeExchange(x)
	case h != nil && h.site.Missing != nil:
		return h.site.Missing.ServeExchange(x)
	}
	return err
}

// Lookup is ServeExchange without the call of the handler. The error is a *weir.Fault.
func (r *Router) Lookup(x *weir.Exchange) (*weir.Route, error) {
	e, _, err := r.lookup(x)
	if err != nil {
		return nil, err
	}
	return e.target, nil
}

// lookup also returns the host, where it is known.
func (r *Router) lookup(x *weir.Exchange) (*entry, *hostEntry, error) {
	if !normalize(&x.Request) {
		return nil, nil, weir.Refuse(weir.CauseRequestPath, "route")
	}
	t := r.table(x)
	h := t.find(x.Request.Host())
	if h == nil {
		x.Note = r.noteNoSite(x)
		return nil, nil, noSite(x)
	}
	s := search{x: x, path: mergeSlashes(x.Request.Path), routes: t.routes}
	e := s.run(h)
	if s.dear != nil {
		x.Note = fmt.Sprintf("site %q: %s: %s", h.site.Name, s.dear.spec.label(), s.dear.cond.when.reason(x))
		return nil, nil, weir.Refuse(weir.CauseExpression, "route")
	}
	if e == nil {
		x.Note = noteNoRoute(h, &s)
		return nil, h, weir.Refuse(weir.CauseNoRoute, "route")
	}
	if hidden := s.evades(h, e); hidden != nil {
		x.Note = noteEvades(h, hidden)
		return nil, nil, weir.Refuse(weir.CauseRequestPath, "route")
	}
	x.Route = e.target
	return e, h, nil
}

// noSite refuses a request whose host is of no site. A client that asks for a host on a connection that it
// opened to another one learns that it may ask again on a connection of its own (RFC 9110, section
// 15.5.20); that says nothing of which hosts there are.
func noSite(x *weir.Exchange) *weir.Fault {
	f := weir.Refuse(weir.CauseNoSite, "route")
	if x.Conn == nil || x.Conn.TLS == nil {
		return f
	}
	name, host := x.Conn.TLS.ServerName, strings.TrimSuffix(x.Request.Host(), ".")
	if name != "" && !weir.EqualFold(name, host) {
		f.Status = 421
	}
	return f
}

// normalize brings the request's path into normal form; "*" is one for OPTIONS.
func normalize(q *weir.Request) bool {
	if q.RawPath == "" {
		q.RawPath = q.Path
	}
	path, ok := weir.Normalize(q.Path)
	if !ok {
		return q.Path == "*" && q.Method == "OPTIONS"
	}
	q.Path = path
	return true
}

// table returns the hosts of the listener that x came through.
func (r *Router) table(x *weir.Exchange) *hostTable {
	if !r.only && x.Conn != nil {
		for i := range r.tables[1:] {
			if t := &r.tables[1+i]; t.listener == x.Conn.Listener {
				return t.hosts
			}
		}
	}
	return r.tables[0].hosts
}

// run returns the route for the exchange, with its parameters in x.Params, or nil.
func (s *search) run(h *hostEntry) *entry {
	s.x.Params = s.x.Params[:0]
	e := h.find(s)
	if e != nil {
		s.finish(e)
	}
	return e
}

// finish gives the parameters their names, and "*" the doubled slashes back.
func (s *search) finish(e *entry) {
	params := s.x.Params
	for i := range params {
		params[i].Name = (*e.names)[i]
	}
	if path := s.x.Request.Path; len(path) != len(s.path) {
		e.pattern.restore(params, path, s.path)
	}
}
