package lint

import (
	"strings"
	"testing"
)

const module = "weir"

// An arrow is an import that must never be. Patterns are import paths below the module ("." is the
// root) or, with a dot or without a folder of ours, those of others; "X/..." takes in everything
// below X, "X/*" each folder of X taken as one.
type arrow struct {
	from   string
	to     string
	except []string // importers for whom the rule does not hold
	tests  bool     // holds in tests, too
	why    string
}

// Do not change this table to fix a build. An arrow that seems needed shows that something stands in
// the wrong package: move that. The rules are the architecture; see doc/decisions/.
var arrows = []arrow{
	{
		from: ".", to: "weir/...", except: nil,
		why: "the vocabulary depends on nobody but internal/, or nothing could be understood by itself",
	},
	{
		from: "internal/...", to: ".",
		why: "leaves have no opinions: what knows an Exchange is not a leaf",
	},
	{
		from: "feature/*", to: "feature/*",
		why: "features are independent: what two need goes down into internal/, or the two are one feature",
	},
	{
		from: "proto/...", to: "feature/...",
		why: "a codec knows bytes and exchanges, nothing of what is done with them",
	},
	{
		from: "proto/...", to: "route/...",
		why: "a codec knows bytes and exchanges, nothing of where they go",
	},
	{
		from: "proto/...", to: "upstream/...",
		why: "a codec knows bytes and exchanges; pools and health use it, not the other way round",
	},
	{
		from: "...", to: "admin/...", except: []string{"cmd/...", "assemble/..."},
		why: "admin looks at everything, so nothing may look at admin",
	},
	{
		from: "...", to: "cmd/...", tests: true,
		why: "cmd is the top: flags and signals, nothing to use",
	},
	{
		from: "...", to: "weirtest/...", except: []string{"weirtest/...", "bench/..."},
		why: "test code does not ship",
	},
	{
		from: "...", to: "testing", except: []string{"weirtest/..."},
		why: "test code does not ship",
	},
	{
		from: "...", to: "config/...", except: []string{"config/...", "assemble/...", "admin/...", "cmd/..."},
		why: "what a package needs to be told it says in its own Config; the language may change without it",
	},
	{
		from: "...", to: "github.com/hashicorp/hcl/...", except: []string{"config/..."},
		why: "one package knows the parser: its values, positions and diagnostics stay there",
	},
	{
		from: "...", to: "github.com/zclconf/go-cty/...", except: []string{"config/..."},
		why: "the parser's values are the parser",
	},
	{
		from: "...", to: "github.com/spf13/...", except: []string{"cmd/..."},
		why: "flags are for the command line",
	},
	{
		from: "...", to: "github.com/quic-go/...", except: []string{"proto/h3/...", "weirtest/...", "bench/load"},
		why: "its API breaks with every release: one package pays for that",
	},
	{
		from: "...", to: "net/http", except: []string{"cert/...", "admin/...", "discovery/...", "proto/h3/...", "weirtest/...", "bench/...", "cmd/..."},
		why: "the data plane is ours: net/http costs five times as much and tolerates what we refuse",
	},
	{
		from: "...", to: "net/http/httputil", except: []string{"weirtest/..."},
		why: "its ReverseProxy is what weir replaces",
	},
	{from: ".", to: "observe/...", why: "the data plane speaks to weir.Observer"},
	{from: "proto/...", to: "observe/...", why: "the data plane speaks to weir.Observer"},
	{from: "route/...", to: "observe/...", why: "the data plane speaks to weir.Observer"},
	{from: "upstream/...", to: "observe/...", why: "the data plane speaks to weir.Observer"},
	{from: "feature/...", to: "observe/...", why: "the data plane speaks to weir.Observer"},
	{from: "server/...", to: "observe/...", why: "the data plane speaks to weir.Observer"},
	{
		from: "...", to: "regexp", except: []string{"route/...", "config/...", "weirtest/...", "bench/...", "internal/lint", "feature/...", "cmd/...", "assemble/..."},
		why: "a regular expression costs a microsecond where a loop costs a few nanoseconds: only where a user wrote one",
	},
}

func TestArrows(t *testing.T) {
	for _, s := range allSources(t) {
		for _, imp := range s.imports() {
			for _, a := range arrows {
				if a.forbids(s.pkg(), relative(imp), s.isTest()) {
					t.Errorf("%s imports %q: forbidden, because %s", s.name, imp, a.why)
				}
			}
		}
	}
}

// relative is the import path below the module, as the table writes it; others' paths stay whole.
func relative(imp string) string {
	if imp == module {
		return "."
	}
	return strings.TrimPrefix(imp, module+"/")
}

func ours(imp string) bool {
	first, _, _ := strings.Cut(imp, "/")
	switch first {
	case ".", "assemble", "admin", "bench", "cert", "cluster", "cmd", "config", "feature", "observe", "proto", "route", "server", "upstream", "weirtest":
		return true
	}
	return false
}

func (a arrow) forbids(from, to string, test bool) bool {
	if test && !a.tests {
		return false
	}
	for _, e := range a.except {
		if matches(e, from) {
			return false
		}
	}
	if !matches(a.from, from) {
		return false
	}
	switch a.to {
	case "weir/...":
		return ours(to)
	case "feature/*":
		return matches("feature/...", to) && feature(from) != feature(to)
	}
	return matches(a.to, to)
}

// feature is the folder of a feature: "feature/rewrite" of "feature/rewrite/links".
func feature(pkg string) string {
	parts := strings.SplitN(pkg, "/", 3)
	return strings.Join(parts[:min(2, len(parts))], "/")
}

func matches(pattern, pkg string) bool {
	if pattern == "..." {
		return true
	}
	if base, below := strings.CutSuffix(pattern, "/..."); below {
		return pkg == base || strings.HasPrefix(pkg, base+"/")
	}
	if base, each := strings.CutSuffix(pattern, "/*"); each {
		return strings.HasPrefix(pkg, base+"/")
	}
	return pkg == pattern
}

// A table that forbids nothing would pass as well: each arrow is shown one import that it must catch.
func TestArrowsCatch(t *testing.T) {
	for _, tt := range []struct {
		from, to string
		want     bool
	}{
		{".", "route", true},
		{".", "internal/clock", false},
		{".", "strings", false},
		{"internal/poll", ".", true},
		{"feature/cache", "feature/links", true},
		{"feature/cache/disk", "feature/cache", false},
		{"proto/h1", "upstream", true},
		{"proto/h1", "internal/poll", false},
		{"upstream/health", "proto/h1", false},
		{"server", "admin", true},
		{"cmd/weir", "admin", false},
		{"route", "config", true},
		{"assemble", "config", false},
		{"assemble", "github.com/hashicorp/hcl/v2", true},
		{"config/schema", "github.com/hashicorp/hcl/v2/hclsyntax", false},
		{"proto/h1", "net/http", true},
		{"admin", "net/http", false},
		{"bench/compare", "github.com/quic-go/quic-go/http3", true},
		{"bench/load", "github.com/quic-go/quic-go/http3", false},
		{"upstream", "observe", true},
		{"upstream", "weirtest", true},
		{"upstream", "testing", true},
	} {
		got := false
		for _, a := range arrows {
			got = got || a.forbids(tt.from, tt.to, false)
		}
		if got != tt.want {
			t.Errorf("%s -> %s: forbidden is %v, want %v", tt.from, tt.to, got, tt.want)
		}
	}
}
