package config

import "slices"

// A block is one kind of block of the language: the table from which files are read, unknown names are
// found, and doc/reference is made.
type block struct {
	name    string
	label   string // what the label says; "": there is none
	doc     string
	example string
	attrs   []attr
	blocks  []*block
	many    bool // may stand more than once; with a label, once for each label
	repeat  bool // with many: also for the same label
	pattern bool // the label is a path
	later   bool // known, and not available yet
	vital   bool // nothing is served where it is wrong
}

// An attr is one attribute of a block.
type attr struct {
	name     string
	kind     kind
	doc      string
	def      string   // default as it would be written, without quotes; "": none
	defDoc   string   // what the reference says of the default where def does not say it
	oneOf    []string // allowed values, of texts
	laterOf  []string // known values that are not available yet
	of       string   // of references: to which kind of block
	example  string
	min, max int  // of whole numbers and percents, where max > 0
	zero     bool // of durations, sizes and rates: nothing is a value, too
	required bool
	later    bool // known, and not available yet
	vital    bool // nothing is served where it is wrong
}

// A kind is the type of an attribute's value.
type kind uint8

const (
	anything kind = iota // of what is not available yet: not looked at
	text
	template
	boolean
	whole    // int
	percent  // int
	duration // time.Duration
	size     // int64, bytes
	byteRate // int64, bytes per second
	fileMode // os.FileMode
	texts    // []string
	hosts    // []host
	networks // []netip.Prefix
	clients  // []string: networks, addresses and files of them
	statuses // []StatusRange
	fields   // []Field: names and templates
	pairs    // []Field: names and texts
	matchers // []Field: names and what their values must be
	reference
	references // []string
	target     // a reference to an upstream, or an address
	weights    // []Weighted
	logs       // true, false or references to logs
)

// A kindDoc is what the reference and errors say of a kind.
type kindDoc struct{ name, write string }

func (k kind) String() string { return k.doc().name }

func (k kind) doc() kindDoc {
	return [...]kindDoc{
		anything:   {"anything", ""},
		text:       {"text", `write text in double quotes`},
		template:   {"template", `write text in double quotes; {name} in it is filled in per request`},
		boolean:    {"true or false", `write true or false`},
		whole:      {"whole number", `write a number such as 10`},
		percent:    {"percentage", `write "20%"`},
		duration:   {"duration", `write a number and a unit, such as "500ms", "10s", "1m30s", "2h" or "7d"`},
		size:       {"size", `write a number and a unit: B, KB, MB, GB (powers of 1000), KiB, MiB, GiB (of 1024), such as "10MB"`},
		byteRate:   {"rate", `write a size per second, such as "1KB/s"`},
		fileMode:   {"file mode", `write it as chmod takes it, such as "0660"`},
		texts:      {"list of texts", `write ["one", "two"]`},
		hosts:      {"list of hosts", `write ["example.com", "*.example.com"]`},
		networks:   {"list of networks", `write addresses and networks such as ["10.0.0.0/8", "2001:db8::/32", "192.0.2.1"]`},
		clients:    {"list of networks and files", `write addresses, networks and files of them, such as ["10.0.0.0/8", "2001:db8::1", "lists/partners.txt"]`},
		statuses:   {"list of statuses", `write statuses, classes and ranges such as [200, "3xx", "401-403"]`},
		fields:     {"names and templates", `write { "Name" = "value", "Other" = "{host}" }`},
		pairs:      {"names and texts", `write { "Name" = "value", "Other" = "value" }`},
		matchers:   {"names and conditions", `write { "name" = "value" }; "*" is any value, "~ ..." a regular expression (RE2)`},
		reference:  {"reference", ""},
		references: {"list of references", ""},
		target:     {"upstream or address", `write a reference such as upstream.shop, or an address such as "http://127.0.0.1:3000" or "https://app.internal"`},
		weights:    {"upstreams and weights", `write { "upstream.one" = 95, "upstream.two" = 5 }`},
		logs:       {"true, false or list of references", `write false, log.access or [log.access, log.audit]`},
	}[k]
}

func (b *block) attr(name string) *attr {
	for i := range b.attrs {
		if b.attrs[i].name == name {
			return &b.attrs[i]
		}
	}
	return nil
}

func (b *block) block(name string) *block {
	for _, c := range b.blocks {
		if c.name == name {
			return c
		}
	}
	return nil
}

// anywhere reports whether a name is an attribute, and whether it is a block, in b or in what may stand in it.
func (b *block) anywhere(name string) (attr, block bool) {
	attr, block = b.attr(name) != nil, b.block(name) != nil
	for _, c := range b.blocks {
		if attr && block {
			break
		}
		a, inner := c.anywhere(name)
		attr, block = attr || a, block || inner
	}
	return attr, block
}

// names are those of all attributes and blocks, in the order of the table.
func (b *block) names() []string {
	var out []string
	for i := range b.attrs {
		out = append(out, b.attrs[i].name)
	}
	for _, c := range b.blocks {
		if b.attr(c.name) == nil {
			out = append(out, c.name)
		}
	}
	return out
}

// usable are the names of what is available.
func (b *block) usable() []string {
	return slices.DeleteFunc(b.names(), func(name string) bool {
		a, c := b.attr(name), b.block(name)
		return (a == nil || a.later) && (c == nil || c.later)
	})
}

// laterBlock is a block that is known and not available yet.
func laterBlock(name, doc string) *block {
	return &block{name: name, doc: doc, later: true, many: true, repeat: true}
}

func laterAttr(name, doc string) attr { return attr{name: name, doc: doc, later: true} }
