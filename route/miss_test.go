package route

import (
	"crypto/tls"
	"fmt"
	"strings"
	"testing"
	"time"

	"weir"
)

func missRouter(t *testing.T) *Router {
	r, problems := New([]Site{
		{Name: "shop", Hosts: []string{"shop.example.com"}, Routes: []Spec{
			{Pattern: "/about", Target: to("about")},
			{Pattern: "/api/*", Methods: []string{"POST"}, Header: []Match{{Name: "X-Key", Value: "secret"}}, Target: to("api")},
			{Pattern: "/users/{id}", Target: to("user")},
			{Pattern: "~ ^/old/[0-9]+$", Target: to("old")},
		}},
		{Name: "inside", Hosts: []string{"intranet.example.com"}, Listeners: []string{"inside"}, Routes: specs("/*")},
	}, Options{Listeners: []string{"https", "inside"}})
	for _, p := range problems {
		t.Fatal(p)
	}
	return r
}

// What the log says of a request that leads nowhere: the nearest, and the first condition that failed.
func TestNotes(t *testing.T) {
	r := missRouter(t)
	for _, c := range []struct{ method, host, path, want string }{
		{"GET", "shop.exmaple.com", "/", `no site has host "shop.exmaple.com", the nearest is "shop.example.com"`},
		{"GET", "203.0.113.9", "/", `no site has host "203.0.113.9"`},
		{"GET", "", "/", `the request names no host, and no site has the host "*"`},
		{"GET", "intranet.example.com", "/", `host "intranet.example.com" is of site "inside" on listener "inside", not on "https"`},
		{"GET", "shop.example.com", "/abuot", `site "shop": nearest is route "/about": path "/abuot" does not match`},
		{"GET", "shop.example.com", "/users/7/orders", `site "shop": nearest is route "/users/{id}": path "/users/7/orders" does not match`},
		{"GET", "shop.example.com", "/old/x", `site "shop": nearest is route "~ ^/old/[0-9]+$": path "/old/x" does not match`},
		{"GET", "shop.example.com", "/api/x", `site "shop": nearest is route "/api/*": method GET is not POST`},
		{"POST", "shop.example.com", "/api/x", `site "shop": nearest is route "/api/*": header x-key is absent`},
		{"OPTIONS", "shop.example.com", "*", `site "shop" has no route for the server as a whole: only routes for every path take "*"`},
	} {
		x := request(c.method, c.host, c.path)
		x.Conn = &weir.Conn{Listener: "https"}
		target, err := r.Lookup(x)
		if target != nil || x.Note != c.want {
			t.Errorf("%s %s%s: note\n%s\nwant\n%s", c.method, c.host, c.path, x.Note, c.want)
		}
		if f := weir.AsFault(err); f.StatusCode() != 404 || strings.Contains(f.Cause.Public(), "example") {
			t.Errorf("%s %s%s: a stranger is told %d %q", c.method, c.host, c.path, f.StatusCode(), f.Cause.Public())
		}
	}
}

func TestNotesKeepSecrets(t *testing.T) {
	x := request("POST", "shop.example.com", "/api/x")
	x.Request.Header.Add("X-Key", "a customer's own")
	_, _ = missRouter(t).Lookup(x)
	if strings.Contains(x.Note, "customer") || x.Note == "" {
		t.Errorf("note: %s", x.Note)
	}
}

// A note is one short line, whatever the request holds.
func TestNotesAreShort(t *testing.T) {
	r := missRouter(t)
	for _, x := range []*weir.Exchange{
		request("GET", strings.Repeat("a", 5000)+".test", "/"),
		request("GET", "shop.example.com", "/"+strings.Repeat("%0Aa", 2000)),
		request(strings.Repeat("M", 5000), "shop.example.com", "/api/x"),
	} {
		_, err := r.Lookup(x)
		if err == nil || len(x.Note) > 400 || strings.Contains(x.Note, "\n") {
			t.Errorf("%v: note of %d bytes: %.200s", err, len(x.Note), x.Note)
		}
	}
}

// A site's own answer to what none of its routes takes.
func TestMissing(t *testing.T) {
	sites := []Site{{Name: "a", Hosts: []string{"a.test"}, Routes: specs("/x")}}
	called := 0
	sites[0].Missing = weir.HandlerFunc(func(x *weir.Exchange) error {
		called++
		if x.Note == "" {
			t.Error("no note yet")
		}
		return nil
	})
	r := build(t, sites...)
	if err := r.ServeExchange(request("GET", "a.test", "/y")); err != nil || called != 1 {
		t.Errorf("%v, called %d times", err, called)
	}
	for _, x := range []*weir.Exchange{request("GET", "b.test", "/y"), request("GET", "a.test", "/..")} {
		if err := r.ServeExchange(x); err == nil || called != 1 {
			t.Errorf("%s%s: %v, called %d times", x.Request.Authority, x.Request.RawPath, err, called)
		}
	}
}

func TestMisdirected(t *testing.T) {
	r := missRouter(t)
	for _, c := range []struct {
		tls  *tls.ConnectionState
		host string
		want int
	}{
		{nil, "other.test", 404},
		{&tls.ConnectionState{}, "other.test", 404},
		{&tls.ConnectionState{ServerName: "Other.test"}, "other.test.:443", 404},
		{&tls.ConnectionState{ServerName: "shop.example.com"}, "other.test", 421},
	} {
		x := request("GET", c.host, "/")
		x.Conn = &weir.Conn{TLS: c.tls}
		_, err := r.Lookup(x)
		if got := weir.AsFault(err).StatusCode(); got != c.want {
			t.Errorf("%s on a connection to %v: %d, want %d", c.host, c.tls, got, c.want)
		}
	}
}

// Strangers cause misses at will: ten thousand sites and routes must not make one dear.
func TestMissesAreCheap(t *testing.T) {
	s := Site{Name: "many", Hosts: []string{"many.test"}}
	for i := range 10_000 {
		s.Routes = append(s.Routes, Spec{Pattern: fmt.Sprintf("/path-%d/x", i), Target: to("x")})
	}
	r := build(t, append(manySites(10_000), s)...)
	for _, c := range []struct{ host, path, near string }{
		{"many.test", "/path-77/y", `"/path-77/x"`},
		{"many.test", "/paht-77/x", `"/path-`},
		{"site-77.exmple.com", "/", `"site-77.example.com"`},
	} {
		x := request("GET", c.host, c.path)
		least := time.Hour
		for range 20 {
			start := time.Now()
			_, _ = r.Lookup(x)
			least = min(least, time.Since(start))
		}
		if least > 500*time.Microsecond {
			t.Errorf("%s%s: a miss takes %v", c.host, c.path, least)
		}
		if !strings.Contains(x.Note, c.near) {
			t.Errorf("%s%s: nearest is not %s: %s", c.host, c.path, c.near, x.Note)
		}
	}
}
