package weirtest

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Whatever a script is not for, it says why.
func TestOnly(t *testing.T) {
	for _, tt := range []struct {
		line string
		want []Mode
		bad  string // part of the error
	}{
		{"", everyMode, ""},
		{"only h1: half a head is sent", []Mode{H1}, ""},
		{"only h1,https: half a head is sent", []Mode{H1, HTTPS}, ""},
		{"only h1:", nil, "no reason"},
		{"only h1: because", nil, "no reason"},
		{"only h4: half a head is sent", nil, "no mode"},
		{"only h1: half a head is sent\nonly h2: half a head is sent", nil, "two lines"},
	} {
		s, err := ParseScript([]byte("# It is.\n" + tt.line + "\n"))
		if tt.bad != "" {
			if err == nil || !strings.Contains(err.Error(), tt.bad) {
				t.Errorf("%q: error %v, want %q", tt.line, err, tt.bad)
			}
			continue
		}
		if err != nil {
			t.Errorf("%q: %v", tt.line, err)
			continue
		}
		for _, m := range everyMode {
			if s.in(m) != slices.Contains(tt.want, m) {
				t.Errorf("%q: in %s: %v", tt.line, m, s.in(m))
			}
		}
	}
}

// Most scripts are for every mode: to leave one out is the exception.
func TestMostScriptsAreForEveryMode(t *testing.T) {
	names, _ := filepath.Glob("../testdata/script/*.txtar")
	limited := map[Mode]int{}
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		s, err := ParseScript(data)
		if err != nil {
			t.Errorf("%s:%v", name, err)
			continue
		}
		for _, m := range everyMode {
			if !s.in(m) {
				limited[m]++
			}
		}
	}
	for m, n := range limited {
		if n > len(names)/2 {
			t.Errorf("%d of %d scripts are not for %s", n, len(names), m)
		}
	}
}

// Under the race detector a script runs in no more than two modes, of which one is the plain one.
func TestModesUnderRace(t *testing.T) {
	seen := map[Mode]bool{}
	for _, name := range []string{"a", "b", "c", "d", "e", "f", "g", "h"} {
		got := new(Script).modes(everyMode, name, true)
		if len(got) != 2 || got[0] != H1 {
			t.Errorf("%s: %v", name, got)
		}
		seen[got[1]] = true
	}
	if len(seen) != 3 {
		t.Errorf("the other modes are %v", seen)
	}
}
