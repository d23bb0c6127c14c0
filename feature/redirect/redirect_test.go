package redirect

import (
	"net/url"
	"strings"
	"testing"

	"weir"
)

// exchange is a request whose route was "/old/*".
func exchange(method, path, query string) *weir.Exchange {
	x := new(weir.Exchange)
	x.Reset(&weir.Conn{RemoteIP: "192.0.2.1"})
	x.Request.Method, x.Request.Path, x.Request.RawPath, x.Request.Query = method, path, path, query
	x.Request.Scheme, x.Request.Authority = "http", "Shop.Test:8080"
	x.Params = append(x.Params, weir.Param{Name: "*", Value: strings.TrimPrefix(path, "/old/")})
	return x
}

func TestLocation(t *testing.T) {
	for _, tt := range []struct {
		to, path, query, want string
		drop                  bool
	}{
		{"https://shop.example.com/{*}", "/old/a/b", "", "https://shop.example.com/a/b", false},
		{"https://shop.example.com/{*}", "/old/a", "x=1&y", "https://shop.example.com/a?x=1&y", false},
		{"https://shop.example.com/{*}", "/old/a", "x=1", "https://shop.example.com/a", true},
		{"https://shop.example.com", "/old/a", "", "https://shop.example.com/", false},
		{"https://shop.example.com?a=1", "/old/a", "x=1", "https://shop.example.com/?a=1", false},
		{"https://{host}{uri}", "/old/a", "x=1", "https://shop.test/old/a?x=1", false},
		{"https://{host}:8443{uri}", "/old/a", "", "https://shop.test:8443/old/a", false},
		{"{path}/", "/old/a", "x", "/old/a/?x", false},
		{"{raw_path}/", "//evil.test", "", "/evil.test/", false},
		{"https://{host}{path}", "/old/a", "x=1", "https://shop.test/old/a?x=1", false},
		{"{scheme}://{authority}/", "/old/a", "", "http://Shop.Test:8080/", false},
		{"/new/{*}", "/old/a", "x=1", "/new/a?x=1", false},
		{"/{*}", "/old//evil.test", "", "/evil.test", false},
		{"/{query.to}", "/old/", `to=%2Fevil.test`, "/evil.test?to=%2Fevil.test", false},
		{"/{query.to}", "/old/", `to=%5Cevil.test`, "/%5Cevil.test", true},
		{"/find?q={query.q}&p={*}", "/old/a&b%2Fc", "q=1%262", "/find?q=1%262&p=a%26b%2Fc", false},
		{"/find?{query}&lang=de", "/old/", "q=1%262&r", "/find?q=1%262&r&lang=de", false},
		{"/a#{query.q}", "/old/", "q=1+2", "/a?q=1+2#1%202", false},
		{"/a?x=1#top", "/old/", "q=1", "/a?x=1#top", false},
		{"/{header.x-h}", "/old/", "", "/a%20b%3Fc%23d%3C%22", false},
		{"/x", "/old/", `<"'>`, "/x?%3C%22'%3E", false},
	} {
		h, err := New(Config{To: tt.to, DropQuery: tt.drop, Params: []string{"*"}})
		if err != nil {
			t.Errorf("%s: %v", tt.to, err)
			continue
		}
		x := exchange("GET", tt.path, tt.query)
		x.Request.Header.Add("X-H", `a b?c#d<"`)
		if err := h.ServeExchange(x); err != nil {
			t.Errorf("%s: %v", tt.to, err)
			continue
		}
		if got := x.Response.Header.Get("Location"); got != tt.want {
			t.Errorf("%s of %s?%s leads to %s, want %s", tt.to, tt.path, tt.query, got, tt.want)
		}
	}
}

func TestStatus(t *testing.T) {
	for _, tt := range []struct {
		method       string
		status, want int
	}{
		{"GET", 0, 301}, {"HEAD", 0, 301}, {"POST", 0, 308}, {"PUT", 303, 303}, {"GET", 302, 302}, {"GET", 307, 307}, {"GET", 308, 308},
	} {
		h, err := New(Config{To: "/", Status: tt.status})
		if err != nil {
			t.Fatal(err)
		}
		x := exchange(tt.method, "/", "")
		if err := h.ServeExchange(x); err != nil || x.Response.Status != tt.want {
			t.Errorf("%s with %d: %d, error %v", tt.method, tt.status, x.Response.Status, err)
		}
	}
}

func TestHostOfPlaceholders(t *testing.T) {
	h, err := New(Config{To: "https://{header.x-host}/"})
	if err != nil {
		t.Fatal(err)
	}
	for host, want := range map[string]weir.Cause{
		"ok.test": weir.CauseNone, "ok.test:8080": weir.CauseNone, "evil.test/": weir.CauseRequestHost,
		"user@evil.test": weir.CauseRequestHost, "": weir.CauseRequestHost, "evil.test#": weir.CauseRequestHost, `evil.test\`: weir.CauseRequestHost,
	} {
		x := exchange("GET", "/", "")
		x.Request.Header.Add("X-Host", host)
		got := weir.CauseNone
		if err := h.ServeExchange(x); err != nil {
			got = weir.AsFault(err).Cause
		}
		if got != want {
			t.Errorf("host %q: cause %q, want %q", host, got, want)
		}
	}
}

func TestErrors(t *testing.T) {
	for _, tt := range []struct {
		cfg  Config
		want string
	}{
		{Config{To: "shop.test/"}, `redirect to "shop.test/": it begins neither`},
		{Config{To: "//shop.test/"}, "it begins neither"},
		{Config{To: ""}, "it begins neither"},
		{Config{To: "{header.x}"}, "it begins neither"},
		{Config{To: "javascript://x"}, "it begins neither"},
		{Config{To: "https:///x"}, "it lacks a host"},
		{Config{To: "/a b"}, "a URL holds no blanks"},
		{Config{To: "/a\r\nSet-Cookie: x"}, "a URL holds no blanks"},
		{Config{To: `/\evil.test`}, "backslashes"},
		{Config{To: "/{nothing}"}, `placeholder "{nothing}"`},
		{Config{To: "/?{nothing}"}, `placeholder "{nothing}"`},
		{Config{To: "/", Status: 304}, "redirect status 304: write 301"},
	} {
		if _, err := New(tt.cfg); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: error %v, want %q", tt.cfg, err, tt.want)
		}
	}
}

// FuzzLocation: whatever clients write, a target without host stays on the host that was asked.
func FuzzLocation(f *testing.F) {
	for _, s := range []string{"a", "/evil.test", `\evil.test`, "//", "\t/x", "%2F%2Fevil", "é", "?x#y", "..//evil.test"} {
		f.Add(s, s)
	}
	h, err := New(Config{To: "/{*}{header.x-h}?a={header.x-h}&b={*}#{header.x-h}", Params: []string{"*"}})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, rest, value string) {
		x := exchange("GET", "/old/", "")
		x.Params[0].Value = rest
		x.Request.Header.Add("X-H", value)
		if err := h.ServeExchange(x); err != nil {
			t.Fatal(err)
		}
		location := x.Response.Header.Get("Location")
		u, err := url.Parse(location)
		if err != nil || u.Host != "" || u.Scheme != "" || strings.ContainsAny(location, "\r\n\x00 \\") || !strings.HasPrefix(location, "/") || strings.HasPrefix(location, "//") {
			t.Fatalf("%q and %q lead to %q (%v)", rest, value, location, err)
		}
		q, err := url.ParseQuery(u.RawQuery)
		if err != nil || len(q) != 2 || len(q["a"]) != 1 || len(q["b"]) != 1 {
			t.Fatalf("%q and %q become the query %q (%v)", rest, value, u.RawQuery, err)
		}
	})
}
