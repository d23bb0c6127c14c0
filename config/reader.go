package config

import (
	"github.com/hashicorp/hcl/v2"

	"weir/internal/spell"
)

// A reader turns bodies into nodes and keeps what is to be said of them.
type reader struct {
	schema  *block
	symbols *symbols
	context *hcl.EvalContext
	*quoter
	files     []string // files that the configuration names, made absolute
	redefined redefinitions
	list      Diagnostics // of the top-level block that is being read
	compared  int         // names, with misspelt ones
}

// report says that something is wrong.
func (r *reader) report(at hcl.Range, summary, detail, hint string) {
	r.add(Error, at, summary, detail, hint)
}

func (r *reader) add(s Severity, at hcl.Range, summary, detail, hint string) {
	d := Diagnostic{Severity: s, Pos: posOf(at), Width: 1, Summary: summary, Detail: detail, Hint: hint}
	r.at(&d, at)
	r.list = append(r.list, d)
}

// width is how many characters of the line belong to the range.
func width(at hcl.Range, line string, column int) int {
	rest := len([]rune(line)) - column + 1
	if at.End.Line > at.Start.Line {
		return max(rest, 1)
	}
	return max(min(at.End.Column-at.Start.Column, rest), 1)
}

// didYouMean is the hint for a name that is not known; empty where nothing is near.
func didYouMean(name string, names []string) string {
	if n := spell.Nearest(name, names); n != "" {
		return "did you mean " + quote(n) + "?"
	}
	return ""
}
