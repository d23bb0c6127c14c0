package weirtest

import (
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// built is weir, made once for all tests.
var built struct {
	sync.Once
	dir, bin string
	err      error
}

func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "curl" {
		os.Exit(Curl(os.Args[1:]))
	}
	flag.Parse()
	flag.Set("test.parallel", "8") // scripts wait more than they work
	code := m.Run()
	os.RemoveAll(built.dir)
	os.Exit(code)
}

// touchSources has the go command know that the result depends on every source of weir: it looks at which
// files a test looks at before it takes a result from its cache.
func touchSources() {
	filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".go") {
			os.Stat(path)
		}
		return nil
	})
}

func TestScripts(t *testing.T) {
	Run(t, binary(t), "../testdata/script/*.txtar", raced)
}

// binary builds weir; the environment may name one that is there already.
func binary(t *testing.T) string {
	t.Helper()
	if bin := os.Getenv("WEIR_BINARY"); bin != "" {
		return bin
	}
	touchSources()
	built.Do(func() {
		if built.dir, built.err = os.MkdirTemp("", "weir"); built.err != nil {
			return
		}
		var flags []string
		if raced {
			flags = append(flags, "-race")
		}
		built.bin, built.err = Build(built.dir, flags...)
	})
	if built.err != nil {
		t.Fatal(built.err)
	}
	return built.bin
}
