package config

import (
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"weir/internal/spell"
)

// A symbol is something that has a name others may refer to.
type symbol struct {
	kind, name string
	at         hcl.Range
	used       bool
	broken     bool // it cannot be used: what needs it is broken, too
	wrong      Pos  // of its first error, where that is known
}

// symbols are all of them.
type symbols struct {
	all    []*symbol // in the order of the files
	byName map[[2]string]*symbol
	named  map[string][]string // names by kind
}

// add keeps a symbol; of two with one name the first one counts.
func (s *symbols) add(sym *symbol) {
	key := [2]string{sym.kind, sym.name}
	if s.byName[key] != nil {
		return
	}
	if s.byName == nil {
		s.byName, s.named = map[[2]string]*symbol{}, map[string][]string{}
	}
	s.byName[key] = sym
	s.all = append(s.all, sym)
	s.named[sym.kind] = append(s.named[sym.kind], sym.name)
}

func (s *symbols) find(kind, name string) *symbol { return s.byName[[2]string{kind, name}] }

// names are those of a kind, in the order of the files. They are not to be changed.
func (s *symbols) names(kind string) []string { return s.named[kind] }

// kinds are the blocks that may be referred to.
func (s *symbols) kinds() []string {
	return []string{"upstream", "listener", "policy", "log"}
}

// refName is a reference as it is written.
func refName(kind, name string) string {
	if hclsyntax.ValidIdentifier(name) {
		return kind + "." + name
	}
	return kind + "[" + quote(name) + "]"
}

// A ref is the value of a reference in an expression.
type ref struct{ kind, name string }

// refValues make `upstream.shop` a value, for expressions that choose between references.
func (s *symbols) values(t cty.Type) map[string]cty.Value {
	out := map[string]cty.Value{}
	for _, kind := range s.kinds() {
		members := map[string]cty.Value{}
		for _, name := range s.names(kind) {
			members[name] = cty.CapsuleVal(t, &ref{kind, name})
		}
		out[kind] = cty.ObjectVal(members)
	}
	return out
}

// parseTraversal splits `upstream.shop` and `upstream["shop.example"]`.
func parseTraversal(t hcl.Traversal) (kind, name string, ok bool) {
	if len(t) == 0 || t.IsRelative() {
		return "", "", false
	}
	kind = t.RootName()
	if len(t) < 2 {
		return kind, "", false
	}
	switch step := t[1].(type) {
	case hcl.TraverseAttr:
		name = step.Name
	case hcl.TraverseIndex:
		if step.Key.Type() != cty.String || !step.Key.IsKnown() || step.Key.IsNull() {
			return kind, "", false
		}
		name = step.Key.AsString()
	default:
		return kind, "", false
	}
	return kind, name, len(t) == 2
}

// checkTraversal reports a reference to nothing, and marks what it refers to as used.
func (r *reader) checkTraversal(n *node, a *attr, t hcl.Traversal) bool {
	kind, name, ok := parseTraversal(t)
	at := t.SourceRange()
	if !slices.Contains(r.symbols.kinds(), kind) {
		r.report(at, in(n, a.name+": unknown name "+quote(kind)), "a reference begins with "+strings.Join(r.symbols.kinds(), ", ")+"; text stands in double quotes", didYouMean(kind, r.symbols.kinds()))
		return false
	}
	if !ok {
		r.report(at, in(n, a.name+": a reference is the kind of a block and its label"), "", "write "+kind+".NAME")
		return false
	}
	return r.resolve(n, a, kind, name, at) != nil
}

// resolve finds what a reference refers to, and marks it as used.
func (r *reader) resolve(n *node, a *attr, kind, name string, at hcl.Range) *symbol {
	if sym := r.symbols.find(kind, name); sym != nil {
		sym.used = true
		return sym
	}
	names := r.symbols.names(kind)
	hint := ""
	if near := r.nearest(name, names); near != "" {
		hint = "did you mean " + refName(kind, near) + "?"
	}
	r.report(at, in(n, a.name+": unknown "+kind+" "+quote(name)), known(kind, names), hint)
	return nil
}

// maxCompared is how many names are compared with misspelt ones, all in all: of more errors nobody reads the hints.
const maxCompared = 4 << 20

// nearest is the name that was probably meant, or "".
func (r *reader) nearest(name string, names []string) string {
	if r.compared += len(names); r.compared > maxCompared {
		return ""
	}
	return spell.Nearest(name, names)
}

// known lists what there is of a kind.
func known(kind string, names []string) string {
	const most = 12
	if len(names) == 0 {
		return "there is no " + kind
	}
	var out []string
	for _, name := range names[:min(len(names), most)] {
		out = append(out, refName(kind, name))
	}
	if len(names) > most {
		out = append(out, "...")
	}
	return "there is " + strings.Join(out, ", ")
}

// uses marks what is referred to in something that is not looked at, so that it does not count as unused.
func (r *reader) uses(it item) {
	mark := func(t hcl.Traversal) {
		if kind, name, _ := parseTraversal(t); name != "" {
			if sym := r.symbols.find(kind, name); sym != nil {
				sym.used = true
			}
		}
	}
	if it.expr != nil {
		if t, diags := hcl.AbsTraversalForExpr(it.expr); !diags.HasErrors() {
			mark(t)
		}
		for _, t := range it.expr.Variables() {
			mark(t)
		}
		return
	}
	for _, c := range r.items(it.body, &block{}) {
		r.uses(c)
	}
}
