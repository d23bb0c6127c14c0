package route

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common"

	"weir/internal/spell"
)

// Here CEL's complaints are put into weir's words: what stands where it does not fit, and what to write.

var whenVariables = []string{
	"request.method", "request.scheme", "request.host", "request.path",
	"request.header", "request.query", "request.cookie", "client.ip",
}

var whenFunctions = []string{
	"header", "query", "cookie", "cidr", "startsWith", "endsWith", "contains", "matches", "size", "has",
	"exists", "all", "lowerAscii", "upperAscii", "split", "replace", "substring", "indexOf", "trim", "int", "string",
}

// whenLater are names that belong to weir but can't be used here.
var whenLater = []struct{ name, why string }{
	{"client.country", "is not available yet"},
	{"client.net", `is not available: write cidr(client.ip, "10.0.0.0/8")`},
	{"request.body", "is not available: a route is chosen before the body is read"},
	{"response", "is not available: a route is chosen before there is a response"},
}

// whenError is what CEL complains of; of grammar the first complaint only, as the others follow from it.
func whenError(text string, issues *cel.Issues) error {
	all := slices.SortedFunc(slices.Values(issues.Errors()), func(a, b *common.Error) int {
		return cmp.Or(cmp.Compare(a.Location.Line(), b.Location.Line()), cmp.Compare(a.Location.Column(), b.Location.Column()))
	})
	if slices.ContainsFunc(all, func(e *common.Error) bool { return !isOfMeaning(e) }) {
		return whenComplaint(text, all[0])
	}
	var wrong []error
	for _, e := range all {
		err := whenComplaint(text, e)
		if !slices.ContainsFunc(wrong, func(w error) bool { return w.Error() == err.Error() }) {
			wrong = append(wrong, err)
		}
	}
	return errors.Join(wrong...)
}

// isOfMeaning reports whether an error is the checker's, of an expression that could be parsed.
func isOfMeaning(e *common.Error) bool {
	return strings.HasPrefix(e.Message, "undeclared reference") || strings.HasPrefix(e.Message, "found no matching overload")
}

func whenComplaint(text string, e *common.Error) error {
	message, _, _ := strings.Cut(strings.TrimPrefix(e.Message, "Syntax error: "), "\n")
	line := strings.Split(text, "\n")[max(e.Location.Line()-1, 0)]
	column := byteColumn(line, e.Location.Column())
	if m := undeclared.FindStringSubmatch(message); m != nil {
		name := longestName(line, m[1], column)
		return fmt.Errorf("when %q: %s", text, unknownName(name))
	}
	at := fmt.Sprintf("column %d", e.Location.Column()+1)
	if strings.Contains(text, "\n") {
		at = fmt.Sprintf("line %d, %s", e.Location.Line(), at)
	}
	return fmt.Errorf("when %q: %s: %s", text, at, plainWords(message, line, column))
}

// byteColumn returns the place in line of the n-th character.
func byteColumn(line string, n int) int {
	for i := range line {
		if n == 0 {
			return i
		}
		n--
	}
	return len(line)
}

var undeclared = regexp.MustCompile(`^undeclared reference to '([^']*)'`)

// plain translates what CEL and its parser say.
var plain = []struct {
	message *regexp.Regexp
	words   string
}{
	{regexp.MustCompile(`^mismatched input '<EOF>' expecting '?([:\])}])`), `ends before the "$1"`},
	{regexp.MustCompile(`^mismatched input '<EOF>' expecting \{'([\])}])', ','\}`), `ends before the "$1"`},
	{regexp.MustCompile(`^mismatched input '<EOF>'`), `ends where a value should stand`},
	{regexp.MustCompile(`^missing '(.+)' at '<EOF>'`), `ends before the "$1"`},
	{regexp.MustCompile(`^missing '(.+)' at '(.+)'`), `"$1" is missing before "$2"`},
	{regexp.MustCompile(`^(?:mismatched|extraneous) input '(.+)' expecting`), `"$1" does not fit here`},
	{regexp.MustCompile(`^no viable alternative at input '(.+)'`), `"$1" does not fit here`},
	{regexp.MustCompile(`^reserved identifier: (.+)`), `"$1" is reserved`},
	{regexp.MustCompile(`^found no matching overload for '([^']+)' applied to '(?:\w+\.)?\(\)'`), `"$1" lacks what it is to be applied to`},
	{regexp.MustCompile(`^found no matching overload for '_?([^_']+)_?' applied to '(?:\w+\.)?\((.+)\)'`), `"$1" does not take ($2)`},
	{regexp.MustCompile(`^found no matching overload for '_\[_\]' applied to '\((.+)\)'`), `what stands in brackets does not fit: ($1)`},
	{regexp.MustCompile(`^found no matching overload for '_\?_:_' applied to '\((.+)\)'`), `"? :" does not take ($1)`},
	{regexp.MustCompile(`^type '(.+)' does not support field selection`), `a value of type $1 has no parts with names`},
	{regexp.MustCompile(`^invalid cidr argument: CIDR "(.*?)"`), `"$1" is no network: write it as in "10.0.0.0/8"`},
}

// whenWrong are words and signs that other languages have.
var whenWrong = []struct{ wrong, words string }{
	{"===", `"===" is no operator: write "=="`},
	{"=~", `"=~" is no operator: write request.path.matches("...")`},
	{"=", `"=" is no operator: write "=="`},
	{"<>", `"<>" is no operator: write "!="`},
	{"&", `"&" is no operator: write "&&"`},
	{"|", `"|" is no operator: write "||"`},
	{"and ", `"and" is no operator: write "&&"`},
	{"or ", `"or" is no operator: write "||"`},
	{"matches ", `"matches" is no operator: write request.path.matches("...")`},
	{"contains ", `"contains" is no operator: write request.path.contains("...")`},
	{"startsWith ", `"startsWith" is no operator: write request.path.startsWith("...")`},
	{"endsWith ", `"endsWith" is no operator: write request.path.endsWith("...")`},
	{"$", `names begin without "$": write "request.path"`},
	{"“", `texts stand in straight quotes: '...' or "..."`},
}

// plainWords says what is wrong with a line from the column on, of which CEL says message.
func plainWords(message, line string, column int) string {
	rest := line[column:]
	switch {
	case strings.HasPrefix(message, "found no "), strings.Contains(message, "'<EOF>'"):
	case strings.HasSuffix(line[:column], "not "):
		return `"not" is no operator: write "!"`
	default:
		for _, w := range whenWrong {
			if strings.HasPrefix(rest, w.wrong) {
				return w.words
			}
		}
	}
	switch {
	case strings.HasPrefix(message, "token recognition error"):
		return badToken(rest)
	case strings.Contains(message, "'@in'"):
		return `"in" looks for a value in a list: write request.method in ["GET", "HEAD"], or cidr(client.ip, "10.0.0.0/8")`
	case strings.Contains(message, "'@value'"):
		return `header, query and cookie take a name in quotes, as in header("x-api-key")`
	}
	for _, p := range plain {
		if at := p.message.FindStringSubmatchIndex(message); at != nil {
			return string(p.message.ExpandString(nil, p.words, message, at))
		}
	}
	return message
}

func badToken(rest string) string {
	sign := string([]rune(rest + " ")[:1])
	switch {
	case sign != `"` && sign != "'":
		return fmt.Sprintf("%q does not fit here", sign)
	case strings.Contains(rest[1:], sign):
		return `the text has a "\" before a sign that needs none: write "\\" for a backslash, or r"..." for a regular expression`
	}
	return fmt.Sprintf("the text lacks its closing %s", sign)
}

// longestName returns the dotted name of which CEL names the beginning only.
func longestName(line, name string, column int) string {
	root, _, _ := strings.Cut(name, ".")
	at := strings.LastIndex(line[:min(len(line), column+len(root))], root)
	if at < 0 {
		return name
	}
	end := at
	for end < len(line) && (line[end] == '.' || isWordByte(line[end])) {
		end++
	}
	full := strings.TrimRight(line[at:end], ".")
	if dot := strings.LastIndexByte(full, '.'); end < len(line) && line[end] == '(' && dot > 0 {
		full = full[:dot] // a method
	}
	return full
}

func isWordByte(c byte) bool {
	return 'a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9' || c == '_'
}

// unknownName says what to write in the place of a name that CEL does not know.
func unknownName(name string) string {
	for _, l := range whenLater {
		if name == l.name || strings.HasPrefix(name, l.name+".") {
			return fmt.Sprintf("%q %s", name, l.why)
		}
	}
	switch root, _, _ := strings.Cut(name, "."); root {
	case "header", "query", "cookie":
		return fmt.Sprintf("%q takes one name, as in %s(\"name\")", root, root)
	}
	if strings.HasPrefix(name, "client.") {
		return fmt.Sprintf("%q is not known, did you mean \"client.ip\"?", name)
	}
	known := slices.Concat(whenVariables, whenFunctions)
	if near := spell.Nearest(name, known); near != "" {
		return fmt.Sprintf("%q is not known, did you mean %q?", name, near)
	}
	return fmt.Sprintf("%q is not known; known are %s", name, strings.Join(whenVariables, ", "))
}
