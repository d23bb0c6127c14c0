package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The hunks are what diff -u makes of the same texts.
func TestUnifiedDiff(t *testing.T) {
	if _, err := exec.LookPath("diff"); err != nil {
		t.Skip("no diff here")
	}
	numbers := strings.Split("1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20", " ")
	base := strings.Join(numbers, "\n") + "\n"
	for name, after := range map[string]string{
		"first":    strings.Replace(base, "1\n", "one\n", 1),
		"last":     strings.Replace(base, "20\n", "twenty\n", 1),
		"two far":  strings.NewReplacer("\n2\n", "\ntwo\n", "\n18\n", "\neighteen\n").Replace(base),
		"two near": strings.NewReplacer("\n9\n", "\nnine\n", "\n13\n", "\nthirteen\n").Replace(base),
		"added":    base + "21\n",
		"removed":  strings.Replace(base, "10\n11\n", "", 1),
		"no end":   strings.TrimSuffix(base, "\n"),
	} {
		dir := t.TempDir()
		a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
		os.WriteFile(a, []byte(base), 0o600)
		os.WriteFile(b, []byte(after), 0o600)
		out, _ := exec.CommandContext(t.Context(), "diff", "-u", a, b).Output()
		_, want, _ := strings.Cut(string(out), "\n@@")
		_, got, _ := strings.Cut(unifiedDiff("a", base, after), "\n@@")
		if got != want || want == "" {
			t.Errorf("%s: got\n@@%s\nwant\n@@%s", name, got, want)
		}
	}
}
