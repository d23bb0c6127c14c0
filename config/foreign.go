package config

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// redefined is the parser's word for an attribute that stands twice. It does not keep it from reading on.
const redefined = "Attribute redefined"

// foreign reports what the parser has found. Of what it says of one place only the first thing counts; the
// others follow from it.
func (r *reader) foreign(diags hcl.Diagnostics) {
	var last hcl.Range
	open := false
	for _, d := range diags {
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
		return plain(d.Summary), plain(d.Detail), "an attribute is written with an equals sign: name = value"
	case isOpenText(d):
		return "a text has no closing quote", "a text over several lines stands between <<EOT and EOT", ""
	case d.Summary == redefined:
		return r.redefinition(d)
	case d.Summary == "Invalid single-argument block definition", strings.HasPrefix(d.Detail, "A single-line block definition can"):
		return "a block in one line holds one attribute and nothing else", "", "put everything on a line of its own"
	}
	return plain(d.Summary), plain(d.Detail), ""
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
	for _, of := range []string{"rgument or block", "an argument", "An argument", "rgument value"} {
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
