package h1

import (
	"strings"
	"sync"
	"time"

	"weir"
	"weir/internal/clock"
	"weir/internal/poll"
	"weir/proto/internal/ask"
)

// An upConn is one connection to a server. At most one exchange uses it at a time.
type upConn struct {
	poll.Conn
	t      *Transport
	upload *upload // the request body on its way; nil: sent, or none

	since int64 // when it fell asleep

	firstByte, stall time.Duration // what the server is given in this exchange

	big   *bigBuffer // input; big[r:w] has been read and not been used; nil: nothing
	r, w  int
	lines headMap // of the answer's head
}

// A bigBuffer takes an answer of usual size whole. It is held only while there is something in it.
type bigBuffer [80 << 10]byte

var bigBuffers = sync.Pool{New: func() any { return new(bigBuffer) }}

// roundTrip sends the request and reads the answer's head. After a fault the connection is closed.
func (u *upConn) roundTrip(x *weir.Exchange) *weir.Fault {
	x.Watch(u.Conn)
	u.firstByte, u.stall = u.t.patience(x.Route)
	f := u.send(x)
	if f == nil {
		f = u.receive(x)
	}
	if f != nil {
		u.discard(x)
	}
	return f
}

// discard closes the connection in the middle of an exchange.
func (u *upConn) discard(x *weir.Exchange) {
	x.Watch(nil)
	u.joinUpload(true)
	u.releaseBig()
	u.Conn.Close()
}

func (u *upConn) releaseBig() {
	if u.big != nil {
		bigBuffers.Put(u.big)
		u.big, u.r, u.w = nil, 0, 0
	}
}

// A wholeBody is a body of announced length that may be at hand from its beginning to its end. Whole returns it then, if
// it is not longer than most, else nil; Taken says that so much of what Whole returned has been used.
type wholeBody interface {
	Whole(most int) []byte
	Taken(n int)
}

// send writes the request: the head and what is at hand of the body in one go, the rest by an upload.
func (u *upConn) send(x *weir.Exchange) *weir.Fault {
	r := &x.Request
	out := appendRequestHead(x.Scratch[:0], r)
	rest := r.Body
	if b, ok := r.Body.(wholeBody); ok && !r.Expect {
		if p := b.Whole(joinMax); p != nil {
			r.Touched = true
			out = append(out, p...)
			b.Taken(len(p))
			rest = nil
		}
	}
	u.SetWriteDeadline(x.Timing.Start + int64(u.stall))
	n, err := u.sendHead(out, rest != nil || r.Upgrade != "")
	x.Scratch = out
	if err != nil {
		return u.writeFault(err, n)
	}
	x.Timing.Sent = clock.Now()
	u.SetReadDeadline(x.Timing.Sent + int64(u.firstByte))
	if rest != nil {
		u.startUpload(x)
	}
	return nil
}

// sendHead writes out. Where more may follow, it does not wait for others.
func (u *upConn) sendHead(out []byte, more bool) (int, error) {
	if more {
		return u.Write(out)
	}
	return u.Post(out)
}

func (u *upConn) writeFault(err error, sent int) *weir.Fault {
	if err == poll.ErrCanceled {
		return u.canceled()
	}
	return ask.WriteFault(u.t.ep, err, sent)
}

// canceled tells why the wait was broken off: the client's doing, seen by the upload or by its connection.
func (u *upConn) canceled() *weir.Fault {
	if up := u.upload; up != nil {
		if f := up.fault.Load(); f != nil {
			return f
		}
	}
	return ask.Gone(u.t.ep)
}

// receive reads heads until the final one.
func (u *upConn) receive(x *weir.Exchange) *weir.Fault {
	for {
		head, m, f := u.readHead(x)
		if f != nil {
			return f
		}
		var fr framing
		r := &x.Response
		r.Header.Reset()
		if f := parseResponse(head, m, &u.t.cfg.Limits, x.Request.Method, r, &fr); f != nil {
			f.Op = "upstream \"" + u.t.ep.Upstream + "\": read from " + u.t.ep.Name
			r.Reset()
			return f
		}
		switch {
		case r.Status == 101:
			return u.switched(x, &fr)
		case r.Status >= 200:
			x.Timing.FirstByte = max(u.Woken(), x.Timing.Sent)
			u.answer(x, &fr)
			return nil
		}
		if f := u.interim(x); f != nil {
			return f
		}
	}
}

// interim passes a 1xx answer on. 100 (Continue) starts the upload that waits for it.
func (u *upConn) interim(x *weir.Exchange) *weir.Fault {
	r := &x.Response
	if r.Status == 100 {
		if u.upload != nil {
			u.upload.proceed()
		}
	} else if err := x.Inform(r.Status, &r.Header); err != nil {
		return &weir.Fault{Op: "inform client", Side: weir.SideClient, Cause: weir.CauseClientGone, Err: err}
	}
	r.Reset()
	if u.upload == nil && clock.Now() > x.Timing.Sent+int64(u.firstByte) {
		return u.readFault(poll.ErrTimeout, false) // a server that never pauses would evade the deadline of reading
	}
	return nil
}

// readHead returns the next head of x's answer, and its map or nil.
func (u *upConn) readHead(x *weir.Exchange) (string, *headMap, *weir.Fault) {
	begun := false
	for scanned := 0; ; {
		if u.w > u.r {
			begun = true
			buf := u.big[u.r:u.w]
			n, m := 0, &u.lines
			if scanned == 0 {
				n = m.draw(u.big[u.r:], len(buf))
			}
			if n == 0 {
				n, m = headEnd(buf, scanned), nil
			}
			scanned = len(buf)
			if limit := min(u.t.cfg.Limits.Head, len(u.big)-1); n > limit || n < 0 && scanned > limit {
				return "", nil, u.t.fault(weir.CauseUpstreamHeader, weir.RetryNever, "read from", errHeadTooLarge)
			}
			if n < 0 && !beginsAnswer(buf) {
				return "", nil, u.t.fault(weir.CauseUpstreamHeader, weir.RetryNever, "read from", errStatusLine)
			}
			if n >= 0 {
				head := x.Copy(buf[:n])
				u.r += n
				return head, m, nil
			}
		}
		if err := u.fill(); err != nil {
			return "", nil, u.readFault(err, begun)
		}
	}
}

// beginsAnswer reports whether buf may be the beginning of an answer. A server that speaks something else, and waits for
// an answer to that, would be waited for in vain.
func beginsAnswer(buf []byte) bool {
	const version = "HTTP/1."
	n := min(len(buf), len(version))
	return string(buf[:n]) == version[:n]
}

// fill reads more input behind what there is. It takes a buffer only when there is something to read.
func (u *upConn) fill() error {
	for {
		if u.big == nil {
			if err := u.WaitReadable(); err != nil {
				return err
			}
			u.big, u.r, u.w = bigBuffers.Get().(*bigBuffer), 0, 0
		}
		switch {
		case u.r == u.w:
			u.r, u.w = 0, 0
		case u.w == len(u.big):
			u.w = copy(u.big[:], u.big[u.r:u.w])
			u.r = 0
		}
		n, err := u.TryRead(u.big[u.w:])
		if err == nil {
			u.w += n
			return nil
		}
		if err != poll.ErrAgain {
			return err
		}
		if u.r == u.w {
			u.releaseBig()
		}
		if err := u.WaitReadable(); err != nil {
			return err
		}
	}
}

// switched makes the answer of a connection that left HTTP.
func (u *upConn) switched(x *weir.Exchange, fr *framing) *weir.Fault {
	if x.Request.Upgrade == "" || !strings.EqualFold(fr.Upgrade, x.Request.Upgrade) {
		x.Response.Reset()
		return u.t.fault(weir.CauseUpstreamUpgrade, weir.RetryNever, "read from", errUpgrade)
	}
	x.Timing.FirstByte = clock.Now()
	x.Watch(nil)
	u.SetReadDeadline(0)
	u.SetWriteDeadline(0)
	x.Response.Upgrade = &upgraded{u: u}
	return nil
}
