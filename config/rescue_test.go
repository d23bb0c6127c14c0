package config

import "testing"

// The places of what is rescued count characters, as all others do.
func TestRescuedPlace(t *testing.T) {
	c, _ := Parse("weir.hcl", []byte("listener \"http\" { address = \":80\" }\nsite \"é\" { hosts = [\"é.test\", \"b.test\"] x }\n"))
	if c == nil || len(c.Sites) != 1 || len(c.Sites[0].Places) != 2 {
		t.Fatalf("%+v", c)
	}
	for _, p := range c.Sites[0].Places {
		if p.Pos.Line != 2 || p.Pos.Column != 12 {
			t.Errorf("%+v", p)
		}
	}
}
