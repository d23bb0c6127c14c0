package assemble

import (
	"fmt"
	"strings"
	"testing"

	"weir"
)

// differing are settings of routes, no two of which ask for the same chain.
var differing = []string{
	`proxy = upstream.a`,
	`proxy = upstream.b`,
	"proxy = upstream.a\nmax_body = \"1KiB\"",
	"proxy = upstream.a\nmax_body = \"2KiB\"",
	"proxy = upstream.a\nhost = \"fixed.test\"",
	"proxy = upstream.a\nhost = \"{x}.test\"",
	"proxy = upstream.a\nallow = [\"10.0.0.0/8\"]",
	"proxy = upstream.a\nallow = [\"10.0.0.0/8\", \"192.0.2.0/24\"]",
	"proxy = upstream.a\ndeny = [\"10.0.0.0/8\"]",
	"proxy = upstream.a\nforwarded = \"rfc7239\"",
	"proxy = upstream.a\nvia = false",
	"proxy = upstream.a\nrequest_id {}",
	"proxy = upstream.a\nrequest_id { format = \"hex\" }",
	"proxy = upstream.a\nrequest { set = { X-A = \"1\" } }",
	"proxy = upstream.a\nrequest { set = { X-A = \"2\" } }",
	"proxy = upstream.a\nresponse { set = { X-A = \"1\" } }",
	"proxy = upstream.a\nresponse { add = { X-A = \"1\" } }",
	"proxy = upstream.a\nerrors {\npage \"404\" { body = \"gone\" }\n}",
	"proxy = upstream.a\nerrors {\npage \"404\" { body = \"lost\" }\n}",
	"proxy = upstream.a\nrewrite { strip_prefix = \"/1\" }",
	"proxy = upstream.a\nrewrite { add_prefix = \"/1\" }",
	"proxy = upstream.a\nrewrite { to = \"/{x}\" }",
}

// routesOf makes the routes of a configuration, in the order of the file.
func routesOf(t *testing.T, text string) []*weir.Route {
	t.Helper()
	c := parse(t, text)
	g, diags := dryEngine(c).build(c, nil)
	t.Cleanup(g.discard)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	return g.routes
}

// sitesWith is two sites with a route for each of the settings.
func sitesWith(settings []string) string {
	var text strings.Builder
	text.WriteString(`listener "http" { address = "127.0.0.1:80" }` + "\n")
	for _, name := range []string{"a", "b"} {
		fmt.Fprintf(&text, "upstream %q {\nserver \"127.0.0.1:1\" {}\n}\n", name)
	}
	for _, site := range []string{"one", "two"} {
		fmt.Fprintf(&text, "site %q {\n", site+".test")
		for i, s := range settings {
			fmt.Fprintf(&text, "route \"/%s/%d/{x}\" {\n%s\n}\n", site, i, s)
		}
		text.WriteString("}\n")
	}
	return text.String()
}

// TestEqualRoutesShareTheirChain, also those of two sites, and no others do.
func TestEqualRoutesShareTheirChain(t *testing.T) {
	routes := routesOf(t, sitesWith(differing))
	n := len(differing)
	if len(routes) != 2*n {
		t.Fatalf("%d routes", len(routes))
	}
	for i, r := range routes {
		for k, other := range routes[:i] {
			if same := r.Handler == other.Handler; same != (i%n == k%n) {
				t.Errorf("one chain: %v\n%s\n---\n%s", same, differing[i%n], differing[k%n])
			}
			if r.Meter == other.Meter {
				t.Errorf("%s%s and %s%s have one meter", r.Site, r.Name, other.Site, other.Name)
			}
		}
	}
}

// TestOwnAnswersHaveOwnChains: what keeps count by itself, as a mirror does, is no two routes'.
func TestOwnAnswersHaveOwnChains(t *testing.T) {
	for _, settings := range []string{
		"proxy = upstream.a\nmirror { to = upstream.b }",
		"split { to = { \"upstream.a\" = 50, \"upstream.b\" = 50 } }",
		"respond { body = \"x\" }",
		"redirect { to = \"/x\" }",
	} {
		if routes := routesOf(t, sitesWith([]string{settings})); routes[0].Handler == routes[1].Handler {
			t.Errorf("%s: one chain for two routes", settings)
		}
	}
}

// TestTimeoutsAreARoutesOwn, though the chain is not.
func TestTimeoutsAreARoutesOwn(t *testing.T) {
	routes := routesOf(t, sitesWith([]string{`proxy = upstream.a`, "proxy = upstream.a\ntimeouts { connect = \"7s\" }\nlog = false"}))
	plain, slow := routes[0], routes[1]
	if plain.Handler != slow.Handler || plain.Connect != 0 || slow.Connect != 7e9 {
		t.Errorf("%+v and %+v", plain, slow)
	}
}

// TestReloadSharesNothing with what was made before it: upstreams may be others by now.
func TestReloadSharesNothing(t *testing.T) {
	c := parse(t, sitesWith(differing))
	e := dryEngine(c)
	old, _ := e.build(c, nil)
	defer old.discard()
	again, _ := e.build(c, old)
	defer again.discard()
	for i, r := range again.routes {
		if r.Handler == old.routes[i].Handler {
			t.Errorf("%s%s has the chain of the last generation", r.Site, r.Name)
		}
		if r.Meter != old.routes[i].Meter {
			t.Errorf("%s%s has another meter than before", r.Site, r.Name)
		}
	}
}
