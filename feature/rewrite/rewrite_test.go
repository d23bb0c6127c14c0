package rewrite

import (
	"strings"
	"testing"

	"weir"
)

func exchange(target string, lines ...string) *weir.Exchange {
	x := new(weir.Exchange)
	x.Reset(&weir.Conn{RemoteIP: "192.0.2.1"})
	x.Request.Method, x.Request.Scheme, x.Request.Authority = "GET", "http", "shop.test"
	x.Request.Path, x.Request.Query, _ = strings.Cut(target, "?")
	x.Request.RawPath = x.Request.Path
	x.Params = append(x.Params, weir.Param{Name: "id", Value: "7%2F8"}, weir.Param{Name: "*", Value: "a&b/c"})
	for _, l := range lines {
		name, value, _ := strings.Cut(l, ": ")
		x.Request.Header.Add(name, value)
	}
	return x
}

func TestTarget(t *testing.T) {
	for _, tt := range []struct {
		cfg      Config
		in, want string // targets; want "": refused
	}{
		{Config{}, "/a?b", "/a?b"},
		{Config{StripPrefix: "/api"}, "/api/x?y", "/x?y"},
		{Config{StripPrefix: "/api/"}, "/api", "/"},
		{Config{StripPrefix: "/api"}, "/api/", "/"},
		{Config{StripPrefix: "/api"}, "/apix", "/apix"},
		{Config{StripPrefix: "/api"}, "/x/api", "/x/api"},
		{Config{StripPrefix: "/api/v1"}, "//api///v1//x//y", "/x//y"},
		{Config{StripPrefix: "/api"}, "/api//evil.test", "/evil.test"},
		{Config{StripPrefix: "/"}, "/x", "/x"},
		{Config{StripPrefix: "/a b"}, "/a%20b/x", ""},
		{Config{AddPrefix: "/v2"}, "/x?y", "/v2/x?y"},
		{Config{AddPrefix: "/v2/"}, "/", "/v2/"},
		{Config{StripPrefix: "/api", AddPrefix: "/v2"}, "/api/x", "/v2/x"},
		{Config{To: "/index.php?id={id}&rest={*}"}, "/p?q", "/index.php?id=7%2F8&rest=a%26b/c"},
		{Config{To: "/new/{*}"}, "/p?q", "/new/a&b/c?q"},
		{Config{To: "/x?{query}&a=1"}, "/p", "/x?a=1"},
		{Config{To: "/x?{query}&a=1"}, "/p?q=2", "/x?q=2&a=1"},
		{Config{To: "/x?"}, "/p?q=2", "/x"},
		{Config{To: "/x{path}", StripPrefix: "/p"}, "/p/y", "/x/y"},
		{Config{To: "{path}.html"}, "/p", "/p.html"},
		{Config{To: "/f?q={query.q}"}, "/p?q=a%26b%3Dc", "/f?q=a%26b%3Dc"},
		{Config{To: "/{header.x-up}"}, "/p", ""},
		{Config{To: "/{header.x-odd}"}, "/p", "/a%20%3Fb%23c%5C"},
		{Config{Regex: `^/(\w+)/(\d+)$`, Replace: "/${2}/$1"}, "/shoe/12", "/12/shoe"},
		{Config{Regex: `x`, Replace: "y"}, "/x/x", "/y/y"},
		{Config{Regex: `^/a`, Replace: ""}, "/a//b", "/b"},
		{Config{Regex: `^/a`, Replace: ""}, "/ab", ""},
		{Config{Regex: `A`, Replace: ".."}, "/x/A/b", ""},
		{Config{To: "/files/{query.f}"}, "/p?f=..%2Fa", ""},
		{Config{To: "/files/{query.f}"}, "/p?f=%252e%252e%2Fa", ""},
		{Config{To: "/files/{query.f}"}, "/p?f=a%2F..b", "/files/a/..b?f=a%2F..b"},
		{Config{Regex: `A`, Replace: ".."}, "/A/b", ""},
		{Config{StripPrefix: "/api", AddPrefix: "/v2"}, "*", "*"},
	} {
		tt.cfg.Params = []string{"id", "*"}
		mw, err := New(tt.cfg)
		if err != nil {
			if tt.want != "" {
				t.Errorf("%+v: %v", tt.cfg, err)
			}
			continue
		}
		x := exchange(tt.in, "X-Up: ../../etc", `X-Odd: a ?b#c\`)
		got := ""
		err = mw(weir.HandlerFunc(func(x *weir.Exchange) error {
			if got = x.Request.Path; x.Request.Query != "" {
				got += "?" + x.Request.Query
			}
			return nil
		})).ServeExchange(x)
		if got != tt.want || (err != nil) != (tt.want == "") || err != nil && weir.AsFault(err).Cause != weir.CauseRequestPath {
			t.Errorf("%+v: %s becomes %q, want %q (%v)", tt.cfg, tt.in, got, tt.want, err)
		}
		if back := strings.TrimSuffix(x.Request.Path+"?"+x.Request.Query, "?"); back != tt.in {
			t.Errorf("%+v: the log would tell %q", tt.cfg, back)
		}
	}
}

func TestPrefixIsTold(t *testing.T) {
	for _, tt := range []struct {
		target  string
		trusted bool
		tell    bool
		in      []string
		want    string
	}{
		{"/api/x", false, true, nil, "/api"},
		{"/api/x", false, false, nil, ""},
		{"/other", false, true, nil, ""},
		{"/api/x", true, true, []string{"X-Forwarded-Prefix: /outer/"}, "/outer/api"},
		{"/api/x", false, true, []string{"X-Forwarded-Prefix: /set"}, "/set"},
	} {
		mw, err := New(Config{StripPrefix: "/api", Prefix: tt.tell})
		if err != nil {
			t.Fatal(err)
		}
		x := exchange(tt.target, tt.in...)
		x.Conn.Trusted = tt.trusted
		got := ""
		if err := mw(weir.HandlerFunc(func(x *weir.Exchange) error {
			got = x.Request.Header.Get("X-Forwarded-Prefix")
			return nil
		})).ServeExchange(x); err != nil || got != tt.want {
			t.Errorf("%+v: got %q, error %v", tt, got, err)
		}
	}
}

func TestLocation(t *testing.T) {
	strip := Config{StripPrefix: "/api", Location: true}
	told := Config{StripPrefix: "/api", Location: true, Prefix: true}
	add := Config{AddPrefix: "/v2", Location: true}
	both := Config{StripPrefix: "/api", AddPrefix: "/v2", Location: true, Prefix: true}
	for _, tt := range []struct {
		cfg               Config
		in, location, out string
	}{
		{strip, "/api/x", "/login?a#b", "/api/login?a#b"},
		{strip, "/api/x", "/", "/api/"},
		{strip, "/api/x", "/api/login", "/api/api/login"},
		{told, "/api/x", "/api/login", "/api/login"},
		{told, "/api/x", "/apis", "/api/apis"},
		{strip, "/api/x", "http://shop.test/login", "http://shop.test/api/login"},
		{strip, "/api/x", "https://SHOP.test:443/login", "https://SHOP.test:443/api/login"},
		{strip, "/api/x", "http://shop.test:8080/login", "http://shop.test:8080/login"},
		{strip, "/api/x", "https://id.test/login", "https://id.test/login"},
		{strip, "/api/x", "//shop.test/login", "//shop.test/login"},
		{strip, "/api/x", "login", "login"},
		{strip, "/api/x", "http://shop.test", "http://shop.test"},
		{strip, "/api/x", "mailto:a@b", "mailto:a@b"},
		{strip, "/other", "/login", "/login"},
		{Config{StripPrefix: "/api"}, "/api/x", "/login", "/login"},
		{add, "/x", "/v2/login?a", "/login?a"},
		{add, "/x", "/v2", "/"},
		{add, "/x", "/v22", "/v22"},
		{both, "/api/x", "/v2/login", "/api/login"},
		{both, "/api/x", "/v1/login", "/v1/login"},
		{Config{AddPrefix: "/v2", To: "/x", Location: true}, "/x", "/v2/login", "/v2/login"},
		{strip, "/api/x", "", ""},
	} {
		mw, err := New(tt.cfg)
		if err != nil {
			t.Fatal(err)
		}
		x := exchange(tt.in)
		if err := mw(weir.HandlerFunc(func(x *weir.Exchange) error {
			if tt.location != "" {
				x.Response.Header.Add("Location", tt.location)
			}
			return nil
		})).ServeExchange(x); err != nil {
			t.Fatal(err)
		}
		if got := x.Response.Header.Get("Location"); got != tt.out {
			t.Errorf("%+v: %q of %s becomes %q, want %q", tt.cfg, tt.location, tt.in, got, tt.out)
		}
	}
}

func TestErrors(t *testing.T) {
	for _, tt := range []struct {
		cfg  Config
		want string
	}{
		{Config{StripPrefix: "api"}, `strip_prefix "api" is no path, such as "/api"`},
		{Config{AddPrefix: "/a//b"}, `add_prefix "/a//b" is no path`},
		{Config{AddPrefix: "/a?b"}, `add_prefix "/a?b" is no path`},
		{Config{Regex: "(", Replace: "x"}, `rewrite: regular expression "("`},
		{Config{Replace: "x"}, `rewrite: replace "x" lacks a regular expression`},
		{Config{Regex: "a", Replace: "/x?y"}, `write queries into "to"`},
		{Config{To: "x"}, `rewrite to "x": it does not begin with "/"`},
		{Config{To: "/a b"}, "hold no blanks"},
		{Config{To: "/a\r\n"}, "hold no blanks"},
		{Config{To: "/x{uri}"}, "write {path}"},
		{Config{To: "/{nothing}"}, `placeholder "{nothing}"`},
		{Config{To: "/?{nothing}"}, `placeholder "{nothing}"`},
	} {
		if _, err := New(tt.cfg); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: error %v, want %q", tt.cfg, err, tt.want)
		}
	}
}

func TestFaultsPass(t *testing.T) {
	mw, err := New(Config{StripPrefix: "/api", Location: true})
	if err != nil {
		t.Fatal(err)
	}
	x := exchange("/api/x")
	err = mw(weir.HandlerFunc(func(*weir.Exchange) error { return weir.Refuse(weir.CauseNoServer, "test") })).ServeExchange(x)
	if weir.AsFault(err).Cause != weir.CauseNoServer || x.Request.Path != "/api/x" {
		t.Errorf("error %v, path %s", err, x.Request.Path)
	}
}

func TestAllocations(t *testing.T) {
	mw, err := New(Config{StripPrefix: "/api", Prefix: true, Location: true})
	if err != nil {
		t.Fatal(err)
	}
	h := mw(weir.HandlerFunc(func(*weir.Exchange) error { return nil }))
	x := exchange("/api/x")
	conn := x.Conn
	if n := testing.AllocsPerRun(100, func() {
		x.Reset(conn)
		x.Request.Path = "/api/x"
		if err := h.ServeExchange(x); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("a stripped prefix costs %v allocations", n)
	}
}

// FuzzTarget: whatever clients write, the target is a path in normal form that begins with one slash.
func FuzzTarget(f *testing.F) {
	for _, s := range []string{"../x", "/../..", "%2e%2e/", "a b", "//", `\`, "?", "#", "\x00", "..;/"} {
		f.Add(s)
	}
	mw, err := New(Config{To: "/{header.x-h}/{*}?h={header.x-h}", AddPrefix: "/app", Params: []string{"*"}})
	if err != nil {
		f.Fatal(err)
	}
	h := mw(weir.HandlerFunc(func(x *weir.Exchange) error {
		x.Note = x.Request.Path + "?" + x.Request.Query
		return nil
	}))
	f.Fuzz(func(t *testing.T, s string) {
		x := exchange("/p", "X-H: "+s)
		x.Params[1].Value = s
		if err := h.ServeExchange(x); err != nil {
			if weir.AsFault(err).Cause != weir.CauseRequestPath {
				t.Fatal(err)
			}
			return
		}
		path, query, _ := strings.Cut(x.Note, "?")
		if n, ok := weir.Normalize(path); !ok || n != path || !strings.HasPrefix(path, "/app/") {
			t.Fatalf("%q: the path is %q", s, path)
		}
		if strings.ContainsAny(query, "&# ;\r\n\x00") || strings.Count(query, "=") != 1 {
			t.Fatalf("%q: the query is %q", s, query)
		}
	})
}
