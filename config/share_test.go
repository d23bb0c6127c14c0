package config

import "testing"

// TestRoutesShareSettings of their site where they say nothing of their own, and change nothing of it where they do.
func TestRoutesShareSettings(t *testing.T) {
	c, diags := Parse("weir.hcl", []byte(`
listener "http" { address = "127.0.0.1:80" }
upstream "a" {
  server "127.0.0.1:1" {}
}
policy "p" { via = false }
site "a.test" {
  max_body = "1KiB"
  route "/0" { proxy = upstream.a }
  route "/1" {
    method = "GET"
    proxy  = upstream.a
  }
  redirect "/2" { to = "/0" }
  route "/3" {
    proxy    = upstream.a
    max_body = "2KiB"
  }
  route "/4" {
    proxy = upstream.a
    use   = policy.p
  }
  route "/5" {
    proxy = upstream.a
    request { set = { "X-A" = "1" } }
  }
  respond "/6" { body = "{request.id}" }
  redirect "/7" { to = "/{request.id}" }
}
`))
	if c == nil || diags.HasErrors() {
		t.Fatal(diags)
	}
	s := c.Sites[0]
	for i, r := range s.Routes {
		if shared := r.Settings == &s.Settings; shared != (i < 3) {
			t.Errorf("%s shares the settings of its site: %v", r.Label, shared)
		}
		if ids := r.RequestID != nil; ids != (i >= 6) {
			t.Errorf("%s has ids: %v", r.Label, ids)
		}
		if own := r.MaxBody != 1<<10; own != (i == 3) {
			t.Errorf("%s: max_body is %d", r.Label, r.MaxBody)
		}
		if r.Via != (i != 4) || len(r.Request) > 0 != (i == 5) {
			t.Errorf("%s: via %v, request %v", r.Label, r.Via, r.Request)
		}
	}
	if s.Routes[6].Settings != s.Routes[7].Settings {
		t.Error("the same settings with ids are not one")
	}
}
