package fcgi

import (
	"bytes"
	"fmt"
	"strings"
)

// What of an exchange's error output is handed on: so many lines, and so much of each.
const (
	maxErrorLines = 100
	maxErrorLine  = 4 << 10
)

// An errorLines cuts a server's error output into lines.
type errorLines struct {
	to      func(line string) // nil: nobody wants them
	line    []byte            // what has come of the present one
	lines   int
	dropped int
}

func (e *errorLines) write(p []byte) {
	if e.to == nil {
		return
	}
	for len(p) > 0 {
		part, rest, whole := bytes.Cut(p, lf)
		e.line = append(e.line, part[:min(len(part), maxErrorLine-len(e.line))]...)
		if whole {
			e.end()
		}
		p = rest
	}
}

// end hands the present line on.
func (e *errorLines) end() {
	text := printable(e.line)
	e.line = e.line[:0]
	switch {
	case text == "":
	case e.lines == maxErrorLines:
		e.dropped++
	default:
		e.lines++
		e.to(text)
	}
}

// finish hands on what has not been ended, and tells what was dropped. It makes e fit for the next exchange.
func (e *errorLines) finish() {
	if e.to == nil {
		return
	}
	e.end()
	if e.dropped > 0 {
		e.to(fmt.Sprintf("%d more lines of this request's error output were dropped", e.dropped))
	}
	e.lines, e.dropped, e.line = 0, 0, nil
}

// printable returns p as UTF-8 without control characters and without spaces at its ends.
func printable(p []byte) string {
	text := strings.ToValidUTF8(string(p), "\uFFFD")
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return ' '
		}
		return r
	}, text)
	return strings.TrimSpace(text)
}
