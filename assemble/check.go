package assemble

import (
	"weir/config"
)

// Check returns what is wrong with a configuration beyond its text: routes that are alike or never reached,
// pages that cannot be read, tests that fail. Nothing is opened or sent.
//
// Of sites that are broken all is looked at that could be read, so that their errors are found in one run.
func Check(c *config.Config) config.Diagnostics {
	c = drafted(c)
	e := dryEngine(c)
	e.draft = true
	g, diags := e.build(c, nil)
	defer g.discard()
	return append(diags, g.circles(e)...)
}

// dryEngine returns an engine to make generations with that are never served.
func dryEngine(c *config.Config) *Engine {
	e := New(Options{Config: func() (*config.Config, config.Diagnostics) { return c, nil }})
	e.dry = true
	return e
}

// Explain tells what would become of a request under a configuration that is not running.
func Explain(c *config.Config, q Request) (*Explanation, error) {
	e := dryEngine(c)
	g, _ := e.build(c, nil)
	defer g.discard()
	return g.explain(e, q)
}

// Explain tells what would become of a request now.
func (e *Engine) Explain(q Request) (*Explanation, error) {
	g := e.current.Load()
	if g == nil {
		return nil, errNothing
	}
	return g.explain(e, q)
}
