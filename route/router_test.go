package route

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"weir"
)

// answer is the handler of routes in tests: it does nothing.
var answer = weir.HandlerFunc(func(*weir.Exchange) error { return nil })

func to(name string) *weir.Route { return &weir.Route{Name: name, Handler: answer} }

// specs makes routes that are named as their patterns.
func specs(patterns ...string) (out []Spec) {
	for _, p := range patterns {
		out = append(out, Spec{Pattern: p, Target: to(p)})
	}
	return out
}

func build(t testing.TB, sites ...Site) *Router {
	t.Helper()
	r, problems := New(sites, Options{})
	for _, p := range problems {
		t.Fatal(p)
	}
	return r
}

func request(method, host, path string) *weir.Exchange {
	x := &weir.Exchange{}
	x.Request.Method, x.Request.Authority = method, host
	x.Request.Path, x.Request.Query, _ = strings.Cut(path, "?")
	return x
}

func tenRoutes() []Spec {
	return specs("/", "/about", "/contact", "/static/*", "/api/*", "/api/v1/orders/{id}", "/users/{id}/*", "/blog/*", "/favicon.ico", "/*")
}

func manySites(n int) (sites []Site) {
	for i := range n {
		name := fmt.Sprintf("site-%d.example.com", i)
		sites = append(sites, Site{Name: name, Hosts: []string{name}, Routes: tenRoutes()})
	}
	return sites
}

func TestServeExchangeDoesNotAllocate(t *testing.T) {
	sites := manySites(20)
	sites = append(sites, Site{Name: "wild", Hosts: []string{"*.wild.example.com"}, Routes: []Spec{
		{Pattern: "/m/*", Methods: []string{"POST"}, Target: to("post")},
		{Pattern: "/m/*", Header: []Match{{Name: "X-A", Value: "1"}}, Target: to("header")},
		{Pattern: "/q/*", Query: []Match{{Name: "a", Value: "1"}}, Target: to("query")},
		{Pattern: "/c/*", Cookie: []Match{{Name: "a", Value: "1"}}, Target: to("cookie")},
		{Pattern: "/n/*", Clients: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, Target: to("client")},
		{Pattern: "/s/{a}-{b}.html", Target: to("partial")},
	}})
	r := build(t, sites...)
	for _, c := range []struct{ host, path, want string }{
		{"site-7.example.com", "/about", "/about"},
		{"site-7.example.com:8080", "/static/css/site.css", "/static/*"},
		{"SITE-7.example.com.", "/users/17/orders", "/users/{id}/*"},
		{"site-7.example.com", "/nowhere", "/*"},
		{"a.wild.example.com", "/m/x", "header"},
		{"a.b.wild.example.com", "/q/x?b=2&a=1", "query"},
		{"a.wild.example.com", "/c/x", "cookie"},
		{"a.wild.example.com", "/n/x", "client"},
		{"a.wild.example.com", "/s/blue-suede-42.html", "partial"},
	} {
		x := request("GET", c.host, c.path)
		x.Request.Header.Add("X-A", "1")
		x.Request.Header.Add("Cookie", "b=2; a=1")
		x.Client = netip.MustParseAddr("10.1.2.3")
		allocs := testing.AllocsPerRun(100, func() {
			if err := r.ServeExchange(x); err != nil {
				t.Fatal(err, x.Note)
			}
		})
		if x.Route.Name != c.want {
			t.Errorf("%s%s leads to %q, want %q", c.host, c.path, x.Route.Name, c.want)
		}
		if allocs != 0 {
			t.Errorf("%s%s allocates %v times", c.host, c.path, allocs)
		}
	}
}

// perLookup returns the time of one lookup where requests go over all sites in no order, the least of many short
// runs: the machine may have other things to do.
func perLookup(t *testing.T, n int) time.Duration {
	r := build(t, manySites(n)...)
	requests := benchRequests(n, func(_, k int) string { return benchPaths[k*7%10] })
	least := time.Hour
	x := request("GET", "", "")
	for range 20 {
		for some := range slices.Chunk(requests, 1000) {
			start := time.Now()
			for _, q := range some {
				x.Request.Authority, x.Request.Path, x.Request.RawPath = q.host, q.path, ""
				if _, err := r.Lookup(x); err != nil {
					t.Fatal(err)
				}
			}
			least = min(least, time.Since(start)/time.Duration(len(some)))
		}
	}
	return least
}

func TestManySitesAreAsFastAsFew(t *testing.T) {
	few, many := perLookup(t, 10), perLookup(t, 10_000)
	t.Logf("10 sites: %v, 10000 sites: %v", few, many)
	if many > 12*few {
		t.Errorf("a lookup among 10000 sites takes %v, among ten %v", many, few)
	}
}

// A router is used by many goroutines at once; the race detector watches.
func TestManyLookAtOnce(t *testing.T) {
	r := build(t, Site{Name: "a", Hosts: []string{"a.test"}, Routes: []Spec{
		{Pattern: "/{x}/*", When: "request.path.matches('^/[ab]') && cidr(client.ip, '10.0.0.0/8')", Target: to("when")},
		{Pattern: "/{x}/*", Cookie: []Match{{Name: "c", Kind: Regexp, Value: "^1"}}, Target: to("cookie")},
		{Pattern: "~ ^/(b+)$", Target: to("regexp")},
	}})
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			x := request("GET", "a.test", []string{"/a/1", "/c/1", "/bbb", "/"}[i%4])
			x.Client = netip.MustParseAddr("10.0.0.1")
			if i%4 == 1 {
				x.Request.Header.Add("Cookie", "c=12")
			}
			want := []string{"when", "cookie", "regexp", ""}[i%4]
			for range 200 {
				if target, err := r.Lookup(x); (err == nil) != (want != "") || err == nil && target.Name != want {
					t.Errorf("%s leads to %v, %v", x.Request.Path, target, err)
					return
				}
			}
		})
	}
	all.Wait()
}

// TestBuildsManyRoutes makes a hundred thousand routes in every shape in which there may be so many.
func TestBuildsManyRoutes(t *testing.T) {
	const routes = 100_000
	single := func(spec func(i int) Spec, hosts ...string) []Site {
		s := Site{Name: "a", Hosts: hosts}
		for i := range routes {
			s.Routes = append(s.Routes, spec(i))
		}
		return []Site{s}
	}
	target := to("x")
	for _, c := range []struct {
		name  string
		sites []Site
	}{
		{"ten in each of ten thousand sites", manySites(routes / 10)},
		{"of different paths in one site", single(func(i int) Spec {
			return Spec{Pattern: fmt.Sprintf("/app-%d/*", i), Target: target}
		}, "a.test")},
		{"of one path in one site", single(func(i int) Spec {
			return Spec{Pattern: "/*", Header: []Match{{Name: "x", Value: fmt.Sprint(i)}}, Target: target}
		}, "a.test")},
		{"for different hosts in one site", single(func(i int) Spec {
			return Spec{Pattern: "/*", Host: fmt.Sprintf("h%d.a.test", i/5), Methods: []string{fmt.Sprint("M", i%5)}, Target: target}
		}, "*.a.test")},
	} {
		limit, took := 2*time.Second*slowdown, time.Hour
		for try := 0; try < 3 && took > limit; try++ {
			took = min(took, worked(t, func() { build(t, c.sites...) }))
		}
		t.Logf("%d routes %s: %v", routes, c.name, took)
		if took > limit {
			t.Errorf("%d routes %s take %v to build, more than %v", routes, c.name, took, limit)
		}
	}
}

// unlikeSites makes sites of which no two have the same paths.
func unlikeSites(n int) []Site {
	sites := manySites(n)
	for i := range sites {
		for j := range sites[i].Routes {
			sites[i].Routes[j].Pattern = fmt.Sprintf("/app-%d%s", i, sites[i].Routes[j].Pattern)
		}
	}
	return sites
}

// A benchRequest is what a lookup gets. All texts are pieces of one, which is read from its beginning to its
// end: a real request's texts are in the cache when it is routed, as its head was just parsed.
type benchRequest struct{ host, path string }

// benchRequests makes requests for all sites in an order without order; path makes the path for site i, at turn k.
func benchRequests(n int, path func(i, k int) string) []benchRequest {
	var text strings.Builder
	var ends []int
	turns := rand.New(rand.NewPCG(1, 2)).Perm(max(n, 10_000))
	for k, turn := range turns {
		fmt.Fprintf(&text, "site-%d.example.com", turn%n)
		ends = append(ends, text.Len())
		text.WriteString(path(turn%n, k))
		ends = append(ends, text.Len())
	}
	all, from := text.String(), 0
	requests := make([]benchRequest, len(turns))
	for k := range requests {
		requests[k] = benchRequest{all[from:ends[2*k]], all[ends[2*k]:ends[2*k+1]]}
		from = ends[2*k+1]
	}
	return requests
}

var benchPaths = []string{
	"/", "/about", "/contact", "/static/css/site.css", "/api/v2", "/api/v1/orders/4711", "/users/17/orders", "/blog/today", "/favicon.ico", "/nowhere",
}

func benchLookup(b *testing.B, r *Router, requests []benchRequest) {
	x := request("GET", "", "")
	b.ReportAllocs()
	k := 0
	for b.Loop() {
		x.Request.Authority, x.Request.Path, x.Request.RawPath = requests[k].host, requests[k].path, ""
		if err := r.ServeExchange(x); err != nil {
			b.Fatal(err)
		}
		if k++; k == len(requests) {
			k = 0
		}
	}
}

// BenchmarkLookup asks for one path at all sites, then for ten, then for ten where no two sites have a path in
// common.
func BenchmarkLookup(b *testing.B) {
	for _, n := range []int{10, 100, 1_000, 10_000} {
		alike, unlike := build(b, manySites(n)...), build(b, unlikeSites(n)...)
		for _, c := range []struct {
			name string
			r    *Router
			path func(i, k int) string
		}{
			{"about", alike, func(int, int) string { return "/about" }},
			{"users", alike, func(int, int) string { return "/users/17/orders" }},
			{"all", alike, func(_, k int) string { return benchPaths[k*7%10] }},
			{"unlike", unlike, func(i, k int) string { return fmt.Sprintf("/app-%d%s", i, benchPaths[k*7%10]) }},
		} {
			requests := benchRequests(n, c.path)
			b.Run(fmt.Sprintf("path=%s/sites=%d", c.name, n), func(b *testing.B) { benchLookup(b, c.r, requests) })
		}
	}
}
