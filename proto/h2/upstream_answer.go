package h2

import (
	"weir"
	"weir/internal/clock"
	"weir/internal/poll"
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
