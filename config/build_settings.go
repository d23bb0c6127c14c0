package config

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"time"
)

// layers are the blocks whose settings hold for something, those that win last: policies, site, policies
// of the route, route.
type layers []*node

// layersOf puts a block behind those that it uses. A policy that holds below already holds here in its place: what it adds is
// not added twice.
func (l *loader) layersOf(below layers, n *node) layers {
	var used layers
	for _, name := range get[[]string](n, "use") {
		used = l.withPolicy(used, name, nil)
	}
	out := slices.DeleteFunc(slices.Clone(below), func(b *node) bool { return slices.Contains(used, b) })
	return append(append(out, used...), n)
}

// withPolicy adds a policy, and before it what it uses itself; what is there already has its place. Circles are reported
// elsewhere.
func (l *loader) withPolicy(out layers, name string, under []string) layers {
	p := l.policies[name]
	if p == nil || slices.Contains(out, p) || slices.Contains(under, name) {
		return out
	}
	for _, used := range get[[]string](p, "use") {
		out = l.withPolicy(out, used, append(under, name))
	}
	return append(out, p)
}

// policy keeps a policy for those who use it.
func (l *loader) policy(n *node) broken {
	l.policies[n.label] = n
	l.checkSettings(n)
	return func(Broken) {}
}

// circles reports policies that use themselves.
func (l *loader) circles() {
	for _, sym := range l.symbols.all {
		if sym.kind != "policy" {
			continue
		}
		if way := l.circle(sym.name); len(way) > 0 && slices.Min(way) == sym.name {
			n := l.policies[sym.name]
			l.report(n.at("use"), in(n, "use: the policy uses itself"), strings.Join(append(way, sym.name), " -> "), "")
			for _, name := range way {
				l.symbols.find("policy", name).broken = true
			}
		}
	}
	for l.spread() {
	}
	l.flush()
}

// spread makes policies broken that use broken ones. It reports whether there was one.
func (l *loader) spread() (more bool) {
	for name, p := range l.policies {
		own := l.symbols.find("policy", name)
		for _, used := range get[[]string](p, "use") {
			if sym := l.symbols.find("policy", used); sym != nil && sym.broken && !own.broken {
				own.broken, more = true, true
			}
		}
	}
	return more
}

// circle returns the way from a policy back to itself; there is none where it is empty.
func (l *loader) circle(to string) (way []string) {
	seen := map[string]bool{}
	var leads func(from string) bool
	leads = func(from string) bool {
		seen[from] = true
		way = append(way, from)
		for _, used := range get[[]string](l.policyNode(from), "use") {
			if used == to || !seen[used] && leads(used) {
				return true
			}
		}
		way = way[:len(way)-1]
		return false
	}
	leads(to)
	return way
}

func (l *loader) policyNode(name string) *node {
	if p := l.policies[name]; p != nil {
		return p
	}
	return &node{schema: l.schema.block("policy")}
}

// pick returns the value of the last layer that has the attribute, else its default.
func pick[T any](ls layers, name string) T {
	for _, n := range slices.Backward(ls) {
		if n.has(name) {
			return get[T](n, name)
		}
	}
	return get[T](ls[len(ls)-1], name)
}

// pickIn is pick for an attribute of a block of the layers.
func pickIn[T any](ls layers, block, name string) T {
	for _, n := range slices.Backward(ls) {
		if c := n.child(block); c != nil && c.has(name) {
			return get[T](c, name)
		}
	}
	return get[T](ls[len(ls)-1].section(block), name)
}

// settings folds the layers into one.
func (l *loader) settings(ls layers) Settings {
	s := Settings{
		Allow:          pick[[]string](ls, "allow"),
		Deny:           pick[[]string](ls, "deny"),
		MaxBody:        -1,
		Host:           pick[string](ls, "host"),
		Forwarded:      pick[string](ls, "forwarded"),
		ForwardedPort:  pick[bool](ls, "forwarded_port"),
		Via:            pick[bool](ls, "via"),
		ErrorsUpstream: pickIn[bool](ls, "errors", "upstream"),
		Timeouts: UpstreamTimeouts{
			Connect:   pickIn[time.Duration](ls, "timeouts", "connect"),
			FirstByte: pickIn[time.Duration](ls, "timeouts", "first_byte"),
			Idle:      pickIn[time.Duration](ls, "timeouts", "idle"),
		},
	}
	for _, n := range ls {
		if n.has("max_body") {
			s.MaxBody = get[int64](n, "max_body")
		}
		s.Request = appendTransform(s.Request, n.child("request"))
		s.Response = appendTransform(s.Response, n.child("response"))
	}
	choice := pick[logChoice](ls, "log")
	s.NoLog, s.Logs = choice.off, choice.names
	s.Errors = errorPages(ls)
	s.RequestID = requestID(ls)
	return s
}

// routeSettings are those of a route: the site's own where it says nothing of them, as most do.
func (l *loader) routeSettings(s *Site, site layers, n *node) *Settings {
	if !saysAny(n, l.schema.block("policy")) {
		return &s.Settings
	}
	own := l.settings(l.layersOf(site, n))
	return &own
}

// saysAny reports whether n has something that a block of that schema has, too.
func saysAny(n *node, of *block) bool {
	for i := range of.attrs {
		if n.has(of.attrs[i].name) {
			return true
		}
	}
	for _, c := range n.blocks {
		if of.block(c.schema.name) != nil {
			return true
		}
	}
	return false
}

func appendTransform(to []Transform, n *node) []Transform {
	if n == nil {
		return to
	}
	t := Transform{
		Pos:     posOf(n.head),
		Remove:  get[[]string](n, "remove"),
		Set:     get[[]Field](n, "set"),
		Add:     get[[]Field](n, "add"),
		Default: get[[]Field](n, "default"),
	}
	if q := n.child("query"); q != nil {
		t.QueryRemove = get[[]string](q, "remove")
		t.QuerySet = get[[]Field](q, "set")
	}
	return append(to, t)
}

// errorPages are those of all layers that nothing is wrong with; of two for one status that of the later layer holds.
func errorPages(ls layers) []ErrorPage {
	var out []ErrorPage
	for _, n := range slices.Backward(ls) {
		c := n.child("errors")
		if c == nil {
			continue
		}
		for _, p := range c.children("page") {
			if p.broken || slices.ContainsFunc(out, func(e ErrorPage) bool { return e.Status == p.label }) {
				continue
			}
			out = append(out, ErrorPage{
				Label: p.what, Pos: posOf(p.head), Status: p.label,
				File: get[string](p, "file"),
				Body: get[string](p, "body"),
				Type: get[string](p, "type"),
			})
		}
	}
	return out
}

func requestID(ls layers) *RequestID {
	for _, n := range slices.Backward(ls) {
		if n.child("request_id") != nil {
			return &RequestID{
				Header: pickIn[string](ls, "request_id", "header"),
				Accept: pickIn[string](ls, "request_id", "accept"),
				Format: pickIn[string](ls, "request_id", "format"),
				Hide:   pickIn[bool](ls, "request_id", "hide"),
				Return: pickIn[bool](ls, "request_id", "return"),
			}
		}
	}
	return nil
}

const requestIDPlaceholder = "{request.id}"

// needsID reports whether something that is written by the settings, or one of more, holds {request.id}.
func (l *loader) needsID(s *Settings, more []Field) bool {
	for _, t := range slices.Concat(s.Request, s.Response) {
		more = slices.Concat(more, t.Set, t.Add, t.Default, t.QuerySet)
	}
	for _, p := range s.Errors {
		if l.withID[p.File] {
			return true
		}
		more = append(more, Field{Value: p.Body})
	}
	return slices.ContainsFunc(more, func(f Field) bool { return strings.Contains(f.Value, requestIDPlaceholder) })
}

// checkSettings checks what the table cannot say of settings.
func (l *loader) checkSettings(n *node) {
	for _, name := range []string{"request", "response"} {
		if c := n.child(name); c != nil {
			l.fieldNames(c)
		}
	}
	if c := n.child("request_id"); c != nil && !isToken(get[string](c, "header")) {
		l.report(c.at("header"), in(c, "header: "+quote(get[string](c, "header"))+" is not the name of a header field"), "", "")
	}
	if c := n.child("errors"); c != nil {
		for _, p := range c.children("page") {
			l.errorPage(p)
		}
	}
}

func isToken(s string) bool { return s != "" && strings.IndexFunc(s, noToken) < 0 }

// fieldNames reports names that header fields cannot have, and those that weir itself writes.
func (l *loader) fieldNames(n *node) {
	for _, name := range get[[]string](n, "remove") {
		l.fieldName(n, "remove", strings.TrimSuffix(name, "*")+"x")
	}
	for _, attr := range []string{"set", "add", "default"} {
		for _, name := range n.fieldNames(attr) {
			l.fieldName(n, attr, name)
		}
	}
}

func (l *loader) fieldName(n *node, attr, name string) {
	switch {
	case !isToken(name):
		l.report(n.at(attr), in(n, attr+": "+quote(name)+" is not the name of a header field"), "", "")
	case strings.EqualFold(name, "Host") && n.schema.name == "request":
		l.report(n.at(attr), in(n, attr+": Host is set by the attribute host"), "", `write host = "..."`)
	case slices.Contains(hopByHop(), strings.ToLower(name)):
		l.report(n.at(attr), in(n, attr+": "+name+" concerns one connection only; weir writes it itself"), "", "")
	}
}

// hopByHop are the fields that belong to one connection or to the framing (RFC 9110, section 7.6.1).
func hopByHop() []string {
	return []string{"connection", "content-length", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"}
}

// errorPage checks a page.
func (l *loader) errorPage(p *node) {
	before := len(l.list)
	defer func() { p.broken = p.broken || l.list[before:].HasErrors() }()
	s, ok := parseStatuses(p.label)
	single, class := s.Low == s.High, s.Low%100 == 0 && s.High == s.Low+99
	if !ok || s.Low < 400 || !single && !class {
		l.report(p.head, in(p, quote(p.label)+" is no status of a failure"), p.schema.label, "")
	}
	if n := p.has("file"); n == p.has("body") && p.tried["file"] == p.tried["body"] {
		l.report(p.head, in(p, "there must be file or body, and not both"), "", "")
	}
	if p.has("file") {
		if name, ok := l.file(p, p.schema.attr("file"), get[string](p, "file"), p.at("file")); ok {
			p.attrs["file"] = setting{name, p.at("file")}
			page, _ := os.ReadFile(name)
			l.withID[name] = bytes.Contains(page, []byte(requestIDPlaceholder))
		}
	}
}
