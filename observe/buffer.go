package observe

import (
	"sync"
	"sync/atomic"
)

const blockSize = 64 << 10

// A buffer holds lines between the goroutines that serve and the one that writes. It is cut into
// shards, one for a core, so that those who add seldom meet; each shard fills blocks, which
// go to the writer whole. What all blocks take together is bounded.
type buffer struct {
	shards []shard // a power of two
	limit  int64
	held   atomic.Int64  // bytes of all blocks
	free   chan []byte   // a few blocks to use again
	some   chan struct{} // there are lines, where there were none
	full   chan struct{} // there is a full block
}

type shard struct {
	mu   sync.Mutex // protects what follows
	cur  []byte
	full [][]byte
	_    [64]byte
}

func newBuffer(shards, limit int) *buffer {
	n := 1
	for n < shards {
		n *= 2
	}
	return &buffer{
		shards: make([]shard, n),
		limit:  int64(max(limit, n*blockSize)),
		free:   make(chan []byte, 16),
		some:   make(chan struct{}, 1),
		full:   make(chan struct{}, 1),
	}
}

// add copies line into shard i; false: there is no room.
func (b *buffer) add(i int, line []byte) bool {
	s := &b.shards[i&(len(b.shards)-1)]
	s.mu.Lock()
	if len(s.cur)+len(line) > cap(s.cur) && !b.turn(s, len(line)) {
		s.mu.Unlock()
		return false
	}
	first := len(s.cur) == 0
	s.cur = append(s.cur, line...)
	s.mu.Unlock()
	if first {
		signal(b.some)
	}
	return true
}

// turn hands over s's block, if it has one, and gives it another with room for n bytes.
func (b *buffer) turn(s *shard, n int) bool {
	if len(s.cur) > 0 {
		s.full = append(s.full, s.cur)
		s.cur = nil
		signal(b.full)
	}
	s.cur = b.block(n)
	return s.cur != nil
}

func (b *buffer) block(n int) []byte {
	if n <= blockSize {
		select {
		case p := <-b.free:
			return p
		default:
		}
	}
	size := int64(max(n, blockSize))
	if b.held.Add(size) > b.limit {
		b.held.Add(-size)
		return nil
	}
	return make([]byte, 0, size)
}

// take appends all blocks that hold lines to dst. Whoever takes gives them back.
func (b *buffer) take(dst [][]byte) [][]byte {
	for i := range b.shards {
		s := &b.shards[i]
		s.mu.Lock()
		dst = append(dst, s.full...)
		clear(s.full)
		s.full = s.full[:0]
		if len(s.cur) > 0 {
			dst = append(dst, s.cur)
			s.cur = nil
		}
		s.mu.Unlock()
	}
	return dst
}

// give takes a block back.
func (b *buffer) give(p []byte) {
	if cap(p) == blockSize {
		select {
		case b.free <- p[:0]:
			return
		default:
		}
	}
	b.held.Add(-int64(cap(p)))
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
