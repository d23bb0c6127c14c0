package config

import (
	"os"
	"strings"
	"testing"
)

// Everything in the whole language is known: it works, or it is not available yet.
func TestCompleteLanguage(t *testing.T) {
	t.Setenv("OIDC_SECRET", "geheim")
	c, diags := Load("testdata/complete.hcl")
	if c != nil {
		t.Error("privacy and trusted_proxies are not as they should be, and something is served")
	}
	later := 0
	for _, d := range diags.errors() {
		switch {
		case strings.HasSuffix(d.Summary, "is not available yet"):
			later++
		case strings.HasSuffix(d.Summary, "does not exist"): // files of another machine
		default:
			t.Error(d)
		}
	}
	if later < 30 {
		t.Errorf("%d things are not available yet: is the file whole?", later)
	}
}

// A listener that cannot be had yet does not keep the plain one from its work.
func TestListenerOfLaterIsLeftOut(t *testing.T) {
	src, err := os.ReadFile("testdata/two-listeners.hcl")
	if err != nil {
		t.Fatal(err)
	}
	c, diags := Parse("weir.hcl", src)
	if !diags.HasErrors() || c == nil {
		t.Fatalf("config %v, diagnostics %v", c, diags)
	}
	if len(c.Listeners) != 1 || c.Listeners[0].Name != "http" || len(c.BrokenListeners) != 1 || c.BrokenListeners[0].Name != "tls" {
		t.Errorf("listeners %v, broken %v", c.Listeners, c.BrokenListeners)
	}
	if len(c.Sites) != 1 || c.Sites[0].Broken != nil || len(c.Sites[0].Routes) != 1 || c.Sites[0].Routes[0].Proxy != "origin" {
		t.Errorf("sites %+v", c.Sites[0])
	}
	if c.Upstreams[0].Keepalive != 2048 {
		t.Errorf("keepalive %d", c.Upstreams[0].Keepalive)
	}
}

func TestNoFile(t *testing.T) {
	t.Chdir(t.TempDir())
	c, diags := Load("weir.hcl")
	if got, want := said(t, diags), "weir.hcl: error: file does not exist\n"; c != nil || got != want {
		t.Errorf("%v, %q", c, got)
	}
}
