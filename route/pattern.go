package route

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"weir"
)

// A Pattern is the path of a route:
//
//	/about                    exact
//	/api/*                    prefix by segment: /api, /api/ and all below
//	/users/{id}/*             a named segment, which is never empty
//	/shoes/{colour}-{id}      a segment of which parts are named; the first takes as much as it can
//	~ ^/a(\d+)$               a regular expression (RE2), searched in the path
//
// It is matched against the normal form of a path ([weir.Normalize]) with runs of slashes read as
// one. Case matters. What a name takes is a piece of that form, with its escapes. A Pattern is
// immutable.
type Pattern struct {
	text  string // as written
	shape string // normal form without names; two patterns of one shape match the same paths

	segments []segment
	rest     bool     // ends in "/*"
	names    []string // of the parameters, in order; the last is "*" where rest is set
	exact    bool     // nothing but literal segments

	re     *regexp.Regexp // nil: not a regular expression
	prefix string         // what every path that re matches begins with
	extent extent         // how much the prefix says of re
}

// A segment is what stands between two slashes: literals with names between them. One literal alone is
// a literal segment, two empty ones are a named segment.
type segment struct{ literals []string }

// rank orders kinds of segments, the most specific first.
type rank uint8

const (
	rankLiteral rank = iota
	rankPartial
	rankRegexp
	rankNamed
	rankEnd
	rankRest
)

func (s segment) rank() rank {
	switch {
	case len(s.literals) == 1:
		return rankLiteral
	case len(s.literals) == 2 && s.literals[0] == "" && s.literals[1] == "":
		return rankNamed
	}
	return rankPartial
}

// ParsePattern reads a pattern. The error quotes it and says what to write instead.
func ParsePattern(text string) (*Pattern, error) {
	p := &Pattern{text: text}
	var err error
	if strings.HasPrefix(text, "~") {
		err = p.parseRegexp(text[1:])
	} else {
		err = p.parsePath(text)
	}
	if err != nil {
		return nil, fmt.Errorf("path %q: %w", text, err)
	}
	return p, nil
}

// String returns the pattern as it was written.
func (p *Pattern) String() string { return p.text }

// Names returns the names of the parameters in order: named segments, then "*" for what a prefix
// leaves; the groups of a regular expression by their names or numbers.
func (p *Pattern) Names() []string { return slices.Clone(p.names) }

// Match reports whether the pattern matches path, which must be normal, and appends the parameters to
// params if it does.
func (p *Pattern) Match(path string, params []weir.Param) ([]weir.Param, bool) {
	merged := mergeSlashes(path)
	out, ok := p.match(merged, params)
	if !ok {
		return params, false
	}
	added := out[len(params):]
	for i := range added {
		added[i].Name = p.names[i]
	}
	p.restore(added, path, merged)
	return out, true
}

// match is Match for a path without doubled slashes; it leaves the names of the parameters empty.
func (p *Pattern) match(path string, params []weir.Param) ([]weir.Param, bool) {
	if p.re != nil {
		return p.matchRegexp(path, params)
	}
	ok := true
	for _, s := range p.segments {
		if path == "" {
			return params, false
		}
		part := path[1:segmentEnd(path, 1)]
		if params, ok = s.match(part, params); !ok {
			return params, false
		}
		path = path[1+len(part):]
	}
	if p.rest {
		return append(params, weir.Param{Value: strings.TrimPrefix(path, "/")}), true
	}
	return params, path == ""
}

// restore gives the "*" among params the doubled slashes back that were merged for matching.
func (p *Pattern) restore(params []weir.Param, path, merged string) {
	if p.rest && len(params) > 0 && len(merged) < len(path) {
		last := &params[len(params)-1]
		last.Value = unmerged(path, len(last.Value))
	}
}

// unmerged returns the end of path that is n bytes long when its doubled slashes are merged.
func unmerged(path string, n int) string {
	i := len(path)
	for ; n > 0; n-- {
		i--
		for path[i] == '/' && path[i-1] == '/' {
			i--
		}
	}
	return path[i:]
}

// mergeSlashes returns path with runs of slashes read as one.
func mergeSlashes(path string) string {
	if !strings.Contains(path, "//") {
		return path
	}
	merged := make([]byte, 0, len(path))
	for i := range len(path) {
		if path[i] != '/' || i == 0 || path[i-1] != '/' {
			merged = append(merged, path[i])
		}
	}
	return string(merged)
}

// segmentEnd returns where the segment ends that begins at path[i].
func segmentEnd(path string, i int) int {
	for i < len(path) && path[i] != '/' {
		i++
	}
	return i
}

// match reports whether the segment matches part and appends the values of its names. Literals are
// looked for from the right, so that earlier names take as much as they can; nothing is tried twice.
func (s segment) match(part string, params []weir.Param) ([]weir.Param, bool) {
	last := len(s.literals) - 1
	if last == 0 {
		return params, part == s.literals[0]
	}
	head, tail := s.literals[0], s.literals[last]
	if len(part) <= len(head)+len(tail) || !strings.HasPrefix(part, head) || !strings.HasSuffix(part, tail) {
		return params, false
	}
	part = part[len(head) : len(part)-len(tail)]
	n := len(params)
	for i := last - 1; i > 0; i-- {
		at := strings.LastIndex(part[:len(part)-1], s.literals[i])
		if at < 1 {
			return params[:n], false
		}
		params = append(params, weir.Param{Value: part[at+len(s.literals[i]):]})
		part = part[:at]
	}
	params = append(params, weir.Param{Value: part})
	slices.Reverse(params[n:])
	return params, true
}

// CanBegin reports whether there can be a path that the pattern matches and that begins with the whole segments of
// prefix. Of a regular expression it always says so.
func (p *Pattern) CanBegin(prefix string) bool {
	if p.re != nil {
		return true
	}
	prefix = strings.Trim(mergeSlashes(prefix), "/")
	for i := 0; prefix != ""; i++ {
		if i == len(p.segments) {
			return p.rest
		}
		var part string
		part, prefix, _ = strings.Cut(prefix, "/")
		if _, ok := p.segments[i].match(part, nil); !ok {
			return false
		}
	}
	return true
}
