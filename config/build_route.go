package config

import (
	"net/netip"
	"regexp"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

func (l *loader) route(s *Site, site layers, n *node) *Route {
	if n.schema.name == "route" {
		l.checkSettings(n)
		l.needs(n, "use", "policy", get[[]string](n, "use")...)
		before := len(l.list)
		out := l.fullRoute(n)
		if l.list[before:].HasErrors() {
			out.Doubt = DoubtfulMatch
		}
		l.rewritten(n, out)
		out.Settings = l.routeSettings(s, site, n)
		l.answer(n, out)
		l.addID(out)
		return out
	}
	out := &Route{Label: describe(n.schema, n.label), Pos: posOf(n.head), Host: n.host, Pattern: n.path, Settings: &s.Settings}
	if n.schema.name == "redirect" {
		out.Redirect = l.redirect(n)
		out.Places = Places{{"to", posOf(n.at("to"))}}
	} else {
		out.Respond = l.respond(n)
	}
	l.addID(out)
	return out
}

// addID gives a route ids where something asks for them.
func (l *loader) addID(r *Route) {
	var more []Field
	if r.Respond != nil {
		more = append(more, Field{Value: r.Respond.Body})
		more = append(more, r.Respond.Headers...)
	}
	if r.Redirect != nil {
		more = append(more, Field{Value: r.Redirect.To})
	}
	if r.Rewrite != nil {
		more = append(more, Field{Value: r.Rewrite.To})
	}
	for _, log := range l.config.Logs {
		more = append(more, Field{Value: log.Format})
	}
	if r.RequestID == nil && l.needsID(r.Settings, more) {
		r.Settings = l.identified(r.Settings)
	}
}

// identified is s with ids, the same for all that have s.
func (l *loader) identified(s *Settings) *Settings {
	if l.withIDs[s] == nil {
		n := &node{schema: l.schema.block("site").block("request_id")}
		own := *s
		own.RequestID = &RequestID{
			Header: get[string](n, "header"), Accept: get[string](n, "accept"), Format: get[string](n, "format"), Hide: true,
		}
		l.withIDs[s] = &own
	}
	return l.withIDs[s]
}

// fullRoute is the part of a route that needs no other.
func (l *loader) fullRoute(n *node) *Route {
	out := &Route{
		Label: describe(n.schema, n.label), Pos: posOf(n.head),
		Pattern: n.path,
		Methods: get[[]string](n, "method"),
		Header:  l.conditions(n, "header"),
		Query:   l.conditions(n, "query"),
		Cookie:  l.conditions(n, "cookie"),
		Clients: get[[]netip.Prefix](n, "clients"),
		When:    get[string](n, "when"),
	}
	for _, m := range out.Methods {
		if !isToken(m) || m != strings.ToUpper(m) {
			l.report(n.at("method"), in(n, "method: "+quote(m)+" is not a method"), "methods are in capitals", "did you mean "+quote(strings.ToUpper(m))+"?")
		}
	}
	for _, name := range conditionNames() {
		if n.has(name) {
			out.Places = append(out.Places, Place{name, posOf(n.at(name))})
		}
	}
	return out
}

func (l *loader) conditions(n *node, name string) []Condition {
	var out []Condition
	for _, f := range get[[]Field](n, name) {
		if expr, ok := strings.CutPrefix(f.Value, "~"); ok {
			l.regexp(n, name+" "+quote(f.Name), strings.TrimSpace(expr), n.at(name))
		}
		out = append(out, Condition(f))
	}
	return out
}

// regexp reports a regular expression that is none.
func (l *loader) regexp(n *node, name, expr string, at hcl.Range) {
	if _, err := regexp.Compile(expr); err != nil {
		l.report(at, in(n, name+": "+strings.TrimPrefix(err.Error(), "error parsing regexp: ")), "regular expressions are RE2's", "")
	}
}
