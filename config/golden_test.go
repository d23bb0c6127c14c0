package config

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
)

var update = flag.Bool("update", false, "write what comes out into the golden files")

// A golden file is an archive: what it is about, the configuration, and what comes out of it: "want" is
// what is said, "model" what is made of it.
func TestGolden(t *testing.T) {
	names, err := filepath.Glob("testdata/check/*.txtar")
	if err != nil || len(names) < 10 {
		t.Fatalf("%d golden files, %v", len(names), err)
	}
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) { golden(t, name) })
	}
}

func golden(t *testing.T, name string) {
	name, err := filepath.Abs(name)
	if err != nil {
		t.Fatal(err)
	}
	archive, err := txtar.ParseFile(name)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	main := unpack(t, dir, archive)
	t.Chdir(dir)
	t.Setenv("WEIR_TEST_SECRET", "geheim")
	c, diags := Load(main)
	out := said(t, diags)
	if strings.Contains(out, "geheim") {
		t.Errorf("a secret is told:\n%s", out)
	}
	compare(t, name, archive, "want", out)
	if i := fileIndex(archive, "model"); i >= 0 {
		compare(t, name, archive, "model", dump(t, dir, c))
	}
	if *update {
		if err := os.WriteFile(name, txtar.Format(archive), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func unpack(t *testing.T, dir string, archive *txtar.Archive) (main string) {
	for _, f := range archive.Files {
		if f.Name == "want" || f.Name == "model" {
			continue
		}
		if main == "" {
			main = f.Name
		}
		path := filepath.Join(dir, f.Name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, f.Data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return main
}

func said(t *testing.T, d Diagnostics) string {
	var b bytes.Buffer
	if err := d.Write(&b, false); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func fileIndex(a *txtar.Archive, name string) int {
	return slices.IndexFunc(a.Files, func(f txtar.File) bool { return f.Name == name })
}

func compare(t *testing.T, file string, a *txtar.Archive, name, got string) {
	i := fileIndex(a, name)
	if i < 0 {
		i = len(a.Files)
		if model := fileIndex(a, "model"); model >= 0 {
			i = model
		}
		a.Files = slices.Insert(a.Files, i, txtar.File{Name: name})
	}
	if *update {
		a.Files[i].Data = []byte(got)
	} else if want := string(a.Files[i].Data); got != want {
		t.Errorf("%s, %s: got\n%s\nwant\n%s", filepath.Base(file), name, got, want)
	}
}

// dump is what differs from nothing in a configuration, as JSON.
func dump(t *testing.T, dir string, c *Config) string {
	raw, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	var tree any
	if err := json.Unmarshal(raw, &tree); err != nil {
		t.Fatal(err)
	}
	out, err := json.MarshalIndent(prune(tree), "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(out), dir, "DIR") + "\n"
}

// prune takes out of a tree what says nothing, and places but for their file and line.
func prune(v any) any {
	switch v := v.(type) {
	case map[string]any:
		if file, ok := v["File"].(string); ok && v["Line"] != nil {
			return Pos{File: file, Line: int(v["Line"].(float64))}.String()
		}
		if summary, ok := v["Summary"].(string); ok {
			return summary
		}
		for k, member := range v {
			if member = prune(member); member == nil {
				delete(v, k)
			} else {
				v[k] = member
			}
		}
		if len(v) == 0 {
			return nil
		}
	case []any:
		for i := range v {
			v[i] = prune(v[i])
		}
		if len(v) == 0 {
			return nil
		}
	case bool:
		if !v {
			return nil
		}
	case string:
		if v == "" {
			return nil
		}
	case float64:
		if v == 0 {
			return nil
		}
	}
	return v
}
