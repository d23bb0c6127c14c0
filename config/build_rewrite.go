package config

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"weir/route"
)

// rewritten sets what becomes of the path.
func (l *loader) rewritten(n *node, out *Route) {
	c := n.child("rewrite")
	if c == nil {
		return
	}
	out.Rewrite = l.rewrite(c)
	p, err := route.ParsePattern(n.path)
	if prefix := out.Rewrite.StripPrefix; prefix != "" && err == nil && !p.CanBegin(prefix) {
		l.add(Warning, c.at("strip_prefix"), in(c, "strip_prefix: no path that the route matches begins with "+quote(prefix)), "it stays as it is", "")
	}
}

func (l *loader) rewrite(n *node) *Rewrite {
	out := &Rewrite{
		Pos:         posOf(n.head),
		StripPrefix: get[string](n, "strip_prefix"),
		Regex:       get[string](n, "path"),
		Replace:     get[string](n, "replace"),
		To:          get[string](n, "to"),
		AddPrefix:   get[string](n, "add_prefix"),
		Prefix:      get[bool](n, "prefix_header"),
		Location:    get[bool](n, "location"),
	}
	for _, name := range []string{"strip_prefix", "to", "add_prefix"} {
		if s := get[string](n, name); s != "" && !strings.HasPrefix(s, "/") && !strings.HasPrefix(s, "{") {
			l.report(n.at(name), in(n, name+": "+quote(s)+" does not begin with a slash"), "", "did you mean "+quote("/"+s)+"?")
		}
	}
	if n.tried["path"] != n.tried["replace"] {
		l.report(n.head, in(n, "path and replace belong together"), "", "")
	}
	if n.has("path") {
		l.regexp(n, "path", out.Regex, n.at("path"))
		l.groups(n, out)
	}
	return out
}

// groups reports groups in a replacement that its expression does not have: they would be nothing.
func (l *loader) groups(n *node, out *Rewrite) {
	expr, err := regexp.Compile(out.Regex)
	if err != nil {
		return
	}
	for _, m := range regexp.MustCompile(`\$(?:\$|(\w+)|\{(\w+)\})`).FindAllStringSubmatch(out.Replace, -1) {
		name := m[1] + m[2]
		number, err := strconv.Atoi(name)
		if name != "" && (err == nil && number > expr.NumSubexp() || err != nil && expr.SubexpIndex(name) < 0) {
			l.report(n.at("replace"), in(n, "replace: path has no group "+quote(name)), "", groupHint(expr, name))
		}
	}
}

// groupHint is for $1x, which is the group "1x".
func groupHint(expr *regexp.Regexp, name string) string {
	digits := name[:len(name)-len(strings.TrimLeft(name, "0123456789"))]
	if digits == "" || digits == name {
		return didYouMean(name, slices.DeleteFunc(expr.SubexpNames(), func(s string) bool { return s == "" }))
	}
	return "did you mean " + quote("${"+digits+"}"+name[len(digits):]) + " (written $${...})?"
}
