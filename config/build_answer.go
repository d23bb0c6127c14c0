package config

import (
	"fmt"
	"slices"
	"strings"
)

// answer sets the one answer of a route.
func (l *loader) answer(n *node, out *Route) {
	var written []string
	for _, name := range answers() {
		if n.tried[name] || n.child(name) != nil {
			written = append(written, name)
		}
	}
	switch len(written) {
	case 0:
		if !n.broken {
			l.report(n.head, in(n, "there is no answer"), "a route has one of proxy, split, respond and redirect", "write proxy = upstream.NAME")
		}
		return
	case 1:
	default:
		l.report(n.head, in(n, "there are "+strings.Join(written, " and ")), "a route has one of proxy, split, respond and redirect", "")
		return
	}
	if n.has("proxy") {
		out.Proxy = l.proxy(n)
	}
	if c := n.child("split"); c != nil {
		l.split(c, out)
	}
	if c := n.child("mirror"); c != nil {
		l.mirror(n, c, out)
	}
	if c := n.child("respond"); c != nil {
		out.Respond = l.respond(c)
		l.idle(n, out, "respond")
	}
	if c := n.child("redirect"); c != nil {
		out.Redirect = l.redirect(c)
		out.Places = append(out.Places, Place{"to", posOf(c.at("to"))})
		l.idle(n, out, "redirect")
	}
}

func answers() []string { return []string{"proxy", "split", "respond", "redirect", "files", "mount"} }

func (l *loader) proxy(n *node) string {
	d := get[destination](n, "proxy")
	if d.address != "" {
		return l.anonymous(d, n.at("proxy"))
	}
	l.needs(n, "proxy", "upstream", d.upstream)
	return d.upstream
}

func (l *loader) split(c *node, out *Route) {
	out.Split = &Split{Pos: posOf(c.head), To: get[[]Weighted](c, "to"), By: get[string](c, "by")}
	for _, w := range out.Split.To {
		l.needs(c, "to", "upstream", w.Upstream)
	}
	if c.has("mirror") {
		schema := l.schema.block("site").block("route").block("mirror")
		out.Mirror = mirrorOf(&node{schema: schema}, get[string](c, "mirror"))
		l.needs(c, "mirror", "upstream", out.Mirror.Upstream)
	}
}

func (l *loader) mirror(n, c *node, out *Route) {
	if out.Proxy == "" && out.Split == nil && !n.tried["proxy"] {
		l.report(c.head, in(c, "a mirror goes with proxy or split"), "", "")
	}
	if out.Mirror != nil {
		l.report(c.head, in(c, "split has a mirror already"), "", "")
	}
	out.Mirror = mirrorOf(c, get[string](c, "to"))
	l.needs(c, "to", "upstream", out.Mirror.Upstream)
}

func mirrorOf(n *node, upstream string) *Mirror {
	out := &Mirror{
		Upstream:   upstream,
		Sample:     float64(get[int](n, "share")) / 100,
		MaxBody:    get[int64](n, "max_body"),
		Concurrent: get[int](n, "concurrent"),
	}
	if out.MaxBody == 0 {
		out.MaxBody = -1
	}
	return out
}

func (l *loader) respond(n *node) *Respond {
	for _, name := range n.fieldNames("headers") {
		l.fieldName(n, "headers", name)
	}
	return &Respond{
		Status:  get[int](n, "status"),
		Body:    get[string](n, "body"),
		Type:    get[string](n, "type"),
		Headers: get[[]Field](n, "headers"),
	}
}

func (l *loader) redirect(n *node) *Redirect {
	out := &Redirect{To: get[string](n, "to"), Status: get[int](n, "status"), DropQuery: get[bool](n, "drop_query")}
	if strings.ContainsFunc(out.To, func(c rune) bool { return c <= ' ' || c == '\\' || c == 0x7f }) {
		l.report(n.at("to"), in(n, "to: "+quote(out.To)+" holds a blank, a backslash or a control character"), "in a URL these are written %20, %5C and the like", "")
	}
	if n.has("status") && !slices.Contains([]int{301, 302, 303, 307, 308}, out.Status) {
		l.report(n.at("status"), in(n, fmt.Sprintf("status: %d does not redirect", out.Status)), "allowed: 301, 302, 303, 307, 308", "")
	}
	return out
}
