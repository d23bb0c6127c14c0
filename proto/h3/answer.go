package h3

import (
	"io"
	"time"

	"weir"
	"weir/internal/clock"
	"weir/internal/poll"
	"weir/proto/internal/ask"
	"weir/proto/internal/tell"
)

// A flusher sends what it holds back.
type flusher interface{ Flush() error }

// answer makes the body of the answer, and finishes at once where there is none.
func (r *round) answer() {
	p, length := &r.x.Response, r.sec.Length
	r.left = length
	r.x.AtEnd(r)
	switch {
	case r.x.Request.Method == "HEAD":
		if length >= 0 {
			p.Body = weir.HeadBody(length)
		}
		r.finish(true)
	case p.Status == 204 || p.Status == 304 || length == 0 && r.in.buffered() == 0:
		r.finish(true)
	case length < 0 && r.in.ended && r.in.buffered() == 0:
		r.finish(true)
	default:
		p.Body = r
	}
}

// EndExchange implements weir.Ender.
func (r *round) EndExchange(*weir.Exchange) {
	r.finish(false)
	r.x = nil
	rounds.Put(r)
}

// Len implements weir.Body.
func (r *round) Len() int64 { return r.sec.Length }

// Close implements weir.Body.
func (r *round) Close() error {
	if r.err == nil {
		r.err = errClosed
	}
	r.finish(false)
	return nil
}

// Trailer implements weir.Body.
func (r *round) Trailer() *weir.Header {
	if r.err == io.EOF && r.trailer.Len() > 0 {
		return &r.trailer
	}
	return nil
}

// Read implements weir.Body.
func (r *round) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	span, err := r.next(len(p))
	n := copy(p, span)
	if err == io.EOF {
		r.finish(true)
	}
	return n, err
}

// WriteTo hands the body on in the spans in which it arrives.
func (r *round) WriteTo(dst io.Writer) (n int64, err error) {
	r.head, _ = dst.(flusher)
	for {
		span, rerr := r.next(inputSize)
		r.head = nil
		m, werr := writeSpan(dst, span, rerr == io.EOF)
		n += int64(m)
		switch {
		case werr != nil:
			return n, werr
		case rerr == io.EOF:
			r.finish(true)
			return n, nil
		case rerr != nil:
			return n, rerr
		}
	}
}

// next returns up to most bytes of the body, valid until the next call; io.EOF comes with the last ones where that is
// known.
func (r *round) next(most int) ([]byte, error) {
	if r.err != nil {
		return nil, r.err
	}
	span, err := r.content(most)
	if err == errTrailer {
		if err = r.in.readTrailer(&r.u.t.cfg.Limits, &r.trailer); err == nil {
			err = io.EOF
		}
	}
	if r.sec.Length >= 0 {
		r.left -= int64(len(span))
	}
	switch {
	case r.sec.Length >= 0 && (r.left < 0 || err == io.EOF && r.left > 0):
		return nil, r.fail(errContent)
	case err == io.EOF:
		r.err = io.EOF
		return span, io.EOF
	case err != nil:
		return nil, r.fail(err)
	}
	return span, nil
}

// content waits for more of the body. Where the answer's head waits for it, too, that goes without it after a moment.
func (r *round) content(most int) ([]byte, error) {
	if r.in.left > 0 && r.in.buffered() > 0 {
		return r.in.content(most)
	}
	if r.head != nil {
		r.str.SetReadDeadline(time.Now().Add(tell.HeadWait))
		span, err := r.in.content(most)
		if !isTimeout(err) {
			return span, err
		}
		if err := r.head.Flush(); err != nil {
			return nil, ask.Sink(err)
		}
	}
	r.str.SetReadDeadline(at(clock.Now() + int64(r.stall)))
	return r.in.content(most)
}

// fail makes a fault of what went wrong in the middle of the body, and remembers it.
func (r *round) fail(err error) error {
	t := r.u.t
	switch e := err.(type) {
	case *poll.SinkError:
		r.err = e.Err
	case *connError:
		r.u.lose()
		r.u.peer.fail(e)
		r.err = t.fault(weir.CauseUpstreamProtocol, weir.RetryNever, "read from", err)
	case *streamError:
		r.err = t.fault(weir.CauseUpstreamFraming, weir.RetryNever, "read from", err)
	default:
		r.err = r.bodyFault(err)
	}
	return r.err
}

func (r *round) bodyFault(err error) *weir.Fault {
	t := r.u.t
	switch {
	case err == errContent && r.left > 0:
		return t.fault(weir.CauseUpstreamBodyCut, weir.RetryNever, "read from", io.ErrUnexpectedEOF)
	case err == errContent:
		return t.fault(weir.CauseUpstreamFraming, weir.RetryNever, "read from", err)
	case isTimeout(err) && !r.stopped():
		return t.fault(weir.CauseUpstreamBodyTimeout, weir.RetryNever, "read from", err)
	}
	f := r.fault(err, weir.CauseUpstreamBodyCut, weir.RetryNever, "read from")
	if f.Side == weir.SideUpstream {
		f.Cause, f.Retry = weir.CauseUpstreamBodyCut, weir.RetryNever
	}
	return f
}
