package route

import (
	"fmt"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
)

// A verdict is what an expression comes to, whatever the request is.
type verdict uint8

const (
	depends verdict = iota // on the request
	always
	never
	failing // it always ends in an error, and so does not hold
)

// verdict has CEL evaluate an expression with all of the request unknown: what is known of the value all the same
// holds for every request.
func (e *expressions) verdict(tree *cel.Ast) verdict {
	program, err := e.env.Program(tree, cel.EvalOptions(cel.OptPartialEval), cel.CostLimit(whenLimit))
	if err != nil {
		return depends
	}
	v, _, err := program.Eval(e.unknown)
	switch {
	case err != nil && isDear(err):
		return depends
	case err != nil:
		return failing
	case v == types.True:
		return always
	case v == types.False:
		return never
	}
	return depends
}

// checkFixed warns of an expression that says nothing, or that no request fulfils.
func (b *builder) checkFixed(s *Site, written int, c *conditions) {
	if c == nil || c.when == nil || c.when.fixed == depends {
		return
	}
	r := &s.Routes[written]
	text := map[verdict]string{
		always:  "%s: when %q holds for every request: leave the condition out",
		never:   "%s can never match: when %q holds for no request",
		failing: "%s can never match: when %q always ends in an error",
	}[c.when.fixed]
	b.report(written, Problem{
		Severity: Warning, Site: s.Name, Route: r.label(), Part: "when", Pos: r.Pos, Text: fmt.Sprintf(text, r.label(), c.when.text),
	})
}
