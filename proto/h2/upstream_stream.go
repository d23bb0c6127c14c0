package h2

import (
	"sync"

	"weir"
	"weir/internal/clock"
)

// An upStream is one exchange with a server: it is what the exchange watches, the body of its answer, and what ends with
// it. It is pooled: it lives until the exchange has ended, so that a late Close finds nobody else's stream.
type upStream struct {
	c                *upConn
	x                *weir.Exchange
	wake             chan struct{} // for the exchange's goroutine
	firstByte, stall int64         // what the server is given in this exchange
	deadline         int64         // when the client of a gRPC call has had enough; 0: it has not said
	upload           *upload       // the request body on its way; nil: none
	sender           upSender

	body upReader

	// Protected by c.mu.
	id         uint32
	open       bool  // the server counts it
	begins     int64 // where in the connection's output
	begun      int64 // when
	due        upDeadline
	room       int64 // bytes that the server takes
	localDone  bool  // the request has gone whole
	remoteDone bool  // the answer has come whole
	canceled   bool  // the client has gone
	closed     bool  // nobody wants more of the answer
	fault      *weir.Fault

	bodiless bool // the answer has no content: it is to HEAD, or says so
	tunnel   bool // an upgrade is asked for, or has been accepted
	interim  []upInterim
	informed int // interim answers so far
	hinted   int // bytes of their fields
	headDone bool
	headAt   int64
	status   int
	head     weir.Header
	length   int64 // that the head announces; -1: none
	left     int64 // of a body of known length; -1: unknown
	trailer  weir.Header
	input    upInput
	allowed  int64 // bytes that the server may send
	spent    int64 // bytes that have been used up and are to be allowed anew
}

var upStreams = sync.Pool{New: func() any {
	s := &upStream{wake: make(chan struct{}, 1)}
	s.sender = upSender{s: s, wake: make(chan struct{}, 1)}
	s.body.s = s
	return s
}}

func takeUpStream(c *upConn, x *weir.Exchange) *upStream {
	s := upStreams.Get().(*upStream)
	s.c, s.x = c, x
	firstByte, stall := c.t.patience(x.Route)
	s.firstByte, s.stall = int64(firstByte), int64(stall)
	if x.Call = x.IsGRPC(); x.Call {
		s.deadline = x.Deadline()
	}
	s.bodiless = x.Request.Method == "HEAD"
	s.tunnel = x.Request.Upgrade == "websocket"
	s.left, s.length = -1, -1
	return s
}

// free makes s fit for another exchange. Nobody else knows it any more.
func (s *upStream) free() {
	s.input.drop()
	s.head.Reset()
	s.trailer.Reset()
	drain(s.wake)
	drain(s.sender.wake)
	clear(s.interim)
	*s = upStream{
		wake: s.wake, head: s.head, trailer: s.trailer, interim: s.interim[:0],
		sender: upSender{s: s, wake: s.sender.wake}, body: upReader{s: s},
	}
	upStreams.Put(s)
}

func drain(c chan struct{}) {
	select {
	case <-c:
	default:
	}
}

func (s *upStream) nudge() { upWake(s.wake) }

// Cancel implements weir.Canceler: the client has gone.
func (s *upStream) Cancel() {
	s.c.mu.Lock()
	s.canceled = true
	s.c.mu.Unlock()
	s.nudge()
}

// roundTrip sends the request and waits for the answer's head. After a fault nothing of the stream is left.
func (c *upConn) roundTrip(x *weir.Exchange, careful bool) *weir.Fault {
	s := takeUpStream(c, x)
	f := s.request(x, careful)
	if f != nil {
		s.free()
		return f
	}
	x.Watch(s)
	if f = s.receive(x); f != nil {
		x.Watch(nil)
		s.end()
		s.free()
		return f
	}
	x.AtEnd(s)
	return nil
}

// EndExchange implements weir.Ender.
func (s *upStream) EndExchange(x *weir.Exchange) {
	x.Watch(nil)
	s.end()
	s.free()
}

// end takes leave of the server and of the upload.
func (s *upStream) end() {
	c := s.c
	if s.upload != nil {
		s.upload.join()
	}
	s.body.drop()
	c.mu.Lock()
	s.closed = true
	s.reset(codeCancel)
	c.send()
}

// reset ends the stream on our side, if it has not ended. mu is held.
func (s *upStream) reset(code errorCode) {
	if !s.open {
		return
	}
	c, id := s.c, s.id
	c.append(func(p []byte) []byte { return appendReset(p, id, code) })
	c.earned += resetTokens
	s.leave()
}

// resetTokens is how many frames may come for a stream that we have just reset.
const resetTokens = 64

// leave takes the stream off the connection. mu is held.
func (s *upStream) leave() {
	if !s.open {
		return
	}
	s.open = false
	c := s.c
	delete(c.streams, s.id)
	c.freed++
	if len(c.streams) == 0 {
		c.idleSince = clock.Now()
		c.arm(c.idleSince + int64(c.t.cfg.KeepIdle))
	}
	s.sender.nudge()
}

// leaveIfDone takes the stream off the connection when both sides have sent all. mu is held.
func (s *upStream) leaveIfDone() {
	if s.localDone && s.remoteDone {
		s.leave()
	}
}

// fail ends the stream with a fault, unless the answer has come whole. mu is held.
func (s *upStream) fail(f *weir.Fault) {
	s.leave()
	if s.fault == nil && !s.remoteDone {
		s.fault = f
	}
	s.nudge()
}

// reject ends the stream because of what the server has sent. mu is held.
func (s *upStream) reject(code errorCode, cause weir.Cause, err error) {
	s.reset(code)
	s.fail(s.c.t.fault(cause, weir.RetryNever, "read from", err))
}
