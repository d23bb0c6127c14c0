package assemble

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"weir/config"
	"weir/internal/poll"
)

// found is what Check and the reader say of a text, as lines.
func found(t *testing.T, text string) []string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "weir.hcl")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, diags := config.Inspect(file)
	if c != nil {
		diags = c.Sorted(append(diags, Check(c)...))
	}
	var lines []string
	for _, d := range diags {
		lines = append(lines, strings.TrimPrefix(d.String(), file+":"))
	}
	for _, line := range served(file) {
		if !slices.Contains(lines, line) {
			t.Errorf("%s: what is served is said %q of, a draft is not:\n%s", text, line, strings.Join(lines, "\n"))
		}
	}
	return lines
}

// served is what is said of a file where it is read to be served.
func served(file string) (lines []string) {
	c, diags := config.Load(file)
	if c != nil {
		g, more := dryEngine(c).build(c, nil)
		g.discard()
		diags = append(diags, more...)
	}
	for _, d := range diags {
		lines = append(lines, strings.TrimPrefix(d.String(), file+":"))
	}
	return lines
}

// What hangs on something that could not be read is not judged.
func TestDraftIsNotJudgedByWhatIsUnknown(t *testing.T) {
	for name, text := range map[string]string{
		"a condition may be meant": `
  route "/a" {
    metod   = "POST"
    respond { body = "x" }
  }
  respond "/a" { body = "y" }
  expect "GET /a" { status = 404 }`,
		"a block may be a route": `
  rote "/a" { }
  respond "/b" { body = "y" }
  expect "GET /a" { status = 200 }`,
		"a path cannot be read": `
  respond "/a*" { body = "x" }
  respond "/b" { body = "y" }
  expect "GET /b" { status = 404 }`,
		"settings cannot be read": `
  allow = ["nonsense/99"]
  respond "/b" { body = "y" }
  expect "GET /b" { status = 403 }`,
		"settings of a policy cannot be read": `
  respond "/b" { body = "y" }
  use = policy.p
  expect "GET /b" { status = 403 }
}
policy "p" {
  allow = ["nonsense/99"]`,
		"hosts cannot be read": `
  hosts = ["good.test", 7]
  redirect "good.test/x" { to = "/b" }
  respond "/b" { body = "y" }
  expect "GET /b" { status = 404 }`,
		"the answer cannot be read": `
  respond "/b" { body = "{nothing}" }
  expect "GET /b" { status = 404 }`,
		"the test cannot be read": `
  respond "/b" { body = "x" }
  expect "GET /b" { status = "many" }`,
	} {
		t.Run(name, func(t *testing.T) {
			got := found(t, "listener \"http\" { address = \":80\" }\nsite \"a.test\" {"+text+"\n}\n")
			got = slices.DeleteFunc(got, func(s string) bool { return strings.Contains(s, " note: ") })
			if len(got) != 1 {
				t.Errorf("one thing is wrong, said is\n%s", strings.Join(got, "\n"))
			}
		})
	}
}

// TestDraftOfAnything takes every line of an example away, or spoils it, and sees that there is an end and that it
// is told.
func TestDraftOfAnything(t *testing.T) {
	src, err := os.ReadFile("../examples/headers-rewrite.hcl")
	if err != nil {
		t.Fatal(err)
	}
	if said := found(t, string(src)); len(said) > 0 {
		t.Fatalf("of the example is said\n%s", strings.Join(said, "\n"))
	}
	lines := strings.SplitAfter(string(src), "\n")
	changes, noticed := 0, 0
	for i, line := range lines {
		for _, instead := range []string{"", strings.Replace(line, "=", "= \"{no}\" //", 1), strings.Replace(line, "r", "rr", 1)} {
			if code, _, _ := strings.Cut(line, "#"); strings.TrimSpace(code) == "" || instead == line {
				continue
			}
			changes++
			noticed += min(len(found(t, strings.Join(lines[:i], "")+instead+strings.Join(lines[i+1:], ""))), 1)
		}
	}
	if changes < 50 || noticed < changes*2/3 {
		t.Errorf("of %d changes %d are noticed", changes, noticed)
	}
	t.Logf("of %d changes %d are noticed", changes, noticed)
}

func TestStartNeedsASite(t *testing.T) {
	g, err := poll.NewGroup(1)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	e := New(Options{Group: g, Config: func() (*config.Config, config.Diagnostics) {
		return config.Parse("weir.hcl", []byte("listener \"http\" { address = \"127.0.0.1:0\" }\nsite \"a.test\" { rote \"/\" {} }"))
	}})
	defer e.Close()
	if diags, err := e.Start(t.Context()); err == nil || !diags.HasErrors() {
		t.Errorf("started with nothing but a broken site: %v, %v", err, diags)
	}
}

func TestLogThatCannotBeOpened(t *testing.T) {
	file := filepath.Join(t.TempDir(), "no", "folder", "access.log")
	text := "listener \"http\" { address = \"127.0.0.1:0\" }\nlog \"access\" {\n  to = \"" + file + "\"\n}\nsite \"a.test\" {\n  respond \"/\" { body = \"x\" }\n}\n"
	c := parse(t, text)
	e := New(Options{})
	g, diags := e.build(c, nil)
	defer g.discard()
	want := `weir.hcl:3:8: error: log "access": open ` + file + `: no such file or directory`
	if len(diags) != 1 || diags[0].String() != want {
		t.Errorf("said is %v, want %s", diags, want)
	}
}

// A reload names the line of the attribute, too.
func TestPlacesOfWhatTheRouterFinds(t *testing.T) {
	_, diags := dryEngine(nil).build(parse(t, `listener "http" { address = ":80" }
site "a.test" {
  hosts = ["a.test"]
  route "/a" {
    when = "tru("
    respond { body = "x" }
  }
  redirect "/b" {
    to = "ftp://x"
  }
}
site "b.test" {
  hosts = [
    "b.test",
    "c.test",
  ]
  respond "/" { body = "x" }
}
site "d.test" {
  hosts = [
    "d.test",
    "c.test",
  ]
  respond "/" { body = "x" }
}
`), nil)
	var places []string
	for _, d := range diags {
		place, _, _ := strings.Cut(d.String(), " error: ")
		places = append(places, place)
	}
	if got := strings.Join(places, " "); got != "weir.hcl:9:10: weir.hcl:22:5:" {
		t.Errorf("places %s of %v", got, diags)
	}
}
