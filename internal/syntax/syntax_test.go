package syntax

import (
	"net/url"
	"strings"
	"testing"
)

func TestShapes(t *testing.T) {
	for _, tt := range []struct {
		what string
		is   func(string) bool
		yes  []string
		no   []string
	}{
		{"token", IsToken, []string{"GET", "X-A", "a!#$%&'*+-.^_`|~9"}, []string{"", "a b", "a:b", "a/b", "é", "a\r\n", "\x00"}},
		{"value", IsValue, []string{"", "a b\tc", "é"}, []string{"a\rb", "a\nb", "a\x00b", "\x7f", "\x1b[0m"}},
		{"port", IsPort, []string{"0", "80", "65535"}, []string{"", "65536", "-1", "8a", "99999999999999999999"}},
		{
			"authority", IsAuthority,
			[]string{"a", "a.b-c_d", "a:80", "1.2.3.4:5", "[::1]", "[2001:db8::1]:443", "[::ffff:1.2.3.4]"},
			[]string{"", ":80", "a:", "a:b", "a b", "a/b", "a@b", "[]", "[::1", "[::1]a", "[::1]:", "[1.2.3.4]", "a\r\n", "::1", strings.Repeat("a", 256)},
		},
	} {
		for _, s := range tt.yes {
			if !tt.is(s) {
				t.Errorf("%q is not taken for a %s", s, tt.what)
			}
		}
		for _, s := range tt.no {
			if tt.is(s) {
				t.Errorf("%q is taken for a %s", s, tt.what)
			}
		}
	}
}

func TestAppend(t *testing.T) {
	for _, tt := range []struct{ in, path, piece, query string }{
		{"a/b", "a/b", "a/b", "a/b"},
		{"a b?c#d", "a%20b%3Fc%23d", "a%20b?c%23d", "a%20b?c%23d"},
		{"a&b=c+d", "a&b=c+d", "a%26b%3Dc%2Bd", "a%26b%3Dc%2Bd"},
		{"%41%4", "%41%254", "%41%254", "%2541%254"},
		{"é\r\n\\", "%C3%A9%0D%0A%5C", "%C3%A9%0D%0A%5C", "%C3%A9%0D%0A%5C"},
	} {
		for _, got := range []struct {
			name, got, want string
		}{
			{"path", string(AppendPath(nil, tt.in)), tt.path},
			{"piece", string(AppendQueryPiece(nil, tt.in)), tt.piece},
			{"query", string(AppendQuery(nil, tt.in)), tt.query},
		} {
			if got.got != got.want {
				t.Errorf("%q in a %s is %q, want %q", tt.in, got.name, got.got, got.want)
			}
		}
	}
}

func TestDecodesTo(t *testing.T) {
	for _, tt := range []struct {
		raw, name     string
		equal, begins bool
	}{
		{"a", "a", true, true},
		{"%61b", "ab", true, true},
		{"a+b", "a b", true, true},
		{"ab", "a", false, true},
		{"a", "ab", false, false},
		{"%6", "%6", true, true},
		{"A", "a", false, false},
		{"", "", true, true},
	} {
		if got := DecodesTo(tt.raw, tt.name); got != tt.equal {
			t.Errorf("%q is %q: %v", tt.raw, tt.name, got)
		}
		if got := DecodesToPrefix(tt.raw, tt.name); got != tt.begins {
			t.Errorf("%q begins with %q: %v", tt.raw, tt.name, got)
		}
	}
}

func FuzzAppendQuery(f *testing.F) {
	f.Add("a&b=c+d%41")
	f.Fuzz(func(t *testing.T, s string) {
		q := string(AppendQuery(nil, s))
		back, err := url.QueryUnescape(q)
		if err != nil || back != s || strings.ContainsAny(q, "&=+ #") {
			t.Fatalf("%q is escaped to %q, which means %q (%v)", s, q, back, err)
		}
		if !DecodesTo(q, s) {
			t.Fatalf("%q does not decode to %q", q, s)
		}
	})
}
