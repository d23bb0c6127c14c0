package lint

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

const root = "../.."

// A source is one parsed Go file of the module.
type source struct {
	name  string // relative to the module: "proto/h1/chunk.go"
	text  string
	ast   *ast.File
	lines func(n ast.Node) (from, to int)
}

// pkg is the folder of the file as an import path below the module; "." for the root.
func (s source) pkg() string { return path.Dir(s.name) }

func (s source) isTest() bool { return strings.HasSuffix(s.name, "_test.go") }

func (s source) isGenerated() bool { return ast.IsGenerated(s.ast) }

func (s source) imports() []string {
	var out []string
	for _, i := range s.ast.Imports {
		out = append(out, strings.Trim(i.Path.Value, `"`))
	}
	return out
}

// sources parses every Go file of the module, whatever its build tags, once.
var sources = sync.OnceValues(func() ([]source, error) {
	fset := token.NewFileSet()
	var out []source
	err := walk(func(name string) error {
		if !strings.HasSuffix(name, ".go") {
			return nil
		}
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(fset, name, text, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		out = append(out, source{name: name, text: string(text), ast: file, lines: func(n ast.Node) (int, int) {
			return fset.Position(n.Pos()).Line, fset.Position(n.End()).Line
		}})
		return nil
	})
	return out, err
})

func allSources(t *testing.T) []source {
	t.Helper()
	all, err := sources()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 20 {
		t.Fatalf("found %d Go files only: is %q the module's root?", len(all), root)
	}
	return all
}

// walk calls visit with every regular file of the module, leaving out what is not its source.
func walk(visit func(name string) error) error {
	return fs.WalkDir(os.DirFS(root), ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (name == ".git" || name == "bin" || name == "bench/out"):
			return fs.SkipDir
		case !d.Type().IsRegular():
			return nil
		}
		return visit(name)
	})
}
