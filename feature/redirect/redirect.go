// Package redirect answers with another address to go to.
//
// What a client can write into a placeholder never leads elsewhere than the configuration says: values are
// escaped for the part of the URL that they stand in; an authority made of them has to be a host; and a target
// without one never begins with two slashes, which browsers take for a host.
package redirect

import (
	"fmt"
	"strings"

	"weir"
	"weir/internal/syntax"
)

// Config is what New makes a handler of.
type Config struct {
	To        string   // template: "https://shop.example.com/{*}", "{scheme}://{host}/new" or "/new/{id}"
	Status    int      // 301, 302, 303, 307 or 308; 0: 301 to GET and HEAD, 308, which keeps method and body, to all others
	Params    []string // names that a template may use besides weir.Placeholders: those of the route's pattern
	DropQuery bool     // the request's query is not kept; it never is where To has a "?"
}

// A redirect is a target, taken apart. Parts that are not there are nil.
type redirect struct {
	status                int
	scheme, authority     *weir.Template
	path, query, fragment *weir.Template
	keepQuery             bool
	queryValue            func(dst []byte, name, value string) []byte
}

// New returns the handler.
func New(cfg Config) (weir.Handler, error) {
	switch cfg.Status {
	case 0, 301, 302, 303, 307, 308:
	default:
		return nil, fmt.Errorf("redirect status %d: write 301, 302, 303, 307 or 308", cfg.Status)
	}
	t, err := takeApart(cfg.To)
	if err != nil {
		return nil, err
	}
	r := &redirect{status: cfg.Status, keepQuery: !cfg.DropQuery && !t.hasQuery}
	for _, part := range []struct {
		to   **weir.Template
		text string
		has  bool
	}{
		{&r.scheme, t.scheme, t.scheme != ""},
		{&r.authority, t.authority, t.scheme != ""},
		{&r.path, t.path, true},
		{&r.query, t.query, t.query != ""},
		{&r.fragment, t.fragment, t.hasFragment},
	} {
		if !part.has {
			continue
		}
		if *part.to, err = weir.ParseTemplate(part.text, cfg.Params...); err != nil {
			return nil, fmt.Errorf("redirect to %q: %w", cfg.To, err)
		}
	}
	r.queryValue = syntax.QueryValue(cfg.Params)
	return r, nil
}

// A target is what the template of a URL consists of.
type target struct {
	scheme, authority, path, query, fragment string
	hasQuery, hasFragment                    bool
}

func takeApart(to string) (target, error) {
	var t target
	if !syntax.IsValue(to) || strings.ContainsAny(to, " \t\\") {
		return t, fmt.Errorf("redirect to %q: a URL holds no blanks, backslashes or control characters", to)
	}
	rest := to
	for _, scheme := range []string{"http", "https", "{scheme}"} {
		if after, found := strings.CutPrefix(to, scheme+"://"); found {
			t.scheme, rest = scheme, after
		}
	}
	if t.scheme != "" {
		t.authority, rest = cutAuthority(rest)
		if t.authority == "" {
			return t, fmt.Errorf("redirect to %q: it lacks a host", to)
		}
	} else if !beginsWithPath(rest) {
		return t, fmt.Errorf("redirect to %q: it begins neither with a single \"/\" nor with \"https://\", \"http://\" or \"{scheme}://\"", to)
	}
	var sep byte
	t.path, rest, sep = syntax.CutOutside(rest, "?#")
	if t.path == "" {
		t.path = "/"
	}
	t.hasQuery = strings.Contains(t.path, "{uri}")
	if sep == '?' {
		t.hasQuery = true
		t.query, rest, sep = syntax.CutOutside(rest, "#")
	}
	t.fragment, t.hasFragment = rest, sep == '#'
	return t, nil
}

// The placeholders that are paths.
var paths = []string{"{path}", "{raw_path}", "{uri}"}

func beginsWithPath(to string) bool {
	for _, p := range paths {
		if strings.HasPrefix(to, p) {
			return true
		}
	}
	return strings.HasPrefix(to, "/") && !strings.HasPrefix(to, "//")
}

// cutAuthority takes the authority from the beginning of a template, up to the path or a placeholder that is
// one: "{host}{uri}".
func cutAuthority(rest string) (authority, after string) {
	authority, _, _ = syntax.CutOutside(rest, "/?#")
	end := len(authority)
	for _, path := range paths {
		if i := strings.Index(authority, path); i >= 0 {
			end = min(end, i)
		}
	}
	return rest[:end], rest[end:]
}
