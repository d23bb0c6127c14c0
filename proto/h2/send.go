package h2

import (
	"errors"
	"time"

	"weir"
	"weir/internal/poll"
	"weir/proto/internal/tell"
)

// send appends p to the connection's output, with the stream's end if that is asked for, as the client's windows and the
// room there allow.
func (w *answerWriter) send(p []byte, end bool) error {
	c := w.s.c
	c.mu.Lock()
	defer c.mu.Unlock()
	return w.s.send(p, end, &w.floor)
}

// send is answerWriter.send with c.mu held, which it lets go of while it waits.
func (s *stream) send(p []byte, end bool, f *floor) error {
	c := s.c
	for first := true; first || len(p) > 0; {
		err := s.ready(f, len(p) > 0)
		if err != nil || s.sending.in == &c.crowded {
			s.sending.remove()
		}
		if err != nil {
			c.starved.wakeFirst()
			c.wakeCrowded(1)
			return err
		}
		if s.sentEnd {
			return nil
		}
		first = false
		s.appendHead(end && len(p) == 0)
		if s.sentEnd {
			return nil
		}
		n := s.fit(len(p))
		if n == 0 && len(p) > 0 {
			first = true // only the head has gone
			continue
		}
		last := end && n == len(p)
		if n > 0 || last {
			c.out = appendData(c.out, s.id, last, p[:n])
			s.sentEnd = last
		}
		s.took(n, len(p), f)
		p = p[n:]
	}
	return nil
}

// ready waits until something can be sent: the head if it waits, or a byte of content. c.mu is held.
func (s *stream) ready(f *floor, content bool) error {
	c := s.c
	for {
		switch {
		case c.broken != nil: // which has the reader end the streams
			return s.undelivered(c.brokenFault())
		case s.dead != nil:
			return s.undelivered(s.goneFault("write answer"))
		case len(c.out) >= outMost:
			s.leaveQueue()
			if !c.flushing {
				c.flushHeld()
				continue
			}
			c.crowded.add(&s.sending)
			s.sending.wait(c, time.Hour) // the one who writes has a deadline
		case s.waiting || !content:
			return nil
		case s.window <= 0:
			s.leaveQueue()
			if err := s.pause(f); err != nil {
				return err
			}
		case c.window <= 0 || !c.starved.empty() && c.starved.first != &s.sending:
			c.starved.add(&s.sending)
			if err := s.pause(f); err != nil {
				return err
			}
		default:
			return nil
		}
	}
}

// room waits until the output takes a head. c.mu is held, but not meanwhile.
func (s *stream) room() error {
	err := s.ready(nil, false)
	if s.sending.in == &s.c.crowded {
		s.sending.remove()
	}
	if err != nil {
		s.c.wakeCrowded(1)
	}
	return err
}

// leaveQueue lets the next one go on where s waits for something else by now. c.mu is held.
func (s *stream) leaveQueue() {
	if s.sending.in != nil {
		s.sending.remove()
		s.c.starved.wakeFirst()
	}
}

// pause waits for a wider window no longer than the floor allows. A stream that waits behind others is judged by what all
// of them get. c.mu is held.
func (s *stream) pause(f *floor) error {
	c := s.c
	if !c.flushing && len(c.out) > 0 {
		c.flushHeld()
		return nil
	}
	if f.left() <= 0 {
		return &weir.Fault{Op: "write answer", Side: weir.SideClient, Cause: weir.CauseClientWriteTimeout, Err: poll.ErrTimeout}
	}
	behind, moved := s.sending.in != nil, c.moved
	waited := s.sending.wait(c, f.left())
	if f.waited += waited; behind && int64(c.moved-moved) >= f.rate*int64(waited/time.Second) && c.moved != moved {
		f.waited -= waited
	}
	return nil
}

// wakeCrowded lets n of those who wait for room in the output look. c.mu is held.
func (c *conn) wakeCrowded(n int) {
	for ; n > 0 && !c.crowded.empty(); n-- {
		w := c.crowded.first
		w.remove()
		w.wake()
	}
}

// brokenFault is why nothing can be written any more. c.mu is held.
func (c *conn) brokenFault() *weir.Fault {
	f := &weir.Fault{Op: "write answer", Side: weir.SideClient, Cause: weir.CauseClientGone, Err: c.broken}
	if errors.Is(c.broken, poll.ErrTimeout) {
		f.Cause = weir.CauseClientWriteTimeout
	}
	return f
}

// undelivered returns why an answer is not: f, or that the request's body could not be decrypted. The client leaves because of
// that, and who waits for the server may have seen it go before. c.mu is held.
func (s *stream) undelivered(f *weir.Fault) *weir.Fault {
	if s.recvEnd || s.c.spoilt == nil && !tell.Unsealed(f.Err) {
		return f
	}
	f.Cause = weir.CauseRequestBody
	if was := s.x.Fault; was != nil && was.Cause == weir.CauseClientGone {
		s.x.Fault = f
	}
	return f
}
