package route

import (
	"fmt"
	"regexp"
	"strings"

	"weir"
)

// A MatchKind says how a [Match] looks at values.
type MatchKind uint8

// The kinds. A value is compared byte by byte.
const (
	Exact   MatchKind = iota // one of the values is Value
	Present                  // there is a value, whatever it is
	Regexp                   // one of the values matches the regular expression Value (RE2, searched)
)

// A Match is a condition on the header fields, query parameters or cookies of one name. Where there are
// several of that name, one that fits is enough. Names of header fields are compared without regard
// to case, the others byte by byte; values of the query are decoded first ("+" is a space).
type Match struct {
	Name  string
	Kind  MatchKind
	Value string
}

// ParseMatch reads the condition on name as the configuration writes it: "*" is Present, "~ ^a" is
// Regexp, all else is Exact.
func ParseMatch(name, text string) Match {
	if text == "*" {
		return Match{Name: name, Kind: Present}
	}
	if expression, ok := strings.CutPrefix(text, "~"); ok {
		return Match{Name: name, Kind: Regexp, Value: strings.TrimSpace(expression)}
	}
	return Match{Name: name, Kind: Exact, Value: text}
}

// A matcher is a Match made ready.
type matcher struct {
	Match
	re *regexp.Regexp
	id weir.FieldID // of a header field
}

func newMatcher(what string, m Match) (matcher, error) {
	if m.Name == "" {
		return matcher{}, fmt.Errorf("%s condition without a name", what)
	}
	out := matcher{Match: m}
	switch m.Kind {
	case Regexp:
		re, err := regexp.Compile(m.Value)
		if err != nil {
			return matcher{}, fmt.Errorf("%s %q: %w", what, m.Name, regexpError(err))
		}
		out.re = re
	case Present:
		out.Value = ""
	}
	if what == "header" {
		out.id = weir.Identify(m.Name)
		out.Name = strings.ToLower(m.Name)
		switch reason := out.id.Absent(); {
		case out.id == weir.FieldHost:
			return matcher{}, fmt.Errorf("header %q: the host is matched by the site's hosts", m.Name)
		case reason != "":
			return matcher{}, fmt.Errorf("header %q can't be matched: %s", m.Name, reason)
		}
	}
	return out, nil
}

// A finding is what became of one matcher or expression.
type finding uint8

const (
	absent finding = iota
	differs
	fits
	tooDear // of an expression: it was given up
)

// look judges one value of the matcher's name.
func (m *matcher) look(value string) finding {
	switch {
	case m.Kind == Exact && value != m.Value,
		m.Kind == Regexp && !m.re.MatchString(value):
		return differs
	}
	return fits
}

func (m *matcher) header(h *weir.Header) finding {
	best := absent
	fields := h.Fields()
	for i := range fields {
		f := &fields[i]
		if f.ID != m.id || m.id == weir.FieldOther && !weir.EqualFold(f.Name, m.Name) {
			continue
		}
		if best = m.look(f.Value); best == fits {
			return fits
		}
	}
	return best
}

func (m *matcher) query(query string) finding {
	best := absent
	for query != "" {
		var name, value string
		name, value, query = weir.NextQuery(query)
		if weir.DecodeQuery(name) != m.Name {
			continue
		}
		if best = m.look(weir.DecodeQuery(value)); best == fits {
			return fits
		}
	}
	return best
}

func (m *matcher) cookie(h *weir.Header) finding {
	best := absent
	fields := h.Fields()
	for i := range fields {
		if fields[i].ID != weir.FieldCookie {
			continue
		}
		for list := fields[i].Value; list != ""; {
			var name, value string
			name, value, list = weir.NextCookie(list)
			if name != m.Name {
				continue
			}
			if best = m.look(value); best == fits {
				return fits
			}
		}
	}
	return best
}

// lost says why a matcher did not fit, without a word of what the request holds: that may be secret, and
// the text is logged.
func (m *matcher) lost(what string, f finding) string {
	switch {
	case f == absent:
		return fmt.Sprintf("%s %s is absent", what, m.Name)
	case m.Kind == Regexp:
		return fmt.Sprintf("%s %s does not match %q", what, m.Name, m.Value)
	}
	return fmt.Sprintf("%s %s is not %q", what, m.Name, m.Value)
}

// key is equal for two matchers that are alike.
func (m *matcher) key() string { return fmt.Sprintf("%q %d %q", m.Name, m.Kind, m.Value) }

// implies reports whether what fits m also fits n.
func (m *matcher) implies(n *matcher) bool {
	switch {
	case m.Name != n.Name:
		return false
	case n.Kind == Present || m.Kind == n.Kind && m.Value == n.Value:
		return true
	}
	return m.Kind == Exact && n.Kind == Regexp && n.re.MatchString(m.Value)
}
