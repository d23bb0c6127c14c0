package h1

import (
	"sync"
	"unsafe"
)

// heads are where the strings of heads are made: several share one piece of memory, so that there are fewer of
// those to make and to collect. A string that is kept keeps headsSize bytes at most.
var heads = sync.Pool{New: func() any { return new(headMemory) }}

const headsSize = 4 << 10

// A headMemory hands out its bytes one after the other, each once.
type headMemory struct{ free []byte }

// headString returns p as a string.
func headString(p []byte) string {
	if len(p) > headsSize/4 || len(p) == 0 {
		return string(p)
	}
	m := heads.Get().(*headMemory)
	if len(m.free) < len(p) {
		m.free = make([]byte, headsSize)
	}
	own := m.free[:len(p):len(p)]
	m.free = m.free[len(p):]
	heads.Put(m)
	copy(own, p)
	return unsafe.String(unsafe.SliceData(own), len(own))
}
