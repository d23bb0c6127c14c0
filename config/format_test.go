package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
)

func TestFormat(t *testing.T) {
	const name = "testdata/format/all.txtar"
	archive, err := txtar.ParseFile(name)
	if err != nil {
		t.Fatal(err)
	}
	got, diags := Format("weir.hcl", archive.Files[0].Data)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	compare(t, name, archive, "out", string(got))
	if *update {
		if err := os.WriteFile(name, txtar.Format(archive), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// What is formatted stays as it is, means the same, and has lost no comment.
func TestFormatIsStable(t *testing.T) {
	for name, src := range configurations(t) {
		if _, diags := parse(name, src); diags.HasErrors() {
			continue
		}
		checkFormat(t, name, src)
	}
}

func checkFormat(t *testing.T, name string, src []byte) {
	once, diags := Format(name, src)
	if diags.HasErrors() {
		t.Fatalf("%s: %v", name, diags)
	}
	twice, diags := Format(name, once)
	if diags.HasErrors() || string(twice) != string(once) {
		t.Errorf("%s: formatted again it is another: %v\n%q\n%q", name, diags, once, twice)
	}
	if a, b := letters(src), letters(once); a != b {
		t.Errorf("%s: something was lost:\n%s\n%s", name, a, b)
	}
}

// letters is all that is not white space.
func letters(src []byte) string {
	return strings.Join(strings.Fields(strings.TrimPrefix(string(src), "\ufeff")), "")
}

func TestFormatRefusesBrokenText(t *testing.T) {
	for _, name := range []string{"weir.hcl", "weir.json"} {
		out, diags := Format(name, []byte("listener \"http\" {\n  address = \n}\n"))
		if out != nil || !diags.HasErrors() || diags[0].Pos.Line == 0 {
			t.Errorf("%s: %q, %v", name, out, diags)
		}
	}
}

// configurations are all those of the tests and of the examples.
func configurations(t testing.TB) map[string][]byte {
	out := map[string][]byte{}
	archives, _ := filepath.Glob("testdata/check/*.txtar")
	for _, name := range archives {
		archive, err := txtar.ParseFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range archive.Files {
			if ext := filepath.Ext(f.Name); ext == ".hcl" || ext == ".json" {
				out[name+"/"+f.Name] = f.Data
			}
		}
	}
	files, _ := filepath.Glob("testdata/*.hcl")
	examples, _ := filepath.Glob("../examples/*.hcl")
	for _, name := range append(files, examples...) {
		src, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		out[name] = src
	}
	if len(out) < 20 {
		t.Fatalf("%d configurations only", len(out))
	}
	return out
}
