package h3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quic-go/quic-go"

	"weir"
	"weir/internal/clock"
	"weir/proto/internal/ask"
	"weir/proto/internal/section"
	"weir/proto/internal/websocket"
)

// A round is one exchange with a server, on a stream of its own, and the body of its answer. It is pooled: it lives until
// the exchange has ended, so that a late Close finds nobody else's stream.
type round struct {
	u   *upConn // nil: finished, the place has been given back
	str *quic.Stream
	x   *weir.Exchange
	in  input
	sec section.Section
	up  *upload // the request body on its way; nil: there is none

	firstByte, stall time.Duration // what the server is given
	wait             vigil         // for the answer's head
	length           int64         // of the section that comes; -1: not known yet

	canceled, rejected atomic.Bool // by the client; by the server, which has not looked at the request

	left    int64 // of a body of known length
	err     error // what further reads return
	trailer weir.Header
	head    flusher // where the answer's head waits for the first bytes of the body; nil: it does not
}

var rounds = sync.Pool{New: func() any { return new(round) }}

// roundTrip sends the request and reads the answer's head. After a fault the place on the connection has been given back.
func (u *upConn) roundTrip(x *weir.Exchange) *weir.Fault {
	r := rounds.Get().(*round)
	r.u, r.x, r.err, r.left, r.head = u, x, nil, 0, nil
	r.canceled.Store(false)
	r.rejected.Store(false)
	r.trailer.Reset()
	r.firstByte, r.stall = u.t.patience(x.Route)
	f := r.open()
	if f == nil {
		x.Watch(r)
		if f = r.send(); f == nil {
			f = r.receive()
		}
	}
	if f != nil {
		r.finish(false)
		rounds.Put(r)
	}
	return f
}

// patience returns how long the server may take: as the route says, or else the transport.
func (t *Transport) patience(r *weir.Route) (firstByte, stall time.Duration) {
	return ask.Patience(r, t.cfg.FirstByte, t.cfg.Stall)
}

var (
	errRejected  = errors.New("it takes no more requests on this connection")
	errNoConnect = errors.New("it does not take WebSockets over HTTP/3")
)

// open opens the stream.
func (r *round) open() *weir.Fault {
	t := r.u.t
	r.str = nil
	str, err := r.u.q.OpenStream()
	if err != nil {
		ctx, cancel := context.WithTimeout(r.u.q.Context(), t.cfg.Connect)
		r.x.Watch(canceler(cancel))
		str, err = r.u.q.OpenStreamSync(ctx)
		r.x.Watch(nil)
		if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
			cancel()
			return t.fault(weir.CauseUpstreamConnectTimeout, weir.RetryAlways, "wait for room at", err)
		}
		canceled := ctx.Err() != nil && r.u.q.Context().Err() == nil
		cancel()
		if err != nil && canceled {
			return r.gone(err)
		}
	}
	if err != nil {
		r.u.lose()
		return t.fault(weir.CauseUpstreamClosed, weir.RetryAlways, "write to", err)
	}
	r.str = str
	r.in.reset(str)
	if !r.u.join(r) {
		return t.fault(weir.CauseUpstreamClosed, weir.RetryAlways, "write to", errRejected)
	}
	return nil
}

// Cancel implements weir.Canceler: the client has gone.
func (r *round) Cancel() {
	r.canceled.Store(true)
	r.reset(codeRequestCancelled)
}

// reject breaks the request off, which the server will not look at.
func (r *round) reject() {
	r.rejected.Store(true)
	r.reset(codeRequestCancelled)
}

func (r *round) reset(c code) {
	r.str.CancelRead(c.stream())
	r.str.CancelWrite(c.stream())
}

// send writes the request: the head, and by an upload the body.
func (r *round) send() *weir.Fault {
	x, q := r.x, &r.x.Request
	protocol := ""
	if q.Upgrade != "" {
		if f := r.awaitConnect(); f != nil {
			return f
		}
		protocol = q.Upgrade
	}
	out := appendRequest(appendPrefix(openHeaders(x.Scratch[:0])), q, protocol)
	out = appendRequestFields(out, q)
	out = closeHeaders(out, 0)
	x.Scratch = out
	r.wait.prepare(r.u.q)
	r.str.SetWriteDeadline(at(clock.Now() + int64(r.stall)))
	if _, err := r.str.Write(out); err != nil {
		return r.fault(err, weir.CauseUpstreamWrite, weir.RetryAlways, "write to")
	}
	x.Timing.Sent = clock.Now()
	r.str.SetReadDeadline(r.wait.start(x.Timing.Sent, r.firstByte))
	switch {
	case q.Body != nil:
		r.startUpload()
	case protocol == "":
		r.str.Close()
	}
	return nil
}

// appendRequestFields appends the fields of q, and those that say what its other parts do.
func appendRequestFields(out []byte, q *weir.Request) []byte {
	fields := q.Header.Fields()
	for i := range fields {
		f := &fields[i]
		value, ok := section.Sendable(f)
		if !ok || q.Upgrade != "" && weir.EqualFold(f.Name, websocket.KeyField) {
			continue
		}
		out = appendField(out, f, value)
	}
	switch n := int64(0); {
	case q.Upgrade != "":
	case q.Body != nil:
		if n = q.Body.Len(); n >= 0 {
			out = appendLength(out, n)
		}
		if q.Expect {
			out = appendLiteral(out, "expect", "100-continue")
		}
	case q.Method == "POST" || q.Method == "PUT" || q.Method == "PATCH":
		out = appendLength(out, 0)
	}
	if q.TETrailers && q.Upgrade == "" {
		out = appendLiteral(out, "te", "trailers")
	}
	return out
}

// awaitConnect waits for the server to say that it understands an extended CONNECT (RFC 9220, section 3).
func (r *round) awaitConnect() *weir.Fault {
	t := r.u.t
	timer := time.NewTimer(t.cfg.Connect)
	defer timer.Stop()
	select {
	case <-r.u.peer.settled:
	case <-timer.C:
	case <-r.str.Context().Done():
	}
	if said := r.u.peer.said.Load(); r.x.Request.Upgrade != "websocket" || said == nil || !said.connect {
		return t.fault(weir.CauseUpstreamUpgrade, weir.RetryNever, "write to", errNoConnect)
	}
	return nil
}

// receive reads heads until the final one.
func (r *round) receive() *weir.Fault {
	for heads := 1; ; heads++ {
		f := r.readHead()
		if f == nil && heads > mostHeads {
			f = r.malformed(errTooMany)
		}
		if f != nil {
			r.x.Response.Reset()
			return f
		}
		p := &r.x.Response
		if p.Status = r.sec.Status; p.Status >= 200 {
			r.x.Timing.FirstByte = clock.Now()
			r.answered()
			r.in.phase = phaseContent
			if r.x.Request.Upgrade != "" && p.Status < 300 {
				r.tunnel()
				return nil
			}
			r.answer()
			return nil
		}
		if p.Status == 100 {
			if r.up != nil {
				r.up.proceed()
			}
		} else if err := r.x.Inform(p.Status, &p.Header); err != nil {
			p.Reset()
			return r.gone(err)
		}
		p.Reset()
	}
}

// mostHeads is how many heads an answer may have: interim ones, and its own.
const mostHeads = 100

// readHead reads the next section of the answer.
func (r *round) readHead() *weir.Fault {
	lim := &r.u.t.cfg.Limits
	r.length = -1
	p, err := r.await()
	if err != nil {
		return r.readFault(err)
	}
	d := decoders.Get().(*sectionDecoder)
	defer decoders.Put(d)
	if err := d.decode(p, lim.Head, lim.Fields+1); err != nil {
		return r.readFault(err)
	}
	h := &r.x.Response.Header
	h.Reset()
	if err := readSection(&r.sec, section.Response, d, r.x.Copy(d.text), h); err != nil {
		return r.malformed(err)
	}
	return nil
}

// nextSection reads the next section, or goes on where a deadline broke that off.
func (r *round) nextSection() ([]byte, error) {
	if r.length < 0 {
		_, n, err := r.in.next()
		if err == nil && n > uint64(r.u.t.cfg.Limits.Head) {
			err = errTooLarge
		}
		if err != nil {
			return nil, err
		}
		r.length = int64(n)
	}
	return r.in.payload(int(r.length))
}

func (r *round) malformed(err error) *weir.Fault {
	r.reset(codeMessage)
	cause := weir.CauseUpstreamHeader
	if err == section.ErrLength {
		cause = weir.CauseUpstreamFraming
	}
	return r.u.t.fault(cause, weir.RetryNever, "read from", err)
}

// readFault makes a fault of an error that ended the wait for an answer's head.
func (r *round) readFault(err error) *weir.Fault {
	t := r.u.t
	switch e := err.(type) {
	case *connError:
		r.u.peer.fail(e)
		return t.fault(weir.CauseUpstreamProtocol, weir.RetryNever, "read from", err)
	case *tooLarge:
		return t.fault(weir.CauseUpstreamHeader, weir.RetryNever, "read from", err)
	}
	switch {
	case err == errSilent:
		return r.silent()
	case err == io.EOF:
		return t.fault(weir.CauseUpstreamClosed, weir.RetryIdempotent, "read from", io.ErrUnexpectedEOF)
	case isTimeout(err) && !r.stopped():
		return t.fault(weir.CauseUpstreamHeaderTimeout, weir.RetryNever, "wait for", err) // it is at work
	}
	return r.fault(err, weir.CauseUpstreamReset, weir.RetryIdempotent, "read from")
}

// stopped reports whether somebody on our side has broken the request off.
func (r *round) stopped() bool {
	return r.canceled.Load() || r.rejected.Load() || r.up != nil && r.up.fault.Load() != nil
}

// fault makes a fault of an error of the stream. The server's word that it has not looked at the request counts more
// than what the error would be taken for.
func (r *round) fault(err error, c weir.Cause, retry weir.Retry, op string) *weir.Fault {
	var reset *quic.StreamError
	var closed *quic.ApplicationError
	t := r.u.t
	switch {
	case r.up != nil && r.up.fault.Load() != nil:
		return r.up.fault.Load()
	case r.canceled.Load():
		return r.gone(err)
	case r.rejected.Load():
		return t.fault(weir.CauseUpstreamClosed, weir.RetryAlways, op, errRejected)
	case errors.As(err, &reset):
		if reset.Remote && code(reset.ErrorCode) == codeRequestRejected {
			retry = weir.RetryAlways
		} else if retry == weir.RetryAlways {
			retry = weir.RetryIdempotent
		}
		return t.fault(c, retry, op, fmt.Errorf("%w (%s)", err, code(reset.ErrorCode)))
	case isTimeout(err):
		return t.fault(c, weir.RetryIdempotent, op, err)
	}
	r.u.lose()
	if cause := t.handshakeCause(err); cause != weir.CauseNone {
		return t.fault(cause, weir.RetryAlways, "dial", err)
	}
	if errors.As(err, &closed) && closed.Remote && code(closed.ErrorCode) != codeNone {
		return t.fault(weir.CauseUpstreamReset, weir.RetryIdempotent, op, fmt.Errorf("%w (%s)", err, code(closed.ErrorCode)))
	}
	return t.fault(weir.CauseUpstreamClosed, weir.RetryIdempotent, op, err)
}

func (r *round) gone(err error) *weir.Fault {
	return &weir.Fault{Op: "wait for " + r.u.t.ep.Name, Side: weir.SideClient, Cause: weir.CauseClientGone, Err: err}
}

// finish leaves the stream and gives the place back. whole: the answer has been read to its end.
func (r *round) finish(whole bool) {
	u := r.u
	if u == nil {
		return
	}
	r.u = nil
	r.x.Watch(nil)
	if r.str == nil {
		u.leave(-1)
		return
	}
	if sent := r.joinUpload(!whole); !sent || !whole {
		r.str.CancelWrite(codeRequestCancelled.stream())
	}
	switch {
	case r.in.ended:
	case whole:
		r.str.CancelRead(codeNone.stream())
	default:
		r.str.CancelRead(codeRequestCancelled.stream())
	}
	u.leave(r.str.StreamID())
	r.in.release()
	r.in.src, r.str = nil, nil
}
