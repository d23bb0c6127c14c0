package config

import (
	"fmt"
	"slices"
	"strings"

	"weir"
)

//go:generate go test -count=1 -run ^TestReference$ . -update

// Reference returns the pages of doc/reference by their names, made of the table that files are read by.
func Reference() map[string]string {
	top := language()
	pages := map[string]string{
		"README.md":       indexPage(top),
		"file.md":         page(topBlock(top), "The file"),
		"values.md":       valuesPage(),
		"placeholders.md": placeholdersPage(),
		"settings.md":     page(settingsBlock(), "Settings"),
	}
	for _, c := range top.blocks {
		if !c.later {
			pages[c.name+".md"] = page(c, c.name)
		}
	}
	pages["route.md"] = page(routeBlock(), "route")
	return pages
}

// topBlock is the top of a file without the blocks, which have pages of their own.
func topBlock(top *block) *block {
	out := *top
	out.blocks = slices.DeleteFunc(slices.Clone(top.blocks), func(c *block) bool { return !c.later })
	return &out
}

// settingsBlock is what policies, sites and routes have in common.
func settingsBlock() *block {
	return &block{
		doc: "What a policy, a site and a route can say. What a site sets, its routes inherit; what a route sets, wins. " +
			"The policies in use come below the site's or route's own settings, the later one above the earlier one. " +
			"Header changes add up: those of policies are made first, then the site's, then the route's.",
		attrs:  settingAttrs(),
		blocks: settingBlocks(),
	}
}

const generated = "<!-- Made by go generate ./config from the schema; changes belong there. -->\n\n"

func indexPage(top *block) string {
	var b strings.Builder
	b.WriteString(generated + "# The configuration language\n\n" +
		"A configuration is written in HCL: blocks with a label and braces, attributes with an equals sign. " +
		"The same tree may be written as JSON, in a file whose name ends in `.json`.\n\n```hcl\n" + top.example + "\n```\n\n")
	b.WriteString("| page | |\n|---|---|\n")
	row := func(name, doc string) { fmt.Fprintf(&b, "| [%s](%s.md) | %s |\n", name, name, cell(doc)) }
	row("file", top.doc)
	for _, c := range top.blocks {
		if !c.later {
			row(c.name, c.doc)
		}
		if c.name == "site" {
			row("route", routeBlock().doc)
		}
	}
	row("settings", "What a policy, a site and a route can say.")
	row("values", "How durations, sizes, networks and the like are written; references; the environment.")
	row("placeholders", "What may stand in braces in a template.")
	b.WriteString("\nWhat is marked as *not available yet* is known to the language, and refused: nothing is ever ignored.\n")
	return b.String()
}

// page describes a block and all that is in it.
func page(c *block, title string) string {
	var b strings.Builder
	b.WriteString(generated)
	section(&b, c, title, 1)
	return strings.TrimRight(b.String(), "\n") + "\n"
}

func section(b *strings.Builder, c *block, title string, level int) {
	fmt.Fprintf(b, "%s %s\n\n%s\n\n", strings.Repeat("#", level), title, c.doc)
	if c.label != "" {
		fmt.Fprintf(b, "Its label is %s.\n\n", code(c.label))
	}
	if c.example != "" {
		b.WriteString("```hcl\n" + c.example + "\n```\n\n")
	}
	attrs, blocks, inherits := own(c)
	attrTable(b, attrs)
	if inherits {
		b.WriteString("All [settings](settings.md) may stand here, too.\n\n")
	}
	for _, inner := range blocks {
		switch {
		case inner.later:
		case inner.name == "route":
			b.WriteString("Its [routes](route.md) have a page of their own.\n\n")
		default:
			section(b, inner, title+" / "+inner.name, level+1)
		}
	}
	laterTable(b, blocks, level+1)
}

// laterTable lists the blocks that are not available yet.
func laterTable(b *strings.Builder, blocks []*block, level int) {
	if !slices.ContainsFunc(blocks, func(c *block) bool { return c.later }) {
		return
	}
	b.WriteString(strings.Repeat("#", level) + " Not available yet\n\n| block | |\n|---|---|\n")
	for _, c := range blocks {
		if c.later {
			fmt.Fprintf(b, "| `%s` | %s |\n", c.name, cell(c.doc))
		}
	}
	b.WriteString("\n")
}

// own is what a block has beside the settings.
func own(c *block) (attrs []attr, blocks []*block, inherits bool) {
	settings := settingsBlock()
	if c.name != "policy" && c.name != "site" && c.name != "route" {
		return c.attrs, c.blocks, false
	}
	for _, a := range c.attrs {
		if settings.attr(a.name) == nil {
			attrs = append(attrs, a)
		}
	}
	for _, inner := range c.blocks {
		if settings.block(inner.name) == nil {
			blocks = append(blocks, inner)
		}
	}
	return attrs, blocks, true
}

func attrTable(b *strings.Builder, attrs []attr) {
	if len(attrs) == 0 {
		return
	}
	b.WriteString("| attribute | value | default | |\n|---|---|---|---|\n")
	for i := range attrs {
		a := &attrs[i]
		fmt.Fprintf(b, "| `%s` | %s | %s | %s |\n", a.name, cell(valueDoc(a)), cell(defaultDoc(a)), cell(meaning(a)))
	}
	b.WriteString("\n")
}

func valueDoc(a *attr) string {
	switch {
	case a.later:
		return ""
	case len(a.oneOf) > 0:
		return "`" + strings.Join(a.oneOf, "`, `") + "`"
	case a.kind == reference:
		return "reference to " + withArticle(a.of)
	case a.kind == references:
		return "references to " + plural(a.of)
	}
	return fmt.Sprintf("[%s](values.md)", a.kind)
}

func plural(kind string) string {
	if stem, ok := strings.CutSuffix(kind, "y"); ok {
		return stem + "ies"
	}
	return kind + "s"
}

func defaultDoc(a *attr) string {
	switch {
	case a.required:
		return "*required*"
	case a.defDoc != "":
		return code(a.defDoc)
	case a.def == "":
		return ""
	case a.kind == boolean || a.kind == whole:
		return "`" + a.def + "`"
	}
	return "`" + quote(a.def) + "`"
}

func meaning(a *attr) string {
	out := code(a.doc)
	if a.later {
		return out + " *Not available yet.*"
	}
	if a.example != "" {
		out += " Example: `" + a.example + "`."
	}
	if len(a.laterOf) > 0 {
		out += " *Not available yet:* `" + strings.Join(a.laterOf, "`, `") + "`."
	}
	return out
}

// code sets what stands in quotes in a text as code.
func code(s string) string {
	parts := strings.Split(s, `"`)
	if len(parts)%2 == 0 {
		return s
	}
	for i := 1; i < len(parts); i += 2 {
		parts[i] = "`\"" + parts[i] + "\"`"
	}
	return strings.Join(parts, "")
}

func cell(s string) string { return strings.ReplaceAll(s, "|", "\\|") }

func valuesPage() string {
	var b strings.Builder
	b.WriteString(generated + "# Values\n\n| value | |\n|---|---|\n")
	for k := text; k <= logs; k++ {
		if d := k.doc(); d.write != "" {
			fmt.Fprintf(&b, "| %s | %s |\n", d.name, cell(code(d.write)))
		}
	}
	b.WriteString(`
A list of one may be written without the brackets.

A **reference** is the kind of a block and its label, without quotes: ` + "`upstream.shop`" + `, or
` + "`upstream[\"shop.example\"]`" + ` where the label is no name. In JSON it is a text: ` + "`\"upstream.shop\"`" + `.
It is checked when the file is read. ` + "`" + strings.Join((&symbols{}).kinds(), "`, `") + "`" + ` can be referred to.

A **template** holds [placeholders](placeholders.md) in braces, which are filled in for each request; a brace itself
is written ` + "`{{`" + `. ` + "`${...}`" + ` is filled in when the file is read; to write it as text, double the dollar: ` + "`$${`" + `.

` + "`env(\"NAME\")`" + ` is the value of an environment variable, ` + "`env(\"NAME\", \"default\")`" + ` with one for where
it is not set. Such values are never quoted in messages.

The name of a **file** is relative to the folder of the configuration file that it is written in.
`)
	return b.String()
}

func placeholdersPage() string {
	var b strings.Builder
	b.WriteString(generated + "# Placeholders\n\nBesides these, a route's templates know the names of its path: `{id}` of `/users/{id}/*`, " +
		"and `{*}` for what the `*` at its end took. What is not there is empty.\n\n| placeholder | |\n|---|---|\n")
	for _, p := range weir.Placeholders() {
		fmt.Fprintf(&b, "| `{%s}` | %s |\n", p.Name, cell(p.Meaning))
	}
	return b.String()
}
