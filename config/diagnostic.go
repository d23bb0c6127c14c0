package config

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// Severity says how bad a diagnostic is.
type Severity uint8

// The severities.
const (
	Error   Severity = iota // what it is about cannot be used
	Warning                 // it works, and hardly as it was meant
	Note                    // what follows from an error elsewhere
)

// String returns "error", "warning" or "note".
func (s Severity) String() string {
	return [...]string{"error", "warning", "note"}[s]
}

// A Diagnostic is one thing that is to be said of a configuration. Texts are in lower case, without a
// full stop; what may be secret is never quoted in them.
type Diagnostic struct {
	Severity Severity
	Pos      Pos
	Column   int    // of Line: where the mark begins; it may be another one than Pos's where Line is shortened
	Width    int    // characters that are marked
	Summary  string // `upstream "shop": unknown attribute "retires"`
	Detail   string // what is allowed; may be empty
	Hint     string // `did you mean "retry"?`; may be empty
	Line     string // the line as it is written, without what may be secret; may be empty
}

// String returns the summary with its place: `weir.hcl:12:3: error: ...`.
func (d Diagnostic) String() string {
	place := d.Pos.String()
	if d.Pos.Column > 0 {
		place += fmt.Sprintf(":%d", d.Pos.Column)
	}
	if place != "" {
		place += ": "
	}
	return place + d.Severity.String() + ": " + d.Summary
}

// Diagnostics are all that is to be said, in the order of files and lines.
type Diagnostics []Diagnostic

// HasErrors reports whether one of them is an Error.
func (d Diagnostics) HasErrors() bool {
	return slices.ContainsFunc(d, func(d Diagnostic) bool { return d.Severity == Error })
}

// Error returns the place and summary of the first error, or of the first diagnostic where there is no
// error, and how many more errors there are.
func (d Diagnostics) Error() string {
	errs := d.errors()
	switch {
	case len(errs) > 1:
		return fmt.Sprintf("%s (and %d more)", errs[0], len(errs)-1)
	case len(errs) == 1:
		return errs[0].String()
	case len(d) > 0:
		return d[0].String()
	}
	return ""
}

// maxWritten is how many errors, and how many other diagnostics, are written.
const maxWritten = 100

// Write writes them as a compiler does: place, severity and summary, the line with a mark below, what
// is allowed, and what may have been meant. Of errors the first hundred are written and the others
// counted; so are warnings and notes. Colours are for terminals.
func (d Diagnostics) Write(w io.Writer, color bool) error {
	var b strings.Builder
	first, moreErrors, moreOthers := d.First()
	for i := range first {
		first[i].write(&b, paint(color))
	}
	writeMore(&b, moreErrors, "more errors")
	writeMore(&b, moreOthers, "more warnings and notes")
	_, err := io.WriteString(w, b.String())
	return err
}

// First returns as many of them as anybody reads, and how many errors and others there are besides.
func (d Diagnostics) First() (first Diagnostics, moreErrors, moreOthers int) {
	errs, others := 0, 0
	for i := range d {
		n := &others
		if d[i].Severity == Error {
			n = &errs
		}
		if *n++; *n <= maxWritten {
			first = append(first, d[i])
		}
	}
	return first, max(errs-maxWritten, 0), max(others-maxWritten, 0)
}

func writeMore(b *strings.Builder, n int, what string) {
	if n > 0 {
		fmt.Fprintf(b, "and %d %s\n", n, what)
	}
}

// A paint says whether there are colours.
type paint bool

func (p paint) in(code, s string) string {
	if !p || s == "" {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

func (d *Diagnostic) write(b *strings.Builder, p paint) {
	code := [...]string{"1;31", "1;33", "1;36"}[d.Severity]
	head := d.String()
	place, rest, _ := strings.Cut(head, d.Severity.String()+": ")
	b.WriteString(p.in("1", place) + p.in(code, d.Severity.String()+":") + " " + rest + "\n")
	if d.Line != "" {
		number := fmt.Sprintf("%5d", d.Pos.Line)
		b.WriteString(p.in("2", number+" | ") + d.Line + "\n")
		b.WriteString(p.in("2", "      | ") + p.in(code, d.mark()) + "\n")
	}
	if d.Detail != "" {
		b.WriteString("  " + d.Detail + "\n")
	}
	if d.Hint != "" {
		b.WriteString("  " + p.in("1", d.Hint) + "\n")
	}
}

// mark is what stands below the line: blanks up to the column, tabs kept, and a caret.
func (d *Diagnostic) mark() string {
	var b strings.Builder
	column := 1
	for _, c := range d.Line {
		if column >= d.Column {
			break
		}
		if c != '\t' {
			c = ' '
		}
		b.WriteRune(c)
		column++
	}
	width := min(d.Width, utf8.RuneCountInString(d.Line)-column+1)
	return b.String() + "^" + strings.Repeat("~", max(width-1, 0))
}

// Sorted puts the diagnostics of a configuration in the order of its files and lines.
func (c *Config) Sorted(d Diagnostics) Diagnostics { return d.sorted(c.Files) }

// sorted puts them in the order of files, as given, and lines, each once.
func (d Diagnostics) sorted(files []string) Diagnostics {
	place := map[string]int{} // of a file that was read: from 1
	for i, name := range slices.Backward(files) {
		place[name] = i + 1
	}
	slices.SortStableFunc(d, func(a, b Diagnostic) int {
		return cmp.Or(
			cmp.Compare(place[a.Pos.File], place[b.Pos.File]),
			cmp.Compare(a.Pos.Line, b.Pos.Line),
			cmp.Compare(a.Pos.Column, b.Pos.Column),
		)
	})
	return slices.CompactFunc(d, func(a, b Diagnostic) bool {
		return a.Pos == b.Pos && a.Severity == b.Severity && a.Summary == b.Summary
	})
}

// errors are those of them that are errors.
func (d Diagnostics) errors() Diagnostics {
	var out Diagnostics
	for i := range d {
		if d[i].Severity == Error {
			out = append(out, d[i])
		}
	}
	return out
}
