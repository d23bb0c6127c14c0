package route

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"weir"
)

func TestPatternErrors(t *testing.T) {
	for text, want := range map[string]string{
		"":             `must begin with "/", as in "/"`,
		"about":        `must begin with "/", as in "/about"`,
		"//a":          `doubled slashes are read as one: write "/a"`,
		"/a{b":         `"{b" lacks its "}"`,
		"/a}":          `"}" without "{"`,
		"/{}":          `"{}" is no name: letters, digits, "_" and "-", a letter first`,
		"/{1a}":        `"{1a}" is no name: letters, digits, "_" and "-", a letter first`,
		"/{a}/{a}":     `{a} stands there twice`,
		"/{a}{b}":      `between {a} and the next name something must stand that tells where one ends`,
		"/a*":          `"*" stands for whole segments: write "/a/*"`,
		"/b/**":        `"*" stands for whole segments: write "/b/*"`,
		"/*/b":         `"*" stands only at the end: write "{name}" for one segment`,
		"/a?b=1":       `the query is no part of it: use the query condition`,
		"/a/../b":      `".." can't stand in a path: no request would match`,
		"/a/%2e":       `"%2e" can't stand in a path: no request would match`,
		"/a%zz":        `"a%zz" can't stand in a path: no request would match`,
		"/a b":         `"a b" can't stand in a path: no request would match`,
		"~":            `the regular expression is empty`,
		"~ (":          `regular expression: missing closing ) in "("`,
		"~ a**":        `regular expression: invalid nested repetition operator in "**"`,
		"~* ^/a":       `for a regular expression without regard to case write "~ (?i)^/a"`,
		"/a/{x}/{*}/b": `a pattern names the rest of the path with "/*" at its end, not with "{*}"`,
	} {
		_, err := ParsePattern(text)
		if err == nil || err.Error() != fmt.Sprintf("path %q: %s", text, want) {
			t.Errorf("%q: %v\nwant path %q: %s", text, err, text, want)
		}
	}
}

func TestPattern(t *testing.T) {
	for _, c := range []struct{ pattern, path, want string }{
		{"/", "/", ""},
		{"/about", "/about", ""},
		{"/about", "/about/", "no"},
		{"/api/*", "/api", "*="},
		{"/api/*", "/api/", "*="},
		{"/api/*", "/api/a/b", "*=a/b"},
		{"/api/*", "/apis", "no"},
		{"/*", "/", "*="},
		{"/users/{id}/*", "/users/7//x", "id=7 *=x"},
		{"/users/{id}/*", "/users//7/x//y", "id=7 *=x//y"},
		{"/users/{id}", "/users/", "no"},
		{"/{a}-{b}", "/x-y-z", "a=x-y b=z"},
		{"/{a}-{b}", "/-y", "no"},
		{"/v{n}.js", "/v.js", "no"},
		{"/%7e{who}", "/~ann", "who=ann"},
		{"~ ^/a(\\d+)(x)?$", "/a12", "1=12 2="},
		{"~ ^/(?P<lang>de|en)/", "/de/x", "lang=de"},
	} {
		p, err := ParsePattern(c.pattern)
		if err != nil {
			t.Error(err)
			continue
		}
		params, ok := p.Match(c.path, nil)
		var words []string
		for _, param := range params {
			words = append(words, param.Name+"="+param.Value)
		}
		got := strings.Join(words, " ")
		if !ok {
			got = "no"
		}
		if got != c.want {
			t.Errorf("%s on %s: %q, want %q", c.pattern, c.path, got, c.want)
		}
	}
}

// What a pattern names is what a template may name: {id} in a rewrite, {*} in a redirect.
func TestPatternNamesFitTemplates(t *testing.T) {
	p, err := ParsePattern("/shoes/{colour}-{id}/*")
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"colour", "id", "*"}; !slices.Equal(p.Names(), want) {
		t.Fatalf("names %q", p.Names())
	}
	tmpl, err := weir.ParseTemplate("/index.php?c={colour}&id={id}&rest={*}", p.Names()...)
	if err != nil {
		t.Fatal(err)
	}
	r := build(t, Site{Name: "a", Hosts: []string{"a.test"}, Routes: specs(p.String())})
	x := request("GET", "a.test", "/shoes/blue-suede-42/a//b")
	if _, err := r.Lookup(x); err != nil {
		t.Fatal(err, x.Note)
	}
	if got := tmpl.String(x); got != "/index.php?c=blue-suede&id=42&rest=a//b" {
		t.Errorf("%q", got)
	}
}

func TestSplitHostPattern(t *testing.T) {
	for text, want := range map[string][2]string{
		"www.example.com/*":   {"www.example.com", "/*"},
		"www.example.com":     {"www.example.com", "/*"},
		"/a":                  {"", "/a"},
		"~ ^/a":               {"", "~ ^/a"},
		"example.com ~ ^/a":   {"example.com", "~ ^/a"},
		"*.example.com/a/{b}": {"*.example.com", "/a/{b}"},
	} {
		if host, pattern := SplitHostPattern(text); host != want[0] || pattern != want[1] {
			t.Errorf("%q: %q, %q", text, host, pattern)
		}
	}
}

func TestCanBegin(t *testing.T) {
	for _, c := range []struct {
		pattern, prefix string
		want            bool
	}{
		{"/api/*", "/api", true},
		{"/api/*", "/api/v1", true},
		{"/api/*", "/", true},
		{"/api/*", "/apis", false},
		{"/api", "/api/", true},
		{"/api", "/api/v1", false},
		{"/{x}/b", "/a/b", true},
		{"/v{n}/*", "/v", false},
		{"/v{n}/*", "/v2/x", true},
		{"/*", "/a", true},
		{"~ ^/a", "/b", true},
	} {
		p, err := ParsePattern(c.pattern)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.CanBegin(c.prefix); got != c.want {
			t.Errorf("%s with %s: %v", c.pattern, c.prefix, got)
		}
	}
}
