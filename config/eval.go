package config

import (
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"

	"weir"
)

// secret marks values that must not be shown.
type secret struct{}

// An envError says that a variable is not there.
type envError struct{ name string }

func (e *envError) Error() string { return "environment variable " + quote(e.name) + " is not set" }

func (e *envError) hint() string {
	return "set it, or say what holds without it: env(" + quote(e.name) + ", \"...\")"
}

func (r *reader) newContext() *hcl.EvalContext {
	t := cty.Capsule("reference", reflect.TypeFor[ref]())
	return &hcl.EvalContext{
		Variables: r.symbols.values(t),
		Functions: map[string]function.Function{"env": r.envFunction()},
	}
}

// envFunction is env("X") and env("X", "default"). What comes out of the environment is taken for a secret.
func (r *reader) envFunction() function.Function {
	return function.New(&function.Spec{
		Params:   []function.Parameter{{Name: "name", Type: cty.String}},
		VarParam: &function.Parameter{Name: "default", Type: cty.String},
		Type:     function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			if len(args) > 2 {
				return cty.NilVal, function.NewArgErrorf(2, "env takes a name and a default")
			}
			name := args[0].AsString()
			if v, ok := os.LookupEnv(name); ok {
				if len(v) > 3 && !slices.Contains(r.hidden, v) {
					r.hidden = append(r.hidden, v)
				}
				return cty.StringVal(v).Mark(secret{}), nil
			}
			if len(args) == 2 {
				return args[1], nil
			}
			return cty.NilVal, &envError{name}
		},
	})
}

// evaluate reads the value of an attribute.
func (r *reader) evaluate(n *node, a *attr, e hcl.Expression) (any, bool) {
	switch a.kind {
	case anything:
		return nil, true
	case reference:
		return r.reference(n, a, e)
	case references:
		return r.references(n, a, e)
	case target:
		return r.target(n, a, e)
	case logs:
		return r.logs(n, a, e)
	case texts, clients:
		return list(r, n, a, e, r.oneText)
	case hosts:
		return list(r, n, a, e, r.oneHost)
	case networks:
		return list(r, n, a, e, r.oneNetwork)
	case statuses:
		return list(r, n, a, e, r.oneStatus)
	case fields, pairs, matchers:
		return r.fields(n, a, e)
	case weights:
		return r.weights(n, a, e)
	}
	v, ok := r.scalar(n, a, e)
	if !ok {
		return nil, false
	}
	return r.check(n, a, v, e.Range())
}

// A written is a value as text, and what it was.
type written struct {
	text   string
	typ    cty.Type
	secret bool
}

// shown is the value for messages.
func (w written) shown() string {
	if w.secret {
		return "the value (not shown)"
	}
	return quote(w.text)
}

// scalar evaluates an expression to something that can be written as one text.
func (r *reader) scalar(n *node, a *attr, e hcl.Expression) (written, bool) {
	v, ok := r.cty(n, a, e)
	if !ok {
		return written{}, false
	}
	return r.written(n, a, v, e.Range())
}

// cty evaluates an expression, all names in it being checked first.
func (r *reader) cty(n *node, a *attr, e hcl.Expression) (cty.Value, bool) {
	if word := r.bare(e); word != "" && a.kind != references && a.kind != logs {
		r.report(e.Range(), in(n, a.name+" must be in double quotes"), "", "write "+a.name+" = "+quote(word))
		return cty.NilVal, false
	}
	ok := true
	for _, t := range e.Variables() {
		ok = r.checkTraversal(n, a, t) && ok
	}
	if !ok {
		return cty.NilVal, false
	}
	v, diags := e.Value(r.context)
	r.foreignIn(&node{what: in(n, a.name)}, diags)
	return v, !diags.HasErrors()
}

// bare returns the text of an expression that looks like a text without its quotes, such as
// least-request, which would be a subtraction, or "".
func (r *reader) bare(e hcl.Expression) string {
	if !e.Range().CanSliceBytes(r.sources[e.Range().Filename]) {
		return ""
	}
	s := string(e.Range().SliceBytes(r.sources[e.Range().Filename]))
	if !hclsyntax.ValidIdentifier(s) || s == "true" || s == "false" || s == "null" || slices.Contains(r.symbols.kinds(), s) {
		return ""
	}
	return s
}

func (r *reader) written(n *node, a *attr, v cty.Value, at hcl.Range) (written, bool) {
	v, marks := v.UnmarkDeep()
	w := written{typ: v.Type(), secret: len(marks) > 0 || r.secretName(a.name)}
	switch {
	case v.IsNull() || !v.IsKnown():
		w.typ = cty.DynamicPseudoType
	case v.Type() == cty.String:
		w.text = v.AsString()
		return w, true
	case v.Type() == cty.Number:
		w.text = v.AsBigFloat().Text('f', -1)
		return w, true
	case v.Type() == cty.Bool:
		w.text = fmt.Sprint(v.True())
		return w, true
	}
	r.report(at, in(n, a.name+" must be "+article(a.kind)+", not "+typeName(w.typ)), a.kind.doc().write, blockHint(n, a, w))
	return written{}, false
}

// blockHint is for names and values where there is a block of the same name for them.
func blockHint(n *node, a *attr, w written) string {
	if typeName(w.typ) != "names and values" || n.schema.block(a.name) == nil {
		return ""
	}
	return "write " + a.name + " { ... } for that"
}

func article(k kind) string {
	switch k {
	case template:
		return text.String()
	case text, boolean, fields, pairs, matchers, weights, logs:
		return k.String()
	case clients, networks, statuses, texts, hosts:
		return "a " + k.String()
	case target:
		return "an " + k.String()
	}
	return "a " + k.String()
}

func typeName(t cty.Type) string {
	switch {
	case t == cty.DynamicPseudoType:
		return "null"
	case t == cty.String:
		return "text"
	case t == cty.Number:
		return "a number"
	case t == cty.Bool:
		return "true or false"
	case t.IsObjectType() || t.IsMapType():
		return "names and values"
	case t.IsCapsuleType():
		return "a reference"
	}
	return "a list"
}

// check reads the text of a value as what the attribute wants.
func (r *reader) check(n *node, a *attr, w written, at hcl.Range) (any, bool) {
	if isText(a.kind) && w.typ != cty.String {
		detail, hint := "", "write "+a.name+" = "+quote(w.text)
		if len(a.oneOf) > 0 && !slices.Contains(a.oneOf, w.text) {
			detail, hint = "allowed: "+strings.Join(a.oneOf, ", "), ""
		}
		r.report(at, in(n, a.name+" must be text, not "+typeName(w.typ)), detail, hint)
		return nil, false
	}
	if a.kind == template {
		return w.text, r.template(n, a, w, at)
	}
	v, complaint := parseScalar(a.kind, w.text)
	if complaint != "" {
		r.report(at, in(n, a.name+": "+w.shown()+" "+complaint), a.kind.doc().write, unitHint(a.kind, w))
		return nil, false
	}
	if !a.zero && (v == time.Duration(0) || v == int64(0)) {
		r.report(at, in(n, a.name+" must be more than 0"), "", "")
		return nil, false
	}
	if !r.inRange(n, a, v, w, at) || !r.isAllowed(n, a, w, at) {
		return nil, false
	}
	return v, true
}

func isText(k kind) bool {
	return k == text || k == template || k == texts || k == hosts || k == clients || k == fields || k == pairs
}

// template checks a template; what is wrong with one that must not be shown is not told.
func (r *reader) template(n *node, a *attr, w written, at hcl.Range) bool {
	_, err := weir.ParseTemplate(w.text, n.params...)
	if err == nil || n.open {
		return true
	}
	if w.secret {
		r.report(at, in(n, a.name+": "+w.shown()+" is not a template"), "", "")
		return false
	}
	for _, err := range each(err) {
		r.report(at, in(n, a.name+": "+err.Error()), "", "")
	}
	return false
}

// each returns the errors that were joined to err, or err alone.
func each(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	return []error{err}
}

// unitHint guesses the unit of a number that has none.
func unitHint(k kind, w written) string {
	unit := map[kind]string{duration: "s", size: "MB", byteRate: "KB/s", percent: "%"}[k]
	if unit == "" || w.secret || strings.Trim(w.text, "0123456789") != "" || w.text == "" {
		return ""
	}
	if len(w.text) > 4 && k != percent && k != duration { // it was counted in bytes
		unit = strings.TrimPrefix(unit, unit[:1])
	}
	return "did you mean " + quote(w.text+unit) + "?"
}

func (r *reader) inRange(n *node, a *attr, v any, w written, at hcl.Range) bool {
	number, ok := v.(int)
	if !ok || a.max == 0 || number >= a.min && number <= a.max {
		return true
	}
	unit := ""
	if a.kind == percent {
		unit = "%"
	}
	r.report(at, in(n, fmt.Sprintf("%s: %s is out of range", a.name, w.shown())), fmt.Sprintf("it is from %d%s to %d%s", a.min, unit, a.max, unit), "")
	return false
}

func (r *reader) isAllowed(n *node, a *attr, w written, at hcl.Range) bool {
	switch {
	case len(a.oneOf) == 0 || slices.Contains(a.oneOf, w.text):
		return true
	case slices.Contains(a.laterOf, w.text):
		r.report(at, in(n, a.name+" "+quote(w.text)+" is not available yet"), "allowed: "+strings.Join(a.oneOf, ", "), "")
	default:
		r.report(at, in(n, "unknown "+a.name+" "+w.shown()), "allowed: "+strings.Join(a.oneOf, ", "), didYouMean(w.text, a.oneOf))
	}
	return false
}
