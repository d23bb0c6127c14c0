package config

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"
)

// quotedLines are the lines of a text as they are quoted.
func quotedLines(name, text string) string {
	q := newQuoter()
	q.sources[name] = []byte(text)
	t := q.file(name)
	var out []string
	for i := range t.starts {
		line, _ := t.show(i+1, t.starts[i])
		out = append(out, line)
	}
	return strings.Join(out, "\n")
}

func TestQuotedLines(t *testing.T) {
	for _, c := range [][2]string{
		{`secret = "abc"`, `secret = "***"`},
		{`  client_secret="a\"b" # c`, `  client_secret="***" # c`},
		{`secret = "abc`, `secret = "***`},
		{`set = { "Authorization" = "Bearer x", a = "b"}`, `set = { "Authorization" = "***", a = "b"}`},
		{`"Cookie" = "a=b"`, `"Cookie" = "***"`},
		{`token = "${env("X")}y"`, `token = "***"`},
		{`token = env("X")`, `token = env("X")`},
		{`token = env("X", "abc")`, `token = env("X", "***")`},
		{`token = abc`, `token = ***`},
		{`private = true`, `private = true`},
		{`"X-API-Key" = "k"`, `"X-API-Key" = "***"`},
		{`proxies = ["socks5://user:secret@10.9.0.1:1"]`, `proxies = ["socks5://***@10.9.0.1:1"]`},
		{`server "http://user:hunterA@127.0.0.1:1" {}`, `server "http://***@127.0.0.1:1" {}`},
		{`server "user:hunt@erA@127.0.0.1:1" {}`, `server "***@127.0.0.1:1" {}`},
		{`sticky { cookie = "weir" }`, `sticky { cookie = "weir" }`},
		{`cookie = { "session" = "hunterI", b = "x" }`, `cookie = { "session" = "***", b = "***" }`},
		{"cookie = {\n \"a\" = \"hunterI\"\n}\na = \"b\"", "cookie = {\n \"a\" = \"***\"\n}\na = \"b\""},
		{"tokens = [\n \"hunter\",\n]\na = \"b\"", "tokens = [\n \"***\",\n]\na = \"b\""},
		{"secret = <<EOT\nhunter\n  more\nEOT\na = \"b\"", "secret = <<EOT\n***\n***\nEOT\na = \"b\""},
		{"# secret = {\na = \"b\"", "# secret = {\na = \"b\""},
		{"# 5\" secret\nsecret = \"b\" // \"c", "# 5\" secret\nsecret = \"***\" // \"c"},
		{`redirect "/a" { to = "https://a.example/@b" }`, `redirect "/a" { to = "https://a.example/@b" }`},
		{`when = "request.header('Authorization') == 'hunterW'"`, `when = "request.header('Authorization') == '***'"`},
		{`when = "request.cookie(\"session\") == \"hunterW\" && a"`, `when = "request.cookie(\"***\") == \"***\" && a"`},
		{`body = "don't tell your password"`, `body = "don't tell your password"`},
		{`a = "user:x@y://u@z"`, `a = "***@y://***@z"`},
		{`upstream "token-service" { a = "b" }`, `upstream "token-service" { a = "b" }`},
		{`secret = "$${" + "x", a = "b"`, `secret = "***" + "***", a = "b"`},
	} {
		text, want := c[0], c[1]
		if got := quotedLines("weir.hcl", text); got != want {
			t.Errorf("%s\n got %s\nwant %s", text, got, want)
		}
	}
	for _, c := range [][2]string{
		{`{"password": "abc", "user": "x"}`, `{"password": "***", "user": "x"}`},
		{"{\"password\":\n\"abc\",\n\"user\": \"x\"}", "{\"password\":\n\"***\",\n\"user\": \"x\"}"},
		{`{"upstream": {"tokens": {"server": "a"}}}`, `{"upstream": {"tokens": {"server": "a"}}}`},
		{`{"cookie": {"session": "hunterI"}, "a": "${"}`, `{"cookie": {"session": "***"}, "a": "${"}`},
	} {
		text, want := c[0], c[1]
		if got := quotedLines("weir.json", text); got != want {
			t.Errorf("%s\n got %s\nwant %s", text, got, want)
		}
	}
}

func TestRedact(t *testing.T) {
	q := newQuoter()
	for _, c := range [][2]string{
		{`request: set "Authorization" = "abc" is odd`, `request: set "Authorization" = "***" is odd`},
		{`set "X-Token": the value (not shown) is no "a"`, `set "X-Token": the value (not shown) is no "a"`},
		{`upstream "token": server "a" has no port`, `upstream "token": server "a" has no port`},
		{`proxy: "http://u:p@127.0.0.1:80" has a user`, `proxy: "http://***@127.0.0.1:80" has a user`},
		{`write "user:hunterA@127.0.0.1:1"`, `write "***@127.0.0.1:1"`},
		{`when "request.header('token') == 'hunterW": column 3`, `when "request.header('token') == '***": column 3`},
		{`"user:x@y://u@z": odd`, `"***@y://***@z": odd`},
		{`dial http://u:p@127.0.0.1:80: refused`, `dial http://***@127.0.0.1:80: refused`},
		{`the first one is at weir.hcl:3:4, the other "[::1]:8"`, `the first one is at weir.hcl:3:4, the other "[::1]:8"`},
	} {
		text, want := c[0], c[1]
		if got := q.redact(text); got != want {
			t.Errorf("%s\n got %s\nwant %s", text, got, want)
		}
	}
}

// Whatever is wrong with a secret, nothing tells it.
func TestSecretsAreNotTold(t *testing.T) {
	for _, part := range []string{
		`upstream "u" { server "http://user:hunterA@127.0.0.1:1" {} }`,
		`site "a.example" {
  route "/" {
    header = { "Authorization" = "~ (hunterH" }
    cookie = { "session" = "~ [hunterI" }
    respond {}
  }
}`,
		`site "a.example" {
  route "/" {
    header = { "X-Api-Key" = "~ hunter\\hunter" }
    cookie = { session = "~ a{1,hunter}{1001}" } # hunting
    respond {}
    request { set = { "Cookie" = "{hunter" } }
  }
}`,
		`site "a.example" { cookie = { "session" = "hunterI" } }`,
		"secret = <<EOT\nhunter ${oh}\nEOT\n",
		`secret = "` + strings.Repeat("hunter ", 5000) + `${oh}"`,
	} {
		_, diags := Parse("weir.hcl", []byte("listener \"http\" { address = \":80\" }\n"+part+"\n"))
		if out := said(t, diags); !diags.HasErrors() || strings.Contains(strings.ReplaceAll(out, "# hunting", ""), "hunt") {
			t.Errorf("%.80s:\n%s", part, out)
		}
	}
}

// One line with thousands of errors costs little more than one with a few.
func TestManyErrors(t *testing.T) {
	const sites = 3000
	var b strings.Builder
	b.WriteString(`{"listener":{"http":{"address":":80"}},"site":{`)
	for i := range sites {
		fmt.Fprintf(&b, `"s%d.example":{"route":{"/*":{"proxi":"127.0.0.1:80","respond":{"status":200}}}},`, i)
	}
	b.WriteString(`"x":{}}}`)
	begin := time.Now()
	_, diags := Parse("weir.json", []byte(b.String()))
	out := said(t, diags)
	if took := time.Since(begin); took > 20*time.Second {
		t.Errorf("%v", took)
	}
	if n := len(diags.errors()); n < sites || !strings.Contains(out, fmt.Sprintf("\nand %d more errors\n", n-100)) {
		t.Errorf("%d errors\n%s", n, out[max(len(out)-300, 0):])
	}
	if n := strings.Count(out, "error: "); n != 100 {
		t.Errorf("%d are written", n)
	}
}

// What is marked is what is meant, whatever stands before it.
func TestMark(t *testing.T) {
	for _, tt := range []struct{ src, marked string }{
		{"grace = 5", "5"},
		{"\tgrace = 5", "5"},
		{"# ä\nwatch = \"ä\" # x", `"ä"`},
		{strings.Repeat(" ", 200) + "grace = 5" + strings.Repeat(" ", 200) + "# " + strings.Repeat("x", 200), "5"},
	} {
		_, diags := Parse("weir.hcl", []byte(tt.src))
		var b bytes.Buffer
		if err := diags[1:].Write(&b, false); err != nil { // the first one is about listeners
			t.Fatal(err)
		}
		lines := strings.Split(b.String(), "\n")
		if len(lines) < 3 {
			t.Fatalf("%q: %s", tt.src, b.String())
		}
		at := strings.Index(lines[2], "^")
		width := len(strings.TrimSpace(lines[2][8:]))
		if got := string([]rune(lines[1])[at:][:width]); got != tt.marked {
			t.Errorf("%q: marked %q\n%s", tt.src, got, b.String())
		}
	}
}

func TestColours(t *testing.T) {
	_, diags := Parse("weir.hcl", []byte("grace = 5\n"))
	var plain, colored bytes.Buffer
	if diags.Write(&plain, false) != nil || diags.Write(&colored, true) != nil {
		t.Fatal("not written")
	}
	if strings.Contains(plain.String(), "\x1b") || !strings.Contains(colored.String(), "\x1b[1;31merror:") {
		t.Errorf("%q\n%q", plain.String(), colored.String())
	}
	stripped := colored.String()
	for _, code := range []string{"\x1b[0m", "\x1b[1m", "\x1b[2m", "\x1b[1;31m"} {
		stripped = strings.ReplaceAll(stripped, code, "")
	}
	if stripped != plain.String() {
		t.Errorf("%q is not %q", stripped, plain.String())
	}
}

// A diagnostic that others find in a configuration gets its line, and keeps no secret.
func TestQuote(t *testing.T) {
	t.Setenv("WEIR_TEST_SECRET", "geheim")
	c, diags := Parse("weir.hcl", []byte(`listener "http" { address = ":80" }
site "a.example" {
  route "/*" {
    proxy = "127.0.0.1:80"
    request { set = { "X-A" = env("WEIR_TEST_SECRET") } }
  }
}
`))
	if len(diags) > 0 {
		t.Fatal(diags)
	}
	d := c.Quote(Diagnostic{Pos: c.Sites[0].Routes[0].Pos, Summary: `field "X-A": "geheim" is odd`})
	if d.Line != `  route "/*" {` || d.Column != 3 || d.Width != len(`route "/*"`) || strings.Contains(d.Summary, "geheim") {
		t.Errorf("%+v", d)
	}
}

func TestDiagnosticsAreAnError(t *testing.T) {
	one := Diagnostic{Severity: Error, Pos: Pos{"weir.hcl", 3, 4}, Summary: "a"}
	note := Diagnostic{Severity: Note, Summary: "b"}
	for _, tt := range []struct {
		diags Diagnostics
		want  string
	}{
		{nil, ""},
		{Diagnostics{note}, "note: b"},
		{Diagnostics{note, one}, "weir.hcl:3:4: error: a"},
		{Diagnostics{one, one, one}, "weir.hcl:3:4: error: a (and 2 more)"},
	} {
		if got := tt.diags.Error(); got != tt.want {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
}

// FuzzSecrets: whatever the text, it is cut where it can be.
func FuzzSecrets(f *testing.F) {
	f.Add(`secret = "${env("X")}" cookie = { a = 'b' } "http://u:p@h" <<E`)
	f.Add("\"password\":\n[\"user:x@y://u@z\", \"token == \\\"a\"")
	f.Fuzz(func(t *testing.T, text string) {
		for _, form := range []form{native, inJSON, message} {
			last := -1
			for _, s := range secretsIn([]byte(text), form) {
				if s.from <= last || s.to <= s.from || s.to > len(text) {
					t.Fatalf("%q: %v", text, secretsIn([]byte(text), form))
				}
				last = s.to
			}
		}
		newQuoter().redact(text)
		quotedLines("weir.hcl", text)
	})
}

// Lines that end as on Windows are quoted without that.
func TestQuoteCarriageReturn(t *testing.T) {
	_, diags := Parse("weir.hcl", []byte("listener \"http\" {\r\n  address = \r\n  adress = 1\r\n}\r\n"))
	if len(diags) == 0 || diags[0].Line != "  address =" {
		t.Errorf("%q", diags)
	}
	if out := said(t, diags); strings.ContainsAny(out, "\r\uFFFD") {
		t.Errorf("%q", out)
	}
}
