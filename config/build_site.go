package config

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"weir/route"
)

func (l *loader) site(n *node) broken {
	s := &Site{Name: n.label, Pos: posOf(n.head)}
	before := len(l.list)
	l.missing = nil
	l.hosts(n, s)
	l.checkSettings(n)
	ls := l.layersOf(nil, n)
	l.needs(n, "use", "policy", get[[]string](n, "use")...)
	s.Settings = l.settings(ls)
	s.On = l.on(n)
	s.TLS = l.siteTLS(n, s)
	d := &draft{vague: n.vague, settings: n.settingsBroken() || l.list[before:].HasErrors() || l.usesBroken(n)}
	if !s.Unread {
		d.Hosts = s.Hosts
	}
	for _, c := range n.blocks {
		switch c.schema.name {
		case "route", "redirect", "respond":
			before := len(l.list)
			r := l.route(s, ls, c)
			r.Doubt = max(r.Doubt, l.doubt(c, l.list[before:]))
			s.Routes = append(s.Routes, r)
		case "expect":
			before := len(l.list)
			e := l.expect(s, c)
			s.Expects = append(s.Expects, e)
			d.expect(e, c.broken || l.list[before:].HasErrors())
		}
	}
	if len(s.Routes) == 0 && !n.broken {
		l.report(n.head, in(n, "there is no route"), "", `write route "/*" { proxy = upstream.NAME }`)
	}
	d.Routes = s.Routes
	l.config.Sites = append(l.config.Sites, s)
	if len(l.missing) > 0 {
		s.Broken, s.Routes, s.Draft = l.missing, nil, &d.Draft
		l.list = append(l.list, l.missing...)
	}
	return func(b Broken) { s.Broken, s.Routes, s.Draft = slices.Concat(b.Why, s.Broken), nil, &d.Draft }
}

// hosts are the hosts of a site: its label where it says nothing of them.
func (l *loader) hosts(n *node, s *Site) {
	written := get[[]host](n, "hosts")
	switch {
	case !n.tried["hosts"]:
		written = []host{{n.label, n.head}}
		if err := route.CheckHost(n.label); err != nil {
			s.Unread = true
			l.report(n.head, in(n, err.Error()), "the label is the host of a site that has no hosts", `write hosts = ["..."]`)
		}
	case !n.has("hosts"):
		written, s.Unread = n.hosts, true
	}
	s.addHosts(written)
	if n.has("hosts") && len(written) == 0 {
		l.report(n.at("hosts"), in(n, "hosts: there is none"), "", `write hosts = ["*"] for any`)
	}
}

func (s *Site) addHosts(list []host) {
	for _, h := range list {
		s.Hosts = append(s.Hosts, h.name)
		s.Places = append(s.Places, Place{h.name, posOf(h.at)})
	}
}

// A draft is a Draft in the making.
type draft struct {
	Draft
	vague    bool // there may be routes that could not be read
	settings bool // settings could not be read
}

// expect keeps a test whose outcome does not hang on what could not be read of the site itself.
func (d *draft) expect(e Expect, broken bool) {
	if d.settings { // they may decide on the answer
		e.Status, e.Location = 0, ""
	}
	if !broken && !d.vague && len(d.Hosts) > 0 && (e.Status != 0 || e.Location != "" || e.Route != "" || e.Upstream != "") {
		d.Expects = append(d.Expects, e)
	}
}

// settingsBroken reports whether something is wrong in a site that belongs to none of its routes and tests.
func (n *node) settingsBroken() bool {
	for name := range n.tried {
		if !n.has(name) {
			return true
		}
	}
	return n.vague || slices.ContainsFunc(n.blocks, func(c *node) bool {
		return c.broken && !slices.Contains([]string{"route", "redirect", "respond", "expect"}, c.schema.name)
	})
}

// usesBroken reports whether settings come from a policy that has errors.
func (l *loader) usesBroken(n *node) bool {
	return slices.ContainsFunc(get[[]string](n, "use"), func(name string) bool {
		sym := l.symbols.find("policy", name)
		return sym != nil && sym.broken
	})
}

// doubt says what can't be known of a route, of which list was said beyond what is wrong with its text.
func (l *loader) doubt(n *node, list Diagnostics) Doubt {
	switch {
	case n.vague:
		return DoubtfulMatch
	case n.broken || list.HasErrors() || l.usesBroken(n):
		return DoubtfulDeed
	}
	return NoDoubt
}

// needs says that the site cannot be served, because it needs something that is broken.
func (l *loader) needs(n *node, attr, kind string, names ...string) {
	for _, name := range names {
		if sym := l.symbols.find(kind, name); sym != nil && sym.broken {
			l.note(n.at(attr), in(n, fmt.Sprintf("the site is not served, because %s has errors", refName(kind, name))), firstAt(sym.wrong))
		}
	}
}

// firstAt says where the errors begin of which something else is told.
func firstAt(pos Pos) string {
	if pos.Line == 0 {
		return ""
	}
	return "the first of them is at " + pos.String()
}

// note keeps why the site at hand is broken.
func (l *loader) note(at hcl.Range, text, detail string) {
	rest := l.list
	l.list = nil
	l.add(Note, at, text, detail, "")
	l.missing = append(l.missing, l.list...)
	l.list = rest
}

// on is the site's listeners without those that are broken.
func (l *loader) on(n *node) []string {
	written := get[[]string](n, "on")
	usable := func(name string) bool {
		sym := l.symbols.find("listener", name)
		return sym != nil && !sym.broken
	}
	if len(written) > 0 && !slices.ContainsFunc(written, usable) {
		l.note(n.at("on"), in(n, "the site is not served, because none of its listeners can be used"), "")
	}
	return slices.DeleteFunc(slices.Clone(written), func(name string) bool { return l.symbols.find("listener", name) == nil })
}

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

func (l *loader) expect(s *Site, n *node) Expect {
	method, rest, spaced := strings.Cut(n.label, " ")
	if !spaced {
		method, rest = "GET", n.label
	}
	e := Expect{
		Pos: posOf(n.head), Method: method, Target: strings.TrimSpace(rest),
		Host:     get[string](n, "host"),
		Header:   get[[]Field](n, "headers"),
		Status:   get[int](n, "status"),
		Route:    get[string](n, "route"),
		Upstream: get[string](n, "upstream"),
		Location: get[string](n, "location"),
		Client:   netip.AddrFrom4([4]byte{127, 0, 0, 1}),
	}
	if !isToken(method) || !strings.HasPrefix(e.Target, "/") {
		l.report(n.head, in(n, "the label is no request"), n.schema.label, "")
	}
	if n.has("client") {
		a, err := netip.ParseAddr(get[string](n, "client"))
		if err != nil {
			l.report(n.at("client"), in(n, "client: "+quote(get[string](n, "client"))+" is not an address"), "", "")
		}
		e.Client = a
	}
	if e.Host == "" {
		e.Host = plainHost(s.Hosts)
	}
	if len(n.tried) == 0 {
		l.report(n.head, in(n, "nothing is expected"), "", "write { status = 404 } or { route = \"/api/*\" }")
	}
	return e
}

// plainHost is the first host that is no pattern; for patterns, something that they match.
func plainHost(hosts []string) string {
	for _, h := range hosts {
		if !strings.Contains(h, "*") {
			return h
		}
	}
	if len(hosts) > 0 {
		return strings.Replace(strings.Replace(hosts[0], "*.", "www.", 1), "*", "localhost", 1)
	}
	return "localhost"
}
