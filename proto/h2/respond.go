package h2

import (
	"errors"
	"io"
	"time"

	"weir"
	"weir/internal/clock"
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
