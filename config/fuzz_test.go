package config

import (
	"bytes"
	"strings"
	"testing"
)

// FuzzParse: whatever the text, there is an answer; what is told has a place; what can be parsed can be
// formatted, without loss, and stays; in pieces it is read as it is whole.
func FuzzParse(f *testing.F) {
	for name, src := range configurations(f) {
		f.Add(src, strings.HasSuffix(name, ".json"))
	}
	f.Fuzz(func(t *testing.T, src []byte, json bool) {
		if len(src) > 1<<14 || bytes.Contains(src, []byte("include")) {
			return // other files are no part of this
		}
		name := "weir.hcl"
		if json {
			name = "weir.json"
		}
		c, diags := Parse(name, src)
		if c == nil && !diags.HasErrors() {
			t.Errorf("nothing, and no reason")
		}
		checkDiagnostics(t, diags)
		if c != nil {
			checkConfig(t, c, diags)
		}
		comparePieces(t, name, src)
		if _, diags := parse(name, src); !diags.HasErrors() {
			checkFormat(t, name, src)
		}
	})
}

func checkDiagnostics(t *testing.T, diags Diagnostics) {
	var b bytes.Buffer
	if err := diags.Write(&b, true); err != nil {
		t.Error(err)
	}
	for _, d := range diags {
		if d.Pos.File == "" || d.Summary == "" {
			t.Errorf("%+v", d)
		}
		if strings.ContainsAny(d.Line, "\x00\r\n") || strings.ContainsAny(d.Summary, "\x00\r\n") {
			t.Errorf("%q, %q", d.Summary, d.Line)
		}
	}
}

// checkConfig checks what those who read a configuration rely on.
func checkConfig(t *testing.T, c *Config, diags Diagnostics) {
	upstreams := map[string]bool{}
	for _, u := range c.Upstreams {
		if upstreams[u.Name] || len(u.Servers) == 0 && u.Discover == nil {
			t.Errorf("upstream %q", u.Name)
		}
		upstreams[u.Name] = true
	}
	broken := len(c.BrokenListeners) + len(c.BrokenUpstreams)
	for _, s := range c.Sites {
		broken += len(s.Broken.errors())
		for _, r := range s.Routes {
			checkRoute(t, r, upstreams)
		}
	}
	if broken > 0 && !diags.HasErrors() {
		t.Errorf("something is broken, and nothing is said")
	}
}

func checkRoute(t *testing.T, r *Route, upstreams map[string]bool) {
	answers := 0
	for _, is := range []bool{r.Proxy != "", r.Split != nil, r.Respond != nil, r.Redirect != nil} {
		if is {
			answers++
		}
	}
	if answers != 1 || r.Pattern == "" {
		t.Errorf("%s: %d answers, pattern %q", r.Label, answers, r.Pattern)
	}
	if r.Proxy != "" && !upstreams[r.Proxy] {
		t.Errorf("%s: upstream %q is not there", r.Label, r.Proxy)
	}
	if r.Split != nil {
		for _, w := range r.Split.To {
			if !upstreams[w.Upstream] {
				t.Errorf("%s: upstream %q is not there", r.Label, w.Upstream)
			}
		}
	}
}
