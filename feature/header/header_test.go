package header

import (
	"errors"
	"strings"
	"testing"

	"weir"
)

func fields(h *weir.Header) string {
	var lines []string
	for _, f := range h.Fields() {
		lines = append(lines, f.Name+": "+f.Value)
	}
	return strings.Join(lines, "\n")
}

func fill(h *weir.Header, lines ...string) {
	for _, l := range lines {
		name, value, _ := strings.Cut(l, ": ")
		h.Add(name, value)
	}
}

func exchange() *weir.Exchange {
	x := new(weir.Exchange)
	x.Reset(&weir.Conn{RemoteIP: "192.0.2.1"})
	x.Request.Method, x.Request.Path, x.Request.Authority = "GET", "/", "shop.test"
	x.Params = append(x.Params, weir.Param{Name: "id", Value: "7"})
	return x
}

func TestFields(t *testing.T) {
	for _, tt := range []struct {
		name string
		do   Fields
		in   []string
		want []string
	}{
		{
			"set takes the place of all",
			Fields{Set: []Pair{{"X-A", "new"}}},
			[]string{"x-a: 1", "B: 2", "X-A: 3"},
			[]string{"x-a: new", "B: 2"},
		},
		{
			"set a known one",
			Fields{Set: []Pair{{"cache-control", "no-store"}}},
			[]string{"Cache-Control: public", "Cache-Control: max-age=1"},
			[]string{"Cache-Control: no-store"},
		},
		{"set what is not there", Fields{Set: []Pair{{"X-Id", "{id} of {client.ip}"}}}, nil, []string{"X-Id: 7 of 192.0.2.1"}},
		{"set to nothing removes", Fields{Set: []Pair{{"X-A", "{header.x-b}"}, {"Accept", ""}}}, []string{"X-A: forged", "Accept: */*"}, nil},
		{"add", Fields{Add: []Pair{{"X-A", "2"}}}, []string{"X-A: 1"}, []string{"X-A: 1", "X-A: 2"}},
		{"add nothing", Fields{Add: []Pair{{"X-A", "{header.none}"}}}, nil, nil},
		{"default", Fields{Default: []Pair{{"X-A", "d"}, {"Accept", "d"}, {"X-B", "d"}}}, []string{"x-a: 1", "accept: */*"}, []string{"x-a: 1", "accept: */*", "X-B: d"}},
		{
			"remove",
			Fields{Remove: []string{"x-debug-*", "Cookie", "X-one"}},
			[]string{"X-Debug-A: 1", "X-Debug: 2", "cookie: c", "X-One: 3", "x-DEBUG-: 4"},
			[]string{"X-Debug: 2"},
		},
		{"remove by beginning takes known ones, too", Fields{Remove: []string{"Acc*"}}, []string{"Accept: a", "Accept-Encoding: b", "Age: 1"}, []string{"Age: 1"}},
		{
			"remove comes first",
			Fields{Remove: []string{"X-*"}, Set: []Pair{{"X-A", "1"}}, Add: []Pair{{"X-A", "2"}}, Default: []Pair{{"X-A", "3"}}},
			[]string{"X-A: 0"},
			[]string{"X-A: 1", "X-A: 2"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			want := strings.Join(tt.want, "\n")
			mw, err := New(Config{Request: tt.do, Response: tt.do, Params: []string{"id"}})
			if err != nil {
				t.Fatal(err)
			}
			x := exchange()
			fill(&x.Request.Header, tt.in...)
			h := mw(weir.HandlerFunc(func(x *weir.Exchange) error {
				if got := fields(&x.Request.Header); got != want {
					t.Errorf("the server got\n%s\nwant\n%s", got, want)
				}
				x.Request.Header.Reset()
				fill(&x.Response.Header, tt.in...)
				return nil
			}))
			if err := h.ServeExchange(x); err != nil {
				t.Fatal(err)
			}
			if got := fields(&x.Response.Header); got != want {
				t.Errorf("the client got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

// TestTwins: a request's X_User is one with X-User for servers by way of CGI, so that nobody may send it past a rule
// for the other. Answers have no such twins.
func TestTwins(t *testing.T) {
	for _, tt := range []struct {
		name string
		do   Fields
		in   []string
		want []string
	}{
		{"set", Fields{Set: []Pair{{"X-User", "none"}}}, []string{"X_User: admin", "X-User: me", "x_USER: root"}, []string{"X-User: none"}},
		{"set to nothing", Fields{Set: []Pair{{"X-User", ""}}}, []string{"X_User: admin"}, nil},
		{"any of several", Fields{Set: []Pair{{"X-Auth-User", "none"}}}, []string{"X-Auth_User: a", "X_Auth-User: b", "X_Auth_User: c", "XAuth_User: d"}, []string{"XAuth_User: d", "X-Auth-User: none"}},
		{"set a known one", Fields{Set: []Pair{{"Content-Type", "a/b"}}}, []string{"Content_Type: c/d"}, []string{"Content-Type: a/b"}},
		{"set one with an underscore", Fields{Set: []Pair{{"X_User", "none"}}}, []string{"X-User: admin"}, []string{"X_User: none"}},
		{"set both", Fields{Set: []Pair{{"X-User", "a"}, {"X_User", "b"}}}, []string{"X_User: admin"}, []string{"X-User: a", "X_User: b"}},
		{"a known one is nobody's twin", Fields{Set: []Pair{{"Content_Type", "a/b"}}}, []string{"Content-Type: c/d"}, []string{"Content-Type: c/d", "Content_Type: a/b"}},
		{"remove", Fields{Remove: []string{"X-Secret", "Cookie"}}, []string{"X_Secret: 1", "X_Secrets: 2", "X-Secret: 3"}, []string{"X_Secrets: 2"}},
		{"remove by beginning", Fields{Remove: []string{"X-Debug-*"}}, []string{"X_Debug_A: 1", "x-debug_b: 2", "X_Debug: 3"}, []string{"X_Debug: 3"}},
		{"default", Fields{Default: []Pair{{"X-User", "none"}, {"Plain", "p"}}}, []string{"X_User: admin"}, []string{"X_User: admin", "Plain: p"}},
		{"add", Fields{Add: []Pair{{"X-User", "a"}}}, []string{"X_User: b"}, []string{"X_User: b", "X-User: a"}},
	} {
		mw, err := New(Config{Request: tt.do})
		if err != nil {
			t.Fatal(err)
		}
		x := exchange()
		fill(&x.Request.Header, tt.in...)
		if err := mw(weir.HandlerFunc(func(*weir.Exchange) error { return nil })).ServeExchange(x); err != nil {
			t.Fatal(err)
		}
		if got, want := fields(&x.Request.Header), strings.Join(tt.want, "\n"); got != want {
			t.Errorf("%s: the server got\n%s\nwant\n%s", tt.name, got, want)
		}
	}
	mw, err := New(Config{Response: Fields{Set: []Pair{{"X-User", "a"}}}})
	if err != nil {
		t.Fatal(err)
	}
	x := exchange()
	fill(&x.Response.Header, "X_User: b")
	if err := mw(weir.HandlerFunc(func(*weir.Exchange) error { return nil })).ServeExchange(x); err != nil {
		t.Fatal(err)
	}
	if got := fields(&x.Response.Header); got != "X_User: b\nX-User: a" {
		t.Errorf("the client got\n%s", got)
	}
}

func TestQuery(t *testing.T) {
	for _, tt := range []struct {
		name     string
		do       Query
		in, want string
	}{
		{"remove", Query{Remove: []string{"utm_*", "x"}}, "a=1&utm_source=s&b=%20&x&x=2&xx=3", "a=1&b=%20&xx=3"},
		{"remove in disguise", Query{Remove: []string{"debug"}}, "%64ebug=1&a", "a"},
		{"nothing to remove", Query{Remove: []string{"x"}}, "a=1&&b", "a=1&&b"},
		{"set", Query{Set: []Pair{{"id", "{id}"}, {"h", "{header.x-h}"}}}, "id=0&a=1", "a=1&id=7&h=a%26b%3Dc%20%2525"},
		{"set alone", Query{Set: []Pair{{"a b", "1"}}}, "", "a%20b=1"},
		{"set to nothing removes", Query{Set: []Pair{{"a", "{header.none}"}}}, "a=1&b=2", "b=2"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			mw, err := New(Config{Query: tt.do, Params: []string{"id"}})
			if err != nil {
				t.Fatal(err)
			}
			x := exchange()
			x.Request.Query = tt.in
			x.Request.Header.Add("X-H", "a&b=c %25")
			var got string
			if err := mw(weir.HandlerFunc(func(x *weir.Exchange) error { got = x.Request.Query; return nil })).ServeExchange(x); err != nil {
				t.Fatal(err)
			}
			if got != tt.want {
				t.Errorf("the server got %q, want %q", got, tt.want)
			}
			if x.Request.Query != tt.in {
				t.Errorf("the log would tell %q", x.Request.Query)
			}
		})
	}
}

func TestFailuresAreAnswersToo(t *testing.T) {
	mw, err := New(Config{Response: Fields{Set: []Pair{{"Strict-Transport-Security", "max-age=1"}}}})
	if err != nil {
		t.Fatal(err)
	}
	x := exchange()
	broken := weir.HandlerFunc(func(*weir.Exchange) error { return weir.Refuse(weir.CauseNoServer, "test") })
	if err := mw(broken).ServeExchange(x); err != nil {
		t.Fatal(err)
	}
	if x.Response.Status != 503 || x.Fault == nil || x.Response.Header.Get("Strict-Transport-Security") != "max-age=1" {
		t.Errorf("status %d, fault %v, header\n%s", x.Response.Status, x.Fault, fields(&x.Response.Header))
	}
	mw, err = New(Config{Request: Fields{Set: []Pair{{"X-A", "1"}}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := mw(broken).ServeExchange(exchange()); !errors.As(err, new(*weir.Fault)) {
		t.Errorf("without response fields the error is %v", err)
	}
}

func TestErrors(t *testing.T) {
	for _, tt := range []struct {
		cfg  Config
		want string
	}{
		{Config{Request: Fields{Set: []Pair{{"Host", "x"}}}}, `request: field "Host" can't be changed: the host has a setting of its own`},
		{Config{Request: Fields{Remove: []string{"Via"}}}, `request: field "Via" can't be changed`},
		{Config{Response: Fields{Add: []Pair{{"content-length", "1"}}}}, `response: field "content-length" can't be changed: it tells where a message ends`},
		{Config{Response: Fields{Remove: []string{"Transfer-Encoding"}}}, `"Transfer-Encoding" can't be changed`},
		{Config{Response: Fields{Default: []Pair{{"Connection", "close"}}}}, `it concerns one connection only`},
		{Config{Request: Fields{Set: []Pair{{"A B", "x"}}}}, `request: field name "A B" holds a character that no field name may`},
		{Config{Request: Fields{Set: []Pair{{"", "x"}}}}, `request: field name "" holds`},
		{Config{Request: Fields{Remove: []string{"*"}}}, `field name "*": "*" stands at the end`},
		{Config{Request: Fields{Remove: []string{"X-*-Y"}}}, ``},
		{Config{Request: Fields{Remove: []string{"v*"}}}, `"v*" would take in "Via"`},
		{Config{Request: Fields{Set: []Pair{{"X-A", "a\r\nb: c"}}}}, `holds a control character`},
		{Config{Request: Fields{Set: []Pair{{"X-A", "{nothing}"}}}}, `request: field "X-A": placeholder "{nothing}"`},
		{Config{Query: Query{Set: []Pair{{"a", "{nothing}"}}}}, `query: parameter "a": placeholder "{nothing}"`},
		{Config{Query: Query{Set: []Pair{{"", "b"}}}}, `query: a parameter with the value "b" has no name`},
	} {
		_, err := New(tt.cfg)
		switch {
		case tt.want == "" && err != nil: // a "*" may stand in a token
			t.Errorf("%+v: %v", tt.cfg, err)
		case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
			t.Errorf("%+v: error %v, want %q", tt.cfg, err, tt.want)
		}
	}
	if _, err := New(Config{Response: Fields{Remove: []string{"Via"}}}); err != nil {
		t.Errorf("Via of an answer: %v", err)
	}
}

func TestAllocations(t *testing.T) {
	mw, err := New(Config{
		Request:  Fields{Remove: []string{"X-Debug-*", "Cookie"}, Set: []Pair{{"X-Client", "{client.ip}"}, {"Accept", "*/*"}}, Default: []Pair{{"X-B", "1"}}},
		Query:    Query{Remove: []string{"utm_*"}},
		Response: Fields{Remove: []string{"Server"}, Set: []Pair{{"X-Frame-Options", "DENY"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	h := mw(weir.HandlerFunc(func(x *weir.Exchange) error { x.Response.Header.Add("Server", "s"); return nil }))
	x := exchange()
	conn := x.Conn
	if n := testing.AllocsPerRun(100, func() {
		x.Reset(conn)
		x.Request.Query = "a=1&b=2"
		x.Request.Header.Add("X-Debug-A", "1")
		x.Request.Header.Add("X_Client", "forged")
		x.Request.Header.Add("Accept", "text/html")
		if err := h.ServeExchange(x); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("an exchange allocates %v times", n)
	}
}
