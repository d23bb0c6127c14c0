package h1

import (
	"unsafe"

	"golang.org/x/sys/cpu"
)

// canMap says that mapHead is there.
var canMap = cpu.X86.HasAVX2 && cpu.X86.HasBMI2

// mapHead looks at the n bytes from p on, 0 < n, and reads up to the next multiple of 64. It sets a bit in control for
// each control character but the tab, in special for these and for each colon, as many words as it has looked at
// blocks, and returns what headEnd does.
//
//go:noescape
func mapHead(p unsafe.Pointer, n int, special, control *uint64) int
