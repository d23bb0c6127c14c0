package config

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
)

// TestPiecesAreTheWhole reads what there is of configurations in pieces, and whole: what comes out is the same.
func TestPiecesAreTheWhole(t *testing.T) {
	inPieces := 0
	eachArchive(t, func(t *testing.T, main string, _ *txtar.Archive) {
		inPieces += comparePieces(t, main, read(t, main))
	})
	examples, err := filepath.Glob("../examples/*.hcl")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range examples {
		inPieces += comparePieces(t, name, read(t, name))
	}
	for name, text := range map[string]string{
		"indented": "  site \"a.test\" {\n  respond \"/\" {}\n}\nsite \"b.test\" {\n  respond \"/\" {}\n}\n upstream \"a\" {\n  server \"h:1\" {}\n}\n",
		"twice":    "listener \"http\" { address = \":80\" }\ngrace = \"1s\"\nsite \"b.test\" {\n  respond \"/\" {}\n}\ngrace = \"2s\"\n",
		"heredoc":  "site \"b.test\" {\n  respond \"/\" {\n    body = <<E # not one\nsite \"c.test\" {\n}\nE\n  }\n}\n",
		"comment":  "grace = \"1s\" /* one\nsite \"c.test\" {\n*/\nsite \"b.test\" {\n  respond \"/\" {}\n}\n",
		"deep":     "site \"b.test\" {\n  respond \"/\" {\n    body = " + strings.Repeat("[", 300) + "\n  }\n}\n",
		"no site":  "listener \"http\" { address = \":80\" }\nsite8 \"b.test\" {\n  respond \"/\" {}\n}\nsite-off \"c.test\" {\n  respond \"/\" {}\n}\n",
		"no block": "site = \"b.test\"\n",
	} {
		t.Run(name, func(t *testing.T) { comparePieces(t, "weir.hcl", []byte(text)) })
	}
	if inPieces < 10 {
		t.Errorf("%d are read in pieces", inPieces)
	}
}

// TestPiecesOfMistakes is the same of what somebody has changed by mistake in one of the files, included ones as well.
func TestPiecesOfMistakes(t *testing.T) {
	const each = 5
	random := rand.New(rand.NewPCG(1, 2))
	inPieces, all := 0, 0
	eachArchive(t, func(t *testing.T, main string, archive *txtar.Archive) {
		for i := range archive.Files {
			f := &archive.Files[i]
			if filepath.Ext(f.Name) != ".hcl" {
				continue
			}
			for range each {
				if err := os.WriteFile(f.Name, mistaken(random, f.Data), 0o600); err != nil {
					t.Fatal(err)
				}
				inPieces += comparePieces(t, main, read(t, main))
				all++
			}
			if err := os.WriteFile(f.Name, f.Data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	})
	if inPieces < all/3 || inPieces == all {
		t.Errorf("%d of %d are read in pieces", inPieces, all)
	}
}

// eachArchive runs f in a folder with the files of each configuration that is checked.
func eachArchive(t *testing.T, f func(t *testing.T, main string, archive *txtar.Archive)) {
	names, err := filepath.Glob("testdata/check/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		archive, err := txtar.ParseFile(name)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(filepath.Base(name), func(t *testing.T) {
			dir := t.TempDir()
			main := unpack(t, dir, archive)
			t.Chdir(dir)
			f(t, main, archive)
		})
	}
}

// mistaken is a text with a line too few or at another place, or with something too much in it.
func mistaken(r *rand.Rand, text []byte) []byte {
	lines := strings.SplitAfter(string(text), "\n")
	i, j := r.IntN(len(lines)), r.IntN(len(lines))
	switch r.IntN(4) {
	case 0:
		lines[i] = ""
	case 1:
		lines[i], lines[j] = lines[j], lines[i]
	case 2:
		lines[i] += lines[j]
	default:
		much := []string{"{", "}", `"`, "<<E\n", "/*", "*/", "#", "\n", "=", "[", "${", "site \"x.test\" {\n", "grace = \"1s\"\n", "\r\n", "\ufeff", "e\u0301", ";"}
		at := r.IntN(len(lines[i]) + 1)
		lines[i] = lines[i][:at] + much[r.IntN(len(much))] + lines[i][at:]
	}
	return []byte(strings.Join(lines, ""))
}

func read(t *testing.T, name string) []byte {
	src, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return src
}

// comparePieces returns 1 where the text is read in pieces.
func comparePieces(t *testing.T, name string, src []byte) int {
	whole := newLoader()
	whole.whole = true
	want, wantUsable, wantSaid := whole.parseAll(name, src)
	got, usable, gotSaid := parseAll(name, src)
	if want != nil && got != nil {
		want.quoter, got.quoter = nil, nil
	}
	if !reflect.DeepEqual(got, want) || usable != wantUsable || !reflect.DeepEqual(gotSaid, wantSaid) {
		t.Errorf("%s: in pieces:\n%v\nwhole:\n%v", name, gotSaid, wantSaid)
	}
	l := newLoader()
	if _, ok := l.inPieces(name, src); !ok || isJSON(name) {
		return 0
	}
	if l.parseAll(name, src); l.odd {
		return 0
	}
	return 1
}
