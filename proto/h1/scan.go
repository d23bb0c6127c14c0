package h1

import (
	"math/bits"
	"unsafe"

	"golang.org/x/sys/cpu"
)

// The scanners of heads look at eight bytes at a time. In a word x, (x-ones)&^x&highs marks a byte that is zero: the
// lowest mark is always a true one, and only bytes above a true one can be marked by mistake.
const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// word returns the eight bytes of s from i on, which there must be, the first one lowest.
func word(s string, i int) uint64 {
	v := *(*uint64)(unsafe.Add(unsafe.Pointer(unsafe.StringData(s)), i))
	if cpu.IsBigEndian {
		return bits.ReverseBytes64(v)
	}
	return v
}

// marked returns which byte of a word the lowest mark of m, which is not 0, stands for.
func marked(m uint64) int { return bits.TrailingZeros64(m) / 8 }

// controls marks the bytes of v that are below least, at most 0x80, or 0x7f.
func controls(v uint64, least uint64) uint64 {
	del := v ^ ones*0x7f
	return ((v-ones*least)&^v | (del-ones)&^del) & highs
}

// headEnd returns the length of the head at the beginning of buf with its empty line, or -1 where it has
// not ended. from is how much of buf has been looked at before. Lines that end in a bare LF end the head,
// too: the parser refuses them.
func headEnd(buf []byte, from int) int {
	s := unsafe.String(unsafe.SliceData(buf), len(buf))
	i := max(from-3, 0)
	for i+8 <= len(s) {
		v := word(s, i) ^ ones*'\n'
		m := (v - ones) &^ v & highs
		if m == 0 {
			i += 8
			continue
		}
		i += marked(m) + 1
		if n := blankLine(s, i); n > 0 {
			return n
		}
	}
	for ; i < len(s); i++ {
		if s[i] == '\n' {
			if n := blankLine(s, i+1); n > 0 {
				return n
			}
		}
	}
	return -1
}

// blankLine returns where the blank line ends that begins at i; 0: there is none.
func blankLine(s string, i int) int {
	switch {
	case i+1 < len(s) && s[i] == '\r' && s[i+1] == '\n':
		return i + 2
	case i < len(s) && s[i] == '\n':
		return i + 1
	}
	return 0
}

// colon returns where the first colon of s is; len(s): nowhere.
func colon(s string) int {
	i := 0
	for ; i+8 <= len(s); i += 8 {
		v := word(s, i) ^ ones*':'
		if m := (v - ones) &^ v & highs; m != 0 {
			return i + marked(m)
		}
	}
	for i < len(s) && s[i] != ':' {
		i++
	}
	return i
}

// valueLen returns how many bytes of s may stand in a field value.
func valueLen(s string) int {
	i := 0
	for i+8 <= len(s) {
		m := controls(word(s, i), ' ')
		if m == 0 {
			i += 8
			continue
		}
		if i += marked(m); s[i] != '\t' {
			return i
		}
		i++
	}
	for i < len(s) && class[s[i]]&classValue != 0 {
		i++
	}
	return i
}

// visible reports whether s has no control character and no space.
func visible(s string) bool {
	i := 0
	for ; i+8 <= len(s); i += 8 {
		if controls(word(s, i), ' '+1) != 0 {
			return false
		}
	}
	if i > 0 { // the rest together with what stands before it
		return controls(word(s, len(s)-8), ' '+1) == 0
	}
	for ; i < len(s); i++ {
		if s[i] <= ' ' || s[i] == 0x7f {
			return false
		}
	}
	return true
}
