package route

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"weir"
)

// A dice makes random tables and requests that meet often: all is taken from few words.
type dice struct{ *rand.Rand }

func (d dice) of(words ...string) string { return words[d.IntN(len(words))] }

func (d dice) pattern() string {
	if d.IntN(8) == 0 {
		return d.of("~ ^/a", "~ b$", "~ ^/(a|b)/(.*)$", "~ ^/", "~ .*", "~ ^/a/", "~ ^/a$", "~ ^/(ab)/", "~ ^/a/b", "~ ^/b/.*", "~ ^/b/a")
	}
	var b strings.Builder
	names := 0
	name := func() string { names++; return fmt.Sprintf("{n%d}", names) }
	for range d.IntN(4) {
		b.WriteString("/")
		switch d.IntN(6) {
		case 0:
			b.WriteString(name())
		case 1:
			b.WriteString(d.of("a", "", "b") + name() + d.of("-", ".", "b") + name())
		case 2:
			b.WriteString("a" + name())
		default:
			b.WriteString(d.of("a", "b", "ab", "a-b", "b.a"))
		}
	}
	return b.String() + d.of("/*", "/*", "/", "/a", "/b")
}

func (d dice) match() Match {
	return ParseMatch(d.of("x", "y"), d.of("1", "2", "*", "~ ^1", "~ ."))
}

func (d dice) spec(i int) Spec {
	s := Spec{Pattern: d.pattern(), Target: to(fmt.Sprint(i)), Label: fmt.Sprint(i)}
	if d.IntN(4) == 0 {
		s.Methods = [][]string{{"GET"}, {"POST"}, {"GET", "POST"}, {"HEAD"}}[d.IntN(4)]
	}
	for _, list := range []*[]Match{&s.Header, &s.Query, &s.Cookie} {
		for d.IntN(5) == 0 {
			*list = append(*list, d.match())
		}
	}
	if d.IntN(6) == 0 {
		s.Clients = []netip.Prefix{netip.MustParsePrefix(d.of("10.0.0.0/8", "10.1.0.0/16", "::/0"))}
	}
	if d.IntN(12) == 0 {
		s.When = d.of("request.method == 'GET'", "query('x') != '1'", "request.header['x'] == '1'")
	}
	return s
}

// sites makes three, some of whose routes name a host that belongs to no other site.
func (d dice) sites() (sites []Site) {
	for i, hosts := range [][]string{{"a.test", "b.test"}, {"*.a.test"}, {"*"}} {
		s := Site{Name: fmt.Sprint(i), Hosts: hosts}
		for j := range 2 + d.IntN(20) {
			spec := d.spec(100*i + j)
			if d.IntN(8) == 0 {
				spec.Host = d.of([][]string{{"a.test", "b.test"}, {"*.a.test", "b.a.test"}, {"*.z.test", "z.test", "*"}}[i]...)
			}
			s.Routes = append(s.Routes, spec)
		}
		sites = append(sites, s)
	}
	return sites
}

func (d dice) path() string {
	if d.IntN(30) == 0 {
		return "*"
	}
	var b strings.Builder
	for range 1 + d.IntN(4) {
		b.WriteString(d.of("/", "/", "/", "//") + d.of("a", "b", "ab", "a-b", "b.a", "abab", "a-b-a", "", "b%2Fa", ".", ".."))
	}
	return b.String()
}

func (d dice) exchange() *weir.Exchange {
	x := request(d.of("GET", "POST", "HEAD", "OPTIONS"), d.of("a.test", "b.test", "b.a.test", "c.a.test", "z.test", "y.z.test", "z"), d.path())
	for d.IntN(2) == 0 {
		x.Request.Header.Add(d.of("X", "Y"), d.of("1", "2", "12"))
	}
	for d.IntN(3) == 0 {
		x.Request.Query += d.of("x", "y") + "=" + d.of("1", "2", "12") + "&"
	}
	if d.IntN(3) == 0 {
		x.Request.Header.Add("Cookie", d.of("x=1; y=1", "x=2", "y=12; x=1"))
	}
	if d.IntN(3) > 0 {
		x.Client = netip.MustParseAddr(d.of("10.0.0.1", "10.1.0.1", "2001:db8::1"))
	}
	return x
}

// without returns the sites without the routes that are named in problems of that severity.
func without(sites []Site, problems []Problem, severity Severity) []Site {
	var out []Site
	for _, s := range sites {
		s.Routes = slices.DeleteFunc(slices.Clone(s.Routes), func(r Spec) bool {
			return slices.ContainsFunc(problems, func(p Problem) bool { return p.Severity == severity && p.Route == r.Label })
		})
		out = append(out, s)
	}
	return out
}

// reference finds the winner without a tree: it asks every route in order of precedence.
func reference(r *Router, x *weir.Exchange) *entry {
	h := r.table(x).find(x.Request.Host())
	for _, t := range h.trees {
		for i := range t.entries {
			if t.entries[i].loses(x) == "" {
				return &t.entries[i]
			}
		}
	}
	return nil
}

func TestExplainAgreesWithLookup(t *testing.T) {
	d := dice{rand.New(rand.NewPCG(1, 2))}
	wins := 0
	for round := range 300 {
		sites := d.sites()
		_, problems := New(sites, Options{})
		sites = without(sites, problems, Error)
		r, problems := New(sites, Options{})
		for _, p := range problems {
			if p.Severity == Error {
				t.Fatal(p)
			}
		}
		for range 100 {
			x := d.exchange()
			y := x.Clone()
			target, err := r.Lookup(x)
			e := r.Explain(y)
			if won := winner(e); won != target {
				t.Fatalf("round %d: %s %s%s leads to %v, explained with %v", round, x.Request.Method, x.Request.Authority, x.Request.RawPath, target, won)
			}
			if target == nil {
				if weir.AsFault(err).Cause == weir.CauseNoRoute && x.Note == "" {
					t.Fatalf("no note for %s", x.Request.Path)
				}
				continue
			}
			wins++
			for _, p := range problems {
				if p.Route == target.Name {
					t.Fatalf("round %d: %s %s%s leads to a route of which was said: %s", round, x.Request.Method, x.Request.Authority, x.Request.RawPath, p)
				}
			}
			if x.Request.Path == "*" {
				continue
			}
			params, ok := reference(r, x).pattern.Match(x.Request.Path, nil)
			if !ok || !slices.Equal(params, x.Params) || !slices.Equal(params, e.Params) {
				t.Fatalf("round %d: %s: params %v, the pattern says %v", round, x.Request.RawPath, x.Params, params)
			}
		}
	}
	if wins < 10_000 {
		t.Errorf("only %d requests found a route", wins)
	}
}

// TestHiddenRoutesChangeNothing takes away what was warned of: every request must go where it went.
func TestHiddenRoutesChangeNothing(t *testing.T) {
	d := dice{rand.New(rand.NewPCG(3, 4))}
	hidden := 0
	for range 300 {
		sites := d.sites()
		_, problems := New(sites, Options{})
		sites = without(sites, problems, Error)
		r, problems := New(sites, Options{})
		hidden += len(problems)
		s, _ := New(without(sites, problems, Warning), Options{})
		for range 50 {
			x := d.exchange()
			y := x.Clone()
			a, _ := r.Lookup(x)
			b, _ := s.Lookup(y)
			if a != b {
				t.Fatalf("%s%s leads to %v, without hidden routes to %v; %v", x.Request.Authority, x.Request.RawPath, a, b, problems)
			}
		}
	}
	if hidden == 0 {
		t.Error("no route was hidden")
	}
}

func TestExplain(t *testing.T) {
	r := build(t, Site{Name: "shop", Hosts: []string{"*.example.com", "shop.example.com"}, Routes: []Spec{
		{Pattern: "/*", Target: to("/*")},
		{Pattern: "/form", Methods: []string{"POST", "PUT"}, Target: to("/form")},
		{Pattern: "/form", Header: []Match{{Name: "X-A", Kind: Present}}, Target: to("header"), Label: `route "/form" with a header`},
		{Pattern: "/form", Query: []Match{{Name: "a", Value: "1"}}, Target: to("query"), Label: `route "/form" with a query`},
		{Pattern: "/form/*", Clients: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, Target: to("client")},
		{Pattern: "/form/*", When: "request.method == 'PUT'", Target: to("when")},
		{Pattern: "/about", Target: to("/about")},
		{Pattern: "/*", Host: "www.example.com", Target: to("www")},
	}})
	x := request("GET", "shop.example.com", "/form?a=2")
	x.Client = netip.MustParseAddr("11.0.0.1")
	e := r.Explain(x)
	var lines []string
	for _, v := range e.Verdicts {
		lines = append(lines, fmt.Sprintf("%v %s: %s", v.Won, v.Label, v.Reason))
	}
	got := strings.Join(append(lines, e.Site+": "+e.SiteWhy), "\n")
	want := `false route "/about": path does not match
false route "/form": method GET is not POST or PUT
false route "/form" with a header: header x-a is absent
false route "/form" with a query: query a is not "1"
false route "/form/*": client 11.0.0.1 is not in 10.0.0.0/8
false route "/form/*": when "request.method == 'PUT'" is false
true route "/*": first in precedence of all that match
false route "www.example.com/*": host is not www.example.com
shop: it has host "shop.example.com"`
	if got != want {
		t.Errorf("explained:\n%s\nwant:\n%s", got, want)
	}
	for _, c := range []struct{ method, host, path, want string }{
		{"POST", "shop.example.com", "/form", `route "/*": matches too, but route "/form" has the more specific path`},
		{"GET", "www.example.com", "/about", `route "/about": matches too, but route "www.example.com/*" names the host`},
		{"OPTIONS", "shop.example.com", "*", `route "/about": path * is for routes of /* only`},
	} {
		found := false
		for _, v := range r.Explain(request(c.method, c.host, c.path)).Verdicts {
			found = found || v.Label+": "+v.Reason == c.want
		}
		if !found {
			t.Errorf("%s %s%s: no verdict %q", c.method, c.host, c.path, c.want)
		}
	}
	if e := r.Explain(request("GET", "example.org", "/")); e.Site != "" || e.SiteWhy == "" || e.Fault.Cause != weir.CauseNoSite {
		t.Errorf("no site explained as %+v", e)
	}
	if e := r.Explain(request("GET", "shop.example.com", "/../x")); e.Fault.Cause != weir.CauseRequestPath || e.Path != "" {
		t.Errorf("no path explained as %+v", e)
	}
}
