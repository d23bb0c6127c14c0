package config

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/hashicorp/hcl/v2"
)

// only parses a text that is refused as a whole, for one reason.
func only(t *testing.T, name, src, want string) {
	t.Helper()
	_, diags := Parse(name, []byte(src))
	for _, d := range diags {
		if d.Summary == want && len(diags.errors()) == 1 && d.Pos.Line > 0 {
			return
		}
	}
	t.Errorf("%s, %.20q...: %v, want %q", name, src, diags, want)
}

// The parser would use up its stack, which ends the process.
func TestNestedTooDeep(t *testing.T) {
	const n = 30_000
	for _, part := range []string{
		"[", "(", "{a=", "f(", "!", "-", "!(", `"${`, "[for x in ", "{for k, v in ", "1?", "1?1:", "1+", "x[", "f(x)[", "%{if true}", "x.*.y.*",
	} {
		only(t, "weir.hcl", "a = "+strings.Repeat(part, n), "nested deeper than 200")
	}
	only(t, "weir.hcl", strings.Repeat("a {\n", n), "nested deeper than 200")
	only(t, "weir.hcl", strings.Repeat("a { ", n), "nested deeper than 200")
	only(t, "weir.hcl", "a = (\n"+strings.Repeat("-\n", n), "nested deeper than 200")
	only(t, "weir.hcl", "a = {\nfor x in y: "+strings.Repeat("-\n", n), "nested deeper than 200")
	only(t, "weir.hcl", `a = "`+strings.Repeat("%{if true}", n), "nested deeper than 200")
	only(t, "weir.hcl", "a = <<E\n"+strings.Repeat("%{if true}", n)+"\nE\n", "nested deeper than 200")
	only(t, "weir.hcl", "a = x"+strings.Repeat("[y]", n), "nested deeper than 200")
	only(t, "weir.json", `{"a":`+strings.Repeat("[", n), "nested deeper than 200")
	only(t, "weir.json", strings.Repeat(`{"a":`, n), "nested deeper than 200")
	only(t, "weir.json", `{"grace": "${`+strings.Repeat("[", n)+`"}`, "nested deeper than 200")
	only(t, "weir.json", `{"grace": "\u0024{`+strings.Repeat("[", n)+`"}`, "nested deeper than 200")
	if out, diags := Format("weir.hcl", []byte("a = "+strings.Repeat("[", n))); out != nil || len(diags) != 1 {
		t.Errorf("formatted: %v", diags)
	}
}

// What is long is not deep.
func TestLongIsNotDeep(t *testing.T) {
	for _, src := range []string{
		strings.Repeat("a = -1 + (2 * 3)\n", 1000),
		strings.Repeat("a {\n  b = [\"x\", !true]\n}\n", 1000),
		"a = [" + strings.Repeat("-1,\n", 1000) + "]\n",
		"a = {\n" + strings.Repeat("b = !true\n", 1000) + "}\n",
		`a = "` + strings.Repeat("%{if true}x%{else}y%{endif}", 1000) + "\"\n",
		`a = "` + strings.Repeat("${-1}", 1000) + "\"\n",
		strings.Repeat("a = -1 # one\n", 1000),
		"a = " + strings.Repeat("[", 150) + strings.Repeat("]", 150) + "\n",
		"a = f(\n" + strings.Repeat("b {\n}\n", 1000), // the parser has more to say
	} {
		if diags := tooDeepIn("weir.hcl", []byte(src)); diags.HasErrors() {
			t.Errorf("%.30q...: %v", src, diags)
		}
	}
	if diags := tooDeepIn("weir.json", []byte(`{"a": [`+strings.Repeat(`{"b": ["${-1}[", "\"["]},`, 1000)+`{}]}`)); diags.HasErrors() {
		t.Error(diags)
	}
}

func TestNoText(t *testing.T) {
	for _, name := range []string{"weir.hcl", "weir.json"} {
		only(t, name, "grace = \"1s\"\n"+strings.Repeat("\x00", 20_000), "the file holds a NUL byte")
		only(t, name, "a = \"\xff\"\n"+strings.Repeat("\xff", 20_000), "the file is not UTF-8")
		only(t, name, "\xff\xfea\x00", "the file is UTF-16")
		only(t, name, strings.Repeat("# a comment\n", maxFile/10), tooLarge)
		only(t, name, strings.Repeat("[", maxTokens+1), "the file holds more than 4194304 names, numbers and signs")
	}
}

// What is included has to be a file, not something that never ends.
func TestIncludeNoFile(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe.hcl"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/dev/zero", filepath.Join(dir, "zero.hcl")); err != nil {
		t.Fatal(err)
	}
	_, diags := Parse(filepath.Join(dir, "weir.hcl"), []byte(`include = ["*.hcl", "pipe.hcl", "zero.hcl"]`+"\n"))
	if got := strings.Count(said(t, diags), `is no regular file`); got != 4 {
		t.Errorf("%d times\n%s", got, said(t, diags))
	}
}

// Nor is anything else that a configuration names, or the main file: of a pipe nobody knows whether somebody writes to it.
func TestNoPipes(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "weir.hcl")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	if c, diags := Load(pipe); c != nil || !strings.Contains(said(t, diags), `is no regular file`) {
		t.Errorf("%v\n%s", c, said(t, diags))
	}
	_, diags := Parse("weir.hcl", []byte(`site "*" {
  respond "/*" {}
  errors {
    page "404" { file = "`+pipe+`" }
  }
}
`))
	if !strings.Contains(said(t, diags), "it is no regular file") {
		t.Error(said(t, diags))
	}
}

// A pipe that a process was given open can be read.
func TestMainFromDescriptor(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := w.WriteString("listener \"http\" { address = \"127.0.0.1:0\" }\nsite \"*\" {\n  respond \"/*\" {}\n}\n"); err != nil {
		t.Fatal(err)
	}
	w.Close()
	if c, diags := Load(fmt.Sprintf("/dev/fd/%d", r.Fd())); c == nil || diags.HasErrors() {
		t.Error(said(t, diags))
	}
}

func TestIncludeTooLarge(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a.hcl"), bytes.Repeat([]byte("\n"), maxFile+1), 0o600); err != nil {
		t.Fatal(err)
	}
	_, diags := Parse(filepath.Join(dir, "weir.hcl"), []byte(`include = ["a.hcl"]`+"\n"))
	if !strings.Contains(said(t, diags), "is larger than the 16 MiB") {
		t.Error(said(t, diags))
	}
}

// However many files there are, what is read of them has an end.
func TestIncludesEnd(t *testing.T) {
	dir := t.TempDir()
	for i := range 6 {
		if err := os.WriteFile(filepath.Join(dir, string(rune('a'+i))+".hcl"), bytes.Repeat([]byte("#"+strings.Repeat(" ", 1<<20)+"\n"), 15), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, diags := Parse(filepath.Join(dir, "weir.hcl"), []byte("include = [\"*.hcl\"]\nlistener \"http\" { address = \":80\" }\n"))
	if out := said(t, diags); len(diags.errors()) != 1 || !strings.Contains(out, `e.hcl" is where all files together are larger than 64 MiB`) {
		t.Error(out)
	}
	if len(c.Files) != 5 {
		t.Errorf("%d files are read", len(c.Files))
	}
	l := newLoader()
	for range maxIncludes + 5 {
		l.includeFile("/nowhere", hcl.Range{})
	}
	if last := l.list[len(l.list)-1].Summary; len(l.list) != maxIncludes+1 || last != "include: more than 10000 files are included" {
		t.Errorf("%d diagnostics, the last one %q", len(l.list), last)
	}
}

// Hidden files, such as those that editors lock others with, are meant only where the pattern says so.
func TestGlobPassesOverHiddenNames(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a.hcl", ".b.hcl", ".old/c.hcl", "new/d.hcl"} {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, nil, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	for pattern, want := range map[string]string{"*.hcl": "a.hcl", "?b.hcl": "", ".*.hcl": ".b.hcl", "*/*.hcl": "new/d.hcl", ".old/*": ".old/c.hcl"} {
		got, err := glob(filepath.Join(dir, pattern))
		if found := strings.ReplaceAll(strings.Join(got, " "), dir+"/", ""); err != nil || found != want {
			t.Errorf("%s: %q, %v, want %q", pattern, found, err, want)
		}
	}
}

// A pattern sees a bounded number of names, however it goes up and down.
func TestGlobEnds(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a/b/c/1.hcl", "a/d/2.hcl", "e/3.hcl", "e/f/4.hcl"} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, pattern := range []string{"*/*.hcl", "*/*/*.hcl", "*/f/*.hcl", "a/[bc]/c/?.hcl", "nowhere/*", "e/3.hcl/*", `e/\3.hcl*`} {
		want, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			t.Fatal(err)
		}
		got, err := glob(filepath.Join(dir, pattern))
		if err != nil || strings.Join(got, " ") != strings.Join(want, " ") {
			t.Errorf("%s: %v, %v, want %v", pattern, got, err, want)
		}
	}
	for left, want := range map[int]error{4: errManyNames, 100: nil} {
		if _, err := (&globber{left}).glob(dir + "/*/*/*"); !errors.Is(err, want) {
			t.Errorf("%d names: %v, want %v", left, err, want)
		}
	}
	if _, err := glob(dir + "/["); err == nil {
		t.Error("no pattern, and no error")
	}
}

// Of very many misspelt names among very many the first are told what was meant: to look that up for all would take minutes.
func TestHintsEnd(t *testing.T) {
	const many = 3000
	var b strings.Builder
	b.WriteString("listener \"http\" { address = \":80\" }\nsite \"*\" {\n")
	for i := range many {
		fmt.Fprintf(&b, "  route \"/%d\" { proxy = upstream.nam%d }\n", i, i)
	}
	b.WriteString("}\n")
	for i := range many {
		fmt.Fprintf(&b, "upstream \"name%d\" {\n  server \"h:1\" {}\n}\n", i)
	}
	_, diags := Parse("weir.hcl", []byte(b.String()))
	errs := diags.errors()
	if len(errs) != many {
		t.Fatalf("%d errors", len(errs))
	}
	for i, d := range errs {
		if hinted := d.Hint != ""; hinted != (i < maxCompared/many) {
			t.Fatalf("error %d: %q", i, d.Hint)
		}
	}
}
