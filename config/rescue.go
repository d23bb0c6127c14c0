package config

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"weir/route"
)

// rescued is a site that cannot be parsed, with the hosts and listeners that can be read of it all the same: requests for
// them are to get no other site's answer.
func (l *loader) rescued(n *node, it item, b Broken) *Site {
	s := &Site{Name: b.Name, Pos: b.Pos, Broken: b.Why}
	hosts, all := l.rescuedHosts(n, it)
	s.addHosts(hosts)
	s.Unread = !all
	for _, a := range l.attributes(it, "on") {
		on, _ := l.rescuedValue(n, a)
		s.On, _ = on.([]string)
	}
	return s
}

// rescuedHosts are the hosts in the text of a site, and whether there are no others.
func (l *loader) rescuedHosts(n *node, it item) (hosts []host, all bool) {
	found := l.attributes(it, "hosts")
	if len(found) == 0 {
		return []host{{n.label, n.head}}, route.CheckHost(n.label) == nil
	}
	all = true
	for _, a := range found {
		v, ok := l.rescuedValue(n, a)
		list, _ := v.([]host)
		if !ok {
			list, all = append(list, a.hosts()...), false
		}
		hosts = append(hosts, list...)
	}
	return hosts, all
}

// A fragment is an attribute in a text that cannot be parsed: from its name to the end of the line, or of its list.
type fragment struct {
	name string
	text []byte
	at   hcl.Range // of the name
}

// attributes are the places in the text of a block where a line, or the block, begins with that name.
func (l *loader) attributes(it item, name string) []fragment {
	src := l.sources[it.at.Filename][:it.piece.to]
	begin := regexp.MustCompile(`(?:^|\{)[ \t]*(` + name + `)\b`)
	var out []fragment
	for line := range newLines().code(src[it.piece.from:]) {
		m := begin.FindStringSubmatchIndex(line.text)
		if m == nil {
			continue
		}
		start := hcl.Pos{Line: it.piece.line + line.number - 1, Column: 1 + utf8.RuneCountInString(line.text[:m[2]]), Byte: it.piece.from + line.from + m[2]}
		end := start
		end.Column, end.Byte = end.Column+len(name), end.Byte+len(name)
		out = append(out, fragment{name, valueIn(src[start.Byte:]), hcl.Range{Filename: it.at.Filename, Start: start, End: end}})
	}
	return out
}

// valueIn cuts off what stands behind the line, or behind the line on which a list ends that begins in it.
func valueIn(src []byte) []byte {
	line, _, _ := bytes.Cut(src, []byte("\n"))
	end := bytes.IndexByte(src, ']')
	if !bytes.ContainsRune(line, '[') || end < len(line) {
		return line
	}
	rest, _, _ := bytes.Cut(src[end:], []byte("\n"))
	return src[:end+len(rest)]
}

// rescuedValue evaluates an attribute of a site that can be parsed by itself. Nothing is reported of it.
func (l *loader) rescuedValue(n *node, f fragment) (value any, ok bool) {
	if nativeDepth(f.at.Filename, f.text, f.at.Start).HasErrors() {
		return nil, false
	}
	file, diags := hclsyntax.ParseConfig(f.text, f.at.Filename, f.at.Start)
	if diags.HasErrors() {
		return nil, false
	}
	attrs, diags := file.Body.JustAttributes()
	if diags.HasErrors() || attrs[f.name] == nil {
		return nil, false
	}
	before := len(l.list)
	value, ok = l.evaluate(n, n.schema.attr(f.name), attrs[f.name].Expr)
	l.list = l.list[:before]
	return value, ok
}

// hosts are those that stand between quotes before anything else does.
func (f fragment) hosts() []host {
	var out []host
	from := len(f.name)
	for _, m := range regexp.MustCompile(`"[^"\\\n]*"|(?:#|//).*`).FindAllIndex(f.text, -1) {
		if bytes.ContainsAny(bytes.TrimLeft(f.text[from:m[0]], "=: \t"), "]{}=\"") {
			break
		}
		from = m[1]
		name := strings.Trim(string(f.text[m[0]:m[1]]), `"`)
		if f.text[m[0]] == '"' && route.CheckHost(name) == nil && !slices.ContainsFunc(out, func(h host) bool { return h.name == name }) {
			out = append(out, host{name, f.at})
		}
	}
	return out
}
