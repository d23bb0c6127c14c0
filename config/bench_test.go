package config

import (
	"fmt"
	"strings"
	"testing"
)

// BenchmarkParse reads sites of ten routes, each with an upstream of its own.
func BenchmarkParse(b *testing.B) {
	for _, sites := range []int{1, 100, 2000} {
		src := manySites(sites)
		b.Run(fmt.Sprint(sites), func(b *testing.B) {
			for b.Loop() {
				if c, diags := Parse("weir.hcl", src); c == nil || len(diags) > 0 {
					b.Fatal(diags)
				}
			}
		})
	}
}

func manySites(n int) []byte {
	var b strings.Builder
	b.WriteString("listener \"http\" { address = \":80\" }\n")
	for i := range n {
		fmt.Fprintf(&b, "upstream \"u%d\" {\n  server \"10.0.0.1:80\" {}\n}\nsite \"s%d.example\" {\n", i, i)
		for k := range 10 {
			fmt.Fprintf(&b, "  route \"/r%d/*\" { proxy = upstream.u%d }\n", k, i)
		}
		b.WriteString("}\n")
	}
	return []byte(b.String())
}
