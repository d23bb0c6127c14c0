package weir_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"weir"
)

//go:generate go test -run ^TestCausesPage$ -causes

var writeCauses = flag.Bool("causes", false, "write doc/causes.md")

// TestCausesPage holds doc/causes.md to the table in cause.go; `go generate` writes it anew.
func TestCausesPage(t *testing.T) {
	want := causesPage()
	if *writeCauses {
		if err := os.WriteFile("doc/causes.md", []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile("doc/causes.md")
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Error("doc/causes.md is stale; run: go generate .")
	}
}

func causesPage() string {
	var b strings.Builder
	b.WriteString(`<!-- Made of cause.go by go generate. -->

# Outcomes and causes

Every exchange ends with one outcome: ` + "`ok`" + `, or the code of its cause from this closed list. The same code
stands in the access log (` + "`outcome`" + `), as a metric label (` + "`weir_exchange_outcomes_total`" + `), in ` + "`/status`" + ` and on the
dashboard. The part before the dot says where to look: at the client, at routes and access rules, at the
upstream, or at weir. The status is what a client is answered with where there is somebody to answer; 499 stands
in the log alone, because then there is not (but for a client that has closed only its sending half).
`)
	for _, side := range []weir.Side{weir.SideClient, weir.SideUpstream, weir.SideWeir} {
		fmt.Fprintf(&b, "\n## Causes on the side of %s\n\n| outcome | status | what happened | what to do |\n|---|---|---|---|\n", sideName(side))
		for _, c := range weir.Causes() {
			if c.Side() == side {
				fmt.Fprintf(&b, "| `%s` | %d | %s | %s |\n", c, c.Status(), cell(c.Meaning()), cell(c.Remedy()))
			}
		}
	}
	return b.String()
}

func sideName(s weir.Side) string {
	if s == weir.SideWeir {
		return "weir"
	}
	return "the " + s.String()
}

func cell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }
