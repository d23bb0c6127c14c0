//go:build !race

package weirtest

// raced tells whether the race detector is on: then weir is built with it, too.
const raced = false
