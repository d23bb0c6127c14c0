package header

import (
	"fmt"
	"strings"

	"weir"
	"weir/internal/syntax"
)

// queryEdits are Query, made ready.
type queryEdits struct {
	whole    []string
	prefixes []string
	set      []parameter
}

// A parameter is one name, escaped, and the template of its value.
type parameter struct {
	name  string
	value *weir.Template
}

// newQueryEdits returns nil where there is nothing to do.
func newQueryEdits(q Query, params []string) (*queryEdits, error) {
	if len(q.Remove)+len(q.Set) == 0 {
		return nil, nil
	}
	var e queryEdits
	for _, name := range q.Remove {
		if prefix, wild := strings.CutSuffix(name, "*"); wild {
			e.prefixes = append(e.prefixes, prefix)
		} else {
			e.whole = append(e.whole, name)
		}
	}
	for _, p := range q.Set {
		t, err := weir.ParseTemplate(p.Value, params...)
		if err != nil {
			return nil, fmt.Errorf("parameter %q: %w", p.Name, err)
		}
		if p.Name == "" {
			return nil, fmt.Errorf("a parameter with the value %q has no name", p.Value)
		}
		e.whole = append(e.whole, p.Name)
		e.set = append(e.set, parameter{string(syntax.AppendQuery(nil, p.Name)), t})
	}
	return &e, nil
}

// apply returns the query for the next hop.
func (e *queryEdits) apply(query string, x *weir.Exchange) string {
	if len(e.set) == 0 && !e.touches(query) {
		return query
	}
	out := make([]byte, 0, len(query)+64)
	for piece := range strings.SplitSeq(query, "&") {
		if piece != "" && !e.removes(piece) {
			out = append(separated(out), piece...)
		}
	}
	for i := range e.set {
		value := e.set[i].value.String(x)
		if value == "" {
			continue
		}
		out = append(separated(out), e.set[i].name...)
		out = syntax.AppendQuery(append(out, '='), value)
	}
	return string(out)
}

func separated(out []byte) []byte {
	if len(out) > 0 {
		return append(out, '&')
	}
	return out
}

// touches reports whether there is anything to remove.
func (e *queryEdits) touches(query string) bool {
	for piece := range strings.SplitSeq(query, "&") {
		if e.removes(piece) {
			return true
		}
	}
	return false
}

// removes reports whether a piece "name=value" goes.
func (e *queryEdits) removes(piece string) bool {
	raw, _, _ := strings.Cut(piece, "=")
	for _, name := range e.whole {
		if syntax.DecodesTo(raw, name) {
			return true
		}
	}
	for _, prefix := range e.prefixes {
		if syntax.DecodesToPrefix(raw, prefix) {
			return true
		}
	}
	return false
}
