package fcgi

import (
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"weir"
	"weir/internal/clock"
	"weir/internal/poll"
	"weir/proto/internal/ask"
)

// A conn is one connection to a server. At most one exchange uses it at a time.
type conn struct {
	poll.Conn
	t      *Transport
	upload *upload // the request body on its way; nil: sent, or none
	task   task    // what it does when it wakes
	excess int     // what has come while it lingers

	firstByte, stall time.Duration // what the server is given in this exchange
	by               atomic.Int64  // when it must have said something; 0: not yet
	headed           atomic.Bool   // the head of the answer has come

	in     *buffer // input; in[r:w] has been read and not been used; nil: nothing
	r, w   int
	rec    record // the one that is being read: so much is left of it
	inside bool   // there is one
	ended  bool   // the request has
	status byte   // and how, in terms of the protocol
	quiet  bool   // the server has closed the stream of its answer
	heard  bool   // it has said something
	errors errorLines
}

// A buffer takes input. It is held only while there is something in it.
type buffer [32 << 10]byte

var buffers = sync.Pool{New: func() any { return new(buffer) }}

// What take says besides errors of the protocol.
var (
	errMore = errors.New("nothing more has come")
	errEnd  = errors.New("the request has ended")
)

// begin makes the connection fit for a request.
func (u *conn) begin(x *weir.Exchange) {
	u.firstByte, u.stall = u.t.patience(x.Route)
	u.by.Store(0)
	u.inside, u.ended, u.quiet, u.heard, u.status = false, false, false, false, 0
	u.headed.Store(false)
}

// roundTrip sends the request and reads the answer's head. After a fault the connection is closed.
func (u *conn) roundTrip(x *weir.Exchange, sc script) *weir.Fault {
	u.begin(x)
	x.Watch(u.Conn)
	f := u.send(x, sc)
	if f == nil {
		f = u.receive(x)
	}
	if f != nil {
		x.Watch(nil)
		u.end(false)
	}
	return f
}

// send writes all of the request but its body, which is left to an upload.
func (u *conn) send(x *weir.Exchange, sc script) *weir.Fault {
	length := int64(-1)
	body := x.Request.Body
	if body != nil {
		length = body.Len()
	}
	out := appendBegin(x.Scratch[:0], u.t.cfg.KeepAlive > 0)
	out, err := u.t.env.appendTo(out, x, sc, length)
	if err != nil {
		return &weir.Fault{Op: "write request", Side: weir.SideClient, Cause: weir.CauseRequestHeaderTooLarge, Err: err}
	}
	if body == nil {
		out = appendRecordHead(out, typeStdin, 0)
	}
	x.Scratch = out
	u.SetWriteDeadline(clock.Now() + int64(u.stall))
	n, err := u.Write(out)
	if err != nil {
		return u.writeFault(err, n)
	}
	x.Timing.Sent = clock.Now()
	if body != nil {
		u.SetReadDeadline(0) // the time to the first byte begins when the body has gone
		u.startUpload(x)
	} else {
		u.expectBy(x.Timing.Sent + int64(u.firstByte))
	}
	return nil
}

// expectBy sets when the server must have said something.
func (u *conn) expectBy(t int64) {
	u.by.Store(t)
	u.SetReadDeadline(t)
}

func (u *conn) writeFault(err error, sent int) *weir.Fault {
	if err == poll.ErrCanceled {
		return u.canceled()
	}
	return ask.WriteFault(u.t.ep, err, sent)
}

// canceled tells why the wait was broken off: the client's doing, seen by the upload or by its connection.
func (u *conn) canceled() *weir.Fault {
	if up := u.upload; up != nil {
		if f := up.fault.Load(); f != nil {
			return f
		}
	}
	return ask.Gone(u.t.ep)
}

// receive reads the head of the answer.
func (u *conn) receive(x *weir.Exchange) *weir.Fault {
	head, span, f := u.readHead(x)
	if f != nil {
		return f
	}
	r := &x.Response
	r.Header.Reset()
	length, f := parseHead(head, &u.t.cfg.Limits, r)
	if f != nil {
		f.Op = "upstream \"" + u.t.ep.Upstream + "\": read from " + u.t.ep.Name
		r.Reset()
		return f
	}
	u.headed.Store(true)
	x.Timing.FirstByte = max(u.Woken(), x.Timing.Sent)
	u.answer(x, length, span)
	return nil
}

// readHead returns the head of the answer and what came with it of the content, valid until the next call of take.
func (u *conn) readHead(x *weir.Exchange) (head string, span []byte, f *weir.Fault) {
	var begun []byte // what came in earlier pieces
	for {
		span, err := u.next(len(buffer{}))
		if err != nil {
			return "", nil, u.headFault(err, len(begun) > 0)
		}
		piece, scanned := span, len(begun)
		if scanned > 0 {
			begun = append(begun, span...)
			piece = begun
		}
		n := headEnd(piece, scanned)
		switch {
		case n > u.t.cfg.Limits.Head, n < 0 && len(piece) > u.t.cfg.Limits.Head:
			return "", nil, u.t.fault(weir.CauseUpstreamHeader, weir.RetryNever, "read from", errHeadTooLarge)
		case n >= 0:
			return x.Copy(piece[:n]), span[n-scanned:], nil
		case scanned == 0:
			begun = append(begun, span...)
		}
	}
}

// headFault makes a fault of what came in place of a head.
func (u *conn) headFault(err error, begun bool) *weir.Fault {
	if err != errEnd {
		return u.readFault(err, u.heard || u.r < u.w)
	}
	if text, ok := refusal(u.status); ok && !begun {
		f := u.t.fault(weir.CauseUpstreamReset, weir.RetryAlways, "read from", errors.New(text))
		f.Status = 503
		return f
	}
	return u.t.fault(weir.CauseUpstreamHeader, weir.RetryNever, "read from", errNoHead)
}

// next returns up to most bytes of the answer, valid until the next call. errEnd: there are no more.
func (u *conn) next(most int) ([]byte, error) {
	for {
		span, err := u.take(most)
		if err != errMore {
			return span, err
		}
		if err := u.fill(); err != nil {
			return nil, err
		}
	}
}

// take is next of what has come already, errMore where there is none. Where most is 0 it returns nil and no error if
// there is some.
func (u *conn) take(most int) ([]byte, error) {
	for {
		if !u.inside {
			if err := u.open(); err != nil {
				return nil, err
			}
		}
		answer := u.rec.typ == typeStdout
		n := min(u.rec.content, u.w-u.r)
		switch {
		case u.rec.content == 0:
			if !u.skipPadding() {
				return nil, errMore
			}
			continue
		case answer && most == 0:
			return nil, nil
		case n == 0:
			return nil, errMore
		case answer:
			n = min(n, most)
		}
		span := u.in[u.r : u.r+n]
		u.r += n
		u.rec.content -= n
		if answer {
			return span, nil
		}
		u.errors.write(span)
	}
}

// skipPadding ends the present record; false: not all of its padding has come.
func (u *conn) skipPadding() bool {
	n := min(u.rec.padding, u.w-u.r)
	u.r += n
	u.rec.padding -= n
	u.inside = u.rec.padding > 0
	return !u.inside
}

// open reads the head of the next record, and all of the one that ends the request.
func (u *conn) open() error {
	if u.ended {
		return errEnd
	}
	have := u.w - u.r
	if have < recordHead {
		return errMore
	}
	rec, err := parseRecord(u.in[u.r:])
	if err != nil {
		return err
	}
	u.heard = true
	switch {
	case rec.typ == typeEnd:
		return u.closeRequest(rec, have)
	case rec.typ == typeStdout && u.quiet && rec.content > 0:
		return errType
	case rec.typ == typeStdout:
		u.quiet = rec.content == 0
	}
	u.r += recordHead
	u.rec, u.inside = rec, true
	return nil
}

// closeRequest ends the request with a record of which that much has come.
func (u *conn) closeRequest(rec record, have int) error {
	size := recordHead + rec.content + rec.padding
	if have < size {
		return errMore
	}
	u.ended, u.status = true, u.in[u.r+recordHead+4]
	u.r += size
	return errEnd
}

// fill waits for more input. It takes a buffer only when there is something to read.
func (u *conn) fill() error {
	if by := u.by.Load(); by != 0 && clock.Now() >= by {
		return poll.ErrTimeout // a deadline alone ends no read that never has to wait
	}
	for {
		if u.in == nil {
			if err := u.WaitReadable(); err != nil {
				return err
			}
			u.grab()
		}
		n, err := u.TryRead(u.room())
		if err == nil {
			u.w += n
			return nil
		}
		if err != poll.ErrAgain {
			return err
		}
		u.releaseIfEmpty()
		if err := u.WaitReadable(); err != nil {
			return err
		}
	}
}

// grab makes sure that there is a buffer.
func (u *conn) grab() {
	if u.in == nil {
		u.in, u.r, u.w = buffers.Get().(*buffer), 0, 0
	}
}

// room returns where input may be put. There always is some: a record is used up as it comes, but for its head.
func (u *conn) room() []byte {
	if u.r > 0 {
		u.w = copy(u.in[:], u.in[u.r:u.w])
		u.r = 0
	}
	return u.in[u.w:]
}

func (u *conn) releaseIfEmpty() {
	if u.r == u.w {
		u.release()
	}
}

func (u *conn) release() {
	if u.in != nil {
		buffers.Put(u.in)
		u.in, u.r, u.w = nil, 0, 0
	}
}

// end gives the connection back or, where the exchange has not ended well, closes it.
func (u *conn) end(well bool) {
	sent := u.joinUpload(!well)
	u.errors.finish()
	clean := well && sent && u.ended && u.r == u.w
	u.release()
	if clean {
		u.t.put(u)
	} else {
		u.Conn.Close()
	}
}

// bodyFault makes a fault of what went wrong in the middle of an answer's content.
func (u *conn) bodyFault(err error) error {
	t := u.t
	switch {
	case err == errEnd, err == io.EOF:
		return t.fault(weir.CauseUpstreamBodyCut, weir.RetryNever, "read from", io.ErrUnexpectedEOF)
	case err == poll.ErrTimeout:
		return t.fault(weir.CauseUpstreamBodyTimeout, weir.RetryNever, "read from", err)
	case err == poll.ErrCanceled:
		return u.canceled()
	case isMalformed(err):
		return t.fault(weir.CauseUpstreamFraming, weir.RetryNever, "read from", err)
	}
	return t.fault(weir.CauseUpstreamBodyCut, weir.RetryNever, "read from", err)
}
