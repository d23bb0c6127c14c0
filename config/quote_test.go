package config

import (
	"bytes"
	"strings"
	"testing"
)

func TestRedact(t *testing.T) {
	q := newQuoter()
	for text, want := range map[string]string{
		`secret = "abc"`:                                 `secret = "***"`,
		`  client_secret="a\"b" # c`:                     `  client_secret="***" # c`,
		`"password": "abc", "user": "x"`:                 `"password": "***", "user": "x"`,
		`secret = "abc`:                                  `secret = "***"`,
		`set = { "Authorization" = "Bearer x", a = "b"}`: `set = { "Authorization" = "***", a = "b"}`,
		`"Cookie" = "a=b"`:                               `"Cookie" = "***"`,
		`token = "${env("X")}y"`:                         `token = "***"`,
		`"X-API-Key" = "k"`:                              `"X-API-Key" = "***"`,
		`proxies = ["socks5://user:secret@10.9.0.1:1"]`:  `proxies = ["socks5://***@10.9.0.1:1"]`,
		`sticky { cookie = "weir" }`:                     `sticky { cookie = "weir" }`,
		`redirect "/a" { to = "https://a.example/@b" }`:  `redirect "/a" { to = "https://a.example/@b" }`,
	} {
		if got := q.redact(text); got != want {
			t.Errorf("%s\n got %s\nwant %s", text, got, want)
		}
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
