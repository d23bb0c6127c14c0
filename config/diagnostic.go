package config

import (
	"io"
)

// Severity says how bad a diagnostic is.
type Severity uint8

// The severities.
const (
	Error   Severity = iota // what it is about cannot be used
	Warning                 // it works, and hardly as it was meant
	Note                    // what follows from an error elsewhere
)

// A Diagnostic is one thing that is to be said of a configuration.
type Diagnostic struct {
	Severity Severity
	Pos      Pos
	Width    int    // bytes that are marked from Pos on; at least 1 where there is a Line
	Summary  string // `unknown attribute "retires" in upstream "shop"`
	Detail   string // what is allowed; may be empty
	Hint     string // `did you mean "retries"?`; may be empty
	Line     string // the line as it is written, without what may be secret
}

// Diagnostics are all that is to be said, in the order of files and lines.
type Diagnostics []Diagnostic

// HasErrors reports whether one of them is an Error.
func (d Diagnostics) HasErrors() bool {
	for i := range d {
		if d[i].Severity == Error {
			return true
		}
	}
	return false
}

// Write writes them as a compiler does: place, severity and summary, the line with a caret below, what
// is allowed. Colours are for terminals.
func (d Diagnostics) Write(w io.Writer, color bool) error {
	return nil
}

// Load reads the file and all that it includes. A name that ends in .json is read as JSON. The Config
// is nil where nothing of it can be used; where it is not and the diagnostics have errors, it can be
// started in part.
func Load(path string) (*Config, Diagnostics) { return nil, nil }

// Parse is Load with the text of the main file at hand; includes are read relative to its name.
func Parse(name string, src []byte) (*Config, Diagnostics) { return nil, nil }

// Format returns the text in its canonical form, comments kept. Text that cannot be parsed is refused.
func Format(name string, src []byte) ([]byte, Diagnostics) { return src, nil }
