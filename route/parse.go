package route

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"

	"weir"
)

// SplitHostPattern takes a pattern with a host before its path, as redirects are written with
// ("www.example.com/*"), apart. Without a host the first result is empty; without a path the second
// is "/*".
func SplitHostPattern(text string) (host, pattern string) {
	at := strings.IndexAny(text, "/~")
	if at < 0 {
		return strings.TrimSpace(text), "/*"
	}
	return strings.TrimSpace(text[:at]), text[at:]
}

func (p *Pattern) parsePath(text string) error {
	if !strings.HasPrefix(text, "/") {
		return fmt.Errorf("must begin with \"/\", as in %q", "/"+text)
	}
	if strings.Contains(text, "//") {
		return fmt.Errorf("doubled slashes are read as one: write %q", mergeSlashes(text))
	}
	body := text
	if strings.HasSuffix(text, "/*") {
		p.rest = true
		body = strings.TrimSuffix(text, "/*")
	}
	p.exact = !p.rest
	if body != "" {
		for part := range strings.SplitSeq(body[1:], "/") {
			if err := p.parseSegment(part, text); err != nil {
				return err
			}
		}
	}
	if p.rest {
		p.names = append(p.names, "*")
		p.shape += "/*"
	}
	return nil
}

// parseSegment reads one segment of text.
func (p *Pattern) parseSegment(part, text string) error {
	s := segment{}
	left := part
	for {
		literal, rest, found := strings.Cut(left, "{")
		if err := s.addLiteral(literal, part, text); err != nil {
			return err
		}
		if !found {
			break
		}
		name, after, closed := strings.Cut(rest, "}")
		if !closed {
			return fmt.Errorf("%q lacks its \"}\"", "{"+rest)
		}
		if err := p.addName(name); err != nil {
			return err
		}
		if strings.HasPrefix(after, "{") {
			return fmt.Errorf("between {%s} and the next name something must stand that tells where one ends", name)
		}
		left = after
	}
	p.exact = p.exact && len(s.literals) == 1
	p.segments = append(p.segments, s)
	p.shape += "/" + strings.Join(s.literals, "{}")
	return nil
}

// addLiteral adds the normal form of a literal of the segment part.
func (s *segment) addLiteral(literal, part, text string) error {
	switch {
	case strings.Contains(literal, "}"):
		return errors.New("\"}\" without \"{\"")
	case strings.Contains(literal, "*"):
		return starError(part, text)
	case strings.Contains(literal, "?"):
		return errors.New("the query is no part of it: use the query condition")
	}
	if literal == "" {
		s.literals = append(s.literals, "")
		return nil
	}
	guard := ""
	if literal != part {
		guard = "-" // a part of a segment is no dot segment
	}
	normal, ok := weir.Normalize("/" + guard + literal + guard)
	if !ok || normal == "/" || strings.HasPrefix(normal, "//") {
		return fmt.Errorf("%q can't stand in a path: no request would match", literal)
	}
	s.literals = append(s.literals, strings.TrimSuffix(normal[1+len(guard):], guard))
	return nil
}

func starError(part, text string) error {
	if strings.HasSuffix(text, "*") && strings.Count(text, "*") == 1 || strings.HasSuffix(text, "/**") && strings.Count(text, "*") == 2 {
		return fmt.Errorf("\"*\" stands for whole segments: write %q", strings.TrimSuffix(strings.TrimRight(text, "*"), "/")+"/*")
	}
	return fmt.Errorf("\"*\" stands only at the end: write %q for one segment", strings.ReplaceAll(part, "*", "{name}"))
}

func (p *Pattern) addName(name string) error {
	if name == "*" {
		return errors.New("a pattern names the rest of the path with \"/*\" at its end, not with \"{*}\"")
	}
	if !isName(name) {
		return fmt.Errorf("%q is no name: letters, digits, \"_\" and \"-\", a letter first", "{"+name+"}")
	}
	if slices.Contains(p.names, name) {
		return fmt.Errorf("{%s} stands there twice", name)
	}
	p.names = append(p.names, name)
	return nil
}

func isName(s string) bool {
	for i := range len(s) {
		c := s[i]
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		if !letter && (i == 0 || c != '_' && c != '-' && (c < '0' || c > '9')) {
			return false
		}
	}
	return s != ""
}

func (p *Pattern) parseRegexp(text string) error {
	if strings.HasPrefix(text, "*") {
		return fmt.Errorf("for a regular expression without regard to case write %q", "~ (?i)"+strings.TrimLeft(text[1:], " "))
	}
	expression := strings.TrimSpace(text)
	if expression == "" {
		return errors.New("the regular expression is empty")
	}
	re, err := regexp.Compile(expression)
	if err != nil {
		return regexpError(err)
	}
	p.re, p.shape = re, "~ "+expression
	p.prefix, p.extent = literalPrefix(expression)
	for i, name := range re.SubexpNames()[1:] {
		if name == "" {
			name = strconv.Itoa(i + 1)
		}
		p.names = append(p.names, name)
	}
	return nil
}

// regexpError is err without the words that every such error begins with.
func regexpError(err error) error {
	var e *syntax.Error
	if errors.As(err, &e) {
		return fmt.Errorf("regular expression: %s in %q", e.Code, e.Expr)
	}
	return fmt.Errorf("regular expression: %w", err)
}

// An extent says how much of a regular expression its literal prefix is.
type extent uint8

const (
	extentSome  extent = iota // something comes behind it
	extentWhole               // the prefix alone matches
	extentAny                 // everything that begins with it matches
)

// literalPrefix returns what every text begins with that the expression matches.
func literalPrefix(expression string) (string, extent) {
	tree, err := syntax.Parse(expression, syntax.Perl)
	if err != nil || tree.Op != syntax.OpConcat || tree.Sub[0].Op != syntax.OpBeginText {
		return "", extentSome
	}
	prefix := ""
	rest := tree.Sub[1:]
	for len(rest) > 0 {
		text, ok := literalText(rest[0])
		if !ok {
			break
		}
		prefix, rest = prefix+text, rest[1:]
	}
	switch {
	case len(rest) == 0 || isAnything(rest):
		return prefix, extentAny
	case len(rest) == 1 && rest[0].Op == syntax.OpEndText:
		return prefix, extentWhole
	}
	return prefix, extentSome
}

// literalText returns the one text that an expression matches, if there is but one.
func literalText(re *syntax.Regexp) (string, bool) {
	for re.Op == syntax.OpCapture {
		re = re.Sub[0]
	}
	if re.Op == syntax.OpLiteral && re.Flags&syntax.FoldCase == 0 {
		return string(re.Rune), true
	}
	return "", false
}

// isAnything reports whether what remains of an expression is ".*", which every rest of a path matches: there are
// no line breaks in paths.
func isAnything(rest []*syntax.Regexp) bool {
	first := rest[0]
	for first.Op == syntax.OpCapture {
		first = first.Sub[0]
	}
	any := first.Op == syntax.OpStar && (first.Sub[0].Op == syntax.OpAnyCharNotNL || first.Sub[0].Op == syntax.OpAnyChar)
	return any && (len(rest) == 1 || len(rest) == 2 && rest[1].Op == syntax.OpEndText)
}

func (p *Pattern) matchRegexp(path string, params []weir.Param) ([]weir.Param, bool) {
	if !strings.HasPrefix(path, p.prefix) {
		return params, false
	}
	if len(p.names) == 0 {
		return params, p.re.MatchString(path)
	}
	at := p.re.FindStringSubmatchIndex(path)
	if at == nil {
		return params, false
	}
	for i := 2; i < len(at); i += 2 {
		value := ""
		if at[i] >= 0 {
			value = path[at[i]:at[i+1]]
		}
		params = append(params, weir.Param{Value: value})
	}
	return params, true
}

// matchesAll reports whether the pattern is one that every path matches.
func (p *Pattern) matchesAll() bool {
	if p.re == nil {
		return p.rest && len(p.segments) == 0
	}
	switch strings.TrimSuffix(strings.TrimPrefix(p.re.String(), "^"), "$") {
	case ".*", "/.*":
		return true
	}
	return p.re.String() == "^/" || p.re.String() == "/" || p.re.String() == "^"
}

// covers reports whether every path that q matches is one that p matches too. It may say false where
// that holds, never true where it does not.
func (p *Pattern) covers(q *Pattern) bool {
	if p.shape == q.shape || p.matchesAll() {
		return true
	}
	if q.re != nil {
		return p.coversPrefix(q)
	}
	if p.re != nil || len(q.segments) < len(p.segments) {
		return false
	}
	if !p.rest && (q.rest || len(q.segments) > len(p.segments)) {
		return false
	}
	for i, s := range p.segments {
		if !s.covers(q.segments[i]) {
			return false
		}
	}
	return true
}

// coversPrefix is covers for a regular expression, of which only the literal beginning is looked at.
func (p *Pattern) coversPrefix(q *Pattern) bool {
	switch {
	case !strings.HasPrefix(q.prefix, "/"):
		return false
	case p.re != nil:
		return p.extent == extentAny && strings.HasPrefix(q.prefix, p.prefix)
	case q.extent == extentWhole:
		_, ok := p.match(q.prefix, nil)
		return ok
	case !p.rest || strings.Contains(q.prefix, "//"):
		return false
	}
	// What stands before the last slash is whole segments; more may follow.
	_, ok := p.match(q.prefix[:strings.LastIndexByte(q.prefix, '/')], nil)
	return ok
}

func (s segment) covers(t segment) bool {
	if s.rank() == rankNamed {
		return len(t.literals) > 1 || t.literals[0] != ""
	}
	if len(t.literals) == 1 {
		_, ok := s.match(t.literals[0], nil)
		return ok
	}
	return slices.Equal(s.literals, t.literals)
}
