package poll

import "sync/atomic"

const (
	tableChunk  = 1 << 12
	tableChunks = 1 << 12 // 16 Mi descriptors
)

// A table finds a connection by its descriptor. An event names descriptor and generation, so that one
// which was under way when a descriptor was closed and used again does not reach the wrong connection.
type table struct {
	chunks [tableChunks]atomic.Pointer[[tableChunk]atomic.Pointer[sock]]
	gen    atomic.Uint32
}

func (t *table) slot(fd int32) *atomic.Pointer[sock] {
	c := &t.chunks[fd/tableChunk]
	for c.Load() == nil {
		c.CompareAndSwap(nil, new([tableChunk]atomic.Pointer[sock]))
	}
	return &c.Load()[fd%tableChunk]
}

func (t *table) put(s *sock) { t.slot(s.fd).Store(s) }

func (t *table) drop(s *sock) { t.slot(s.fd).CompareAndSwap(s, nil) }

func (t *table) find(fd int32, gen uint32) *sock {
	if fd < 0 || int(fd) >= tableChunk*tableChunks {
		return nil
	}
	chunk := t.chunks[fd/tableChunk].Load()
	if chunk == nil {
		return nil
	}
	if s := chunk[fd%tableChunk].Load(); s != nil && s.gen == gen {
		return s
	}
	return nil
}
