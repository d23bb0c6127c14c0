package weir

import (
	"io"
	"testing"
)

// A watchedBody knows whether it was closed.
type watchedBody struct {
	Body
	closed bool
}

func (b *watchedBody) Close() error {
	b.closed = true
	return b.Body.Close()
}

type closer struct {
	io.ReadWriter
	closed bool
}

func (c *closer) Close() error { c.closed = true; return nil }

func TestRequestHost(t *testing.T) {
	for authority, want := range map[string]string{
		"": "", "example.com": "example.com", "Example.com:8080": "Example.com", "example.com:": "example.com",
		"[::1]:80": "::1", "[2001:db8::1]": "2001:db8::1", "[::1": "[::1", "127.0.0.1:1": "127.0.0.1",
	} {
		if got := (&Request{Authority: authority}).Host(); got != want {
			t.Errorf("host of %q is %q, want %q", authority, got, want)
		}
	}
}

func TestMethods(t *testing.T) {
	for method, want := range map[string][2]bool{ // safe, idempotent
		"GET": {true, true}, "HEAD": {true, true}, "OPTIONS": {true, true}, "TRACE": {true, true},
		"PUT": {false, true}, "DELETE": {false, true},
		"POST": {false, false}, "PATCH": {false, false}, "CONNECT": {false, false}, "get": {false, false}, "": {false, false},
	} {
		r := Request{Method: method}
		if r.Safe() != want[0] || r.Idempotent() != want[1] {
			t.Errorf("%q: safe %v, idempotent %v", method, r.Safe(), r.Idempotent())
		}
	}
}

func TestResponseText(t *testing.T) {
	body, conn := &watchedBody{Body: NewBody("old")}, &closer{}
	r := Response{Status: 200, Body: body, Upgrade: conn}
	r.Header.Add("X-Old", "1")
	r.Text(404, "none\n")
	if !body.closed || !conn.closed {
		t.Error("what the response held is left open")
	}
	expect(t, "the header", &r.Header, "Content-Type: text/plain; charset=utf-8")
	text, err := io.ReadAll(r.Body)
	if r.Status != 404 || r.Upgrade != nil || string(text) != "none\n" || err != nil {
		t.Errorf("%+v %q %v", r, text, err)
	}
}

func TestResponseResetDoesNotClose(t *testing.T) {
	body := &watchedBody{Body: NewBody("x")}
	r := Response{Status: 200, Body: body}
	r.Reset()
	if body.closed || r.Body != nil || r.Status != 0 {
		t.Errorf("closed %v, %+v", body.closed, r)
	}
}

func TestNewBody(t *testing.T) {
	b := NewBody("hello")
	if b.Len() != 5 || b.Trailer() != nil {
		t.Errorf("length %d, trailer %v", b.Len(), b.Trailer())
	}
	two := make([]byte, 2)
	if n, err := b.Read(two); n != 2 || err != nil || b.Len() != 5 {
		t.Errorf("%d, %v; length %d after reading", n, err, b.Len())
	}
	if rest, err := io.ReadAll(b); string(rest) != "llo" || err != nil {
		t.Errorf("%q, %v", rest, err)
	}
	for range 2 {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestHeadBody(t *testing.T) {
	b := Body(HeadBody(1234))
	n, err := b.Read(make([]byte, 10))
	if n != 0 || err != io.EOF || b.Len() != 1234 || b.Trailer() != nil || b.Close() != nil {
		t.Errorf("%d, %v, %d", n, err, b.Len())
	}
}

func TestStatusText(t *testing.T) {
	for code, want := range map[int]string{200: "OK", 413: "Content Too Large", 499: "Client Closed Request", 299: "", 0: ""} {
		if got := StatusText(code); got != want {
			t.Errorf("%d is %q, want %q", code, got, want)
		}
	}
}

func TestRawQueryValue(t *testing.T) {
	r := Request{Query: "a=1&&b&=none&c%3D=x%20y&a=2&d=e=f&+=plus&%zz=odd"}
	for _, c := range []struct {
		name, want string
		ok         bool
	}{
		{"a", "1", true},
		{"b", "", true},
		{"c=", "x%20y", true},
		{"c%3D", "", false},
		{"d", "e=f", true},
		{" ", "plus", true},
		{"+", "", false},
		{"%zz", "odd", true},
		{"A", "", false},
		{"e", "", false},
	} {
		if got, ok := r.RawQueryValue(c.name); got != c.want || ok != c.ok {
			t.Errorf("%q is %q, %v; want %q, %v", c.name, got, ok, c.want, c.ok)
		}
	}
}

func TestDecodeQuery(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "plain": "plain", "a+b": "a b", "%41%5a%5A": "AZZ", "%0d%0A": "\r\n", "%": "%", "%4": "%4", "%4g": "%4g", "%%41": "%A",
		"%c3%a9": "é", "100%": "100%",
	} {
		if got := DecodeQuery(in); got != want {
			t.Errorf("%q decodes to %q, want %q", in, got, want)
		}
	}
}

func TestCookie(t *testing.T) {
	r := Request{}
	r.Header.Add("X-Cookie", "a=no")
	r.Header.Add("Cookie", `a=1;b="two";  c = 3 ;=x;d;e=f=g;q="`)
	r.Header.Add("cookie", "z=26; a=other")
	for _, c := range []struct {
		name, want string
		ok         bool
	}{
		{"a", "1", true},
		{"b", "two", true},
		{"c", "3", true},
		{"d", "", true},
		{"e", "f=g", true},
		{"q", `"`, true},
		{"z", "26", true},
		{"A", "", false},
	} {
		if got, ok := r.Cookie(c.name); got != c.want || ok != c.ok {
			t.Errorf("%q is %q, %v; want %q, %v", c.name, got, ok, c.want, c.ok)
		}
	}
}

// A tailedBody has a trailer.
type tailedBody struct {
	Body
	trailer Header
}

func (b *tailedBody) Trailer() *Header { return &b.trailer }

func TestHideTrailer(t *testing.T) {
	named := func(name string) func(*Field) bool {
		return func(f *Field) bool { return EqualFold(f.Name, name) }
	}
	x := new(Exchange)
	begin := func() {
		x.Reset(&Conn{})
		body := &tailedBody{Body: NewBody("")}
		body.trailer.Add("X-A", "1")
		body.trailer.Add("X-B", "2")
		x.Request.Body = body
	}
	begin()
	x.Request.HideTrailer(named("x-a"))
	if got := x.Clone().Request.hidden; got != nil {
		t.Errorf("a clone hides %d times", len(got))
	}
	if got := x.Request.Trailer(); got.Len() != 1 || got.Get("X-B") != "2" {
		t.Errorf("trailer %v", got.Fields())
	}
	x.Request.HideTrailer(named("x-b"))
	for range 2 {
		if got := x.Request.Trailer(); got != nil {
			t.Errorf("trailer %v", got.Fields())
		}
	}
	begin()
	if got := x.Request.Trailer(); got.Len() != 2 {
		t.Errorf("the next request's trailer %v", got.Fields())
	}
	x.Response.Body = x.Request.Body
	x.Response.HideTrailer(named("x-a"))
	if got := x.Response.Trailer(); got.Len() != 1 || got.Get("X-B") != "2" {
		t.Errorf("the answer's trailer %v", got.Fields())
	}
	if x.Response.Discard(); x.Response.Trailer() != nil || len(x.Response.hidden) > 0 {
		t.Error("something is left of an answer's trailer")
	}
	x.Request.Body = NewBody("")
	if got := x.Request.Trailer(); got != nil {
		t.Errorf("trailer %v of a body that has none", got.Fields())
	}
}
