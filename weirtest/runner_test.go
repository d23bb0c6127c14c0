package weirtest

import (
	"strings"
	"testing"
)

// The runner is tried without weir: a client speaks with an origin directly.
var runnerCases = []struct {
	name   string
	script string
	want   string // part of the error; "": passes
}{
	{"exchange", `# A client and an origin talk.
origin a
client c @{{a}}
c> GET /x HTTP/1.1
c> Host: test
c> X-One: 1
c>
a< GET /x HTTP/1.1
a< host: te*
a< !X-Two
a< X-One: 1
a<
a> HTTP/1.1 200 OK
a> Transfer-Encoding: chunked
a>
a chunk hello
a chunk @100000
a> 0
a> X-Sum: 7
a>
a close
c< HTTP/1.1 200 OK
c body hello<0>*
c trailer x-sum: 7
c closed
`, ""},
	{"long content both ways", `# Big contents do not block the script.
origin a
client c @{{a}}
c> PUT / HTTP/1.1
c> Content-Length: 3000000
c>
c>> @3000000
a< PUT / HTTP/1.1
a body @3000000
a> HTTP/1.1 200 OK
a> Content-Length: 3000000
a>
a>> @3000000
c< HTTP/1.1 200 *
c body @3000000
`, ""},
	{"wrong start line", `# It fails.
origin a
client c @{{a}}
c> GET /x HTTP/1.1
c>
a< GET /y HTTP/1.1
`, `6: It fails.: got "GET /x HTTP/1.1"`},
	{"wrong value", `# It fails.
origin a
client c @{{a}}
c> GET /x HTTP/1.1
c> A: 1
c>
a< GET /x HTTP/1.1
a< A: 2
`, `field "A" is "1", want "2"`},
	{"field too many", `# It fails.
origin a
client c @{{a}}
c> GET /x HTTP/1.1
c> A: 1
c>
a< GET /x HTTP/1.1
a<
`, "more fields came"},
	{"field unwanted", `# It fails.
origin a
client c @{{a}}
c> GET /x HTTP/1.1
c> A: 1
c>
a< GET /x HTTP/1.1
a< !A
`, `field "A" came`},
	{"wrong content", `# It fails.
origin a
client c @{{a}}
c> PUT /x HTTP/1.1
c> Content-Length: 3
c>
c>> abc
a< PUT /x HTTP/1.1
a body abd
`, `content is "abc"`},
	{"content cut", `# A content that ends early is seen.
origin a
client c @{{a}}
c> PUT /x HTTP/1.1
c> Content-Length: 4
c>
c>> abc
c half-close
a< PUT /x HTTP/1.1
a body-ends
`, ""},
	{"still open", `# It fails.
origin a
client c @{{a}}
c> GET / HTTP/1.1
c>
a< GET / HTTP/1.1
a>> x
a flush
c closed
`, "more came"},
	{"bare LF", `# It fails.
origin a
client c @{{a}}
c>> GET / HTTP/1.1\n\n
a< GET / HTTP/1.1
`, "bare LF"},
	{"reset", `# A reset is an end, too.
origin a
client c @{{a}}
c>> x
c flush
a<< x
c abort
a closed
`, ""},
	{"killed", `# A killed origin refuses and comes back to its port.
server a
$ curl -s http://{{a}}/
| a
kill a
$ curl -s http://{{a}}/
exit 7
revive a
$ curl -s http://{{a}}/echo/1?q -H 'x-one: 1'
| GET /echo/1?q HTTP/1.1
| X-One: 1
!| X-Two*
a saw 2
`, ""},
	{"nginx", `# A real nginx answers.
nginx n
$ curl -si http://{{n}}/x
| HTTP/1.1 200 OK
| Server: nginx*
| hello
kill n
revive n
until $ curl -si http://{{n}}/x
| hello
-- n.conf --
location / { return 200 "hello\n"; }
`, ""},
	{"exit code", `# It fails.
$ exit 3
`, "exit code 3, want 0"},
	{"output", `# It fails.
$ printf 'a\nb\n'
| b
| a
`, `no line "a"`},
	{"output unwanted", `# It fails.
$ printf 'a\nb\n'
!| a
`, `there is a line "a"`},
	{"interval", `# It fails.
$ echo n 7
| n 8..10
`, `no line "n 8..10"`},
	{"files", `# Files see the addresses.
server a
$ cat f
| at 127.0.0.2:*
-- f --
at {{a}}
`, ""},
	{"unknown step", `# It fails.
frobnicate x
`, `unknown step "x"`},
	{"no sentence", "origin a\n", "the sentence that is tested is missing"},
}

func TestRunner(t *testing.T) {
	for _, tt := range runnerCases {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := runScript("/bin/false", []byte(tt.script), H1)
			switch {
			case err == nil && tt.want != "":
				t.Errorf("passed, want an error with %q", tt.want)
			case err != nil && (tt.want == "" || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
}

func TestGlob(t *testing.T) {
	for _, tt := range []struct {
		text, s string
		want    bool
	}{
		{"", "", true},
		{"*", "", true},
		{"a*c", "abbc", true},
		{"a*c", "abcb", false},
		{"*ab*ab", "abxabab", true},
		{`\*`, "x", false},
		{`\x41\r\n`, "A\r\n", true},
		{"@5", string(Pattern(5)), true},
		{"@5", "hello", false},
	} {
		if got, err := matches(tt.text, tt.s); got != tt.want || err != nil {
			t.Errorf("matches(%q, %q) = %v, %v; want %v", tt.text, tt.s, got, err, tt.want)
		}
	}
}

func TestPatternShowsMoves(t *testing.T) {
	p := string(Pattern(200000))
	if p[:100000] == p[100000:] || strings.Contains(p[100:], p[:100]) {
		t.Error("the pattern repeats")
	}
}
