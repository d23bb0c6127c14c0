// Package header sets, adds and removes the fields of requests and answers, and parameters of the query.
//
// Values are templates. A value that comes out empty is not sent: a field that is set to it is removed. Of an
// answer's fields those of weir's own answers to failures are changed as well, if the failure happened behind
// this feature: a browser is to see the CORS fields of a 502, too.
//
// In requests, what is removed, set or looked for under a name with "-" is so under the same name with "_" in its
// places: many servers take X_User and X-User for one field, and would believe a client's X_User. It is removed from the
// trailer as well: some servers put the trailer's fields to those of the header. What is removed or set in an answer is
// removed from its trailer, too.
package header

import (
	"fmt"
	"strings"

	"weir"
	"weir/internal/syntax"
)

// A Pair is a name and the template of its value.
type Pair struct{ Name, Value string }

// Fields says what is done with a header. It is done in the order of the members.
type Fields struct {
	Remove  []string // names; a last "*" stands for any rest: "X-Debug-*"
	Set     []Pair   // one field of that name and no other
	Add     []Pair   // one more field of that name
	Default []Pair   // where there is no field of that name
}

// Query says what is done with the query of a request. It is done in the order of the members. Parameters
// that nothing is said of stay as they were sent.
type Query struct {
	Remove []string // names; a last "*" stands for any rest: "utm_*"
	Set    []Pair   // one parameter of that name and no other, at the end
}

// Config is what New makes a middleware of.
type Config struct {
	Request  Fields
	Query    Query
	Response Fields
	Params   []string // names that a template may use besides weir.Placeholders: those of the route's pattern
}

type transform struct {
	next     weir.Handler
	request  *edits                 // nil: nothing to do
	hide     func(*weir.Field) bool // request.hides
	query    *queryEdits
	response *edits
	hideBack func(*weir.Field) bool // response.hides
}

// New returns the middleware, for weir.PhaseRewrite.
func New(cfg Config) (weir.Middleware, error) {
	var t transform
	var err error
	if t.request, err = newRequestEdits(cfg.Request, cfg.Params); err != nil {
		return nil, fmt.Errorf("request: %w", err)
	}
	t.hide = t.request.hides
	if t.query, err = newQueryEdits(cfg.Query, cfg.Params); err != nil {
		return nil, fmt.Errorf("query: %w", err)
	}
	if t.response, err = newEdits(cfg.Response, cfg.Params, nil); err != nil {
		return nil, fmt.Errorf("response: %w", err)
	}
	t.hideBack = t.response.hides
	return func(next weir.Handler) weir.Handler {
		mine := t
		mine.next = next
		return &mine
	}, nil
}

// ServeExchange implements weir.Handler.
func (t *transform) ServeExchange(x *weir.Exchange) error {
	if t.request != nil {
		t.request.apply(&x.Request.Header, x)
		x.Request.HideTrailer(t.hide)
	}
	err := t.serve(x)
	if t.response == nil {
		return err
	}
	if err != nil {
		x.Fail(err)
	}
	t.response.apply(&x.Response.Header, x)
	x.Response.HideTrailer(t.hideBack)
	return nil
}

// serve asks next with the query changed. The exchange gets its own back: logs tell what the client asked for.
func (t *transform) serve(x *weir.Exchange) error {
	if t.query == nil {
		return t.next.ServeExchange(x)
	}
	own := x.Request.Query
	x.Request.Query = t.query.apply(own, x)
	err := t.next.ServeExchange(x)
	x.Request.Query = own
	return err
}

// requestFields are fields of a request that no configuration may change, besides those that are reserved.
var requestFields = map[weir.FieldID]string{weir.FieldVia: "it is how weir recognises a loop"}

// checkName returns an error for a name that can't be changed.
func checkName(name string, others map[weir.FieldID]string) error {
	if !syntax.IsToken(name) {
		return fmt.Errorf("field name %q holds a character that no field name may", name)
	}
	id := weir.Identify(name)
	reason := id.Reserved()
	if reason == "" {
		reason = others[id]
	}
	if reason != "" {
		return fmt.Errorf("field %q can't be changed: %s", name, reason)
	}
	return nil
}

// A names matches names, some of them by their beginnings.
type names struct {
	ids      []weir.FieldID
	whole    []string
	prefixes []string
}

func newNames(list []string, others map[weir.FieldID]string) (names, error) {
	var n names
	for _, name := range list {
		if prefix, wild := strings.CutSuffix(name, "*"); wild {
			if prefix == "" || !syntax.IsToken(prefix) || strings.Contains(prefix, "*") {
				return n, fmt.Errorf("field name %q: \"*\" stands at the end, behind the beginning of a name", name)
			}
			for id, reason := range others {
				if protected := id.String(); len(prefix) <= len(protected) && weir.EqualFold(protected[:len(prefix)], prefix) {
					return n, fmt.Errorf("field name %q would take in %q, which can't be changed: %s", name, protected, reason)
				}
			}
			n.prefixes = append(n.prefixes, prefix)
			continue
		}
		if err := checkName(name, others); err != nil {
			return n, err
		}
		if id := weir.Identify(name); id != weir.FieldOther {
			n.ids = append(n.ids, id)
		} else {
			n.whole = append(n.whole, name)
		}
	}
	return n, nil
}

func (n *names) empty() bool { return len(n.ids)+len(n.whole)+len(n.prefixes) == 0 }

func (n *names) match(f *weir.Field) bool {
	for _, id := range n.ids {
		if f.ID == id {
			return true
		}
	}
	if f.ID == weir.FieldOther {
		for _, name := range n.whole {
			if weir.EqualFold(f.Name, name) {
				return true
			}
		}
	}
	for _, p := range n.prefixes {
		if len(f.Name) >= len(p) && weir.EqualFold(f.Name[:len(p)], p) {
			return true
		}
	}
	return false
}
