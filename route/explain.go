package route

import (
	"fmt"
	"slices"
	"strings"

	"weir"
)

// An Explanation is how the router came to its choice for one request.
type Explanation struct {
	Listener string
	Host     string // as the router compares it
	Path     string // in normal form; "" where it has none
	Site     string // "" where no site has the host
	SiteWhy  string // why that site, or why none
	Route    *weir.Route
	Params   []weir.Param
	Verdicts []Verdict   // all routes of the site, in order of precedence
	Fault    *weir.Fault // nil where there is a route
	Note     string      // what the log says of a request without a route
}

// A Verdict is what became of one route.
type Verdict struct {
	Label  string       // what messages call it
	Route  *weir.Route  // where it leads
	Pos    fmt.Stringer // where it is written; may be nil
	Won    bool
	Reason string // why it lost: "method GET is not POST"; why it won: the rule that decided
}

// Explain tells how Lookup would choose for x, which it changes as Lookup does. It asks Lookup for the winner
// and each pattern and condition for its verdict; it is not made for the path of every request.
func (r *Router) Explain(x *weir.Exchange) Explanation {
	target, err := r.Lookup(x)
	out := Explanation{
		Listener: listenerName(x), Route: target, Params: slices.Clone(x.Params), Note: x.Note,
		Host: strings.TrimSuffix(strings.ToLower(x.Request.Host()), "."),
	}
	if err != nil {
		out.Fault = weir.AsFault(err)
		if out.Fault.Cause == weir.CauseRequestPath {
			return out
		}
	}
	out.Path = x.Request.Path
	h := r.table(x).find(x.Request.Host())
	if h == nil {
		out.SiteWhy = x.Note
		return out
	}
	out.Site, out.SiteWhy = h.site.Name, h.why(out.Host)
	out.Verdicts = h.verdicts(x)
	for i := range out.Verdicts {
		if v := &out.Verdicts[i]; v.Won && out.Fault != nil {
			v.Won, v.Reason = false, "would match, but the request is refused before"
		}
	}
	return out
}

// why says why the entry was chosen for host.
func (h *hostEntry) why(host string) string {
	switch {
	case h.host == "*":
		return fmt.Sprintf("no site has host %q, and this one has \"*\"", host)
	case h.host[0] == '*':
		return fmt.Sprintf("%q is the longest wildcard that has host %q", h.host, host)
	}
	return fmt.Sprintf("it has host %q", h.host)
}

// verdicts judges all routes of the site: those that its trees hold for the host in order, then those for
// other hosts.
func (h *hostEntry) verdicts(x *weir.Exchange) []Verdict {
	var out []Verdict
	var winner *entry
	for _, t := range h.trees {
		for i := range t.entries {
			e := &t.entries[i]
			v := Verdict{Label: e.spec.label(), Route: e.target, Pos: e.spec.Pos}
			v.Reason = e.loses(x)
			switch {
			case v.Reason != "":
			case winner == nil:
				winner, v.Won, v.Reason = e, true, "first in precedence of all that match"
			default:
				v.Reason = fmt.Sprintf("matches too, but %s", winner.beats(e, h.trees))
			}
			out = append(out, v)
		}
	}
	for _, t := range h.site.trees {
		if slices.Contains(h.trees, t) {
			continue
		}
		for i := range t.entries {
			e := &t.entries[i]
			out = append(out, Verdict{Label: e.spec.label(), Route: e.target, Pos: e.spec.Pos, Reason: fmt.Sprintf("host is not %s", t.host)})
		}
	}
	return out
}

// loses returns why the entry does not match x, or "".
func (e *entry) loses(x *weir.Exchange) string {
	if x.Request.Path == "*" {
		if !e.pattern.matchesAll() {
			return "path * is for routes of /* only"
		}
	} else if _, ok := e.pattern.match(mergeSlashes(x.Request.Path), nil); !ok {
		return "path does not match"
	}
	if e.cond == nil {
		return ""
	}
	if f := e.cond.check(x); f.what != condNone {
		return e.cond.reason(f, x)
	}
	return ""
}

// beats names the rule by which e comes before f.
func (e *entry) beats(f *entry, trees []*tree) string {
	name := e.spec.label()
	for _, t := range trees {
		if t.holds(e) != t.holds(f) {
			return name + " names the host"
		}
	}
	switch {
	case e.comparePath(f) != 0:
		return name + " has the more specific path"
	case e.cond.compare(f.cond) != 0:
		return name + " has the more specific conditions"
	}
	return name + " is written before it"
}

func (t *tree) holds(e *entry) bool {
	for i := range t.entries {
		if &t.entries[i] == e {
			return true
		}
	}
	return false
}
