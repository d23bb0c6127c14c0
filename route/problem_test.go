package route

import (
	"net/netip"
	"strings"
	"testing"
)

type place string

func (p place) String() string { return string(p) }

func TestProblems(t *testing.T) {
	clients := func(s string) []netip.Prefix { return []netip.Prefix{netip.MustParsePrefix(s)} }
	for _, c := range []struct {
		name  string
		sites []Site
		want  string
	}{
		{"nothing is wrong", []Site{
			{Name: "a", Hosts: []string{"a.test"}, Routes: tenRoutes()},
			{Name: "b", Hosts: []string{"*.test"}, Routes: tenRoutes()},
		}, ""},
		{"no false alarms", []Site{{Name: "a", Hosts: []string{"a.test"}, Routes: []Spec{
			{Pattern: "/*"},
			{Pattern: "/a"},
			{Pattern: "/a/*"},
			{Pattern: "/{x}"},
			{Pattern: "/{x}/*"},
			{Pattern: "/{x}-{y}"},
			{Pattern: "~ ^/a"},
			{Pattern: "~ ^/A$"},
			{Pattern: "~ (?i)^/a$"},
			{Pattern: "~ ^(/b)?/a/"},
			{Pattern: "~ ^/a+/"},
			{Pattern: "~ x$"},
			{Pattern: "/a", Methods: []string{"GET"}},
			{Pattern: "/a", Methods: []string{"GET", "POST"}},
			{Pattern: "/a", Methods: []string{"HEAD"}},
			{Pattern: "/a", Header: []Match{{Name: "x", Value: "1"}}},
			{Pattern: "/a", Header: []Match{{Name: "x", Kind: Present}}},
			{Pattern: "/a", Header: []Match{{Name: "x", Kind: Regexp, Value: "1"}}},
			{Pattern: "/a", Query: []Match{{Name: "x", Value: "1"}}},
			{Pattern: "/a", Clients: clients("10.0.0.0/8")},
			{Pattern: "/a", Clients: clients("10.1.0.0/16")},
			{Pattern: "/a", When: "request.path != ''"},
			{Pattern: "/*", Host: "a.test", Methods: []string{"PURGE"}},
			{Pattern: "/gone", Host: "a.test"},
		}}}, ""},
		{"two routes are alike", []Site{{Name: "a", Hosts: []string{"a.test"}, Routes: []Spec{
			{Pattern: "/users/{id}", Pos: place("weir.hcl:3")},
			{Pattern: "/users/{name}", Pos: place("weir.hcl:9")},
			{Pattern: "/x", Methods: []string{"GET", "HEAD"}, Header: []Match{{Name: "A", Value: "1"}, {Name: "b", Value: "2"}}},
			{Pattern: "/x", Methods: []string{"GET"}, Header: []Match{{Name: "B", Value: "2"}, {Name: "a", Value: "1"}}},
			{Pattern: "/%7ex"},
			{Pattern: "/~x"},
		}}}, `error: weir.hcl:9: site "a": route "/users/{name}" matches the same requests as route "/users/{id}" at weir.hcl:3: give one of them another path or a condition
error: site "a": route "/x" matches the same requests as route "/x": give one of them another path or a condition
error: site "a": route "/~x" matches the same requests as route "/%7ex": give one of them another path or a condition`},
		{"a regular expression hides the rest", []Site{{Name: "a", Hosts: []string{"a.test"}, Routes: []Spec{
			{Pattern: "/*", Pos: place("1")}, {Pattern: "~ ^/.*$", Pos: place("2")}, {Pattern: "~ x", Pos: place("3")}, {Pattern: "/a"}, {Pattern: "/{a}/b", Pos: place("4")},
		}}}, `warning: 1: site "a": route "/*" can never match: route "~ ^/.*$" at 2 takes every request that it would
warning: 3: site "a": route "~ x" can never match: route "~ ^/.*$" at 2 takes every request that it would
warning: 4: site "a": route "/{a}/b" can never match: route "~ ^/.*$" at 2 takes every request that it would`},
		{"a path hides regular expressions", []Site{{Name: "a", Hosts: []string{"a.test"}, Routes: []Spec{
			{Pattern: "/api/*", Pos: place("1")},
			{Pattern: "~ ^/api/v[0-9]+$", Pos: place("2")},
			{Pattern: "~ ^/ap"},
			{Pattern: "/one"},
			{Pattern: "~ ^(/one)$", Pos: place("3")},
			{Pattern: "~ ^/one"},
			{Pattern: "/get/*", Methods: []string{"GET"}},
			{Pattern: "~ ^/get/x"},
			{Pattern: "~ ^/get/y", Methods: []string{"HEAD"}, Pos: place("4")},
			{Pattern: "/{x}/*"},
			{Pattern: "~ ^/(deep)/(.*)", Pos: place("5")},
			{Pattern: "~ ^/deep/er$", Pos: place("6")},
			{Pattern: "/a/{x}.html"},
			{Pattern: "~ ^/a/b.html$"},
			{Pattern: "~ ^/a/b[.]html$", Pos: place("7")},
		}}}, `warning: 2: site "a": route "~ ^/api/v[0-9]+$" can never match: route "/api/*" at 1 takes every request that it would
warning: 3: site "a": route "~ ^(/one)$" can never match: route "/one" takes every request that it would
warning: 4: site "a": route "~ ^/get/y" can never match: route "/get/*" takes every request that it would
warning: 6: site "a": route "~ ^/deep/er$" can never match: route "~ ^/(deep)/(.*)" at 5 takes every request that it would
warning: 7: site "a": route "~ ^/a/b[.]html$" can never match: route "/a/{x}.html" takes every request that it would`},
		{"a partial route", []Site{{Name: "a", Hosts: []string{"a.test"}, Routes: []Spec{
			{Pattern: "/a"}, {Pattern: "/a", Partial: true, When: "requst.path == ''"}, {Pattern: "/a", Partial: true},
		}}}, `error: site "a": route "/a": when "requst.path == ''": "requst.path" is not known, did you mean "request.path"?`},
		{"conditions hide conditions", []Site{{Name: "a", Hosts: []string{"a.test"}, Routes: []Spec{
			{Pattern: "/a", Header: []Match{{Name: "x", Kind: Present}, {Name: "x", Kind: Regexp, Value: "^1"}}, Label: "two"},
			{Pattern: "/a", Header: []Match{{Name: "x", Value: "12"}}, Label: "one"},
		}}}, `warning: site "a": one can never match: two takes every request that it would`},
		{"methods shared out", []Site{{Name: "a", Hosts: []string{"a.test"}, Routes: []Spec{
			{Pattern: "/a", Methods: []string{"GET"}, Pos: place("1")},
			{Pattern: "/a", Methods: []string{"POST", "PUT"}, Pos: place("2")},
			{Pattern: "/a", Methods: []string{"HEAD", "PUT", "GET"}, Pos: place("3")},
			{Pattern: "/a", Methods: []string{"GET", "POST", "PUT", "DELETE"}, Pos: place("4")},
			{Pattern: "/a", Pos: place("5")},
			{Pattern: "/b/{x}", Methods: []string{"GET"}, Header: []Match{{Name: "x", Value: "1"}}, Pos: place("6")},
			{Pattern: "/b/{y}", Methods: []string{"POST"}, Header: []Match{{Name: "x", Kind: Present}}, Pos: place("7")},
			{Pattern: "/b/{z}", Methods: []string{"GET", "POST"}, Header: []Match{{Name: "x", Value: "1"}}, Pos: place("8")},
			{Pattern: "/b/{z}", Methods: []string{"GET", "POST"}, Header: []Match{{Name: "x", Value: "2"}}, Pos: place("9")},
			{Pattern: "/b/{z}", Methods: []string{"GET", "POST"}, Pos: place("10")},
			{Pattern: "/c", Methods: []string{"GET"}, Clients: clients("10.0.0.0/8"), Pos: place("11")},
			{Pattern: "/c", Methods: []string{"POST"}, Pos: place("12")},
			{Pattern: "/c", Methods: []string{"GET", "POST"}, Pos: place("13")},
			{Pattern: "~ ^/", Methods: []string{"GET", "POST"}, Pos: place("14")},
			{Pattern: "/*", Methods: []string{"DELETE"}, Pos: place("15")},
			{Pattern: "/*", Methods: []string{"DELETE", "GET", "POST"}, Pos: place("16")},
		}}}, `warning: 3: site "a": route "/a" can never match: route "/a" at 1 and route "/a" at 2 together take every request that it would
warning: 8: site "a": route "/b/{z}" can never match: route "/b/{x}" at 6 and route "/b/{y}" at 7 together take every request that it would
warning: 16: site "a": route "/*" can never match: route "~ ^/" at 14 and route "/*" at 15 together take every request that it would`},
		{"expressions that say nothing", []Site{{Name: "a", Hosts: []string{"a.test"}, Routes: []Spec{
			{Pattern: "/a", When: "true", Pos: place("1")},
			{Pattern: "/a", When: " request.path == '' && false ", Pos: place("2")},
			{Pattern: "/a", Pos: place("3")},
			{Pattern: "/b", When: "1 / 0 == 1", Partial: true},
			{Pattern: "/b", When: "request.path == '/b' || header('x') == ''"},
			{Pattern: "/b", Methods: []string{"GET"}, When: "true", Pos: place("4")},
		}}}, `warning: 1: site "a": route "/a": when "true" holds for every request: leave the condition out
warning: 2: site "a": route "/a" can never match: when "request.path == '' && false" holds for no request
warning: 2: site "a": route "/a" can never match: route "/a" at 1 takes every request that it would
warning: 3: site "a": route "/a" can never match: route "/a" at 1 takes every request that it would
warning: site "a": route "/b" can never match: when "1 / 0 == 1" always ends in an error
warning: 4: site "a": route "/b": when "true" holds for every request: leave the condition out`},
		{"a route for a host hides the site", []Site{{Name: "a", Hosts: []string{"a.test"}, Routes: []Spec{
			{Pattern: "/x/*", Host: "a.test"}, {Pattern: "/x/y"}, {Pattern: "/z"},
		}}}, `warning: site "a": route "/x/y" can never match: route "a.test/x/*" takes every request that it would`},
		{"hosts", []Site{
			{Name: "a", Hosts: []string{"a.test", "A.test.", "http://a.test", "a.test:80", "a*.test", "", "a b"}, Pos: place("1")},
			{Name: "none"},
		}, `warning: 1: site "a": host "A.test." stands there twice
error: 1: site "a": host "http://a.test": a host has no scheme: write "a.test"
error: 1: site "a": host "a.test:80": the port belongs to the listener: write "a.test"
error: 1: site "a": host "a*.test": "*" stands alone or for the first labels, as in "*.example.com"
error: 1: site "a": host "": is empty
error: 1: site "a": host "a b": not a domain name
error: site "none": has no hosts; for any host write "*"`},
		{"rivals", []Site{
			{Name: "a", Hosts: []string{"a.test"}, Pos: place("1")},
			{Name: "b", Hosts: []string{"b.test", "A.TEST"}, Listeners: []string{"https"}, Pos: place("2")},
			{Name: "c", Hosts: []string{"c.test"}, Listeners: []string{"http"}},
			{Name: "d", Hosts: []string{"c.test"}, Listeners: []string{"https"}},
		}, `error: 2: site "b": host "a.test" belongs to site "a" at 1 already`},
		{"listeners", []Site{{Name: "a", Hosts: []string{"a.test"}, Listeners: []string{"htps", "zzzzzzz"}}}, `error: site "a": listener "htps" is not known, did you mean "https"?
error: site "a": listener "zzzzzzz" is not known`},
		{"hosts of routes", []Site{{Name: "a", Hosts: []string{"a.test", "*.b.test"}, Routes: []Spec{
			{Pattern: "/", Host: "c.test"}, {Pattern: "/*", Host: "about"}, {Pattern: "/", Host: "x.b.test"},
		}}}, `error: site "a": route "c.test/": host "c.test" is not one of the site's hosts (a.test, *.b.test): add it to hosts
error: site "a": route "about/*": "about" is not one of the site's hosts (a.test, *.b.test); a path begins with "/"`},
		{"conditions", []Site{{Name: "a", Hosts: []string{"a.test"}, Routes: []Spec{
			{Pattern: "/1", Methods: []string{"get"}},
			{Pattern: "/2", Methods: []string{"G T"}},
			{Pattern: "/3", Header: []Match{{Name: "x", Kind: Regexp, Value: "("}}},
			{Pattern: "/4", Header: []Match{{Name: "Host", Value: "x"}}},
			{Pattern: "/4", Header: []Match{{Name: "te", Value: "x"}}},
			{Pattern: "/5/", Query: []Match{{}}, Cookie: []Match{{}}, Methods: []string{""}},
		}}}, `error: site "a": route "/1": method "get": methods are compared with regard to case, write "GET"
error: site "a": route "/2": method "G T" is not a method
error: site "a": route "/3": header "x": regular expression: missing closing ) in "("
error: site "a": route "/4": header "Host": the host is matched by the site's hosts
error: site "a": route "/4": header "te" can't be matched: it concerns one connection only
error: site "a": route "/5/": method "" is not a method
error: site "a": route "/5/": query condition without a name
error: site "a": route "/5/": cookie condition without a name`},
	} {
		t.Run(c.name, func(t *testing.T) {
			for i := range c.sites {
				for j := range c.sites[i].Routes {
					c.sites[i].Routes[j].Target = to("x")
				}
			}
			_, problems := New(c.sites, Options{Listeners: []string{"http", "https"}})
			var lines []string
			for _, p := range problems {
				lines = append(lines, p.String())
			}
			if got := strings.Join(lines, "\n"); got != c.want {
				t.Errorf("got:\n%s\nwant:\n%s", got, c.want)
			}
		})
	}
}

func TestBrokenSiteIsLeftOut(t *testing.T) {
	r, problems := New([]Site{
		{Name: "broken", Hosts: []string{"a.test"}, Routes: specs("/*", "nothing")},
		{Name: "whole", Hosts: []string{"b.test"}, Routes: specs("/*")},
		{Name: "rival", Hosts: []string{"b.test", "c.test"}, Routes: specs("/*")},
	}, Options{})
	if len(problems) != 2 {
		t.Errorf("problems: %v", problems)
	}
	for host, want := range map[string]string{"a.test": "route.no_site", "b.test": "/* *=", "c.test": "route.no_site"} {
		x := request("GET", host, "/")
		target, err := r.Lookup(x)
		if got := outcome(target, x, err); got != want {
			t.Errorf("%s leads to %q, want %q", host, got, want)
		}
	}
}
