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
		if reason, gone := goneFields[out.Name]; gone {
			return matcher{}, fmt.Errorf("header %q: %s", m.Name, reason)
		}
	}
	return out, nil
}

// goneFields are the fields that routing can't see, because they are not part of weir.Request.Header.
var goneFields = map[string]string{
	"host":              "the host is matched by the site's hosts",
	"content-length":    "concerns one connection only and can't be matched",
	"connection":        "concerns one connection only and can't be matched",
	"keep-alive":        "concerns one connection only and can't be matched",
	"proxy-connection":  "concerns one connection only and can't be matched",
	"te":                "concerns one connection only and can't be matched",
	"transfer-encoding": "concerns one connection only and can't be matched",
	"upgrade":           "concerns one connection only and can't be matched",
}

// A finding is what became of one matcher.
type finding uint8

const (
	absent finding = iota
	differs
	fits
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
		var pair string
		pair, query, _ = strings.Cut(query, "&")
		name, value, _ := strings.Cut(pair, "=")
		if pair == "" || decodeQuery(name) != m.Name {
			continue
		}
		if best = m.look(decodeQuery(value)); best == fits {
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
			name, value, list = nextCookie(list)
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

// nextCookie takes the first cookie off a Cookie field's value (RFC 6265, section 4.2.1). The quotes
// around a value are not part of it.
func nextCookie(list string) (name, value, rest string) {
	pair, rest, _ := strings.Cut(list, ";")
	name, value, _ = strings.Cut(pair, "=")
	value = strings.Trim(value, " \t")
	if n := len(value); n > 1 && value[0] == '"' && value[n-1] == '"' {
		value = value[1 : n-1]
	}
	return strings.Trim(name, " \t"), value, rest
}

// decodeQuery decodes a name or value of a query. An escape that is malformed stands for itself. It
// allocates only where there is something to decode.
func decodeQuery(s string) string {
	if strings.IndexByte(s, '%') < 0 && strings.IndexByte(s, '+') < 0 {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '+' {
			c = ' '
		} else if c == '%' && i+2 < len(s) {
			if hi, lo := unhex(s[i+1]), unhex(s[i+2]); hi|lo < 16 {
				c, i = hi<<4|lo, i+2
			}
		}
		b = append(b, c)
	}
	return string(b)
}

// unhex returns the value of a hexadecimal digit, or 255.
func unhex(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10
	}
	return 255
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
