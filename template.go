package weir

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"weir/internal/spell"
)

// A Template is a text with {placeholders} that are filled in for each exchange. It is immutable and
// may be used by many goroutines at once.
//
//	{client.ip} {client.net} {client.port} {conn.ip} {listener}
//	{method} {scheme} {host} {authority} {port} {path} {raw_path} {query} {query.NAME} {uri} {protocol}
//	{header.NAME} {cookie.NAME} {request.id} {tls.version} {tls.server_name}
//	{site} {route} {upstream} {server} {attempts}
//	{status} {response.header.NAME} {grpc.status} {cause} {outcome} {duration} {bytes_in} {bytes_out} {time}
//
// [Placeholders] says what each means. Besides these a template may name the parts of the path that the
// route's pattern names: {id}, or {*} for the rest behind a prefix. "{{" is a brace; "}" by itself
// needs no escape. What is not there is empty.
//
// Values come from clients and servers. None of them brings a control character into the text (CR, LF,
// NUL, ...), so that it can't break out of a header field or a log line: protocols refuse such bytes, and
// {query.NAME} is decoded only where nothing of the kind comes out, else given as it was sent.
// Values are not escaped for anything else, such as HTML. The text between placeholders is the user's
// own and may hold line breaks.
type Template struct {
	text  string
	parts []part // constant parts never stand side by side
}

// A part is a piece of constant text, or a placeholder.
type part struct {
	text  string // the constant, or the placeholder's name
	value value  // nil: constant
	arg   argument
}

// ParseTemplate reads a template. params are the names that the route's pattern gives to parts of
// the path. The errors, joined, name each placeholder that is not known and the nearest one that is.
func ParseTemplate(s string, params ...string) (*Template, error) {
	t := &Template{text: s}
	var wrong []error
	for rest := s; rest != ""; {
		brace := strings.IndexByte(rest, '{')
		if brace < 0 {
			t.addText(rest)
			break
		}
		t.addText(rest[:brace])
		rest = rest[brace:]
		if strings.HasPrefix(rest, "{{") {
			t.addText("{")
			rest = rest[2:]
			continue
		}
		end := strings.IndexByte(rest, '}')
		if end < 0 {
			wrong = append(wrong, fmt.Errorf("placeholder %q has no end (a brace itself is written %q)", rest, "{{"))
			break
		}
		p, err := newPart(rest[1:end], params)
		wrong = append(wrong, err)
		t.parts = append(t.parts, p)
		rest = rest[end+1:]
	}
	if err := errors.Join(wrong...); err != nil {
		return nil, err
	}
	return t, nil
}

func (t *Template) addText(s string) {
	if n := len(t.parts); n > 0 && t.parts[n-1].value == nil {
		t.parts[n-1].text += s
	} else if s != "" {
		t.parts = append(t.parts, part{text: s})
	}
}

func newPart(name string, params []string) (part, error) {
	if slices.Contains(params, name) && findPlaceholder(name) == nil {
		return part{name, valueParam, argument{name: name}}, nil
	}
	p := findPlaceholder(name)
	if p == nil {
		return part{}, unknownPlaceholder(name, params)
	}
	a := argument{name: p.argument(name)}
	if p.takesArgument() {
		if err := checkArgument(p, a.name); err != nil {
			return part{}, err
		}
		a.id = Identify(a.name)
	}
	return part{name, p.value, a}, nil
}

func checkArgument(p *placeholder, name string) error {
	if name == "" {
		return fmt.Errorf("placeholder %q lacks a name: write %q", "{"+strings.TrimSuffix(p.prefix(), ".")+"}", "{"+p.Name+"}")
	}
	if reason := Identify(name).Absent(); reason != "" && p.Name == "header.NAME" {
		if Identify(name) == FieldHost {
			reason += `, write "{host}" or "{authority}"`
		}
		return fmt.Errorf("placeholder %q is always empty: %s", "{header."+name+"}", reason)
	}
	if strings.IndexFunc(name, func(r rune) bool { return r <= ' ' || r == 0x7f || r == '{' }) >= 0 {
		return fmt.Errorf("placeholder %q: a name holds no blanks and no braces", "{"+p.prefix()+name+"}")
	}
	return nil
}

func unknownPlaceholder(name string, params []string) error {
	quoted := fmt.Sprintf("placeholder %q", "{"+name+"}")
	if strings.HasPrefix(name, "env.") {
		return fmt.Errorf(`%s is not known: write ${env(%q)}, which is filled in when the file is read`, quoted, name[len("env."):])
	}
	if p := findPlaceholder(name + "."); p != nil {
		return checkArgument(p, "")
	}
	if near := spell.Nearest(name, candidates(name, params)); near != "" {
		return fmt.Errorf("%s is not known, did you mean %q?", quoted, "{"+near+"}")
	}
	return fmt.Errorf("%s is not known (a brace itself is written %q)", quoted, "{{")
}

// candidates are the names that name may have been meant to be, with its own argument where one is due.
func candidates(name string, params []string) []string {
	words := slices.Clone(params)
	for i := range placeholders {
		p := &placeholders[i]
		if !p.takesArgument() {
			words = append(words, p.Name)
			continue
		}
		dots := strings.Count(p.Name, ".")
		if pieces := strings.SplitN(name, ".", dots+1); len(pieces) > dots {
			words = append(words, p.prefix()+pieces[dots])
		}
	}
	return words
}

// Text returns the template as it was written.
func (t *Template) Text() string { return t.text }

// Constant returns the text of a template without placeholders, and whether it is one.
func (t *Template) Constant() (string, bool) {
	switch {
	case len(t.parts) == 0:
		return "", true
	case len(t.parts) == 1 && t.parts[0].value == nil:
		return t.parts[0].text, true
	}
	return "", false
}

// Names returns the names of the template's placeholders as written, without braces, each once.
func (t *Template) Names() []string {
	var names []string
	for i := range t.parts {
		if p := &t.parts[i]; p.value != nil && !slices.Contains(names, p.text) {
			names = append(names, p.text)
		}
	}
	return names
}

// Append appends the text for x to dst. It allocates only where dst has no room.
func (t *Template) Append(dst []byte, x *Exchange) []byte {
	for i := range t.parts {
		dst = t.parts[i].append(dst, x)
	}
	return dst
}

func (p *part) append(dst []byte, x *Exchange) []byte {
	if p.value == nil {
		return append(dst, p.text...)
	}
	dst, s := p.value(dst, x, &p.arg)
	return append(dst, s...)
}

// AppendEscaped is Append with escape appending the value of each placeholder, whose name it is told as the
// template writes it, in place of the value itself.
func (t *Template) AppendEscaped(dst []byte, x *Exchange, escape func(dst []byte, name, value string) []byte) []byte {
	for i := range t.parts {
		p := &t.parts[i]
		if p.value == nil {
			dst = append(dst, p.text...)
			continue
		}
		from := len(dst)
		built, s := p.value(dst, x, &p.arg)
		if len(built) > from {
			s = string(built[from:]) + s
		}
		dst = escape(built[:from], p.text, s)
	}
	return dst
}

// AppendWith is Append with fit called behind the value of each placeholder, which is dst[from:], to make it fit for
// the place where it stands. Unlike AppendEscaped it does not copy values that are made anew, such as numbers.
func (t *Template) AppendWith(dst []byte, x *Exchange, fit func(dst []byte, from int) []byte) []byte {
	for i := range t.parts {
		from := len(dst)
		dst = t.parts[i].append(dst, x)
		if t.parts[i].value != nil {
			dst = fit(dst, from)
		}
	}
	return dst
}

// String returns the text for x; it does not allocate where the template is constant or one
// placeholder alone whose value is a text already (a field, the path, ...; not a number, a part of
// the query that has to be decoded, or a host in capitals).
func (t *Template) String(x *Exchange) string {
	if s, ok := t.Constant(); ok {
		return s
	}
	if len(t.parts) > 1 {
		x.Scratch = t.Append(x.Scratch[:0], x)
		return string(x.Scratch)
	}
	p := &t.parts[0]
	built, s := p.value(x.Scratch[:0], x, &p.arg)
	if s != "" {
		return s
	}
	x.Scratch = built
	return string(built)
}
