package config

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const referenceFolder = "../doc/reference"

// The pages are those that the table makes: go generate ./config writes them.
func TestReference(t *testing.T) {
	pages := Reference()
	if *update {
		writeReference(t, pages)
	}
	for name, want := range pages {
		got, err := os.ReadFile(filepath.Join(referenceFolder, name))
		if err != nil || string(got) != want {
			t.Errorf("doc/reference/%s is not what the schema says; run go generate ./config (%v)", name, err)
		}
	}
	files, _ := filepath.Glob(referenceFolder + "/*")
	for _, f := range files {
		if _, ok := pages[filepath.Base(f)]; !ok {
			t.Errorf("%s belongs to nothing", f)
		}
	}
}

func writeReference(t *testing.T, pages map[string]string) {
	if err := os.MkdirAll(referenceFolder, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range pages {
		if err := os.WriteFile(filepath.Join(referenceFolder, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// eachBlock calls f with every block of the language and its path.
func eachBlock(f func(path string, b *block)) {
	var walk func(path string, b *block)
	walk = func(path string, b *block) {
		f(path, b)
		for _, c := range b.blocks {
			walk(path+"/"+c.name, c)
		}
	}
	walk("", language())
}

func TestSchemaIsDocumented(t *testing.T) {
	eachBlock(func(path string, b *block) {
		if !isSentence(b.doc) {
			t.Errorf("%s: %q is no sentence", path, b.doc)
		}
		for _, a := range b.attrs {
			if !isSentence(a.doc) {
				t.Errorf("%s/%s: %q is no sentence", path, a.name, a.doc)
			}
		}
	})
}

func isSentence(s string) bool {
	return strings.HasSuffix(s, ".") && (s[0] >= 'A' && s[0] <= 'Z' || s[0] == '"')
}

// A default that could not be read would silently be nothing.
func TestDefaultsCanBeRead(t *testing.T) {
	eachBlock(func(path string, b *block) {
		for i := range b.attrs {
			a := &b.attrs[i]
			if a.def == "" {
				continue
			}
			if _, complaint := parseScalar(a.kind, a.def); complaint != "" && a.kind != statuses {
				t.Errorf("%s/%s: default %q %s", path, a.name, a.def, complaint)
			}
			if len(a.oneOf) > 0 && !slices.Contains(a.oneOf, a.def) {
				t.Errorf("%s/%s: default %q is not allowed", path, a.name, a.def)
			}
		}
	})
}

func TestNamesAreUnique(t *testing.T) {
	eachBlock(func(path string, b *block) {
		seen := map[string]bool{}
		for _, a := range b.attrs {
			if seen[a.name] {
				t.Errorf("%s/%s stands there twice", path, a.name)
			}
			seen[a.name] = true
		}
	})
}

// What the reference shows can be written.
func TestExamplesOfTheReference(t *testing.T) {
	t.Chdir(t.TempDir())
	eachBlock(func(path string, b *block) {
		if b.example == "" {
			return
		}
		src := b.example
		if b.name == "route" {
			src = "site \"a.example\" {\n" + src + "\n}"
		}
		for _, p := range []string{
			`listener "http" { address = ":80" }`,
			"upstream \"shop\" {\n  server \"10.0.0.1:80\" {}\n}",
			"upstream \"api\" {\n  server \"10.0.0.1:80\" {}\n}",
			`policy "public" {}`,
		} {
			if head, _, _ := strings.Cut(p, " {"); !strings.Contains(src, head) {
				src += "\n" + p
			}
		}
		_, diags := Parse("weir.hcl", []byte(src))
		for _, d := range diags.errors() {
			if !strings.Contains(d.Summary, "/srv/shop/") {
				t.Errorf("%s: %v", path, d)
			}
		}
		formatted, _ := Format("weir.hcl", []byte(b.example))
		if string(formatted) != b.example+"\n" {
			t.Errorf("%s: the example is formatted otherwise:\n%s", path, formatted)
		}
	})
}
