package h3

import (
	"runtime"
	"sync"

	"github.com/quic-go/quic-go"
)

// A letter is an answer that is whole and small: what QUIC takes at once.
type letter struct {
	str  *quic.Stream
	text []byte
	in   *[outSize]byte // the memory of text
}

// letterSize is how large a letter may be: QUIC takes what fits into a packet without a wait.
const letterSize = 1400

// An outbox is where the letters of a connection come together. QUIC wakes its own goroutines for each piece it is
// given, makes a packet of what there is and has the kernel send it; so what is about to come is given to it together.
type outbox struct {
	mu      sync.Mutex // protects what follows
	letters []letter
	spare   []letter // the memory that the next letters use
	posting bool     // somebody empties it
}

// post sends a letter, and the end of its stream.
func (c *conn) post(l letter) {
	o := &c.outbox
	o.mu.Lock()
	defer o.mu.Unlock()
	o.letters = append(o.letters, l)
	if o.posting {
		return
	}
	o.posting = true
	if c.used() > 1 {
		o.mu.Unlock()
		runtime.Gosched() // others are about to bring theirs
		o.mu.Lock()
	}
	for len(o.letters) > 0 {
		out := o.letters
		o.letters, o.spare = o.spare[:0], nil
		o.mu.Unlock()
		c.send(out)
		clear(out)
		o.mu.Lock()
		o.spare = out[:0]
	}
	o.posting = false
}

// send gives letters to QUIC. Where a stream or the connection has ended meanwhile, nobody is left to be told.
func (c *conn) send(letters []letter) {
	c.credit.pay()
	used := c.used()
	for i := range letters {
		l := &letters[i]
		l.str.Write(l.text)
		l.str.Close()
		outputs.Put(l.in)
		c.credit.owe(l.str, used)
	}
}
