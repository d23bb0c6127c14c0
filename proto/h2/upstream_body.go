package h2

import (
	"io"
	"runtime"
	"time"

	"weir"
	"weir/internal/clock"
	"weir/internal/poll"
)

// An upReader is the body of a server's answer. Input waits in the stream; the reader takes it in pieces, and what it has
// used up the server is allowed to send anew.
type upReader struct {
	s      *upStream
	length int64
	taken  *upChunk // what has been taken from the stream; its first chunk from at on
	at     int
	used   int   // bytes taken that have been used up since the stream was asked last
	err    error // what further reads return
}

// upTake is how much is taken at a time, at least where there is so much.
const upTake = 64 << 10

func (b *upReader) begin(length int64) { b.length = length }

// Len implements weir.Body.
func (b *upReader) Len() int64 { return b.length }

// Trailer implements weir.Body.
func (b *upReader) Trailer() *weir.Header {
	if b.err == io.EOF && b.s.trailer.Len() > 0 {
		return &b.s.trailer
	}
	return nil
}

// Close implements weir.Body: the server is told to send no more. It may be called while another goroutine reads.
func (b *upReader) Close() error {
	s := b.s
	c := s.c
	if c == nil {
		return nil // the exchange has ended
	}
	c.mu.Lock()
	s.closed = true
	s.input.drop()
	s.reset(codeCancel)
	s.nudge()
	s.sender.nudge()
	c.send()
	return nil
}

// Read implements weir.Body.
func (b *upReader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	n := 0
	for n < len(p) {
		if b.taken == nil && n > 0 && !b.ready() {
			break
		}
		span, err := b.next(nil)
		if err != nil {
			if n > 0 && err != io.EOF {
				return n, nil
			}
			return n, err
		}
		k := copy(p[n:], span)
		b.advance(k)
		n += k
	}
	return n, nil
}

// ready reports whether next would not wait.
func (b *upReader) ready() bool {
	c := b.s.c
	c.mu.Lock()
	defer c.mu.Unlock()
	return b.s.input.first != nil || b.s.remoteDone
}

// next returns the next bytes, which stay valid until advance. dst, if not nil, is flushed before a longer wait.
func (b *upReader) next(dst upFlush) ([]byte, error) {
	for b.taken == nil {
		if b.err != nil {
			return nil, b.err
		}
		if err := b.fetch(dst); err != nil {
			return nil, err
		}
		dst = nil
	}
	return b.taken.p[b.at:], nil
}

// advance notes that n bytes of what next returned have been used up.
func (b *upReader) advance(n int) {
	b.used += n
	if b.at += n; b.at < len(b.taken.p) {
		return
	}
	k := b.taken
	b.taken, b.at = k.next, 0
	k.free()
}

// fetch waits for input and takes it; with nil and nothing taken it is to be called again.
func (b *upReader) fetch(dst upFlush) error {
	s := b.s
	c := s.c
	c.mu.Lock()
	for {
		b.allow()
		switch f := s.trouble(weir.CauseUpstreamBodyTimeout); {
		case s.closed:
			b.err = poll.ErrClosed
		case s.input.first != nil:
			b.taken, _ = s.input.take(upTake)
			s.due = upDeadline{}
			c.send()
			return nil
		case s.remoteDone:
			b.err = io.EOF
		case f != nil:
			b.err = b.cut(f)
		}
		if b.err != nil {
			c.send()
			return b.err
		}
		if dst != nil {
			c.send()
			return b.flushed(dst)
		}
		if s.due.at == 0 && !s.tunnel {
			s.await(clock.Now() + s.stall)
		}
		c.send()
		<-s.wake
		c.mu.Lock()
	}
}

// cut is why an answer ends too early: what was reported of a stream whose head had not come is reported of its body.
func (b *upReader) cut(f *weir.Fault) error {
	if f.Side == weir.SideUpstream && f.Retry != weir.RetryNever {
		own := *f
		own.Cause, own.Retry = weir.CauseUpstreamBodyCut, weir.RetryNever
		return &own
	}
	return f
}

// allow lets the server send as much more as has been used up. mu is held.
func (b *upReader) allow() {
	s := b.s
	s.spent += int64(b.used)
	b.used = 0
	if s.remoteDone || !s.open || !s.owes() {
		return
	}
	id, n := s.id, int(s.spent)
	s.allowed += s.spent
	s.spent = 0
	s.c.append(func(p []byte) []byte { return appendWindow(p, id, n) })
}

// owes reports whether it is time to let the server send more. mu is held.
func (s *upStream) owes() bool { return s.spent >= int64(s.c.t.cfg.Window)/2 }

// An upFlush is a writer that holds back the head of an answer until the first bytes of the body come.
type upFlush interface{ Flush() error }

// upHeadWait is how long a head waits for them.
const upHeadWait = 5 * time.Millisecond

// flushed waits a moment for something to come of the body, and flushes dst where nothing has. Who wakes the stream for
// anything else only has it look again.
func (b *upReader) flushed(dst upFlush) error {
	runtime.Gosched()
	if b.settled() {
		return nil
	}
	timer := time.NewTimer(upHeadWait)
	defer timer.Stop()
	for {
		select {
		case <-b.s.wake:
			if b.settled() {
				return nil
			}
		case <-timer.C:
			return dst.Flush()
		}
	}
}

// settled reports whether fetch would not wait.
func (b *upReader) settled() bool {
	s := b.s
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	return s.input.first != nil || s.remoteDone || s.closed || s.trouble(weir.CauseUpstreamBodyTimeout) != nil
}

var _ io.WriterTo = (*upReader)(nil)

// WriteTo hands the body on in the pieces in which it is held.
func (b *upReader) WriteTo(dst io.Writer) (n int64, err error) {
	head, _ := dst.(upFlush)
	for {
		span, err := b.next(head)
		head = nil
		switch {
		case err == io.EOF:
			return n, nil
		case err != nil:
			return n, err
		}
		m, err := b.pass(dst, span)
		n += int64(m)
		if err != nil {
			return n, err
		}
		b.advance(len(span))
	}
}

// pass writes span, and says so where these are the last bytes.
func (b *upReader) pass(dst io.Writer, span []byte) (int, error) {
	if last, ok := dst.(lastWriter); ok && b.taken.next == nil && b.over() {
		return len(span), last.WriteLast(span)
	}
	return dst.Write(span)
}

// over reports whether nothing comes behind what has been taken.
func (b *upReader) over() bool {
	s := b.s
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	if !s.remoteDone || s.input.first != nil || s.trailer.Len() > 0 {
		return false
	}
	b.err = io.EOF
	return true
}

// drop gives up what has been taken. Nobody reads any more.
func (b *upReader) drop() {
	freeUpChunks(b.taken)
	b.taken = nil
}
