package route

import (
	"errors"
	"fmt"
)

// Severity says how bad a problem is.
type Severity uint8

// The severities. A site with an error is left out of the router as a whole, so that the others can start
// without it; of two sites that claim the same host the second one is.
const (
	Warning Severity = iota
	Error
)

// String returns "warning" or "error".
func (s Severity) String() string { return [...]string{"warning", "error"}[s] }

// A Problem is something that is wrong with the sites.
type Problem struct {
	Severity Severity
	Site     string       // its name
	Route    string       // the route's label; "" where it is about the site
	Part     string       // what of it is wrong: a condition ("method", "header", "query", "cookie", "clients", "when"), "host", or a host of the site as written; "" where that can't be told
	Text     string       // what is wrong and what to write instead; begins with the subject
	Pos      fmt.Stringer // of the route or site, as given; may be nil
	Other    fmt.Stringer // of the other route or site that the text names; may be nil

	place   int // of the site
	written int // place of the route in the site; -1 where it is about the site
}

// String returns `error: weir.hcl:3: site "shop": ...`.
func (p Problem) String() string {
	at := ""
	if p.Pos != nil {
		at = p.Pos.String() + ": "
	}
	return fmt.Sprintf("%s: %ssite %q: %s", p.Severity, at, p.Site, p.Text)
}

func at(pos fmt.Stringer) string {
	if pos == nil {
		return ""
	}
	return " at " + pos.String()
}

// report notes a problem of the route that is written in that place, or of the site (-1).
func (b *builder) report(written int, p Problem) {
	p.place, p.written = b.place, written
	b.problems = append(b.problems, p)
}

func (b *builder) siteError(s *Site, part, format string, args ...any) {
	b.report(-1, Problem{Severity: Error, Site: s.Name, Part: part, Pos: s.Pos, Text: fmt.Sprintf(format, args...)})
}

func (b *builder) routeError(s *Site, written int, err error) {
	r := &s.Routes[written]
	p := Problem{Severity: Error, Site: s.Name, Route: r.label(), Pos: r.Pos, Text: r.label() + ": " + err.Error()}
	var part *partError
	if errors.As(err, &part) {
		p.Part = part.part
	}
	b.report(written, p)
}

// A partError is what is wrong with one part of a route.
type partError struct {
	part string
	error
}

// inPart says of which part of a route all errors in err are.
func inPart(part string, err error) error {
	var all []error
	for _, e := range each(err) {
		all = append(all, &partError{part, e})
	}
	return errors.Join(all...)
}

// each returns the errors that were joined to err, one by one; none for nil.
func each(err error) []error {
	joined, ok := err.(interface{ Unwrap() []error })
	switch {
	case err == nil:
		return nil
	case !ok:
		return []error{err}
	}
	var all []error
	for _, e := range joined.Unwrap() {
		all = append(all, each(e)...)
	}
	return all
}
