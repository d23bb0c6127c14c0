package route

import (
	"fmt"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"

	"weir"
)

// checkConstants looks at what is written out in an expression and can be judged when it is compiled:
// networks, and names of header fields.
func checkConstants(tree *cel.Ast) (wrong []error) {
	ast.PostOrderVisit(tree.NativeRep().Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		if err := checkExpr(e); err != nil {
			wrong = append(wrong, err)
		}
	}))
	return wrong
}

func checkExpr(e ast.Expr) error {
	if e.Kind() == ast.SelectKind {
		return checkField(e.AsSelect().Operand(), e.AsSelect().FieldName())
	}
	if e.Kind() != ast.CallKind {
		return nil
	}
	args := e.AsCall().Args()
	switch e.AsCall().FunctionName() {
	case "cidr":
		return checkNetworks(args[len(args)-1])
	case "@value", operators.Index:
		if name, ok := literal(args[1]); ok {
			return checkField(args[0], name)
		}
	case operators.In:
		if name, ok := literal(args[0]); ok {
			return checkField(args[1], name)
		}
	}
	return nil
}

// literal returns the text that e is, if it is one.
func literal(e ast.Expr) (string, bool) {
	if e.Kind() != ast.LiteralKind {
		return "", false
	}
	text, ok := e.AsLiteral().(types.String)
	return string(text), ok
}

// checkNetworks looks at a network or a list of them.
func checkNetworks(e ast.Expr) error {
	if e.Kind() == ast.ListKind {
		for _, element := range e.AsList().Elements() {
			if err := checkNetworks(element); err != nil {
				return err
			}
		}
	}
	if text, ok := literal(e); ok {
		_, err := parseNetwork(text)
		return err
	}
	return nil
}

// checkField refuses to look for a field in the header that never stands there.
func checkField(table ast.Expr, name string) error {
	if table.Kind() != ast.IdentKind || table.AsIdent() != "request.header" {
		return nil
	}
	id := weir.Identify(name)
	switch reason := id.Absent(); {
	case id == weir.FieldHost:
		return fmt.Errorf("header %q is not seen here: write request.host", name)
	case reason != "":
		return fmt.Errorf("header %q is not seen here: %s", name, reason)
	}
	return nil
}
