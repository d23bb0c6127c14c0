package h2

import (
	"time"

	"weir/internal/clock"
)

// A remnant is a stream whose exchange is over and whose client has not ended its side: what is left of the request may
// be on its way. It is taken and thrown away, as much as the client has a window for, since a reset right behind the
// answer would have some clients, which see both at once, throw the answer away. One whose client may not come to the end
// within that window is reset when the client has had time to read the answer (RFC 9113, section 8.1).
type remnant struct {
	id      uint32
	bounded bool  // the length was announced
	left    int64 // of that
	recv    int   // window that the client has left
	window  int   // and we
	since   int64
}

// remnantTime is how long a remnant is kept: at least, where its place is wanted for another stream, and at most, where
// its client does not come to the end.
const remnantTime = time.Second

// remain keeps what is left of a stream and reports whether it did: not where the client waits for leave to send. c.mu is
// held.
func (c *conn) remain(s *stream) bool {
	b := &s.body
	if b.expects || !s.sentEnd {
		return false
	}
	c.remains = append(c.remains, remnant{id: s.id, bounded: b.length >= 0, left: b.length - b.got, recv: b.recv, window: s.window, since: clock.Now()})
	c.watchRemains()
	return true
}

// needsReset reports whether the client may not be able to end its side.
func (r *remnant) needsReset() bool { return !r.bounded || r.left > int64(r.recv) }

// watchRemains has the remnants that need it reset in time. c.mu is held.
func (c *conn) watchRemains() {
	if c.burial != nil || c.gone {
		return
	}
	for i := range c.remains {
		if r := &c.remains[i]; r.needsReset() && c.retain() {
			c.burial = time.AfterFunc(time.Duration(r.since+int64(remnantTime)-clock.Now()), c.buryLate)
			return
		}
	}
}

// buryLate is what the timer burial does.
func (c *conn) buryLate() {
	c.mu.Lock()
	c.burial = nil
	now := clock.Now()
	for i := 0; i < len(c.remains); {
		if r := &c.remains[i]; r.needsReset() && now-r.since >= int64(remnantTime) {
			c.bury(i, true, codeNone)
		} else {
			i++
		}
	}
	c.watchRemains()
	c.flushSoon()
	c.mu.Unlock()
	c.release()
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
	case r.bounded && r.left < 0:
		c.bury(i, true, codeProtocol)
		return c.spend(1)
	case end:
		// Who has been answered may have given the rest up. curl 7.88 then waits until something comes.
		c.bury(i, r.bounded && r.left > 0, codeNone)
	case len(p) == 0:
		return c.spend(1)
	}
	return nil
}

// remnantTrailer takes in the field section that ends the i-th remnant. c.mu is held.
func (c *conn) remnantTrailer(i int, end bool) *connError {
	if !end {
		c.bury(i, true, codeProtocol)
		return c.spend(1)
	}
	c.bury(i, false, codeNone)
	return nil
}

// remnantWindow takes in a larger window for the i-th remnant, on which nothing is sent any more. c.mu is held.
func (c *conn) remnantWindow(i, n int) {
	r := &c.remains[i]
	if r.window += n; r.window > maxWindow {
		c.bury(i, true, codeFlowControl)
	}
}
