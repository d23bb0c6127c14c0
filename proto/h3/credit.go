package h3

import (
	"sync"
	"time"
)

// A client is told by a frame that it may open a stream in place of one that has ended. Were each given free as soon as
// it has been served, that would become due when the client confirms the answer's last packet, and would go in a packet
// of its own: with a client that asks for one thing after the other, that is as many packets as there are answers. So a
// stream is owed to the client until the next answer leaves, and the frame goes with that.
type credit struct {
	most int // streams that the client may have open

	mu     sync.Mutex // protects what follows
	owed   []creditor
	spare  []creditor  // the memory that the next owed use
	timer  *time.Timer // pays what has been owed for so long; nil: nothing has been
	armed  bool
	closed bool
}

// A creditor is a stream that a client has opened.
type creditor interface{ ReleaseStreamCredit() }

// owedFor is how long a stream is owed at most.
const owedFor = 50 * time.Millisecond

// owe gives a stream free that has been served, now or later. used is how many others the client has open: it can always
// have as many again.
func (c *credit) owe(str creditor, used int) {
	c.mu.Lock()
	later := !c.closed && len(c.owed)+used < c.most/2
	if later {
		c.owed = append(c.owed, str)
		c.arm()
	}
	c.mu.Unlock()
	if !later {
		str.ReleaseStreamCredit()
	}
}

func (c *credit) arm() {
	switch {
	case c.armed:
		return
	case c.timer == nil:
		c.timer = time.AfterFunc(owedFor, c.expire)
	default:
		c.timer.Reset(owedFor)
	}
	c.armed = true
}

func (c *credit) expire() {
	c.mu.Lock()
	c.armed = false
	c.mu.Unlock()
	c.pay()
}

// pay gives all streams free that are owed.
func (c *credit) pay() {
	c.mu.Lock()
	owed := c.owed
	c.owed, c.spare = c.spare, nil
	c.mu.Unlock()
	if len(owed) == 0 {
		return
	}
	for _, str := range owed {
		str.ReleaseStreamCredit()
	}
	clear(owed)
	c.mu.Lock()
	c.spare = owed[:0]
	c.mu.Unlock()
}

// close ends the owing: the connection has ended.
func (c *credit) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed, c.owed = true, nil
	if c.timer != nil {
		c.timer.Stop()
	}
}
