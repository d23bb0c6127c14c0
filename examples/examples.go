// Package examples holds configurations that run. They are for reading; tests check and exercise each of them.
package examples

import _ "embed"

// Demo is demo.hcl, the configuration of `weir demo`.
//
//go:embed demo.hcl
var Demo string
