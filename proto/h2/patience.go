package h2

import "time"

// A patience is how much a client may ask of a connection that leads to nothing: frames that carry nothing, streams that
// it resets before they were answered or has us reset, settings and pings that must be acknowledged. Each costs one; a
// little comes back with time, and more with work that was worth it, so that no honest client ever runs out of it. One
// that does is told ENHANCE_YOUR_CALM.
type patience struct {
	left int
	at   int64 // when time was last counted in
	used int64 // bytes of windows that answers have used up and that have not been given back
}

const (
	patienceMost = 512 // what there is at the beginning, and at any time
	patienceRate = 32  // what comes back in a second

	worthAnswer = 2 // what comes back with an answer that has been taken whole
	worthData   = 3 // with a DATA frame that the client's windows did not make small: it brings updates and pings

	worthUpdate = 1 << 10 // bytes that a WINDOW_UPDATE must give back to cost nothing
)

func (p *patience) begin(now int64) { *p = patience{left: patienceMost, at: now} }

// earn gives back n.
func (p *patience) earn(n int) { p.left = min(p.left+n, patienceMost) }

// use notes that n bytes of an answer have gone, which count in two windows.
func (p *patience) use(n int) { p.used += 2 * int64(n) }

// giveBack reports whether a WINDOW_UPDATE by n costs nothing, since it gives back what has been used. A client that has
// left a large answer lying sends very many of them when it takes it at last.
func (p *patience) giveBack(n int) bool {
	if n < worthUpdate || int64(n) > p.used {
		return false
	}
	p.used -= int64(n)
	return true
}

// spend takes n and reports whether there was so much.
func (p *patience) spend(n int, now int64) bool {
	if back := (now - p.at) * patienceRate / int64(time.Second); back > 0 {
		p.earn(int(min(back, patienceMost)))
		p.at = now
	}
	p.left -= n
	return p.left >= 0
}

// spendUpdate is spend for a WINDOW_UPDATE by n. c.mu is held.
func (c *conn) spendUpdate(n int) *connError {
	if c.calm.giveBack(n) {
		return nil
	}
	return c.spend(1)
}

// spend notes that the client has asked for something that leads to nothing. c.mu is held.
func (c *conn) spend(n int) *connError {
	if c.calm.spend(n, c.Woken()) {
		return nil
	}
	return &connError{codeCalm, "too much that leads to nothing"}
}

// A history is the numbers of the streams that ended last, and how: a client may not have heard of it yet.
type history struct {
	ids []uint32 // a ring; the lowest bits, which tell nothing since all numbers are odd, say whether we reset it
	at  int
}

// historySize is how many streams a history holds; twice as many as may be under way.
const historySize = 256

// add notes the end of a stream. reset: we reset it, and the client may still send on it.
func (h *history) add(id uint32, reset bool) {
	if !reset {
		id &^= 1
	}
	if len(h.ids) < historySize {
		h.ids = append(h.ids, id)
		return
	}
	h.ids[h.at] = id
	h.at = (h.at + 1) % historySize
}

// find reports whether the stream is known to have ended, and whether we reset it.
func (h *history) find(id uint32) (known, reset bool) {
	for _, have := range h.ids {
		if have|1 == id {
			return true, have&1 == 1
		}
	}
	return false, false
}
