package lint

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// Words that do not belong in the repository. They are put together from pieces, so that this file
// passes its own test.
var words = []struct {
	pattern string
	why     string
}{
	{`\b(TO` + `DO|FIX` + `ME|X` + `XX|HA` + `CK)\b`, "mend it instead of leaving a note"},
	{`(^|[\s"'(=:])/(wo` + `rk|ro` + `ot|ho` + `me/[a-z]+)/`, "a path of somebody's machine"},
	{`(pro` + `xy\.golang\.org|regi` + `stry\.npmjs|py` + `pi\.org|deb\.deb` + `ian\.org)`, "where packages come from is the machine's business"},
}

func TestForbiddenWords(t *testing.T) {
	compiled := make([]*regexp.Regexp, len(words))
	for i, w := range words {
		compiled[i] = regexp.MustCompile(`(?m)` + w.pattern)
	}
	err := walk(func(name string) error {
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil || bytes.IndexByte(text, 0) >= 0 || name == "LICENSE" {
			return err
		}
		for i, re := range compiled {
			if at := re.FindIndex(text); at != nil {
				line := 1 + bytes.Count(text[:at[0]], []byte("\n"))
				t.Errorf("%s:%d: %q: %s", name, line, text[at[0]:at[1]], words[i].why)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
