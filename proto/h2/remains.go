package h2

import (
	"time"

	"weir/internal/clock"
)

// A remnant is a stream whose exchange is over and whose client has not ended its side: what is left of the request may
// be on its way. It is taken and thrown away, since a reset would have some clients throw away the answer.
type remnant struct {
	id      uint32
	bounded bool  // the length was announced
	left    int64 // of that
	recv    int   // window that the client has left
	since   int64
}

// remnantTime is how long a remnant is kept at least, where its place is wanted for another stream.
const remnantTime = time.Second

// remain keeps what is left of a stream and reports whether it did: only where the client can end its side without more
// window, and does not wait for leave to send at all. c.mu is held.
func (c *conn) remain(s *stream) bool {
	b := &s.body
	r := remnant{id: s.id, bounded: b.length >= 0, left: b.length - b.got, recv: b.recv, since: clock.Now()}
	if b.expects || !s.sentEnd || r.left > int64(r.recv) || r.recv == 0 {
		return false
	}
	c.remains = append(c.remains, r)
	return true
}

// remnant returns the index of a stream's remnant, or -1. c.mu is held.
func (c *conn) remnant(id uint32) int {
	for i := range c.remains {
		if c.remains[i].id == id {
			return i
		}
	}
	return -1
}

// bury ends the i-th remnant, with RST_STREAM if the client is to be told to end its side. c.mu is held.
func (c *conn) bury(i int, reset bool, code errorCode) {
	id := c.remains[i].id
	c.remains = append(c.remains[:i], c.remains[i+1:]...)
	if reset {
		c.out = appendReset(c.out, id, code)
	}
	c.past.add(id, reset)
}

// buryOld makes room for another stream among most. c.mu is held.
func (c *conn) buryOld(most int) {
	for len(c.remains) > 0 {
		old := clock.Now()-c.remains[0].since > int64(remnantTime)
		if !old && len(c.streams)+len(c.remains) < most {
			return
		}
		c.bury(0, true, codeNone)
	}
}

// remnantData takes in DATA of the i-th remnant. c.mu is held.
func (c *conn) remnantData(i int, f *frame, p []byte) *connError {
	r := &c.remains[i]
	r.recv -= f.length
	r.left -= int64(len(p))
	end := f.has(flagEndStream)
	switch {
	case r.recv < 0:
		c.bury(i, true, codeFlowControl)
		return c.spend(1)
	case r.bounded && (r.left < 0 || end && r.left > 0):
		c.bury(i, true, codeProtocol)
		return c.spend(1)
	case end:
		c.bury(i, false, codeNone)
	case r.recv == 0:
		c.bury(i, true, codeNone)
	case len(p) == 0:
		return c.spend(1)
	}
	return nil
}

// remnantTrailer takes in the field section that ends the i-th remnant. c.mu is held.
func (c *conn) remnantTrailer(i int, end bool) *connError {
	if r := &c.remains[i]; !end || r.bounded && r.left > 0 {
		c.bury(i, true, codeProtocol)
		return c.spend(1)
	}
	c.bury(i, false, codeNone)
	return nil
}
