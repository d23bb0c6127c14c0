package h1

import (
	"math/bits"
	"strings"
	"unsafe"
)

// A headMap knows where in a head lines and names end, by looking at it once, many bytes at a time. It is made of what
// has been read, and serves the head that is copied from there. Not every head has one: nil stands for none.
type headMap struct {
	special [mapBlocks]uint64 // a bit for each colon and what control has
	control [mapBlocks]uint64 // a bit for each control character but the tab
}

// mapBlocks is how many times 64 bytes a head with a map has at most: more than nearly every one there is.
const mapBlocks = 32

// draw makes the map of the head at the beginning of buf[:n], and returns how long it is. 0: there is none, since it
// has not ended, is too long, or cannot be looked at in this way.
func (m *headMap) draw(buf []byte, n int) int {
	if n = min(n, mapBlocks*64); !canMap || n == 0 || (n+63)&^63 > len(buf) {
		return 0
	}
	return max(mapHead(unsafe.Pointer(unsafe.SliceData(buf)), n, &m.special[0], &m.control[0]), 0)
}

// lineEnd returns where the first LF of the head s is.
func (m *headMap) lineEnd(s string) int {
	if m != nil {
		if i := next(&m.control, 0) + 1; i < len(s) && s[i-1] == '\r' && s[i] == '\n' {
			return i
		}
	}
	return strings.IndexByte(s, '\n')
}

// fieldEnds returns where the name of the field line at i of the head s ends, at a colon, else the name is malformed, and
// where the value ends that follows the colon. With a map these are the next special and the next control character.
func fieldEnds(s string, i int) (name, value int) {
	name = i + colon(s[i:])
	value = min(name+1, len(s))
	return name, value + valueLen(s[value:])
}

// next returns the first bit from i on. There always is one: a head ends with a line feed.
func next(set *[mapBlocks]uint64, i int) int {
	k := uint(i) / 64
	if rest := set[k%mapBlocks] >> (uint(i) % 64); rest != 0 {
		return i + bits.TrailingZeros64(rest)
	}
	for k++; k < mapBlocks-1 && set[k] == 0; k++ {
	}
	return int(k*64) + bits.TrailingZeros64(set[k%mapBlocks])
}
