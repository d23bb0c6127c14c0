package weirtest

import (
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestCurlOptions(t *testing.T) {
	o, err := parseCurl(strings.Fields("-si -o out https://h:1/a -H X-A:1 -XPUT --interface 127.0.0.9 -D- -m 1.5 https://h:1/b"))
	if err != nil {
		t.Fatal(err)
	}
	want := &curl{
		urls: []string{"https://h:1/a", "https://h:1/b"}, outputs: []string{"out"}, fields: []string{"X-A:1"},
		method: "PUT", local: "127.0.0.9", heads: true, dump: true, limit: 1.5e9, conns: o.conns, input: o.input,
	}
	if !reflect.DeepEqual(o, want) {
		t.Errorf("%+v", o)
	}
	for _, args := range []string{"--http1.0 https://h/", "-Z https://h/", "https://h/ --retry", "-m x https://h/"} {
		if _, err := parseCurl(strings.Fields(args)); err == nil {
			t.Errorf("%q was taken", args)
		}
	}
}

func TestCurlRequest(t *testing.T) {
	for _, tt := range []struct{ args, first, has, not string }{
		{"https://h:1", "GET / HTTP/1.1", "Host: h:1", "Content-Length"},
		{"https://h:1/x?y -H Host:other", "GET /x?y HTTP/1.1", "Host:other", "h:1"},
		{"https://h:1/x -d body", "POST /x HTTP/1.1", "Content-Length: 4", "chunked"},
		{"https://h:1/x -d body -H Transfer-Encoding:chunked", "POST /x HTTP/1.1", "Transfer-Encoding:chunked", "Content-Length"},
		{"https://h:1/x -I -r 1-2 -b a=1", "HEAD /x HTTP/1.1", "Cookie: a=1", "Expect"},
		{"https://h:1/x -H Accept:", "GET /x HTTP/1.1", "User-Agent: ", "Accept"},
	} {
		o, err := parseCurl(strings.Fields(tt.args))
		if err != nil {
			t.Fatal(err)
		}
		u, _ := url.Parse(o.urls[0])
		head, _, err := o.request(u, o.urls[0])
		lines := strings.Split(string(head), "\r\n")
		has := func(text string) bool {
			return slices.ContainsFunc(lines, func(line string) bool { return strings.HasPrefix(line, text) })
		}
		if err != nil || lines[0] != tt.first || !has(tt.has) || strings.Contains(string(head), tt.not) {
			t.Errorf("%q: %q, %v", tt.args, head, err)
		}
	}
}

// What scripts write of listeners stays, and encryption comes to it.
func TestEncrypt(t *testing.T) {
	for _, tt := range []struct {
		config string
		sealed []string
	}{
		{"listener \"http\" { address = \"127.0.0.1:0\" }\n", []string{"http"}},
		{"listener \"http\" {\n  address = \"127.0.0.1:0\"\n  limits {\n    fields = 3\n  }\n}\n", []string{"http"}},
		{"listener \"a\" { address = \":1\" }\nlistener \"b\" { address = \"unix:x\" }\n", []string{"a"}},
		{"listener \"a\" {\n  address = \":1\"\n  tls {\n    minimum = \"1.2\"\n  }\n}\n", nil},
		{"listener \"a\" { address = \":1\" }\nupstream \"u\" {\n  tls {\n    verify = false\n  }\n}\n", []string{"a"}},
	} {
		st := &stage{mode: HTTPS, dir: t.TempDir(), sealed: map[string]bool{}}
		out, err := st.encrypt([]byte(tt.config))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"http", "a", "b"} {
			if st.sealed[name] != slices.Contains(tt.sealed, name) {
				t.Errorf("%q: listener %q sealed: %v", tt.config, name, st.sealed[name])
			}
		}
		if n := strings.Count(string(out), "certificate = "); n != len(tt.sealed) {
			t.Errorf("%q: became %q", tt.config, out)
		}
		for line := range strings.Lines(tt.config) {
			if strings.HasPrefix(line, "  ") && !strings.Contains(string(out), line) {
				t.Errorf("%q: the line %q is lost", tt.config, line)
			}
		}
	}
}
