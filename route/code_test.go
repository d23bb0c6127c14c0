package route

import (
	"strings"
	"testing"
)

// Paths longer than one node's text may be, and with every byte that a path may have at one place, lead where they say.
func TestCodeHoldsWhatIsLong(t *testing.T) {
	long := "/" + strings.Repeat("long", 50_000)
	paths := []string{long, long + "/*", long[:codeLongText+1], long[:codeLongText+2], long + "/{a}/b"}
	for c := byte('!'); c < 0x7f; c++ {
		if !strings.ContainsRune(`{}*%/\;#?"<>^|`+"`", rune(c)) {
			paths = append(paths, "/bytes/"+string(c)+"x")
		}
	}
	r := build(t, Site{Name: "a", Hosts: []string{"*"}, Routes: specs(paths...)})
	for _, path := range paths {
		asked := strings.NewReplacer("/*", "/deep/er", "{a}", "value").Replace(path)
		got, err := r.Lookup(request("GET", "a", asked))
		if err != nil || got.Name != path {
			t.Fatalf("%.40q... (%d bytes) leads to %v, %v", asked, len(asked), got, err)
		}
	}
	for _, path := range []string{long[:codeLongText], long[:codeLongText+3], long + "x", "/bytes/~", "/bytes/xy"} {
		if got, err := r.Lookup(request("GET", "a", path)); err == nil {
			t.Fatalf("%.40q... (%d bytes) leads to %.40q", path, len(path), got.Name)
		}
	}
}
