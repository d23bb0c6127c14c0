package h2

import (
	"errors"

	"weir"
)

var (
	errUpAfterEnd  = errors.New("something comes after the end of the answer")
	errUpNoHead    = errors.New("DATA before the head of the answer")
	errUpWindow    = errors.New("more DATA than the stream's window")
	errUpLength    = errors.New("the content does not have the announced length")
	errUpNoContent = errors.New("content where there can be none")
	errUpTrailer   = errors.New("a second head")
	errUpInterim   = errors.New("too many or too large interim answers, or one that ends the stream")
)

// An upInterim is an interim answer.
type upInterim struct {
	status int
	header weir.Header
}

// mostInterim bounds the interim answers to one request. Together they may be as large as one head.
const mostInterim = 64

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
