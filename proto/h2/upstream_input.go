package h2

import "sync"

// An upInput holds what has come of an answer and has not been taken. It is never more than the stream's window.
type upInput struct {
	first, last *upChunk
	size        int
}

// An upChunk is a piece of input.
type upChunk struct {
	p    []byte // what it holds
	kind int
	next *upChunk
}

// Chunks are small for small answers, and grow when input comes faster than it is taken.
var upChunkSizes = [...]int{2 << 10, minFrameSize, 64 << 10}

var upChunks [len(upChunkSizes)]sync.Pool

func newUpChunk(kind int) *upChunk {
	if k, ok := upChunks[kind].Get().(*upChunk); ok {
		return k
	}
	return &upChunk{p: make([]byte, 0, upChunkSizes[kind]), kind: kind}
}

func (k *upChunk) free() {
	k.p, k.next = k.p[:0], nil
	upChunks[k.kind].Put(k)
}

// add appends a copy of p.
func (in *upInput) add(p []byte) {
	in.size += len(p)
	for len(p) > 0 {
		k := in.last
		if k == nil || len(k.p) == cap(k.p) {
			k = in.grow(len(p))
		}
		n := min(len(p), cap(k.p)-len(k.p))
		k.p = append(k.p, p[:n]...)
		p = p[n:]
	}
}

func (in *upInput) grow(n int) *upChunk {
	kind := 0
	switch {
	case in.last != nil && in.last.kind > 0:
		kind = 2
	case in.last != nil, n > upChunkSizes[0]:
		kind = 1
	}
	k := newUpChunk(kind)
	if in.last == nil {
		in.first = k
	} else {
		in.last.next = k
	}
	in.last = k
	return k
}

// take takes the first chunks off, until they hold most bytes or more, and returns how many they hold.
func (in *upInput) take(most int) (first *upChunk, n int) {
	first = in.first
	var last *upChunk
	for k := first; k != nil && n < most; k = k.next {
		n += len(k.p)
		last = k
	}
	if last == nil {
		return nil, 0
	}
	if in.first = last.next; in.first == nil {
		in.last = nil
	}
	last.next = nil
	in.size -= n
	return first, n
}

// drop throws everything away.
func (in *upInput) drop() {
	freeUpChunks(in.first)
	*in = upInput{}
}

func freeUpChunks(k *upChunk) {
	for k != nil {
		next := k.next
		k.free()
		k = next
	}
}
