package examples_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// complete.hcl is complete: it has every block and every attribute that the reference knows.
func TestCompleteIsComplete(t *testing.T) {
	text, err := os.ReadFile("complete.hcl")
	if err != nil {
		t.Fatal(err)
	}
	pages, err := filepath.Glob("../doc/reference/*.md")
	if err != nil {
		t.Fatal(err)
	}
	attributes := 0
	for _, page := range pages {
		b, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		attributes += compare(t, page, string(b), string(text))
	}
	if attributes < 100 {
		t.Errorf("the reference has %d attributes only: has its form changed?", attributes)
	}
}

var (
	attributeRow = regexp.MustCompile("^\\| `([a-z_]+)` \\|")
	blockHead    = regexp.MustCompile(`^##? (?:.* / )?([a-z_]+)$`)
)

// compare looks in text for what a page of the reference has, and returns the number of attributes.
func compare(t *testing.T, page, reference, text string) (attributes int) {
	t.Helper()
	table := ""
	for line := range strings.Lines(reference) {
		line = strings.TrimSpace(line)
		if head, ok := strings.CutPrefix(line, "| "); ok && !strings.HasPrefix(line, "| `") {
			table, _, _ = strings.Cut(head, " ")
		}
		if m := blockHead.FindStringSubmatch(line); m != nil && filepath.Base(page) != "settings.md" {
			if !regexp.MustCompile(`(?m)^ *` + m[1] + ` ("[^"]*" )?\{`).MatchString(text) {
				t.Errorf("complete.hcl has no block %q of %s", m[1], page)
			}
		}
		m := attributeRow.FindStringSubmatch(line)
		if m == nil || table != "attribute" || strings.Contains(line, "*Not available yet.*") {
			continue
		}
		attributes++
		if !regexp.MustCompile(`\b` + m[1] + ` *=`).MatchString(text) {
			t.Errorf("complete.hcl has no attribute %q of %s", m[1], page)
		}
	}
	return attributes
}
