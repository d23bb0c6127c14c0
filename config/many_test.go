package config

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"
)

// enough is more time than any of this takes on a slow machine, and less than what grows with the square of the text.
const enough = 30 * time.Second

// What thousands of mistakes of one kind cost does not grow with the file for each of them.
func TestManyMistakesOfGrammar(t *testing.T) {
	for name, text := range map[string]string{
		"no equals sign": "server {\n" + strings.Repeat("  listen 80;\n", 30_000) + "}\n",
		"texts":          sitesWith(2_500, "  host = <<E\n"),
	} {
		begin := time.Now()
		if _, diags := Parse("weir.hcl", []byte(text)); !diags.HasErrors() {
			t.Errorf("%s: no error", name)
		}
		if took := time.Since(begin); took > enough {
			t.Errorf("%s: %v", name, took)
		}
	}
}

func sitesWith(n int, line string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "site \"s%d.test\" {\n%s  respond \"/\" {}\n}\n", i, line)
	}
	return b.String()
}

// Nor does what is open at the ends of lines.
func TestManyOpenTexts(t *testing.T) {
	begin := time.Now()
	for _, line := range []string{"a = <<E\n", "a = <<E%d\n", "/* \n", "/* */ /* \n"} {
		var b strings.Builder
		for i := range 30_000 {
			b.WriteString(strings.ReplaceAll(line, "%d", strconv.Itoa(i)))
		}
		n := 0
		for range newLines().code([]byte(b.String())) {
			n++
		}
		if n < 2 {
			t.Errorf("%q: %d lines of code", line, n)
		}
	}
	if took := time.Since(begin); took > enough { // it took minutes
		t.Error(took)
	}
}

// Routes with settings of their own cost the same, however many there are beside them.
func TestManyRoutesWithSettings(t *testing.T) {
	var b strings.Builder
	b.WriteString("site \"a.test\" {\n")
	for i := range 30_000 {
		fmt.Fprintf(&b, "  route \"/%d\" {\n    proxy    = \"h:1\"\n    max_body = \"1MB\"\n  }\n", i)
	}
	b.WriteString("}\n")
	begin := time.Now()
	if _, diags := Parse("weir.hcl", []byte(b.String())); diags.HasErrors() {
		t.Error(diags)
	}
	if took := time.Since(begin); took > enough {
		t.Error(took)
	}
}

// Policies that use others in many ways are looked at once each.
func TestManyPolicies(t *testing.T) {
	var b strings.Builder
	b.WriteString("site \"a.test\" {\n  respond \"/\" {}\n}\npolicy \"p0\" {}\npolicy \"q0\" {}\n")
	for i := range 40 {
		for _, name := range []string{"p", "q"} {
			fmt.Fprintf(&b, "policy \"%s%d\" { use = [policy.p%d, policy.q%d] }\n", name, i+1, i, i)
		}
	}
	begin := time.Now()
	if _, diags := Parse("weir.hcl", []byte(b.String())); diags.HasErrors() {
		t.Error(diags)
	}
	if took := time.Since(begin); took > enough { // it took days
		t.Error(took)
	}
}
