package route

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	"weir"
)

// A naiveRoute is what the documentation says of a route, made without the code that it documents.
type naiveRoute struct {
	*Spec
	place    int      // of the first route with this pattern
	segments []string // nil: a regular expression
	rest     bool
	re       *regexp.Regexp // the whole pattern as a regular expression
	names    []string
}

var placeholderName = regexp.MustCompile(`\{(\w+)\}`)

func newNaive(s *Spec, place int) naiveRoute {
	n := naiveRoute{Spec: s, place: place}
	if expression, ok := strings.CutPrefix(s.Pattern, "~"); ok {
		n.re = regexp.MustCompile(strings.TrimSpace(expression))
		for i := range n.re.NumSubexp() {
			n.names = append(n.names, fmt.Sprint(i+1))
		}
		return n
	}
	body, rest := strings.CutSuffix(s.Pattern, "/*")
	n.rest, n.segments = rest, []string{}
	if body != "" {
		n.segments = strings.Split(body[1:], "/")
	}
	expression := "^"
	for _, segment := range n.segments {
		expression += "/"
		from := 0
		for _, at := range placeholderName.FindAllStringSubmatchIndex(segment, -1) {
			expression += regexp.QuoteMeta(segment[from:at[0]]) + "([^/]+)"
			n.names = append(n.names, segment[at[2]:at[3]])
			from = at[1]
		}
		expression += regexp.QuoteMeta(segment[from:])
	}
	if rest {
		n.names = append(n.names, "*")
		expression += "(?:/(.*))?"
	}
	n.re = regexp.MustCompile(expression + "$")
	return n
}

// rank of the i-th segment: literal, partial, regular expression, named, end, rest.
func (n *naiveRoute) rank(i int) int {
	switch {
	case n.segments == nil:
		return 2
	case i == len(n.segments):
		if n.rest {
			return 5
		}
		return 4
	case !strings.Contains(n.segments[i], "{"):
		return 0
	case placeholderName.FindString(n.segments[i]) == n.segments[i]:
		return 3
	}
	return 1
}

// before compares by the rules of the package documentation; 0: they say nothing.
func (n *naiveRoute) before(o *naiveRoute) int {
	if n.segments == nil && o.segments == nil && n.Pattern != o.Pattern {
		return cmp.Compare(n.place, o.place)
	}
	for i := 0; n.segments != nil || o.segments != nil; i++ {
		if a, b := n.rank(i), o.rank(i); a != b {
			return cmp.Compare(a, b)
		}
		if n.rank(i) >= 4 {
			break
		}
		a, b := placeholderName.ReplaceAllString(n.segments[i], "{}"), placeholderName.ReplaceAllString(o.segments[i], "{}")
		if a != b {
			return cmp.Compare(len(strings.ReplaceAll(b, "{}", "")), len(strings.ReplaceAll(a, "{}", "")))
		}
	}
	if a, b := len(n.Methods) > 0, len(o.Methods) > 0; a != b {
		if a {
			return -1
		}
		return 1
	}
	return 0
}

func (n *naiveRoute) match(x *weir.Exchange, path string) bool {
	if !n.re.MatchString(path) {
		return false
	}
	return len(n.Methods) == 0 || slices.Contains(n.Methods, x.Request.Method) ||
		x.Request.Method == "HEAD" && slices.Contains(n.Methods, "GET")
}

func (n *naiveRoute) params(path string) string {
	var out strings.Builder
	for i, value := range n.re.FindStringSubmatch(path)[1:] {
		fmt.Fprintf(&out, " %s=%s", n.names[i], value)
	}
	return out.String()
}

var doubled = regexp.MustCompile(`/+`)

// checkNaively compares the result of a lookup with all routes of the site, one by one.
func checkNaively(t *testing.T, routes []naiveRoute, x *weir.Exchange, target *weir.Route) {
	t.Helper()
	path := doubled.ReplaceAllString(x.Request.Path, "/")
	var matching []*naiveRoute
	var won *naiveRoute
	for i := range routes {
		if routes[i].match(x, path) {
			matching = append(matching, &routes[i])
			if routes[i].Target == target {
				won = &routes[i]
			}
		}
	}
	if won == nil {
		if target != nil || len(matching) > 0 {
			t.Fatalf("%s %s leads to %v, matching are %d", x.Request.Method, path, target, len(matching))
		}
		return
	}
	for _, other := range matching {
		if other.before(won) < 0 {
			t.Fatalf("%s %s leads to %s, but %s comes first", x.Request.Method, path, won.Pattern, other.Pattern)
		}
	}
	got := outcome(target, x, nil)
	if want := target.Name + won.params(path); x.Request.Path == path && got != want {
		t.Fatalf("%s %s leads to %q, want %q", x.Request.Method, path, got, want)
	}
}

// naiveTable makes a site of random routes, of which none is an error.
func naiveTable(seed uint64) (*Router, []naiveRoute) {
	d := dice{rand.New(rand.NewPCG(seed, 5))}
	site := Site{Name: "a", Hosts: []string{"a.test"}}
	for i := range 1 + d.IntN(25) {
		s := Spec{Pattern: d.pattern(), Target: to(fmt.Sprint(i)), Label: fmt.Sprint(i)}
		if d.IntN(3) == 0 {
			s.Methods = []string{d.of("GET", "POST", "HEAD")}
		}
		site.Routes = append(site.Routes, s)
	}
	_, problems := New([]Site{site}, Options{})
	sites := without([]Site{site}, problems, Error)
	r, _ := New(sites, Options{})
	var naive []naiveRoute
	for i := range sites[0].Routes {
		first := slices.IndexFunc(sites[0].Routes, func(s Spec) bool { return s.Pattern == sites[0].Routes[i].Pattern })
		naive = append(naive, newNaive(&sites[0].Routes[i], first))
	}
	return r, naive
}

func TestLookupAgreesWithTheDocumentation(t *testing.T) {
	for seed := range uint64(300) {
		r, routes := naiveTable(seed)
		d := dice{rand.New(rand.NewPCG(seed, 6))}
		for range 50 {
			x := request(d.of("GET", "POST", "HEAD", "PUT"), "a.test", d.path())
			target, err := r.Lookup(x)
			if err != nil && weir.AsFault(err).Cause == weir.CauseRequestPath {
				continue
			}
			checkNaively(t, routes, x, target)
		}
	}
}

func FuzzLookup(f *testing.F) {
	for _, path := range []string{"/", "/a", "/a/b/ab", "//a//b", "/a-b.a", "/a/../b", "/aab-b/", "/b%2Fa/a"} {
		f.Add(uint64(1), byte(0), path)
		f.Add(uint64(7), byte(2), path)
	}
	f.Fuzz(func(t *testing.T, seed uint64, method byte, path string) {
		r, routes := naiveTable(seed % 1000)
		x := request([]string{"GET", "POST", "HEAD", "PUT"}[method%4], "a.test", "/")
		x.Request.Path = path
		target, err := r.Lookup(x)
		if err != nil && weir.AsFault(err).Cause == weir.CauseRequestPath {
			return
		}
		checkNaively(t, routes, x, target)
	})
}

// FuzzPattern parses patterns and sees that what they say of themselves holds.
func FuzzPattern(f *testing.F) {
	for _, seed := range []string{"/", "/*", "/a/{b}/*", "/{a}-{b}.html", "~ ^/a(b)?$", "/%7e", "/a{b", "//", "/{}", "/a*", "~(", "/caf\u00e9/{x}", "/a{x}%2F"} {
		f.Add(seed, "/a/b-c.html/d")
	}
	f.Fuzz(func(t *testing.T, text, path string) {
		p, err := ParsePattern(text)
		if err != nil {
			if strings.ContainsAny(fmt.Sprintf("%.0s", err), "\n") || !strings.HasPrefix(err.Error(), "path ") {
				t.Fatalf("%q: %v", text, err)
			}
			return
		}
		if p.String() != text || !p.covers(p) {
			t.Fatalf("%q says that it is %q, covers itself: %v", text, p, p.covers(p))
		}
		normal, ok := weir.Normalize(path)
		if !ok {
			return
		}
		before := []weir.Param{{Name: "before", Value: "x"}}
		params, matched := p.Match(normal, before)
		if params[0] != before[0] || !matched && len(params) != 1 {
			t.Fatalf("%q on %q: parameters %v", text, normal, params)
		}
		if !matched {
			return
		}
		if names := p.Names(); len(params) != 1+len(names) {
			t.Fatalf("%q on %q: %d parameters, %d names", text, normal, len(params)-1, len(names))
		}
		if !strings.HasPrefix(text, "~") {
			for _, param := range params[1:] {
				if !strings.Contains(normal, param.Value) || param.Name != "*" && (param.Value == "" || strings.Contains(param.Value, "/")) {
					t.Fatalf("%q on %q: parameter %v", text, normal, param)
				}
			}
		}
	})
}
