package route

import (
	"fmt"
	"net/netip"
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

// perLookup returns the time of one lookup where requests go over all sites, the least of some runs.
func perLookup(t *testing.T, n int) time.Duration {
	r := build(t, manySites(n)...)
	hosts := make([]string, 5000)
	for i := range hosts {
		hosts[i] = fmt.Sprintf("site-%d.example.com", i*7919%n)
	}
	least := time.Hour
	x := request("GET", "", "/users/17/orders")
	for range 7 {
		start := time.Now()
		for _, h := range hosts {
			x.Request.Authority = h
			if _, err := r.Lookup(x); err != nil {
				t.Fatal(err)
			}
		}
		least = min(least, time.Since(start)/time.Duration(len(hosts)))
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
		for try := 0; try < 3 && took > limit; try++ { // the machine may have other things to do
			start := time.Now()
			build(t, c.sites...)
			took = time.Since(start)
		}
		t.Logf("%d routes %s: %v", routes, c.name, took)
		if took > limit {
			t.Errorf("%d routes %s take %v to build, more than %v", routes, c.name, took, limit)
		}
	}
}

// BenchmarkLookupUnlike is BenchmarkLookup where no two sites have the same paths.
func BenchmarkLookupUnlike(b *testing.B) {
	for _, n := range []int{10, 10_000} {
		sites := manySites(n)
		hosts, paths := make([]string, n), make([]string, n)
		for i := range sites {
			hosts[i], paths[i] = sites[i].Name, fmt.Sprintf("/app-%d/users/17/orders", i)
			for j := range sites[i].Routes {
				sites[i].Routes[j].Pattern = fmt.Sprintf("/app-%d%s", i, sites[i].Routes[j].Pattern)
			}
		}
		r := build(b, sites...)
		b.Run(fmt.Sprintf("sites=%d", n), func(b *testing.B) {
			x := request("GET", "", "")
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				k := i * 7919 % n
				x.Request.Authority, x.Request.Path = hosts[k], paths[k]
				if err := r.ServeExchange(x); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkLookup(b *testing.B) {
	for _, n := range []int{1, 10, 10_000} {
		r := build(b, manySites(n)...)
		hosts := make([]string, min(n, 10_000))
		for i := range hosts {
			hosts[i] = fmt.Sprintf("site-%d.example.com", i*7919%n)
		}
		for _, path := range []string{"/about", "/static/css/site.css", "/users/17/orders", "/nowhere"} {
			b.Run(fmt.Sprintf("sites=%d%s", n, path), func(b *testing.B) {
				x := request("GET", "", path)
				b.ReportAllocs()
				for i := 0; b.Loop(); i++ {
					x.Request.Authority = hosts[i%len(hosts)]
					if err := r.ServeExchange(x); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
