package lint

import (
	"go/ast"
	"sort"
	"strings"
	"testing"
)

// Hard caps; the habit is far below: functions under 40 lines, files of 100 to 400.
const (
	maxFunc = 120 // lines, those of tables (composite literals) not counted
	maxFile = 800
)

func TestSizes(t *testing.T) {
	var lengths []int
	for _, s := range allSources(t) {
		if s.isGenerated() {
			continue
		}
		if n := strings.Count(s.text, "\n"); n > maxFile {
			t.Errorf("%s has %d lines, more than %d: it holds more than one noun", s.name, n, maxFile)
		}
		for _, decl := range s.ast.Decls {
			f, ok := decl.(*ast.FuncDecl)
			if !ok || f.Body == nil {
				continue
			}
			n := bodyLines(s, f)
			if !s.isTest() {
				lengths = append(lengths, n)
			}
			if n > maxFunc {
				t.Errorf("%s: %s has %d lines besides its tables, more than %d", s.name, f.Name.Name, n, maxFunc)
			}
		}
	}
	sort.Ints(lengths)
	t.Logf("%d functions: median %d lines, 90%% within %d, longest %d",
		len(lengths), lengths[len(lengths)/2], lengths[len(lengths)*9/10], lengths[len(lengths)-1])
}

// bodyLines counts the lines between f's braces, those of composite literals left out.
func bodyLines(s source, f *ast.FuncDecl) int {
	from, to := s.lines(f.Body)
	n := to - from - 1
	ast.Inspect(f.Body, func(node ast.Node) bool {
		lit, ok := node.(*ast.CompositeLit)
		if !ok {
			return true
		}
		from, to := s.lines(lit)
		n -= to - from
		return false
	})
	return max(n, 0)
}
