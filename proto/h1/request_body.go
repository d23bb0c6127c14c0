package h1

import (
	"io"
	"sync/atomic"
	"time"

	"weir"
	"weir/internal/clock"
	"weir/internal/poll"
	"weir/proto/internal/floor"
	"weir/proto/internal/tell"
)

// A requestBody is the body of the request that a client sends. It belongs to the work, and is read by
// the handler's goroutine or, after it, by one upload.
type requestBody struct {
	w       *work
	length  int64 // -1: chunked
	left    int64
	dec     chunkDecoder
	floor   floor.Floor
	resting int64 // since when nobody has asked for more
	err     error
	expects bool        // the client waits for 100 (Continue)
	went    bool        // which has been sent, or need not be
	closed  atomic.Bool // nobody wants more of it
	over    atomic.Bool // the last byte has been taken from the connection; true where there is no body
}

func (b *requestBody) reset() {
	b.err, b.length, b.left = nil, 0, 0
	b.expects = false
	if !b.over.Load() {
		b.over.Store(true)
	}
}

func (b *requestBody) begin(w *work) {
	b.w, b.length, b.left = w, w.framing.Length, w.framing.Length
	if w.framing.Chunked {
		b.length, b.left = -1, 0
		b.dec.reset(&w.cfg.Limits)
	}
	b.expects = w.x.Request.Expect
	b.went = !b.expects
	b.closed.Store(false)
	b.resting = 0
	b.floor.Begin(w.cfg.Timeouts.BodyFloor)
	b.over.Store(false)
}

// unread reports whether bytes of the body may still be on their way.
func (b *requestBody) unread() bool { return !b.over.Load() }

// Len implements weir.Body.
func (b *requestBody) Len() int64 { return b.length }

// Close implements weir.Body: it wakes whoever waits for more. What is left of the body is dealt with by the
// connection's loop.
func (b *requestBody) Close() error {
	if !b.over.Load() {
		b.closed.Store(true)
		b.w.conn.SetReadDeadline(1)
	}
	return nil
}

// Trailer implements weir.Body.
func (b *requestBody) Trailer() *weir.Header {
	if b.length < 0 && b.err == io.EOF && b.dec.trailer.Len() > 0 {
		return &b.dec.trailer
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

// Whole returns the body where it is at hand and not longer than most, else nil.
func (b *requestBody) Whole(most int) []byte {
	w := b.w
	if b.err == nil && b.length >= 0 && b.left == b.length && b.length <= int64(min(most, w.buffered())) {
		return w.in[w.r : w.r+int(b.length)]
	}
	return nil
}

// Taken notes that n bytes of the input have been used as content.
func (b *requestBody) Taken(n int) {
	b.w.r += n
	b.w.x.BytesIn += int64(n)
	if b.length >= 0 {
		if b.left -= int64(n); b.left == 0 {
			b.end()
		}
	}
}

func (b *requestBody) end() {
	b.err = io.EOF
	b.over.Store(true)
}

// next returns up to most bytes of the body, valid until the next call; io.EOF comes with the last ones.
func (b *requestBody) next(most int) ([]byte, error) {
	if b.err != nil {
		return nil, b.err
	}
	if b.closed.Load() {
		return nil, poll.ErrClosed
	}
	if err := b.invite(); err != nil {
		return nil, b.fail(err)
	}
	w := b.w
	if !w.x.Request.Touched {
		w.x.Request.Touched = true
	}
	for {
		if w.r == w.w {
			if err := b.refill(); err != nil {
				return nil, b.fail(err)
			}
		}
		span, f := b.take(w.in[w.r:w.w], most)
		switch {
		case f != nil:
			if err := b.fail(f); len(span) == 0 {
				return nil, err
			}
			return span, nil
		case b.err != nil || len(span) > 0:
			return span, b.err
		}
	}
}

func (b *requestBody) take(buf []byte, most int) ([]byte, *weir.Fault) {
	if b.length >= 0 {
		n := int(min(int64(len(buf)), int64(most), b.left))
		b.Taken(n)
		return buf[:n], nil
	}
	used, span, done, f := b.dec.gather(buf, most)
	b.w.r += used
	b.w.x.BytesIn += int64(len(span))
	if done {
		b.end()
	}
	return span, f
}

// invite sends 100 (Continue) to a client that waits for it (RFC 9110, section 10.1.1).
func (b *requestBody) invite() error {
	if b.went {
		return nil
	}
	b.went = true
	if b.w.buffered() > 0 {
		return nil
	}
	return b.w.say(continueLine)
}

var continueLine = []byte("HTTP/1.1 100 Continue\r\n\r\n")

// refill waits for more of the body, no longer than the floor allows.
func (b *requestBody) refill() error {
	w := b.w
	if b.resting != 0 {
		b.floor.Pause(clock.Now() - b.resting)
	}
	w.conn.SetReadDeadline(b.floor.Deadline())
	if b.closed.Load() {
		return poll.ErrClosed
	}
	n, err := w.conn.Read(w.space())
	if err != nil {
		return err
	}
	w.w += n
	b.floor.Progress(n)
	b.resting = clock.Now()
	return nil
}

func (b *requestBody) fail(err error) error {
	f, isFault := err.(*weir.Fault)
	switch {
	case isFault:
		f.Cause, f.Side = weir.CauseRequestBody, weir.SideClient
	case err == poll.ErrTimeout:
		f = &weir.Fault{Op: "read request body", Side: weir.SideClient, Cause: weir.CauseClientBodyTimeout, Err: err}
	case tell.Unsealed(err):
		f = &weir.Fault{Op: "read request body", Side: weir.SideClient, Cause: weir.CauseRequestBody, Err: err}
	default:
		f = &weir.Fault{Op: "read request body", Side: weir.SideClient, Cause: weir.CauseClientGone, Err: err}
	}
	b.err = f
	return f
}

// WriteTo hands the body on in the spans in which it arrives, the middle of a large one by splice.
func (b *requestBody) WriteTo(dst io.Writer) (n int64, err error) {
	for {
		m, err := b.splice(dst)
		n += m
		if err != nil {
			return n, err
		}
		span, rerr := b.next(len(b.w.in))
		k, werr := writeSpan(dst, span, rerr == io.EOF)
		n += int64(k)
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

func (b *requestBody) splice(dst io.Writer) (int64, error) {
	w := b.w
	sp, ok := dst.(splicer)
	if !ok || b.err != nil || b.length < 0 || b.left < spliceMin || w.buffered() > 0 || !b.went {
		return 0, nil
	}
	n, err := sp.spliceFrom(w.conn.Conn, b.left-1, paceOf(b.floor.Rate()))
	b.left -= n
	w.x.BytesIn += n
	switch e, isWrite := err.(*poll.SinkError); {
	case err == nil || err == poll.ErrNoSplice:
		return n, nil
	case isWrite:
		return n, e
	}
	return n, b.fail(err)
}

// skim uses up what is at hand of a body that nobody wants, without waiting.
func (b *requestBody) skim() {
	for b.err == nil && b.went && b.w.buffered() > 0 {
		if _, f := b.take(b.w.in[b.w.r:b.w.w], len(b.w.in)); f != nil {
			b.fail(f)
		}
	}
}

// skipMost and skipTime bound what is read of a body that nobody wanted in order to keep the connection.
const (
	skipMost = 64 << 10
	skipTime = time.Second
)

// finish reports whether the connection can carry another request: the body has been read to its end, or
// what is left of it is little enough to be thrown away.
func (b *requestBody) finish() bool {
	if b.over.Load() {
		return true
	}
	b.skim()
	if !b.went || b.err != nil && b.err != io.EOF || b.left > skipMost {
		return b.over.Load()
	}
	b.w.conn.SetReadDeadline(clock.Now() + int64(skipTime))
	for n := 0; n < skipMost && b.err == nil; {
		if b.w.r == b.w.w {
			m, err := b.w.conn.Read(b.w.space())
			if err != nil {
				return false
			}
			b.w.w += m
		}
		span, f := b.take(b.w.in[b.w.r:b.w.w], skipMost)
		if f != nil {
			return false
		}
		n += len(span) + 1
	}
	return b.over.Load()
}
