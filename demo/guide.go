package demo

import (
	_ "embed"
	"strings"
)

//go:embed guide.txt
var guide string

// Guide returns what to open and what to try, for a demonstration whose site and admin address are these and whose
// configuration is in file. Command is what to type for weir.
func Guide(command, site, admin, file string) string {
	return strings.NewReplacer("{{weir}}", command, "{{site}}", site, "{{admin}}", admin, "{{file}}", file).Replace(guide)
}
