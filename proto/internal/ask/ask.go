// Package ask holds what HTTP/1, HTTP/2, HTTP/3 and FastCGI have in common in asking a server: how long it may take, what
// a failure is called, whether a request may go out again, and how its body goes.
package ask

import (
	"errors"
	"fmt"
	"io"
	"syscall"
	"time"

	"weir"
	"weir/internal/poll"
)

// Fault makes a fault of ep's side: op is what was being done, as "read from".
func Fault(ep *weir.Endpoint, c weir.Cause, r weir.Retry, op string, err error) *weir.Fault {
	return &weir.Fault{Op: fmt.Sprintf("upstream %q: %s %s", ep.Upstream, op, ep.Name), Side: weir.SideUpstream, Cause: c, Retry: r, Err: err}
}

// DialFault makes a fault of an error of connecting to ep. One that is a fault already tells its cause.
func DialFault(ep *weir.Endpoint, err error) *weir.Fault {
	f := Fault(ep, weir.CauseUpstreamUnreachable, weir.RetryAlways, "dial", err)
	var known *weir.Fault
	switch {
	case errors.As(err, &known):
		f.Cause, f.Err = known.Cause, known.Err
	case err == poll.ErrTimeout, errors.Is(err, syscall.ETIMEDOUT):
		f.Cause = weir.CauseUpstreamConnectTimeout
	case err == poll.ErrCanceled:
		f.Side, f.Cause, f.Retry = weir.SideClient, weir.CauseClientGone, weir.RetryNever
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.EAGAIN): // EAGAIN: the queue of a unix socket is full
		f.Cause = weir.CauseUpstreamConnect
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		f.Side, f.Cause, f.Retry = weir.SideWeir, weir.CauseOverload, weir.RetryNever
	}
	return f
}

// Dial returns what connects to an address of g's network without any more ado, by a deadline of clock.Now, unless the
// client of x goes before.
func Dial(g *poll.Group) func(x *weir.Exchange, address string, deadline int64) (poll.Conn, error) {
	return func(x *weir.Exchange, address string, deadline int64) (poll.Conn, error) {
		return g.Dial(address, x.Conn.Shard, deadline, func(c poll.Canceler) { x.Watch(c) })
	}
}

// WriteFault makes a fault of an error of writing a request to ep. Where not one byte was taken, no server can have acted on
// it.
func WriteFault(ep *weir.Endpoint, err error, sent int) *weir.Fault {
	retry := weir.RetryIdempotent
	if sent == 0 {
		retry = weir.RetryAlways
	}
	return Fault(ep, weir.CauseUpstreamWrite, retry, "write to", err)
}

// ReadFault makes a fault of an error that ended the wait for the head of ep's answer. begun: something of it had come.
// other is the cause of an error that no rule of HTTP knows.
func ReadFault(ep *weir.Endpoint, err error, begun bool, other weir.Cause) *weir.Fault {
	retry := weir.RetryIdempotent
	if begun {
		retry = weir.RetryNever
	}
	var unsent *poll.PostError
	if !begun && errors.As(err, &unsent) {
		return WriteFault(ep, unsent.Err, unsent.Sent)
	}
	switch err {
	case poll.ErrTimeout:
		return Fault(ep, weir.CauseUpstreamHeaderTimeout, weir.RetryNever, "wait for", err) // it is at work
	case io.EOF, io.ErrUnexpectedEOF: // the latter: without TLS's goodbye
		return Fault(ep, weir.CauseUpstreamClosed, retry, "read from", io.ErrUnexpectedEOF)
	}
	return Fault(ep, other, retry, "read from", err)
}

// Gone is the fault of a wait for ep that was broken off, since the client has gone.
func Gone(ep *weir.Endpoint) *weir.Fault {
	return &weir.Fault{Op: "wait for " + ep.Name, Side: weir.SideClient, Cause: weir.CauseClientGone, Err: poll.ErrCanceled}
}

// MayRepeat reports whether x may go out once more after f, with which a connection ended that had been used before: the
// server has most likely closed it while the request was on its way.
func MayRepeat(x *weir.Exchange, f *weir.Fault) bool {
	if f.Cause != weir.CauseUpstreamClosed && f.Cause != weir.CauseUpstreamReset && f.Cause != weir.CauseUpstreamWrite {
		return false
	}
	if x.Request.Touched {
		return false
	}
	return f.Retry == weir.RetryAlways || f.Retry == weir.RetryIdempotent && x.Request.Idempotent()
}

// Patience returns how long the server may take to the end of the answer's head, and be silent after it: as the route
// says, or else firstByte and stall.
func Patience(r *weir.Route, firstByte, stall time.Duration) (time.Duration, time.Duration) {
	if r != nil && r.FirstByte > 0 {
		firstByte = r.FirstByte
	}
	if r != nil && r.Stall > 0 {
		stall = r.Stall
	}
	return firstByte, stall
}

// ConnectTime returns how long connecting may take: as the route says, or else def.
func ConnectTime(r *weir.Route, def time.Duration) time.Duration {
	if r != nil && r.Connect > 0 {
		return r.Connect
	}
	return def
}
