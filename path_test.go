package weir

import (
	"strings"
	"testing"
)

func TestNormalize(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"/", "/"},
		{"/a/b", "/a/b"},
		{"/%7euser/%41", "/~user/A"},
		{"/a%2fb%5cc", "/a%2Fb%5Cc"},
		{"/caf%c3%a9", "/caf%C3%A9"},
		{"/café", "/caf%C3%A9"},
		{"/a|b[0]^`{}\"<>", "/a%7Cb%5B0%5D%5E%60%7B%7D%22%3C%3E"},
		{"/a/./b", "/a/b"},
		{"/a/../b", "/b"},
		{"/a/%2e%2E/b", "/b"},
		{"/a/.%2e/b/%2e", "/b/"},
		{"/a/..", "/"},
		{"/a/.", "/a/"},
		{"/.", "/"},
		{"/a//b///c", "/a//b///c"},
		{"/a//../b", "/a/b"},
		{"//a/..", "//"},
		{"/...", "/..."},
		{"/..a/.b/a..", "/..a/.b/a.."},
		{"/.well-known/acme", "/.well-known/acme"},
		{"/a;v=1/b", "/a;v=1/b"},
		{"/.;/b", "/.;/b"},
		{"/a%252e%252e/b", "/a%252e%252e/b"},
		{"/a%20b%0A%7F", "/a%20b%0A%7F"},
		{"/%2F.%2Fa", "/%2F.%2Fa"},
		{"/!$&'()*+,;=:@-._~", "/!$&'()*+,;=:@-._~"},
	} {
		got, ok := Normalize(c.in)
		if !ok || got != c.want {
			t.Errorf("Normalize(%q) = %q, %v; want %q", c.in, got, ok, c.want)
		}
	}
}

func TestNormalizeRefuses(t *testing.T) {
	for _, in := range []string{
		"", "a", "*", "http://a/",
		"/..", "/../a", "/a/../..", "/a/%2e%2e/%2e%2e/b", "/./..",
		"/a%", "/a%2", "/a%zz", "/%g0", "/%0g", "/a%00b", "/%00",
		"/a b", "/a\tb", "/a\x00", "/a\x7f", "/a\r\n", "/a\\b", "/a?b", "/a#b",
		"/..;/a", "/a/..;x=1/b", "/a/..%3bx/b", "/a/..%2fb", "/a/b%2f..", "/a/b%2F../c", "/a/..%5cb", "/a/b%5C..%5Cc",
		"/a/%2e%2e%2fb", "/a/b%2f%2e%2e", "/..%2F",
	} {
		if got, ok := Normalize(in); ok {
			t.Errorf("Normalize(%q) = %q, want it refused", in, got)
		}
	}
}

func TestNormalizeKeepsNormal(t *testing.T) {
	for _, path := range []string{"/", "/static/app.min.js", "/caf%C3%A9/%2F/a%20b", "/.well-known/x", "/a/..b", "/..%20x/.;/%AF../%2F./"} {
		allocs := testing.AllocsPerRun(100, func() {
			if got, ok := Normalize(path); !ok || got != path {
				t.Fatalf("Normalize(%q) = %q, %v", path, got, ok)
			}
		})
		if allocs != 0 {
			t.Errorf("Normalize(%q) allocates %v times", path, allocs)
		}
	}
}

func FuzzNormalize(f *testing.F) {
	for _, seed := range []string{
		"/", "/a/../b", "/%2e%2e/", "/a%2f..%2fb", "/..;/x", "/%25%32%65", "//..//.", "/a/.%2e/", "/\x80%00", "/a%5c..",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, path string) {
		once, ok := Normalize(path)
		if !ok {
			if once != "" {
				t.Fatalf("Normalize(%q) refuses and returns %q", path, once)
			}
			return
		}
		if twice, ok := Normalize(once); !ok || twice != once {
			t.Fatalf("Normalize(%q) = %q, and again %q, %v", path, once, twice, ok)
		}
		if !strings.HasPrefix(once, "/") {
			t.Fatalf("Normalize(%q) = %q", path, once)
		}
		for i := range len(once) {
			if c := once[i]; c <= ' ' || c >= 0x7f || strings.IndexByte("\\?#\"<>[]^`{|}", c) >= 0 {
				t.Fatalf("Normalize(%q) = %q holds %q", path, once, c)
			}
		}
		naive := strings.NewReplacer("%2F", "/", "%5C", "/", "%5c", "/").Replace(once)
		for segment := range strings.SplitSeq(naive, "/") {
			segment, _, _ = strings.Cut(segment, ";")
			if segment == ".." {
				t.Fatalf("Normalize(%q) = %q climbs", path, once)
			}
		}
		for segment := range strings.SplitSeq(once, "/") {
			if segment == "." || segment == ".." {
				t.Fatalf("Normalize(%q) = %q has a dot segment", path, once)
			}
		}
	})
}

func BenchmarkNormalize(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		Normalize("/static/css/site.min.css")
	}
}
