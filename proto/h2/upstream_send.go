package h2

import (
	"errors"
	"slices"

	"weir"
	"weir/internal/clock"
	"weir/internal/poll"
)

// An upSender sends DATA on a stream, one goroutine's at a time. It waits for the windows of the stream and of the
// connection, and for room in the output. Those who wait for what all share do so in a queue: each sends one piece
// when it is its turn.
type upSender struct {
	s    *upStream
	wake chan struct{}

	// Protected by c.mu.
	due   upDeadline
	fault *weir.Fault // what went wrong on the client's side
}

func (w *upSender) nudge() { upWake(w.wake) }

var errUpEnded = errors.New("the stream has ended")

// upPiece is how much of a body one turn may send.
const upPiece = 32 << 10

// passOn has the first in the queue look whether it can send. mu is held.
func (c *upConn) passOn() {
	if len(c.queue) > 0 && c.room > 0 && c.waiting() < outputData {
		c.queue[0].nudge()
	}
}

// leaveQueue lets the next one have its turn. mu is held.
func (w *upSender) leaveQueue() {
	c := w.s.c
	if i := slices.Index(c.queue, w); i >= 0 {
		c.queue = slices.Delete(c.queue, i, i+1)
	}
}

// send sends p, and with it the end of the stream if last is set.
func (w *upSender) send(p []byte, last bool) error {
	for {
		n, err := w.piece(p, last)
		if p = p[n:]; err != nil || len(p) == 0 {
			return err
		}
	}
}

// piece sends some of p.
func (w *upSender) piece(p []byte, last bool) (int, error) {
	s := w.s
	c := s.c
	c.mu.Lock()
	if err := w.turn(len(p)); err != nil {
		w.leaveQueue()
		c.passOn()
		c.unlock()
		return 0, err
	}
	w.due = upDeadline{}
	n := int(min(int64(len(p)), max(min(s.room, c.room), 0), upPiece))
	s.appendPieces(p[:n], last && n == len(p))
	w.leaveQueue()
	c.passOn()
	c.sendAside()
	return n, nil
}

// pieceTokens is how many frames a server may send for a piece of content, however small: it updates both windows, and
// some (gRPC's) measure the way with a PING each time.
const pieceTokens = 3

// appendPieces appends DATA frames. mu is held.
func (s *upStream) appendPieces(p []byte, last bool) {
	c, id := s.c, s.id
	s.room -= int64(len(p))
	c.room -= int64(len(p))
	c.earned += pieceTokens + int64(len(p))>>9
	c.append(func(out []byte) []byte {
		for len(p) > minFrameSize {
			out = appendData(out, id, false, p[:minFrameSize])
			p = p[minFrameSize:]
		}
		return appendData(out, id, last, p)
	})
	if last {
		s.localDone = true
		s.leaveIfDone()
	}
}

// turn waits until some of n bytes can be sent. mu is held, but not meanwhile.
func (w *upSender) turn(n int) error {
	s := w.s
	c := s.c
	for {
		if err := w.stopped(); err != nil {
			return err
		}
		shared := c.room > 0 && c.waiting() < outputData
		queued := slices.Contains(c.queue, w)
		switch {
		case n == 0, s.room > 0 && shared && (len(c.queue) == 0 || c.queue[0] == w):
			return nil
		case s.room <= 0:
			w.leaveQueue()
			c.passOn()
		case !queued:
			c.queue = append(c.queue, w)
		}
		if c.room <= 0 && c.choked.Load() == 0 {
			c.choked.Store(clock.Now())
		}
		if w.due.at == 0 && s.stall > 0 && !s.tunnel {
			w.due.at = clock.Now() + s.stall
			c.arm(w.due.at)
		}
		c.unlock()
		<-w.wake
		c.mu.Lock()
	}
}

// stopped returns why nothing more can be sent. mu is held.
func (w *upSender) stopped() error {
	s := w.s
	switch {
	case !s.open, s.closed, s.canceled:
		return errUpEnded
	case w.due.passed:
		return poll.ErrTimeout
	}
	return nil
}
