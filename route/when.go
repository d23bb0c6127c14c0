package route

import (
	"fmt"
	"regexp"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
	"cel.dev/cel-go/ext"
	"cel.dev/cel-go/parser"

	"weir"
)

// A when is an expression in CEL (Common Expression Language) over one request. It sees
//
//	request.method  request.scheme  request.host  request.path    strings; the path is in normal form
//	request.header  request.query   request.cookie                maps from names to first values
//	client.ip                                                     a string, "" where there is none
//	header("x")  query("x")  cookie("x")                          the value, "" where there is none
//
// and CEL's standard functions, with those on texts and networks: cidr("10.0.0.0/8").containsIP(client.ip).
// request.header["x"] without such a field is an error, and an expression that ends in an error does not
// hold.
type when struct {
	text    string
	program cel.Program
}

// expressions compiles expressions; the environment is made with the first one.
type expressions struct{ env *cel.Env }

var whenVariables = []string{
	"request.method", "request.scheme", "request.host", "request.path",
	"request.header", "request.query", "request.cookie", "client.ip",
}

// whenLater are names that belong to weir but can't be used here.
var whenLater = map[string]string{
	"client.country": "where a client is from is not known to routes",
	"client.net":     `write cidr("10.0.0.0/8").containsIP(client.ip)`,
	"request.body":   "a route is chosen before the body is read",
	"response":       "a route is chosen before there is a response",
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
	e.env = env
	return err
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
	program, err := e.env.Program(tree, cel.EvalOptions(cel.OptOptimize))
	if err != nil {
		return nil, fmt.Errorf("when %q: %w", text, err)
	}
	return &when{text, program}, nil
}

var undeclared = regexp.MustCompile(`^undeclared reference to '([^']*)'`)

// whenError puts the first of CEL's complaints into weir's words.
func whenError(text string, issues *cel.Issues) error {
	e := issues.Errors()[0]
	message, _, _ := strings.Cut(strings.TrimPrefix(e.Message, "Syntax error: "), "\n")
	if m := undeclared.FindStringSubmatch(message); m != nil {
		line := strings.Split(text, "\n")[max(e.Location.Line()-1, 0)]
		return unknownName(text, longestName(line, m[1], e.Location.Column()))
	}
	return fmt.Errorf("when %q, column %d: %s", text, e.Location.Column()+1, message)
}

// longestName returns the dotted name of which CEL names the beginning only.
func longestName(line, name string, column int) string {
	root, _, _ := strings.Cut(name, ".")
	if at := strings.LastIndex(line[:min(len(line), column+1)], root); at >= 0 {
		end := at
		for end < len(line) && (line[end] == '.' || line[end] == '_' || isName("a"+line[end:end+1])) {
			end++
		}
		if end < len(line) && line[end] == '(' {
			return name
		}
		return strings.TrimRight(line[at:end], ".")
	}
	return name
}

func unknownName(text, name string) error {
	for later, why := range whenLater {
		if name == later || strings.HasPrefix(name, later+".") {
			return fmt.Errorf("when %q: %q is not available: %s", text, name, why)
		}
	}
	known := append([]string{"header", "query", "cookie", "cidr", "ip", "size", "matches", "has"}, whenVariables...)
	if near := nearest(name, known); near != "" {
		return fmt.Errorf("when %q: %q is not known, did you mean %q?", text, name, near)
	}
	return fmt.Errorf("when %q: %q is not known; known are %s", text, name, strings.Join(whenVariables, ", "))
}

// holds evaluates the expression for x.
func (w *when) holds(x *weir.Exchange) bool {
	v, _, err := w.program.Eval(whenRequest{x})
	return err == nil && v == types.True
}

func (w *when) reason(x *weir.Exchange) string {
	if _, _, err := w.program.Eval(whenRequest{x}); err != nil {
		return fmt.Sprintf("when %q can't be told: %v", w.text, err)
	}
	return fmt.Sprintf("when %q is false", w.text)
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
