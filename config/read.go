package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"weir/route"
)

// An item is an attribute or a block of a body, in native syntax or JSON.
type item struct {
	name   string
	at     hcl.Range      // of the name
	expr   hcl.Expression // nil: a block
	labels []string
	places []hcl.Range // of the labels
	body   hcl.Body
	broken hcl.Diagnostics // why it cannot be parsed; there is no body then
	lost   bool            // that is an error elsewhere in the file
	piece  piece           // the text of a broken one, and of a site that is not parsed yet: it has no body either
}

// items are what stands in a body, in its order. JSON does not tell blocks from attributes: the table
// decides.
func (r *reader) items(body hcl.Body, b *block) []item {
	var out []item
	if native, ok := body.(*hclsyntax.Body); ok {
		out = make([]item, 0, len(native.Attributes)+len(native.Blocks))
		for _, a := range native.Attributes {
			out = append(out, item{name: a.Name, at: a.NameRange, expr: a.Expr})
		}
		for _, c := range native.Blocks {
			out = append(out, item{name: c.Type, at: c.TypeRange, labels: c.Labels, places: c.LabelRanges, body: c.Body})
		}
	} else {
		out = r.jsonItems(body, b)
	}
	slices.SortFunc(out, func(x, y item) int {
		return cmp.Or(cmp.Compare(x.at.Start.Byte, y.at.Start.Byte), strings.Compare(x.name, y.name))
	})
	return out
}

func (r *reader) jsonItems(body hcl.Body, b *block) []item {
	var out []item
	attrs, diags := body.JustAttributes()
	r.foreign(diags)
	for _, a := range attrs {
		c := b.block(a.Name)
		if c == nil || c.later || b.attr(a.Name) != nil {
			out = append(out, item{name: a.Name, at: a.NameRange, expr: a.Expr})
			continue
		}
		schema := &hcl.BodySchema{Blocks: []hcl.BlockHeaderSchema{{Type: a.Name}}}
		if c.label != "" {
			schema.Blocks[0].LabelNames = []string{"name"}
		}
		content, _, diags := body.PartialContent(schema)
		r.foreign(diags)
		for _, c := range content.Blocks {
			at := c.DefRange
			if len(c.LabelRanges) > 0 {
				at = c.LabelRanges[len(c.LabelRanges)-1]
			}
			out = append(out, item{name: a.Name, at: at, labels: c.Labels, places: c.LabelRanges, body: c.Body})
		}
	}
	return out
}

// read makes a node of a body. All that is wrong with it is reported; what is wrong is left out of it.
func (r *reader) read(body hcl.Body, n *node) {
	n.attrs, n.tried = map[string]setting{}, map[string]bool{}
	for _, it := range r.items(body, n.schema) {
		r.readItem(n, it)
	}
	r.checkRequired(n)
}

func (r *reader) readItem(n *node, it item) {
	a, c := n.schema.attr(it.name), n.schema.block(it.name)
	before, blocks := len(r.list), len(n.blocks)
	defer func() {
		n.vague = n.vague || len(n.blocks) == blocks && r.list[before:].HasErrors() && (it.expr == nil || isCondition(n, it.name))
	}()
	switch {
	case a == nil && c == nil:
		r.unknown(n, it)
	case isLater(a, c, it.expr != nil):
		r.uses(it)
		n.tried[it.name] = true
		r.report(it.at, in(n, it.name+" is not available yet"), "", "")
	case it.expr != nil && a == nil:
		r.report(it.at, in(n, it.name+" is a block, not an attribute"), "", "write "+it.name+labelOf(c)+" { ... }")
	case it.expr == nil && c == nil:
		r.report(it.at, in(n, it.name+" is an attribute, not a block"), "", "write "+it.name+" = ...")
	case it.expr != nil:
		n.tried[a.name] = true
		v, ok := r.evaluate(n, a, it.expr)
		if ok {
			n.attrs[a.name] = setting{v, it.expr.Range()}
			return
		}
		switch list := v.(type) {
		case []Field:
			n.spoil(a.name, list, it.expr.Range())
		case []host:
			n.hosts = list
		}
	default:
		r.readBlock(n, c, it)
	}
}

// spoil keeps what could be read of an attribute.
func (n *node) spoil(name string, list []Field, at hcl.Range) {
	if n.spoilt == nil {
		n.spoilt = map[string]spoilt{}
	}
	n.spoilt[name] = spoilt{list, at}
}

// isCondition reports whether a name may say which requests a route is for.
func isCondition(n *node, name string) bool {
	return n.schema.pattern && (n.schema.attr(name) == nil || slices.Contains(conditionNames(), name))
}

func conditionNames() []string {
	return []string{"method", "header", "query", "cookie", "clients", "when"}
}

// isLater reports whether what is written is known and not available yet.
func isLater(a *attr, c *block, expr bool) bool {
	switch {
	case a == nil:
		return c.later
	case c == nil:
		return a.later
	case expr:
		return a.later
	}
	return c.later
}

func (r *reader) readBlock(n *node, c *block, it item) {
	label, ok := r.label(n, c, it)
	if !ok {
		return
	}
	child := r.newNode(n, c, it, label)
	if first := n.firstOf(c, label); first != nil {
		r.uses(it)
		r.second(first, child)
		if c.pattern {
			r.pattern(child, it)
		}
		r.read(it.body, child) // for what else is wrong with it
		return
	}
	before := len(r.list)
	r.redefinedIn(child, it.body)
	if c.pattern {
		r.pattern(child, it)
	}
	r.read(it.body, child)
	child.broken = r.list[before:].HasErrors()
	n.add(child)
}

func (r *reader) newNode(n *node, c *block, it item, label string) *node {
	head := it.at
	if len(it.places) > 0 {
		head = hcl.RangeBetween(head, it.places[len(it.places)-1])
	}
	return &node{schema: c, label: label, head: head, what: in(n, describe(c, label)), params: n.params, open: n.open}
}

// pattern reads the label of a route: its names may be used in templates.
func (r *reader) pattern(n *node, it item) {
	path := n.label
	if n.schema.name != "route" {
		n.host, path = route.SplitHostPattern(n.label)
	}
	p, err := route.ParsePattern(path)
	if err != nil {
		r.report(it.places[0], in(n, err.Error()), "", "")
		n.open, n.vague = true, true
		return
	}
	n.path, n.params = path, p.Names()
}

// second reports a block that stands there twice.
func (r *reader) second(first, n *node) {
	r.report(n.head, strings.TrimSuffix(n.what, describe(n.schema, n.label))+"second "+describe(n.schema, n.label), "the first one is at "+posOf(first.head).String(), "")
}

// firstOf returns an earlier block that forbids another one c with that label.
func (n *node) firstOf(c *block, label string) *node {
	if c.repeat {
		return nil
	}
	return n.index[c.key(label)]
}

// key is what two blocks have in common that cannot stand side by side.
func (b *block) key(label string) [2]string {
	if !b.many {
		label = ""
	}
	return [2]string{b.name, label}
}

// add puts a block into the one that it stands in.
func (n *node) add(c *node) {
	if n.index == nil {
		n.index = map[[2]string]*node{}
	}
	n.index[c.schema.key(c.label)] = c
	n.blocks = append(n.blocks, c)
}

// label checks the labels of a block.
func (r *reader) label(n *node, c *block, it item) (string, bool) {
	switch {
	case c.label == "" && len(it.labels) > 0:
		r.report(it.places[0], in(n, c.name+" has no label"), "", "write "+c.name+" { ... }")
		return "", false
	case c.label == "":
		return "", true
	case len(it.labels) == 0:
		r.report(it.at, in(n, c.name+" lacks its label"), "the label is "+c.label, "write "+c.name+labelOf(c)+" { ... }")
		return "", false
	case len(it.labels) > 1:
		r.report(it.places[1], in(n, c.name+" has one label only"), "the label is "+c.label, "")
		return "", false
	case it.labels[0] == "":
		r.report(it.places[0], in(n, "the label of "+c.name+" is empty"), "the label is "+c.label, "")
		return "", false
	}
	return it.labels[0], true
}

func labelOf(c *block) string {
	if c.label == "" {
		return ""
	}
	return ` "..."`
}

// describe names a block as messages do: `route "/*"`.
func describe(c *block, label string) string {
	if c.label == "" {
		return c.name
	}
	return fmt.Sprintf("%s %q", c.name, label)
}

// in puts the place before what is said of it.
func in(n *node, s string) string {
	if n == nil || n.what == "" {
		return s
	}
	return n.what + ": " + s
}

func (r *reader) unknown(n *node, it item) {
	what := "attribute"
	if it.expr == nil {
		what = "block"
	}
	names := n.schema.names()
	r.uses(it)
	hint := didYouMean(it.name, names)
	switch theirs := elsewhereCalled[it.name]; {
	case slices.Contains(names, theirs):
		hint = "did you mean " + quote(theirs) + "?"
	case hint == "":
		hint = r.elsewhere(it.name)
	}
	detail := ""
	if !strings.HasPrefix(hint, "did you mean") {
		detail = "known here: " + strings.Join(n.schema.usable(), ", ")
	}
	r.report(it.at, in(n, "unknown "+what+" "+quote(it.name)), detail, hint)
}

// elsewhereCalled has words of other proxies, with what they are called here.
var elsewhereCalled = map[string]string{
	"location": "route", "handle": "route", "path": "route", "rule": "route",
	"proxy_pass": "proxy", "reverse_proxy": "proxy", "backend": "upstream", "target": "proxy", "pool": "upstream",
	"server": "site", "virtual_host": "site", "vhost": "site", "frontend": "listener", "entrypoint": "listener",
	"server_name": "hosts", "host_name": "hosts", "domains": "hosts", "listen": "address", "bind": "address",
	"return": "respond", "error_page": "errors", "access_log": "log", "error_log": "log",
	"lb_policy": "balance", "algorithm": "balance", "strategy": "balance", "healthcheck": "health", "health_check": "health",
	"retries": "retry", "outlier_detection": "outlier", "set_header": "request", "add_header": "response",
}

// elsewhere tells in which other blocks there is something of that name.
func (r *reader) elsewhere(name string) string {
	var places []string
	var walk func(b *block)
	walk = func(b *block) {
		if (b.attr(name) != nil || b.block(name) != nil) && !slices.Contains(places, b.name) {
			places = append(places, b.name)
		}
		for _, c := range b.blocks {
			walk(c)
		}
	}
	for _, c := range r.schema.blocks {
		walk(c)
	}
	if r.schema.attr(name) != nil || r.schema.block(name) != nil {
		return name + " stands at the top of a file"
	}
	if len(places) == 0 {
		return ""
	}
	return name + " stands in " + strings.Join(places, ", ")
}

func (r *reader) checkRequired(n *node) {
	for i := range n.schema.attrs {
		a := &n.schema.attrs[i]
		if a.required && !n.has(a.name) && !n.tried[a.name] {
			r.report(n.head, in(n, a.name+" is missing"), plain(a.doc), "write "+a.name+" = "+a.example)
		}
	}
}
