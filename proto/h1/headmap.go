package h1

import (
	"math/bits"
	"strings"
	"unsafe"

	"weir"
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

// parseFields is what the function of that name does, with a map of the whole head. Each place that it looks at without
// asking whether it is one of head's is next to one that the map has found there.
func (m *headMap) parseFields(head string, i, most int, h *weir.Header, f *framing, hosts *hostField) *fieldError {
	start := unsafe.Pointer(unsafe.StringData(head))
	var room []weir.Field
	kept := 0
	for n := 0; ; n++ {
		at := next(&m.special, i)
		end := next(&m.control, at)
		if end+1 >= len(head) || two(start, end) != lineEnd || at == end || n == most {
			h.Keep(kept)
			return noField(head, i, at, end, n == most)
		}
		name := unsafe.String((*byte)(unsafe.Add(start, i)), at-i)
		id := weir.Identify(name)
		if id == weir.FieldOther && !isToken(name) {
			h.Keep(kept)
			return &fieldError{err: nameError(head[i:])}
		}
		if kept == len(room) {
			h.Keep(kept)
			room, kept = h.Room(), 0
		}
		field := &room[kept]
		field.Name, field.ID, field.Wire = name, id, true
		if two(start, at) == colonSpace && one(start, at+2) > ' ' && one(start, end-1) > ' ' {
			field.Value, field.Line = unsafe.String((*byte)(unsafe.Add(start, at+2)), end-at-2), true
		} else {
			field.Value, field.Line = trim(head[at+1:end]), false
		}
		i = end + len("\r\n")
		if !connectionField[id] {
			kept++
		} else if err := f.note(id, field.Value, hosts); err != nil {
			h.Keep(kept)
			return noteError(err)
		}
	}
}

// noField tells what stands at i in place of one more field: nil where it is the empty line. at is where a name would end,
// end where a value.
func noField(head string, i, at, end int, full bool) *fieldError {
	switch {
	case at == i && isLineEnd(head, i):
		return nil
	case full:
		return &fieldError{err: errTooMany, tooMany: true}
	}
	return &fieldError{err: lineError(head, i, at, end)}
}

// What two returns of two bytes. There are maps only where the lower byte comes first.
const (
	lineEnd    = '\r' | '\n'<<8
	colonSpace = ':' | ' '<<8
)

func two(p unsafe.Pointer, i int) uint16 { return *(*uint16)(unsafe.Add(p, i)) }
func one(p unsafe.Pointer, i int) byte   { return *(*byte)(unsafe.Add(p, i)) }

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
