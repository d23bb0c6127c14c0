package config

import (
	"net"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

// refOf is the reference that an expression is or comes to. Texts are no references, but in JSON, which
// has no other way to write one.
func (r *reader) refOf(n *node, a *attr, e hcl.Expression) (ref, bool) {
	var found ref
	if t, diags := hcl.AbsTraversalForExpr(e); !diags.HasErrors() {
		if !r.checkTraversal(n, a, t) {
			return ref{}, false
		}
		found.kind, found.name, _ = parseTraversal(t)
	} else {
		v, ok := r.cty(n, a, e)
		if !ok {
			return ref{}, false
		}
		v, _ = v.UnmarkDeep()
		p, isRef := capsule(v)
		if !isRef {
			r.report(e.Range(), in(n, a.name+" must be a reference, not "+typeName(v.Type())), known(a.of, r.symbols.names(a.of)), r.refHint(a, v))
			return ref{}, false
		}
		found = *p
	}
	if found.kind != a.of {
		r.report(e.Range(), in(n, a.name+" must name "+withArticle(a.of)+", not "+refName(found.kind, found.name)), known(a.of, r.symbols.names(a.of)), "")
		return ref{}, false
	}
	return found, true
}

func capsule(v cty.Value) (*ref, bool) {
	if !v.Type().IsCapsuleType() || v.IsNull() || !v.IsKnown() {
		return nil, false
	}
	p, ok := v.EncapsulatedValue().(*ref)
	return p, ok
}

func withArticle(kind string) string {
	if strings.ContainsRune("aeiou", rune(kind[0])) {
		return "an " + kind
	}
	return "a " + kind
}

// refHint is for a name in quotes where a reference belongs.
func (r *reader) refHint(a *attr, v cty.Value) string {
	if v.Type() != cty.String || v.IsNull() || !v.IsKnown() {
		return ""
	}
	name := strings.TrimPrefix(v.AsString(), a.of+".")
	if r.symbols.find(a.of, name) == nil {
		return ""
	}
	return "write " + refName(a.of, name) + ", without quotes"
}

func (r *reader) reference(n *node, a *attr, e hcl.Expression) (any, bool) {
	found, ok := r.refOf(n, a, e)
	return found.name, ok
}

func (r *reader) references(n *node, a *attr, e hcl.Expression) (any, bool) {
	exprs, diags := hcl.ExprList(e)
	if diags.HasErrors() {
		exprs = []hcl.Expression{e}
	}
	out, ok := []string{}, true
	for _, e := range exprs {
		found, fine := r.refOf(n, a, e)
		if ok = ok && fine; fine {
			out = append(out, found.name)
		}
	}
	return out, ok
}

// A logChoice is the value of log in a site.
type logChoice struct {
	off   bool
	names []string // nil: all
}

func (r *reader) logs(n *node, a *attr, e hcl.Expression) (any, bool) {
	if len(e.Variables()) == 0 {
		if v, diags := e.Value(r.context); !diags.HasErrors() {
			v, _ = v.UnmarkDeep()
			if v.Type() == cty.Bool && v.IsKnown() && !v.IsNull() {
				return logChoice{off: v.False()}, true
			}
		}
	}
	names, ok := r.references(n, a, e)
	if !ok {
		return nil, false
	}
	return logChoice{names: names.([]string)}, true
}

// A destination is the value of proxy: an upstream, or the address of a server.
type destination struct {
	upstream, address string
	scheme            string // of the address: "https", "h2c"; "": http
}

func (r *reader) target(n *node, a *attr, e hcl.Expression) (any, bool) {
	if r.looksLikeRef(e) {
		found, ok := r.refOf(n, a, e)
		return destination{upstream: found.name}, ok
	}
	v, ok := r.cty(n, a, e)
	if !ok {
		return nil, false
	}
	if p, isRef := capsule(v); isRef {
		if p.kind != a.of {
			r.report(e.Range(), in(n, a.name+" must name an upstream, not "+refName(p.kind, p.name)), "", "")
			return nil, false
		}
		return destination{upstream: p.name}, true
	}
	w, ok := r.written(n, a, v, e.Range())
	if !ok {
		return nil, false
	}
	d, complaint, hint := parseTarget(w.text)
	if complaint != "" {
		if better := r.refHint(a, cty.StringVal(w.text)); better != "" {
			complaint, hint = "is not an address", better
		}
		r.report(e.Range(), in(n, a.name+": "+w.shown()+" "+complaint), a.kind.doc().write, hint)
		return nil, false
	}
	return d, true
}

// looksLikeRef reports whether an expression is a reference: in JSON, a text such as "upstream.shop".
func (r *reader) looksLikeRef(e hcl.Expression) bool {
	t, diags := hcl.AbsTraversalForExpr(e)
	if diags.HasErrors() {
		return false
	}
	if len(e.Variables()) > 0 {
		return true
	}
	kind, name, _ := parseTraversal(t)
	return name != "" && (kind == "upstream" || r.symbols.find(kind, name) != nil)
}

// defaultPorts are those of the schemes that the address of a server may have.
var defaultPorts = map[string]string{"http": "80", "https": "443", "h2c": "80"}

// parseTarget reads the address of a server where an upstream may stand: "http://127.0.0.1:3000", "https://app.internal",
// "127.0.0.1:3000" or "unix:/run/app.sock".
func parseTarget(s string) (d destination, complaint, hint string) {
	scheme, rest, isURL := strings.Cut(s, "://")
	if !isURL {
		complaint, hint = checkAddress(s)
		return destination{address: s}, complaint, hint
	}
	port, known := defaultPorts[scheme]
	if !known {
		return d, "has an unknown scheme", "allowed: http, https, h2c"
	}
	rest = strings.TrimSuffix(rest, "/")
	if _, _, path := strings.Cut(rest, "/"); path {
		return d, "has a path", "a rewrite block changes the path"
	}
	if strings.Contains(rest, "@") {
		return d, "has a user and a password", "set Authorization in a request block"
	}
	if _, _, err := net.SplitHostPort(rest); err != nil {
		rest = net.JoinHostPort(strings.Trim(rest, "[]"), port)
	}
	if scheme != "http" {
		d.scheme = scheme
	}
	d.address = rest
	complaint, hint = checkAddress(rest)
	return d, complaint, hint
}

// checkAddress says what is wrong with the address of a server.
func checkAddress(s string) (complaint, hint string) {
	if path, ok := strings.CutPrefix(s, "unix:"); ok {
		return complain(strings.HasPrefix(path, "/"), "does not name a socket by its whole path"), ""
	}
	if scheme, rest, ok := strings.Cut(s, "://"); ok {
		return "is a URL, not an address", addressOf(scheme, rest)
	}
	host, port, err := net.SplitHostPort(s)
	switch {
	case isPort(s):
		return "has no host", "did you mean " + quote("127.0.0.1:"+strings.TrimPrefix(s, ":")) + "?"
	case err != nil && !strings.Contains(s, ":") && s != "":
		return "has no port", "did you mean " + quote(s+":80") + "?"
	case err != nil:
		return "is not an address", `write "host:port"; IPv6 addresses stand in brackets`
	case host == "" || strings.ContainsAny(host, " /?#@"):
		return "names no host", ""
	}
	return complain(isPort(port), "has no valid port"), ""
}

// addressOf is what to write for a URL of a server.
func addressOf(scheme, rest string) string {
	rest, path, _ := strings.Cut(rest, "/")
	port, hint := map[string]string{"http": "80", "https": "443"}[scheme], ""
	if port == "" || rest == "" {
		return ""
	}
	if _, _, err := net.SplitHostPort(rest); err != nil {
		rest = net.JoinHostPort(strings.Trim(rest, "[]"), port)
	}
	if scheme == "https" {
		hint = " and a tls block beside it"
	}
	if path != "" {
		hint += "; a rewrite block of the route changes the path"
	}
	return "write " + quote(rest) + hint
}

// isPort reports whether s is a port, with or without the colon before it.
func isPort(s string) bool {
	n, err := strconv.Atoi(strings.TrimPrefix(s, ":"))
	return err == nil && n > 0 && n < 65536
}
