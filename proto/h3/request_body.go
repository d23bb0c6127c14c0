package h3

import (
	"errors"
	"io"
	"sync/atomic"

	"weir"
	"weir/internal/clock"
	"weir/proto/internal/floor"
)

// A requestBody is the content of the request that a client sends. It belongs to the work, and is read by the handler's
// goroutine or, after it, by one upload.
type requestBody struct {
	w       *work
	length  int64 // -1: not told
	left    int64
	floor   floor.Floor
	resting int64 // since when nobody has asked for more
	err     error
	trailer weir.Header
	invited bool        // 100 (Continue) has been sent, or need not be
	closed  atomic.Bool // nobody wants more of it
	broken  atomic.Bool // it is malformed
}

func (b *requestBody) reset(w *work) {
	b.w, b.err, b.length, b.left, b.resting = w, nil, 0, 0, 0
	b.invited = false
	b.closed.Store(false)
	b.broken.Store(false)
	b.trailer.Reset()
}

func (b *requestBody) begin(length int64) {
	b.length, b.left = length, length
	b.floor.Begin(b.w.cfg.Timeouts.BodyFloor)
}

// Len implements weir.Body.
func (b *requestBody) Len() int64 { return b.length }

// Close implements weir.Body: it wakes whoever waits for more.
func (b *requestBody) Close() error {
	if b.closed.CompareAndSwap(false, true) {
		b.w.str.SetReadDeadline(past)
	}
	return nil
}

// Trailer implements weir.Body.
func (b *requestBody) Trailer() *weir.Header {
	if b.err == io.EOF && b.trailer.Len() > 0 {
		return &b.trailer
	}
	return nil
}

// Read implements weir.Body. Its first call asks a client that waits for it to go on.
func (b *requestBody) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	span, err := b.next(len(p))
	return copy(p, span), err
}

// WriteTo hands the content on in the spans in which it arrives.
func (b *requestBody) WriteTo(dst io.Writer) (n int64, err error) {
	for {
		span, rerr := b.next(inputSize)
		m, werr := writeSpan(dst, span, rerr == io.EOF)
		n += int64(m)
		switch {
		case werr != nil:
			return n, werr
		case rerr == io.EOF:
			return n, nil
		case rerr != nil:
			return n, rerr
		}
	}
}

// A lastWriter is a writer that can do better when it knows that these are the last bytes.
type lastWriter interface{ WriteLast(p []byte) error }

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

var errClosed = errors.New("the body has been closed")

// next returns up to most bytes of the content, valid until the next call; io.EOF comes with the last ones where that is
// known.
func (b *requestBody) next(most int) ([]byte, error) {
	if b.err != nil {
		return nil, b.err
	}
	if b.closed.Load() {
		return nil, errClosed
	}
	w := b.w
	if !w.x.Request.Touched {
		w.x.Request.Touched = true
	}
	if err := b.wait(); err != nil {
		return nil, b.fail(err)
	}
	span, err := w.in.content(most)
	if err == errTrailer {
		if err = w.in.readTrailer(&w.cfg.Limits, &b.trailer); err == nil {
			err = io.EOF
		}
	}
	if n := len(span); n > 0 {
		w.x.BytesIn += int64(n)
		b.floor.Progress(n)
		if b.length >= 0 {
			b.left -= int64(n)
		}
	}
	b.resting = clock.Now()
	switch {
	case b.left < 0 && b.length >= 0, err == io.EOF && b.length >= 0 && b.left > 0:
		return nil, b.fail(&streamError{codeMessage, errContent.Error()})
	case err == io.EOF:
		b.err = io.EOF
		return span, io.EOF
	case err != nil:
		return nil, b.fail(err)
	}
	return span, nil
}

// wait makes ready for a wait for the client, no longer than the floor allows. It invites a client that waits itself.
func (b *requestBody) wait() error {
	w := b.w
	if w.in.left > 0 && w.in.buffered() > 0 {
		return nil
	}
	if !b.invited {
		b.invited = true
		if w.x.Request.Expect && w.in.buffered() == 0 {
			if err := w.say(continueFrame); err != nil {
				return err
			}
		}
	}
	if b.resting != 0 {
		b.floor.Pause(clock.Now() - b.resting)
	}
	w.str.SetReadDeadline(at(b.floor.Deadline()))
	if b.closed.Load() {
		return errClosed
	}
	return nil
}

var continueFrame = closeHeaders(appendStatus(appendPrefix(openHeaders(nil)), 100), 0)

// fail makes a fault of what went wrong, and remembers it.
func (b *requestBody) fail(err error) error {
	f := &weir.Fault{Op: "read request body", Side: weir.SideClient, Cause: weir.CauseClientGone, Err: err}
	switch e := err.(type) {
	case *connError:
		f.Cause = weir.CauseRequestBody
		b.w.conn.peer.fail(e)
	case *streamError:
		f.Cause = weir.CauseRequestBody
		b.broken.Store(true)
	default:
		if b.closed.Load() {
			b.err = errClosed
			return errClosed
		}
		if isTimeout(err) {
			f.Cause = weir.CauseClientBodyTimeout
		}
	}
	b.err = f
	return f
}
