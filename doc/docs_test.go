package doc

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"weir"
	"weir/assemble"
	"weir/config"
	"weir/route"
)

// The pages here hold examples. Each is read by the code that would read it in a configuration, and its tests
// (expect) are run.

// A fence is a piece of a page between ``` and ```.
type fence struct{ page, kind, text string }

func fences(t *testing.T) (list []fence) {
	t.Helper()
	pages, err := filepath.Glob("*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range append(pages, "../README.md") {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for i, piece := range strings.Split("\n"+string(text), "\n```") {
			if kind, inner, _ := strings.Cut(piece, "\n"); i%2 == 1 {
				list = append(list, fence{page, kind, inner + "\n"})
			}
		}
	}
	return list
}

var (
	used    = regexp.MustCompile(`\bupstream\.(\w+)`)
	defined = regexp.MustCompile(`(?m)^upstream "(\w+)"`)
)

// whole makes a configuration of an example: it adds the listener and the upstreams that the example leaves out.
func whole(text string) string {
	have := map[string]bool{}
	for _, m := range defined.FindAllStringSubmatch(text, -1) {
		have[m[1]] = true
	}
	for _, m := range used.FindAllStringSubmatch(text, -1) {
		if !have[m[1]] {
			have[m[1]] = true
			text += "upstream \"" + m[1] + "\" {\n  server \"127.0.0.1:1\" {}\n}\n"
		}
	}
	if !strings.HasPrefix(text, "listener ") && !strings.Contains(text, "\nlistener ") {
		text += "listener \"http\" { address = \":80\" }\n"
	}
	if !strings.Contains(text, "site ") {
		text += "site \"*\" {\n  respond \"/*\" { status = 204 }\n}\n"
	}
	return text
}

func TestExamplesAreConfigurations(t *testing.T) {
	n, expects := 0, 0
	for _, f := range fences(t) {
		if f.kind != "hcl" {
			continue
		}
		n++
		expects += strings.Count(f.text, "  expect ")
		c, diags := config.Parse("example.hcl", []byte(whole(f.text)))
		if c != nil && !diags.HasErrors() {
			diags = append(diags, assemble.Check(c)...)
		}
		for i := range diags {
			if !strings.Contains(diags[i].Summary, "is not used") {
				t.Errorf("%s: %s %s\n%s", f.page, diags[i].String(), diags[i].Detail, f.text)
			}
		}
		tidy, _ := config.Format("example.hcl", []byte(f.text))
		if !bytes.Equal(tidy, []byte(f.text)) {
			t.Errorf("%s: not as weir fmt writes it:\n%s\nbut\n%s", f.page, f.text, tidy)
		}
	}
	if n < 8 || expects < 20 {
		t.Errorf("found %d examples with %d tests only", n, expects)
	}
}

func TestExpressions(t *testing.T) {
	n := 0
	for _, f := range fences(t) {
		if f.kind != "cel" && f.kind != "cel-refused" {
			continue
		}
		for line := range strings.Lines(f.text) {
			n++
			_, problems := route.New([]route.Site{{
				Name: "example", Hosts: []string{"*"},
				Routes: []route.Spec{{Pattern: "/*", When: strings.TrimSpace(line), Target: &weir.Route{}}},
			}}, route.Options{})
			if refused := len(problems) > 0; refused != (f.kind == "cel-refused") {
				t.Errorf("%s: %s: %v", f.page, line, problems)
			}
		}
	}
	if n < 20 {
		t.Errorf("found %d expressions only", n)
	}
}

// TestPaths reads the tables of paths.md.
func TestPaths(t *testing.T) {
	text, err := os.ReadFile("paths.md")
	if err != nil {
		t.Fatal(err)
	}
	served, refused := 0, 0
	row := regexp.MustCompile("^\\| `(/[^`]*)` \\| (?:`(/[^`]*)`)?")
	for line := range strings.Lines(string(text)) {
		m := row.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		got, ok := weir.Normalize(m[1])
		switch {
		case ok:
			served++
		default:
			refused++
		}
		if ok != (m[2] != "") || got != m[2] {
			t.Errorf("%q becomes %q (%v), the page says %q", m[1], got, ok, m[2])
		}
	}
	if served < 10 || refused < 8 {
		t.Errorf("found %d paths and %d refused ones only", served, refused)
	}
}
