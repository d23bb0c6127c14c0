package h2

import (
	"errors"
	"io"
	"sync"

	"weir"
	"weir/internal/clock"
	"weir/internal/poll"
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

// An upInterim is an interim answer.
type upInterim struct {
	status int
	header weir.Header
}

// mostInterim bounds the interim answers to one request. Together they may be as large as one head.
const mostInterim = 64

var (
	errUpAfterEnd  = errors.New("something comes after the end of the answer")
	errUpNoHead    = errors.New("DATA before the head of the answer")
	errUpWindow    = errors.New("more DATA than the stream's window")
	errUpLength    = errors.New("the content does not have the announced length")
	errUpNoContent = errors.New("content where there can be none")
	errUpTrailer   = errors.New("a second head")
	errUpInterim   = errors.New("too many or too large interim answers, or one that ends the stream")
)

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

// wasReset takes in that the server has reset the stream. mu is held.
func (s *upStream) wasReset(code errorCode) {
	t := s.c.t
	err := &streamError{s.id, code, "it reset the stream"}
	f := t.fault(weir.CauseUpstreamReset, weir.RetryIdempotent, "read from", err)
	switch {
	case code == codeRefusedStream && !s.headDone:
		f.Retry = weir.RetryAlways
	case s.headDone:
		f.Cause, f.Retry = weir.CauseUpstreamBodyCut, weir.RetryNever
	}
	s.fail(f)
}

// inform takes in an interim answer whose fields are n bytes. mu is held.
func (s *upStream) inform(status int, h *weir.Header, n int, end bool) {
	s.informed++
	s.hinted += n
	if end || s.informed > mostInterim || s.hinted > s.c.t.cfg.Limits.Head {
		s.reject(codeProtocol, weir.CauseUpstreamHeader, errUpInterim)
		return
	}
	s.interim = append(s.interim, upInterim{status, h.Clone()})
	s.nudge()
}

// begin takes in the head of the answer. mu is held.
func (s *upStream) begin(status int, length int64, h *weir.Header, end bool) {
	s.tunnel = s.tunnel && status < 300
	s.bodiless = s.bodiless || status == 204 || status == 304
	switch {
	case s.tunnel && (end || length > 0):
		s.reject(codeProtocol, weir.CauseUpstreamUpgrade, errUpNoTunnel)
		return
	case end && length > 0 && !s.bodiless:
		s.reject(codeProtocol, weir.CauseUpstreamFraming, errUpLength)
		return
	case s.bodiless:
		s.left = 0
	case !s.tunnel:
		s.left = length
	}
	s.length = s.left
	if s.bodiless {
		s.length = length
	}
	s.headDone, s.status, s.headAt = true, status, s.c.heard
	s.head, *h = *h, s.head
	if end {
		s.finish()
	}
	s.nudge()
}

// trail takes in the trailer, which ends the answer. mu is held.
func (s *upStream) trail(h *weir.Header, end bool) {
	if !end {
		s.reject(codeProtocol, weir.CauseUpstreamHeader, errUpTrailer)
		return
	}
	s.trailer, *h = *h, s.trailer
	s.finish()
	s.nudge()
}

// data takes in a DATA frame of that content. mu is held.
func (s *upStream) data(f *frame, p []byte) {
	if s.allowed -= int64(f.length); s.allowed < 0 {
		s.reject(codeFlowControl, weir.CauseUpstreamProtocol, errUpWindow)
		return
	}
	s.spent += int64(f.length - len(p))
	switch {
	case s.remoteDone:
		s.reject(codeStreamClosed, weir.CauseUpstreamProtocol, errUpAfterEnd)
		return
	case !s.headDone:
		s.reject(codeProtocol, weir.CauseUpstreamProtocol, errUpNoHead)
		return
	case s.left >= 0:
		if s.left -= int64(len(p)); s.left < 0 {
			s.reject(codeProtocol, weir.CauseUpstreamFraming, errUpOverrun(s))
			return
		}
	}
	if !s.closed {
		s.input.add(p)
	}
	if f.has(flagEndStream) {
		s.finish()
	}
	if len(p) > 0 || s.remoteDone || s.owes() {
		s.nudge()
	}
}

func errUpOverrun(s *upStream) error {
	if s.bodiless {
		return errUpNoContent
	}
	return errUpLength
}

// finish takes in that the answer has come whole. mu is held.
func (s *upStream) finish() {
	if s.left > 0 {
		s.reject(codeProtocol, weir.CauseUpstreamFraming, errUpLength)
		return
	}
	s.remoteDone = true
	s.leaveIfDone()
}

// leaveIfDone takes the stream off the connection when both sides have sent all. mu is held.
func (s *upStream) leaveIfDone() {
	if s.localDone && s.remoteDone {
		s.leave()
	}
}

// widen takes in a WINDOW_UPDATE. mu is held.
func (s *upStream) widen(n int64) {
	switch s.room += n; {
	case n == 0:
		s.reject(codeProtocol, weir.CauseUpstreamProtocol, errUpNoUpdate)
	case s.room > maxWindow:
		s.reject(codeFlowControl, weir.CauseUpstreamProtocol, errUpBigUpdate)
	default:
		s.sender.nudge()
	}
}

var (
	errUpNoUpdate  = errors.New("WINDOW_UPDATE by nothing")
	errUpBigUpdate = errors.New("the stream's window out of range")
)

// receive waits for the final head, and fills in the response.
func (s *upStream) receive(x *weir.Exchange) *weir.Fault {
	c := s.c
	c.mu.Lock()
	if s.deadline != 0 && s.due == (upDeadline{}) {
		s.await(s.deadline)
	}
	for {
		switch f := s.trouble(weir.CauseUpstreamHeaderTimeout); {
		case len(s.interim) > 0:
			list := s.interim
			s.interim = nil
			c.mu.Unlock()
			if f := s.passOn(x, list); f != nil {
				return f
			}
			c.mu.Lock()
			continue
		case s.headDone:
			s.due = upDeadline{}
			s.answer(x)
			c.unlock()
			return s.settle(x)
		case f != nil:
			c.unlock()
			return f
		}
		c.mu.Unlock()
		<-s.wake
		c.mu.Lock()
	}
}

// trouble returns why nothing more comes: late is the cause where the server has been too slow. mu is held.
func (s *upStream) trouble(late weir.Cause) *weir.Fault {
	t := s.c.t
	switch {
	case s.canceled:
		return t.goneFault()
	case s.sender.fault != nil:
		return s.sender.fault
	case s.fault != nil:
		return s.fault
	case s.due.passed && s.deadline != 0 && clock.Now() >= s.deadline:
		return t.deadlineFault()
	case s.due.passed:
		return t.fault(late, weir.RetryNever, "wait for", poll.ErrTimeout) // it is at work
	}
	return nil
}

// passOn hands interim answers to the client. 100 (Continue) starts the upload that waits for it.
func (s *upStream) passOn(x *weir.Exchange, list []upInterim) *weir.Fault {
	for i := range list {
		in := &list[i]
		if in.status == 100 {
			if s.upload != nil {
				s.upload.proceed()
			}
		} else if err := x.Inform(in.status, &in.header); err != nil {
			return &weir.Fault{Op: "inform client", Side: weir.SideClient, Cause: weir.CauseClientGone, Err: err}
		}
	}
	return nil
}

// answer fills in the response. mu is held.
func (s *upStream) answer(x *weir.Exchange) {
	r := &x.Response
	r.Header.Reset()
	r.Status = s.status
	r.Header, s.head = s.head, r.Header
	x.Timing.FirstByte = max(s.headAt, x.Timing.Sent)
	switch {
	case s.tunnel || s.fault != nil && !s.bodiless:
		r.Body = &s.body
	case x.Request.Method == "HEAD":
		if s.length >= 0 {
			r.Body = weir.HeadBody(s.length)
		}
	case s.bodiless:
	case !s.remoteDone || s.input.first != nil || s.trailer.Len() > 0:
		r.Body = &s.body
	}
	s.body.begin(s.length)
}

// settle makes an upgrade of an answer that accepts one.
func (s *upStream) settle(x *weir.Exchange) *weir.Fault {
	if s.upload != nil {
		s.upload.tooLate(s.status)
	}
	if s.tunnel {
		s.upgrade(x)
	}
	return nil
}

var _ io.WriterTo = (*upReader)(nil)
