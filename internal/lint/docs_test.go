package lint

import (
	"fmt"
	"go/ast"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"sort"
	"strings"
	"testing"
)

func TestPackagesAreDocumented(t *testing.T) {
	docs := map[string][]string{}
	for _, s := range allSources(t) {
		if s.isTest() {
			continue
		}
		docs[s.pkg()] = append(docs[s.pkg()], packageDoc(s)...)
	}
	for pkg, doc := range docs {
		if len(doc) != 1 {
			t.Errorf("package %s has %d package comments, want one that begins with \"Package NAME\" or, for a program, \"Command NAME\"", pkg, len(doc))
		}
	}
}

func packageDoc(s source) []string {
	if s.ast.Doc == nil {
		return nil
	}
	text := s.ast.Doc.Text()
	want := "Package " + s.ast.Name.Name + " "
	if s.ast.Name.Name == "main" {
		want = "Command "
	}
	if !strings.HasPrefix(text, want) {
		return nil
	}
	return []string{text}
}

func TestExportedNamesAreDocumented(t *testing.T) {
	for _, s := range allSources(t) {
		if s.isTest() || s.isGenerated() || s.ast.Name.Name == "main" {
			continue
		}
		for _, bare := range undocumented(s) {
			t.Errorf("%s: %s has no doc comment", s.name, bare)
		}
	}
}

func undocumented(s source) []string {
	var out []string
	report := func(n ast.Node, name string) {
		line, _ := s.lines(n)
		out = append(out, fmt.Sprintf("%s (line %d)", name, line))
	}
	for _, decl := range s.ast.Decls {
		switch d := decl.(type) {
		case *ast.FuncDecl:
			if d.Name.IsExported() && d.Doc == nil && exportedReceiver(d) {
				report(d, d.Name.Name)
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				if name := bareSpec(d, spec); name != "" {
					report(spec, name)
				}
			}
		}
	}
	return out
}

// exportedReceiver reports whether d is a function, or a method that users of the package see.
func exportedReceiver(d *ast.FuncDecl) bool {
	if d.Recv == nil {
		return true
	}
	typ := d.Recv.List[0].Type
	for {
		switch t := typ.(type) {
		case *ast.StarExpr:
			typ = t.X
		case *ast.IndexExpr:
			typ = t.X
		case *ast.IndexListExpr:
			typ = t.X
		case *ast.Ident:
			return t.IsExported()
		default:
			return false
		}
	}
}

// bareSpec names the exported thing that spec declares without a comment on itself, its line or its
// group; "" where there is none.
func bareSpec(d *ast.GenDecl, spec ast.Spec) string {
	switch s := spec.(type) {
	case *ast.TypeSpec:
		if s.Name.IsExported() && s.Doc == nil && s.Comment == nil && (d.Doc == nil || d.Lparen != token.NoPos) {
			return s.Name.Name
		}
	case *ast.ValueSpec:
		for _, n := range s.Names {
			if n.IsExported() && s.Doc == nil && s.Comment == nil && d.Doc == nil {
				return n.Name
			}
		}
	}
	return ""
}

// TestLibrariesHaveReasons keeps doc/decisions/ honest: what is imported is argued for there.
func TestLibrariesHaveReasons(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "doc/decisions/0001-libraries.md"))
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]string{}
	for _, s := range allSources(t) {
		for _, imp := range s.imports() {
			if host, _, _ := strings.Cut(imp, "/"); strings.Contains(host, ".") && !strings.Contains(imp, module+"/tools") {
				seen[imp] = s.name
			}
		}
	}
	var bare []string
	for imp, user := range seen {
		if !reasoned(string(text), imp) {
			bare = append(bare, imp+" (imported by "+user+")")
		}
	}
	sort.Strings(bare)
	for _, b := range bare {
		t.Errorf("doc/decisions/0001-libraries.md gives no reason for %s", b)
	}
}

// reasoned reports whether the page names imp's module: imp itself or a folder above it.
func reasoned(page, imp string) bool {
	for p := imp; strings.Contains(p, "/"); p = path.Dir(p) {
		if strings.Contains(page, "`"+p+"`") {
			return true
		}
	}
	return false
}

func TestEveryFolderIsOnTheMap(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "doc/map.md"))
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, s := range allSources(t) {
		seen[s.pkg()] = true
	}
	for pkg := range seen {
		if pkg != "." && !strings.Contains(string(text), "`"+pkg+"`") {
			t.Errorf("doc/map.md does not name `%s`", pkg)
		}
	}
}

func TestLicense(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "LICENSE"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Apache License", "Version 2.0, January 2004", "END OF TERMS AND CONDITIONS"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("LICENSE lacks %q", want)
		}
	}
}
