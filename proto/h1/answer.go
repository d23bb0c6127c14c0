package h1

import (
	"io"

	"weir"
	"weir/internal/clock"
	"weir/internal/poll"
	"weir/proto/internal/tell"
)

// An answer is the body of a server's answer, read from its connection. It lives until the exchange has ended, so that a
// late Close finds nobody else's connection; then the next exchange gets it.
type answer struct {
	u       *upConn // nil: finished, the connection has been given back
	x       *weir.Exchange
	length  int64 // -1: unknown
	left    int64 // of a body of known length
	chunked bool
	reuse   bool // the server keeps the connection
	dec     chunkDecoder
	at      int64   // when input came last
	head    flusher // where the answer's head waits for the first bytes of the body; nil: it does not
	err     error   // what further reads return
}

// newAnswer returns memory for an answer to x.
func newAnswer(x *weir.Exchange) *answer {
	if a, ok := x.Spare.(*answer); ok {
		x.Spare = nil
		return a
	}
	return new(answer)
}

// answer makes the body that fr announces, and finishes at once where there is none.
func (u *upConn) answer(x *weir.Exchange, fr *framing) {
	a := newAnswer(x)
	*a = answer{u: u, x: x, length: fr.Length, left: fr.Length, chunked: fr.Chunked, reuse: !fr.Close, at: x.Timing.FirstByte}
	x.AtEnd(a)
	switch {
	case x.Request.Method == "HEAD":
		if fr.Length >= 0 && !fr.Chunked {
			x.Response.Body = weir.HeadBody(fr.Length)
		}
		a.finish(true)
	case fr.Chunked:
		a.length = -1
		a.dec.reset(&u.t.cfg.Limits)
		x.Response.Body = a
	case fr.Length == 0:
		a.finish(true)
	case fr.Length < 0:
		a.reuse = false
		x.Response.Body = a
	default:
		x.Response.Body = a
	}
}

// EndExchange implements weir.Ender.
func (a *answer) EndExchange(x *weir.Exchange) {
	a.finish(false)
	a.x = nil
	if a.chunked {
		a.dec = chunkDecoder{} // it may have a trailer
	}
	x.Spare = a
}

// finish gives the connection back; whole: the answer has been read to its end.
func (a *answer) finish(whole bool) {
	u := a.u
	if u == nil {
		return
	}
	a.u = nil
	a.x.Watch(nil)
	sent := u.joinUpload(!whole)
	clean := whole && sent && a.reuse && u.r == u.w
	u.releaseBig()
	if clean {
		u.t.put(u, a.at)
	} else {
		u.Conn.Close()
	}
}

// Len implements weir.Body.
func (a *answer) Len() int64 { return a.length }

// Close implements weir.Body.
func (a *answer) Close() error {
	if a.err == nil {
		a.err = poll.ErrClosed
	}
	a.finish(false)
	return nil
}

// Trailer implements weir.Body.
func (a *answer) Trailer() *weir.Header {
	if a.chunked && a.err == io.EOF && a.dec.trailer.Len() > 0 {
		return &a.dec.trailer
	}
	return nil
}

// Read implements weir.Body.
func (a *answer) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	span, err := a.next(len(p))
	n := copy(p, span)
	if err == io.EOF {
		a.finish(true)
	}
	return n, err
}

// next returns up to most bytes of the body, which stay valid until the next call. At the end it returns
// io.EOF, with the last bytes where that is known by then.
func (a *answer) next(most int) ([]byte, error) {
	if a.err != nil {
		return nil, a.err
	}
	u := a.u
	for {
		if u.r == u.w {
			if err := a.refill(); err != nil {
				return nil, a.fail(err)
			}
		}
		span, done, f := a.take(u.big[u.r:u.w], most)
		switch {
		case f != nil:
			if err := a.fail(f); len(span) == 0 {
				return nil, err
			}
			return span, nil
		case done:
			a.err = io.EOF
			return span, io.EOF
		case len(span) > 0:
			return span, nil
		}
	}
}

// take uses up input and returns what of it is content.
func (a *answer) take(buf []byte, most int) (span []byte, done bool, f *weir.Fault) {
	u := a.u
	if a.chunked {
		used, span, done, f := a.dec.gather(buf, most)
		u.r += used
		return span, done, f
	}
	n := min(len(buf), most)
	if a.length >= 0 {
		n = int(min(int64(n), a.left))
		a.left -= int64(n)
	}
	u.r += n
	return buf[:n], a.length >= 0 && a.left == 0, nil
}

// refill waits for more input; io.EOF is the end of a body whose length the connection tells.
func (a *answer) refill() error {
	u := a.u
	if u.big != nil && u.r == u.w {
		u.r, u.w = 0, 0
	}
	a.at = clock.Now()
	if a.head != nil {
		u.SetReadDeadline(a.at + int64(tell.HeadWait))
		if err := u.fill(); err != poll.ErrTimeout {
			return err
		}
		if err := a.flushHead(); err != nil {
			return err
		}
	}
	u.SetReadDeadline(a.at + int64(u.stall))
	return u.fill()
}

// A flusher sends what it holds back.
type flusher interface{ Flush() error }

// flushHead sends the head of a stream that has nothing to say yet.
func (a *answer) flushHead() error {
	h := a.head
	a.head = nil
	if err := h.Flush(); err != nil {
		return &poll.SinkError{Err: err}
	}
	return nil
}

// fail makes a fault of what went wrong in the middle of the body, and remembers it.
func (a *answer) fail(err error) error {
	if a.err != nil {
		return a.err
	}
	t := a.u.t
	f, isFault := err.(*weir.Fault)
	sink, isSink := err.(*poll.SinkError)
	switch {
	case isSink:
		a.err = sink.Err
	case isFault:
		a.err = t.fault(weir.CauseUpstreamFraming, weir.RetryNever, "read from", f.Err)
	case err == io.EOF && a.length < 0 && !a.chunked:
		a.err = io.EOF
	case err == io.EOF:
		a.err = t.fault(weir.CauseUpstreamBodyCut, weir.RetryNever, "read from", io.ErrUnexpectedEOF)
	case err == poll.ErrTimeout:
		a.err = t.fault(weir.CauseUpstreamBodyTimeout, weir.RetryNever, "read from", err)
	case err == poll.ErrCanceled:
		a.err = a.u.canceled()
	default:
		a.err = t.fault(weir.CauseUpstreamBodyCut, weir.RetryNever, "read from", err)
	}
	return a.err
}

// A splicer is a writer that can take bytes from a connection without a copy. It returns
// poll.ErrNoSplice, having moved nothing, where it can't.
type splicer interface {
	spliceFrom(src poll.Conn, n int64, from poll.Pace) (int64, error)
}

// A lastWriter is a writer that can do better when it knows that these are the last bytes.
type lastWriter interface{ WriteLast(p []byte) error }

// spliceMin is how much must be left of a body for a splice to pay.
const spliceMin = 128 << 10

// WriteTo hands the body on in the spans in which it arrives; the middle of a large one does not pass
// through this process at all.
func (a *answer) WriteTo(dst io.Writer) (n int64, err error) {
	a.head, _ = dst.(flusher)
	for a.err == nil {
		if m, err := a.splice(dst); err != nil {
			return n + m, err
		} else if m > 0 {
			n += m
			continue
		}
		span, rerr := a.next(len(bigBuffer{}))
		a.head = nil
		last := rerr == io.EOF
		m, werr := writeSpan(dst, span, last)
		n += int64(m)
		switch {
		case werr != nil:
			return n, werr
		case last:
			a.finish(true)
			return n, nil
		case rerr != nil:
			return n, rerr
		}
	}
	if a.err == io.EOF {
		return n, nil
	}
	return n, a.err
}

func writeSpan(dst io.Writer, span []byte, last bool) (int, error) {
	if last {
		if lw, ok := dst.(lastWriter); ok {
			return len(span), lw.WriteLast(span)
		}
	}
	if len(span) == 0 {
		return 0, nil
	}
	return dst.Write(span)
}

// splice moves the rest of a large body of known length; 0: not now.
func (a *answer) splice(dst io.Writer) (int64, error) {
	u := a.u
	if a.chunked || a.left < spliceMin || u.r < u.w {
		return 0, nil
	}
	sp, ok := dst.(splicer)
	if !ok {
		return 0, nil
	}
	u.releaseBig()
	n, err := sp.spliceFrom(u.Conn, a.left, poll.Pace{Window: u.stall})
	a.at = clock.Now()
	a.left -= n
	switch {
	case err == poll.ErrNoSplice:
		return 0, nil
	case err != nil:
		return n, a.spliceFault(err)
	case a.left == 0:
		a.err = io.EOF
		a.finish(true)
	}
	return n, nil
}

// spliceFault tells the two ends of a splice apart: only the reading end reports an end.
func (a *answer) spliceFault(err error) error {
	if err == io.ErrUnexpectedEOF {
		err = io.EOF
	}
	if w, ok := err.(*poll.SinkError); ok {
		return w
	}
	return a.fail(err)
}
