package route

import (
	"errors"
	"fmt"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/cost"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
	"cel.dev/cel-go/ext"
	"cel.dev/cel-go/interpreter"
	"cel.dev/cel-go/parser"

	"weir"
)

// A when is an expression, compiled once. The package documentation says what it sees and what it may cost.
type when struct {
	text    string
	program cel.Program
	fixed   verdict
}

// whenLimit is what one evaluation may cost, in CEL's units; a few milliseconds of work reach it.
const whenLimit = 100_000

// expressions compiles expressions; the environment is made with the first one.
type expressions struct {
	env     *cel.Env
	unknown cel.PartialActivation // a request of which nothing is known
}

func (e *expressions) open() error {
	if e.env != nil {
		return nil
	}
	table := cel.MapType(cel.StringType, cel.StringType)
	options := []cel.EnvOption{
		ext.Strings(), ext.Network(),
		cel.Macros(append(cel.StandardMacros, tableMacro("header"), tableMacro("query"), tableMacro("cookie"))...),
		cel.Function("@value", cel.Overload("value_map_string", []*cel.Type{table, cel.StringType}, cel.StringType,
			cel.BinaryBinding(valueOrEmpty))),
		cel.Function("cidr",
			cel.Overload("cidr_string_string", []*cel.Type{cel.StringType, cel.StringType}, cel.BoolType,
				cel.BinaryBinding(inNetwork)),
			cel.Overload("cidr_string_list", []*cel.Type{cel.StringType, cel.ListType(cel.StringType)}, cel.BoolType,
				cel.BinaryBinding(inNetworks))),
	}
	for _, name := range whenVariables {
		kind := cel.StringType
		switch name {
		case "request.header", "request.query", "request.cookie":
			kind = table
		}
		options = append(options, cel.Variable(name, kind))
	}
	env, err := cel.NewEnv(options...)
	if err != nil {
		return err
	}
	e.env, e.unknown = env, env.UnknownVars()
	return nil
}

// tableMacro makes name(x) mean @value(request.name, x).
func tableMacro(name string) cel.Macro {
	return cel.GlobalMacro(name, 1, func(h parser.ExprHelper, _ ast.Expr, args []ast.Expr) (ast.Expr, *cel.Error) {
		return h.NewCall("@value", h.NewSelect(h.NewIdent("request"), name), args[0]), nil
	})
}

func valueOrEmpty(table, key ref.Val) ref.Val {
	if m, ok := table.(traits.Mapper); ok {
		if v, found := m.Find(key); found {
			return v
		}
	}
	return types.String("")
}

func (e *expressions) compile(text string) (*when, error) {
	if err := e.open(); err != nil {
		return nil, fmt.Errorf("when: %w", err)
	}
	tree, issues := e.env.Compile(text)
	if issues.Err() != nil {
		return nil, whenError(text, issues)
	}
	if tree.OutputType() != cel.BoolType {
		return nil, fmt.Errorf("when %q gives a value of type %s, not true or false", text, tree.OutputType())
	}
	if wrong := checkConstants(tree); len(wrong) > 0 {
		for i, err := range wrong {
			wrong[i] = fmt.Errorf("when %q: %w", text, err)
		}
		return nil, errors.Join(wrong...)
	}
	program, err := e.env.Program(tree, e.programOptions(tree)...)
	if err != nil {
		return nil, fmt.Errorf("when %q: %w", text, regexpError(err))
	}
	return &when{text, program, e.verdict(tree)}, nil
}

// programOptions has the cost counted only where it may exceed the limit: counting takes as long as many
// an expression itself.
func (e *expressions) programOptions(tree *cel.Ast) []cel.ProgramOption {
	options := []cel.ProgramOption{cel.EvalOptions(cel.OptOptimize)}
	if estimate, err := e.env.EstimateCost(tree, largest{}); err != nil || estimate.Max > whenLimit {
		options = append(options, cel.CostLimit(whenLimit))
	}
	return options
}

// largest tells how large the things of a request can be.
type largest struct{}

// EstimateSize implements cost.Estimator. Head and request line are limited to about as much by the protocols.
func (largest) EstimateSize(n cost.AstNode) *cost.SizeEstimate {
	if n.ComputedSize() != nil {
		return nil
	}
	switch n.Type().Kind() {
	case cel.StringKind, cel.MapKind:
		return &cost.SizeEstimate{Max: 64 << 10}
	}
	return nil
}

// EstimateCallCost implements cost.Estimator.
func (largest) EstimateCallCost(function, _ string, _ *cost.AstNode, _ []cost.AstNode) *cost.CallEstimate {
	if function != "@value" {
		return nil
	}
	return &cost.CallEstimate{CostEstimate: cost.FixedCostEstimate(1), ResultSize: &cost.SizeEstimate{Max: 64 << 10}}
}

// find evaluates the expression for x: fits, differs, or tooDear.
func (w *when) find(x *weir.Exchange) finding {
	v, _, err := w.program.Eval(whenRequest{x})
	switch {
	case err == nil && v == types.True:
		return fits
	case err != nil && isDear(err):
		return tooDear
	}
	return differs
}

func isDear(err error) bool {
	var stopped interpreter.EvalCancelledError
	return errors.As(err, &stopped)
}

// reason says why the expression does not hold, without a word of what the request holds.
func (w *when) reason(x *weir.Exchange) string {
	_, _, err := w.program.Eval(whenRequest{x})
	switch {
	case err == nil:
		return fmt.Sprintf("when %q is false", w.text)
	case isDear(err):
		return fmt.Sprintf("when %q costs more than one request may", w.text)
	case strings.HasPrefix(err.Error(), "no such key"):
		return fmt.Sprintf("when %q can't be told: what it names in brackets is absent", w.text)
	}
	return fmt.Sprintf("when %q can't be told: it ends in an error", w.text)
}

// A whenRequest lets CEL ask for what it needs of an exchange.
type whenRequest struct{ x *weir.Exchange }

// Parent implements cel.Activation.
func (whenRequest) Parent() cel.Activation { return nil }

// ResolveName implements cel.Activation.
func (r whenRequest) ResolveName(name string) (any, bool) {
	q := &r.x.Request
	switch name {
	case "request.method":
		return types.String(q.Method), true
	case "request.scheme":
		return types.String(q.Scheme), true
	case "request.host":
		return types.String(strings.TrimSuffix(strings.ToLower(q.Host()), ".")), true
	case "request.path":
		return types.String(q.Path), true
	case "request.header":
		return newTable(r.x, headerNamed, headerNames), true
	case "request.query":
		return newTable(r.x, queryNamed, queryNames), true
	case "request.cookie":
		return newTable(r.x, cookieNamed, cookieNames), true
	case "client.ip":
		if !r.x.Client.IsValid() {
			return types.String(""), true
		}
		return types.String(clientText(r.x)), true
	}
	return nil, false
}
