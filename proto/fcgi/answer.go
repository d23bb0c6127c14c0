package fcgi

import (
	"io"

	"weir"
	"weir/internal/clock"
	"weir/internal/poll"
)

// An answer is the content of a server's answer, read from its connection.
type answer struct {
	u      *conn // nil: finished, the connection has been given back
	x      *weir.Exchange
	early  []byte // what came with the head
	length int64  // -1: unknown
	left   int64  // of an answer of known length
	err    error  // what further reads return
}

// answer makes the body of an answer of that length (-1: not told), the beginning of which has come. One that is there
// as a whole, as most are that are small, has its length and sets the connection free before the client has it.
func (u *conn) answer(x *weir.Exchange, length int64, span []byte) {
	r := &x.Response
	a := &answer{u: u, x: x, length: length, left: length}
	if x.Request.Method == "HEAD" || r.Status == 204 || r.Status == 304 {
		if length >= 0 && x.Request.Method == "HEAD" {
			r.Body = weir.HeadBody(length)
		}
		a.finish(true)
		return
	}
	early := append([]byte(nil), span...)
	for {
		span, err := u.take(len(buffer{}))
		if err == errMore {
			break
		}
		if err != nil {
			a.err = err
			break
		}
		early = append(early, span...)
	}
	if length >= 0 && int64(len(early)) >= length {
		early, a.err = early[:length], errEnd
		length = int64(len(early))
	}
	if a.err == errEnd && (length < 0 || length == int64(len(early))) {
		if len(early) > 0 {
			r.Body = weir.NewBody(string(early))
		}
		a.finish(true)
		return
	}
	a.early = early
	r.Body = a
	x.AtEnd(a)
}

// EndExchange implements weir.Ender.
func (a *answer) EndExchange(*weir.Exchange) { a.Close() }

// finish gives the connection back; whole: the answer has been read to its end.
func (a *answer) finish(whole bool) {
	u := a.u
	if u == nil {
		return
	}
	a.u = nil
	a.x.Watch(nil)
	if !whole || u.ended {
		u.end(whole)
		return
	}
	if !u.joinUpload(false) {
		u.end(false)
		return
	}
	u.finishLater()
}

// Len implements weir.Body.
func (a *answer) Len() int64 { return a.length }

// Trailer implements weir.Body.
func (a *answer) Trailer() *weir.Header { return nil }

// Close implements weir.Body.
func (a *answer) Close() error {
	if a.err == nil {
		a.err = poll.ErrClosed
	}
	a.finish(false)
	return nil
}

// Read implements weir.Body. The end comes with the last bytes where it is known by then.
func (a *answer) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if len(a.early) > 0 {
		n := copy(p, a.early)
		if a.early = a.early[n:]; len(a.early) > 0 {
			return n, nil
		}
		a.early = nil
		return n, a.taken(n)
	}
	if a.err != nil {
		return 0, a.fail(a.err)
	}
	if a.length >= 0 {
		p = p[:min(int64(len(p)), a.left)]
	}
	a.u.expectBy(clock.Now() + int64(a.u.stall))
	span, err := a.u.next(len(p))
	if err != nil {
		return 0, a.fail(err)
	}
	n := copy(p, span)
	return n, a.taken(n)
}

// taken notes that n more bytes have been read, and returns io.EOF where they are known to be the last ones.
func (a *answer) taken(n int) error {
	if a.length >= 0 {
		if a.left -= int64(n); a.left > 0 {
			return nil
		}
	} else if _, err := a.u.take(0); err != errEnd {
		return nil
	}
	a.err = io.EOF
	a.finish(true)
	return io.EOF
}

// fail makes what further reads return of what went wrong, or of the end.
func (a *answer) fail(err error) error {
	switch {
	case a.u == nil:
		return a.err
	case err == errEnd && a.length < 0:
		a.err = io.EOF
		a.finish(true)
	default:
		a.err = a.u.bodyFault(err)
		a.finish(false)
	}
	return a.err
}
