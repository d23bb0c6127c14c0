package lint

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	pageScript = regexp.MustCompile(`testdata/script/[^\s)\x60,]*`)
	pageLink   = regexp.MustCompile(`\]\(([^)#\s]+)(#[^)\s]*)?\)`)
)

// TestPagesNameWhatThereIs keeps pages from speaking of behaviour scripts and files that are gone.
func TestPagesNameWhatThereIs(t *testing.T) {
	scripts, links := 0, 0
	err := walk(func(name string) error {
		if path.Ext(name) != ".md" {
			return nil
		}
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			return err
		}
		for _, script := range pageScript.FindAllString(string(text), -1) {
			scripts++
			if !exists(script) {
				t.Errorf("%s names %s: there is nothing of that name", name, script)
			}
		}
		for _, m := range pageLink.FindAllStringSubmatch(string(text), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			links++
			if !exists(path.Join(path.Dir(name), m[1])) {
				t.Errorf("%s leads to %s: there is nothing of that name", name, m[1])
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if scripts < 10 || links < 10 {
		t.Errorf("found %d names of scripts and %d links only", scripts, links)
	}
}

// exists reports whether a file of that name, or of that pattern, is there.
func exists(name string) bool {
	found, err := filepath.Glob(filepath.Join(root, name))
	return err == nil && len(found) > 0
}
