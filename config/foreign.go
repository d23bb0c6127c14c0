package config

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// noObject is the parser's word for JSON that is no object, or none that can be read.
const noObject = "Root value must be object"

const values = "a value is text in double quotes, a number, true or false, a list such as [1, 2], or a reference such as upstream.shop"

// redefined is the parser's word for an attribute that stands twice. It does not keep it from reading on.
const redefined = "Attribute redefined"

// foreign reports what the parser has found. Of what it says of one place only the first thing counts; the
// others follow from it.
func (r *reader) foreign(diags hcl.Diagnostics) {
	var last hcl.Range
	open := false
	for _, d := range diags {
		if d.Summary == noObject && len(diags) > 1 { // it could not be read, which is said of it, too
			continue
		}
		if isOpenText(d) {
			if open {
				continue
			}
			open = true
		}
		var at hcl.Range
		if d.Subject != nil {
			at = *d.Subject
		}
		if at.Filename != "" && at.Filename == last.Filename && at.Start == last.Start {
			continue
		}
		last = at
		severity := Error
		if d.Severity == hcl.DiagWarning {
			severity = Warning
		}
		summary, detail, hint := r.inOurWords(d)
		r.add(severity, at, summary, detail, hint)
	}
}

// foreignIn is foreign for something that stands in a block.
func (r *reader) foreignIn(n *node, diags hcl.Diagnostics) {
	before := len(r.list)
	r.foreign(diags)
	for i := before; i < len(r.list); i++ {
		r.list[i].Summary = in(n, r.list[i].Summary)
	}
}

// isOpenText reports whether a text has no end: the parser says so of every line that follows.
func isOpenText(d *hcl.Diagnostic) bool {
	return d.Summary == "Invalid multi-line string" || d.Summary == "Unterminated template string" || d.Summary == "Invalid string literal"
}

// inOurWords says what the parser says, and says it better where that is often met.
func (r *reader) inOurWords(d *hcl.Diagnostic) (summary, detail, hint string) {
	call, _ := hcl.DiagnosticExtra[hclsyntax.FunctionCallDiagExtra](d)
	var env *envError
	switch {
	case call != nil && errors.As(call.FunctionCallError(), &env):
		return env.Error(), "", env.hint()
	case d.Summary == "Call to unknown function":
		return plain(d.Detail), "there is env", ""
	case d.Summary == "Invalid block definition":
		return r.unbraced(d)
	case d.Summary == "Attribute or block definition required", d.Summary == "Argument or block definition required":
		return r.neither(d)
	case d.Summary == "Invalid expression" && strings.HasPrefix(d.Detail, "Expected the start of an expression"):
		if strings.Trim(r.textFrom(d.Subject), " \t\r,)]}") == "" {
			return "a value is missing here", values, ""
		}
		return "this is no value", values, ""
	case strings.HasPrefix(d.Detail, `The ";" character`):
		return `";" ends nothing here`, "", "an attribute ends with its line: leave the semicolon out"
	case d.Summary == "Unterminated template string" && r.openHeredoc(d) != "":
		mark := r.openHeredoc(d)
		return "a text that begins with <<" + mark + " has no end", "it ends with a line of " + mark + " alone", ""
	case isOpenText(d):
		return "a text has no closing quote", "a text over several lines stands between <<EOT and EOT", ""
	case d.Summary == redefined:
		return r.redefinition(d)
	case d.Summary == "Invalid single-argument block definition", strings.HasPrefix(d.Detail, "A single-line block definition can"):
		return r.crowded(d)
	}
	return plain(d.Summary), plain(d.Detail), ""
}

// unbraced says what a name needs that has neither an equals sign nor a brace behind it.
func (r *reader) unbraced(d *hcl.Diagnostic) (summary, detail, hint string) {
	name := leading(r.textFrom(d.Context))
	attr, block := r.schema.anywhere(name)
	switch {
	case block && !attr && strings.HasPrefix(d.Detail, "Either"):
		return "the label of " + name + " is not in quotes", "", "write " + name + ` "..." { ... }`
	case block && !attr:
		return "there is no brace behind " + name, "it opens on the same line", "write " + name + ` "..." { ... }`
	case attr && !block:
		return "there is no equals sign behind " + name, "", "write " + name + " = ..."
	}
	return "neither an attribute nor a block", `write name = value, or name "label" { ... } with the opening brace on the same line`, ""
}

// crowded says why a block does not fit on one line.
func (r *reader) crowded(d *hcl.Diagnostic) (summary, detail, hint string) {
	name := leading(r.textFrom(d.Subject))
	attr, block := r.schema.anywhere(name)
	if d.Summary == "Argument definition required" && attr && !block {
		return "there is no equals sign behind " + name, "", "write " + name + " = ..."
	}
	return "a block in one line holds one attribute and nothing else", "", "put everything on a line of its own"
}

// neither says of a line that it is nothing that may stand in a block.
func (r *reader) neither(d *hcl.Diagnostic) (summary, detail, hint string) {
	line := strings.TrimSpace(r.textFrom(d.Subject))
	name := leading(line)
	attr, block := r.schema.anywhere(name)
	rest := strings.TrimSpace(strings.TrimPrefix(line, name))
	switch {
	case strings.HasPrefix(line, "/*"):
		return "a comment that begins with /* has no end", "", "it ends with */"
	case strings.HasPrefix(line, "}"):
		return "a brace is closed that none has opened", "", ""
	case attr && (strings.HasPrefix(rest, ":") || strings.HasPrefix(rest, "[")):
		hint = "write " + name + " = ..."
	case elsewhereCalled[name] != "":
		hint = "did you mean " + quote(elsewhereCalled[name]) + "?"
	case block && strings.Contains(rest, "{"):
		hint = "write " + name + ` "..." { ... }, its label in double quotes`
	}
	return "neither an attribute nor a block", `write name = value, or name "label" { ... }`, hint
}

// textFrom is what stands on a line from the beginning of a place on.
func (r *reader) textFrom(at *hcl.Range) string {
	if at == nil {
		return ""
	}
	src := r.sources[at.Filename]
	rest, _, _ := bytes.Cut(src[min(max(at.Start.Byte, 0), len(src)):], []byte("\n"))
	return string(rest)
}

// openHeredoc is the mark of the text over several lines that has no end; "": that one stands in quotes.
func (r *reader) openHeredoc(d *hcl.Diagnostic) string {
	if d.Context == nil { // where the text begins, behind its mark
		return ""
	}
	src := r.sources[d.Context.Filename]
	head, ok := bytes.CutSuffix(src[:min(max(d.Context.Start.Byte, 0), len(src))], []byte("\n"))
	if !ok {
		return ""
	}
	head = head[bytes.LastIndexByte(head, '\n')+1:]
	_, mark, _ := strings.Cut(string(head[max(bytes.LastIndex(head, []byte("<<")), 0):]), "<<")
	return strings.TrimSpace(strings.TrimPrefix(mark, "-"))
}

// redefinition is `second grace` and where the first one is.
func (r *reader) redefinition(d *hcl.Diagnostic) (summary, detail, hint string) {
	found := regexp.MustCompile(`^The argument "(.*)" was already set at (.*):(\d+),`).FindStringSubmatch(d.Detail)
	if found == nil {
		return "the attribute stands there twice", plain(d.Detail), ""
	}
	return "second " + found[1], fmt.Sprintf("the first one is at %s:%s", found[2], found[3]), ""
}

// plain puts a sentence of the parser's into the form of ours.
func plain(s string) string {
	s = strings.TrimSuffix(strings.Join(strings.Fields(s), " "), ".")
	for _, of := range []string{"rgument or block", "rguments and blocks", "the arguments", "an argument", "An argument", "rgument value"} {
		s = strings.ReplaceAll(s, of, strings.Replace(of, "rgument", "ttribute", 1))
	}
	if s == "" {
		return ""
	}
	first, rest := rune(s[0]), s[1:]
	if rest != "" && unicode.IsUpper(first) && !unicode.IsUpper(rune(rest[0])) {
		return string(unicode.ToLower(first)) + rest
	}
	return s
}
