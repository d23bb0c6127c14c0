package h2

import (
	"errors"
	"io"
	"time"

	"weir"
	"weir/internal/clock"
	"weir/internal/poll"
	"weir/proto/internal/section"
	"weir/proto/internal/tell"
)

// Respond implements weir.Stream: it writes the answer's head, body and trailer.
func (s *stream) Respond(x *weir.Exchange) error {
	switch {
	case s.answered:
		return errAnswered
	case s.malformed:
		s.resetMalformed()
		x.Response.Discard()
		x.Response.Status = 400
		return nil
	}
	if err := s.upgradeFault(x); err != nil {
		x.Fail(&weir.Fault{Op: "upgrade", Side: weir.SideUpstream, Cause: weir.CauseUpstreamUpgrade, Err: err})
	}
	if x.Response.Upgrade != nil {
		return s.upgrade(x)
	}
	return s.writeAnswer(x)
}

// resetMalformed ends a stream whose request broke the rules (RFC 9113, section 8.1.1).
func (s *stream) resetMalformed() {
	c := s.c
	c.mu.Lock()
	defer c.mu.Unlock()
	s.answered = true
	if !s.reset && !c.gone {
		s.reset = true
		c.out = appendReset(c.out, s.id, codeProtocol)
	}
}

// writeAnswer leaves the end of an answer in the output; the stream's end sends it.
func (s *stream) writeAnswer(x *weir.Exchange) error {
	r, w := &x.Response, &s.writer
	*w = answerWriter{s: s, left: -1}
	body := r.Body
	if bodiless(x.Request.Method, r.Status) {
		w.left = 0
	}
	w.floor = s.newFloor()
	s.encodeHead(x, w)
	if body == nil || w.left == 0 {
		if body != nil {
			body.Close()
		}
		return w.send(nil, true)
	}
	err := w.copy(body)
	if err == nil {
		err = w.end(r.Trailer())
	}
	body.Close()
	if err == nil {
		return nil
	}
	if s.takeBack() {
		return s.answerFault(x, err)
	}
	if t := x.LateTrailer(err); t != nil && w.left < 0 {
		w.end(t) // where that fails, too, the stream is reset for err
	}
	return err
}

// takeBack takes a head back that has not been appended to the output, so that another answer can be given.
func (s *stream) takeBack() bool {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	if !s.waiting || s.dead != nil {
		return false
	}
	s.waiting, s.answered = false, false
	return true
}

// answerFault answers with what went wrong where the body failed before a byte of the answer had left.
func (s *stream) answerFault(x *weir.Exchange, err error) error {
	var f *weir.Fault
	if !errors.As(err, &f) || f.Side == weir.SideClient && f.Cause != weir.CauseClientDeadline || x.Fault != nil {
		return err
	}
	x.Fail(err)
	return s.writeAnswer(x)
}

// bodiless reports whether an answer never has content.
func bodiless(method string, status int) bool {
	return method == "HEAD" || status == 204 || status == 304 || status < 200
}

// encodeHead puts the answer's head into s.head, where it waits for the first bytes of the body.
func (s *stream) encodeHead(x *weir.Exchange, w *answerWriter) {
	r := &x.Response
	p := appendFields(appendStatus(s.head[:0], r.Status), &r.Header)
	if !r.Header.HasKnown(weir.FieldDate) {
		p = section.AppendInt(p, hpackLiteral, 4, staticDate)
		p = clock.AppendDate(append(p, dateSize))
	}
	n := int64(0)
	if r.Body != nil {
		n = r.Body.Len()
	}
	switch {
	case r.Status == 204 || r.Status < 200:
	case w.left == 0 && (r.Body == nil || n < 0):
		// HEAD and 304: the length is not known, and nothing need be said of it.
	case n >= 0:
		p = appendLength(p, n)
		if w.left != 0 {
			w.left = n
		}
	}
	s.c.mu.Lock()
	s.head, s.waiting, s.answered = p, s.dead == nil, true
	s.c.mu.Unlock()
}

const dateSize = byte(len("Mon, 02 Jan 2006 15:04:05 GMT"))

// An answerWriter writes the body behind the head that waits in its stream.
type answerWriter struct {
	s     *stream
	left  int64 // of a body of known length; -1: unknown
	floor floor
}

// A lastWriter is a writer that can do better when it knows that these are the last bytes.
type lastWriter interface{ WriteLast(p []byte) error }

// copy writes all of body.
func (w *answerWriter) copy(body weir.Body) error {
	if wt, ok := body.(io.WriterTo); ok {
		w.s.sendHeadSoon() // whatever the body does about it
		_, err := wt.WriteTo(w)
		w.s.late.Stop()
		return err
	}
	buf := tell.Pieces.Get().(*[tell.PieceSize]byte)
	defer tell.Pieces.Put(buf)
	w.s.sendHeadSoon()
	for {
		n, err := body.Read(buf[:])
		w.s.late.Stop()
		var werr error
		if err == io.EOF {
			werr = w.WriteLast(buf[:n])
		} else {
			_, werr = w.Write(buf[:n])
		}
		switch {
		case werr != nil:
			return werr
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		}
	}
}

// sendHeadSoon sends the head without the first bytes of the body where these take their time.
func (s *stream) sendHeadSoon() {
	s.watching.Lock()
	s.lateMark = s.mark
	s.watching.Unlock()
	s.late.Reset(tell.HeadWait)
}

// lateAgain is how much later it is looked again whether there is room for a head whose body is late.
const lateAgain = 100 * time.Millisecond

// sendLate is what the timer late does.
func (s *stream) sendLate() {
	s.watching.Lock()
	defer s.watching.Unlock()
	if s.lateMark != s.mark { // the struct is another stream's by now
		return
	}
	c := s.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.waiting && len(c.out) >= outMost {
		s.late.Reset(lateAgain)
		return
	}
	s.appendHead(false)
	c.flushSoon()
}

// appendHead appends the head that waits. c.mu is held.
func (s *stream) appendHead(end bool) {
	if s.waiting {
		s.waiting = false
		s.c.appendBlock(s.id, end, s.head)
		s.sentEnd = end
	}
}

// Flush sends the head that waits.
func (w *answerWriter) Flush() error {
	s := w.s
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	if err := s.room(); err != nil {
		return err
	}
	s.appendHead(false)
	s.c.flushHeld()
	return nil
}

// Write sends p, behind the head if that still waits.
func (w *answerWriter) Write(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if err := w.count(len(p)); err != nil {
		return 0, err
	}
	if err := w.send(p, false); err != nil {
		return 0, err
	}
	c := w.s.c
	if w.left != 0 {
		c.flush()
		return len(p), nil
	}
	c.mu.Lock()
	c.flushSoon() // together with the end, which most bodies come to at once
	c.mu.Unlock()
	return len(p), nil
}

// WriteLast sends the last bytes of the body together with its end, unless a trailer follows.
func (w *answerWriter) WriteLast(p []byte) error {
	if err := w.count(len(p)); err != nil {
		return err
	}
	if w.left > 0 || w.s.x.Response.Trailer() != nil {
		return w.send(p, false)
	}
	return w.send(p, true)
}

// count checks n more bytes against the announced length: a body must not run over it.
func (w *answerWriter) count(n int) error {
	w.s.x.BytesOut += int64(n)
	if w.left < 0 {
		return nil
	}
	if w.left -= int64(n); w.left < 0 {
		return tell.TooLong()
	}
	return nil
}

// end completes the body.
func (w *answerWriter) end(trailer *weir.Header) error {
	if w.left > 0 {
		return tell.TooShort()
	}
	if trailer == nil || trailer.Len() == 0 {
		return w.send(nil, true)
	}
	block := appendFields(nil, trailer)
	s := w.s
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	if s.dead != nil {
		return s.goneFault("write answer")
	}
	if len(block) == 0 {
		s.c.mu.Unlock()
		err := w.send(nil, true)
		s.c.mu.Lock()
		return err
	}
	s.appendHead(false)
	s.c.appendBlock(s.id, true, block)
	s.sentEnd = true
	return nil
}

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

// fit is how many of n bytes may be sent in one frame. c.mu is held.
func (s *stream) fit(n int) int {
	return max(min(n, s.c.frameMost(), s.window, s.c.window), 0)
}

// took notes that n of want bytes have been sent. c.mu is held.
func (s *stream) took(n, want int, f *floor) {
	c := s.c
	s.window -= n
	c.window -= n
	c.moved += n
	c.calm.use(n)
	f.progress(n)
	if n >= 1<<10 || n == want {
		c.calm.earn(worthData)
	}
	s.sending.remove()
	if c.window > 0 {
		c.starved.wakeFirst()
	}
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
