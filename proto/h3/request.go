package h3

import (
	"weir"
	"weir/proto/internal/section"
)

// A badRequest is a request that is not served: malformed, so that its stream is reset (RFC 9114, section 4.1.2), or
// only refused, so that it is answered.
type badRequest struct {
	fault     *weir.Fault
	malformed bool
}

func refuse(c weir.Cause, err error) *badRequest {
	return &badRequest{fault: &weir.Fault{Op: "parse request", Side: weir.SideClient, Cause: c, Err: err}}
}

func malformed(c weir.Cause, err error) *badRequest {
	b := refuse(c, err)
	b.malformed = true
	return b
}

// sectionCause is the cause of an error of readSection in a request.
func sectionCause(err error) weir.Cause {
	switch err {
	case section.ErrLength:
		return weir.CauseRequestFraming
	case section.ErrHost:
		return weir.CauseRequestHost
	}
	return weir.CauseRequestHeader
}

// parseRequest makes r of a request's section, whose fields are in r.Header already.
func parseRequest(s *section.Section, lim *Limits, r *weir.Request) *badRequest {
	r.Method = section.Method(s.Method)
	r.TETrailers = s.Trailers
	switch {
	case s.Extended():
		if s.Protocol != "websocket" {
			b := refuse(weir.CauseMethodRefused, section.ErrProtocol)
			b.fault.Status = 501 // RFC 9220, section 3
			return b
		}
		r.Method, r.Upgrade = "GET", "websocket"
	case s.Method == "CONNECT" || s.Method == "TRACE":
		return refuse(weir.CauseMethodRefused, section.ErrMethod)
	}
	if len(s.Path) > lim.Line {
		return refuse(weir.CauseRequestTooLong, section.ErrLongTarget)
	}
	r.SetTarget(s.Path)
	authority, err := s.Authority()
	if err != nil {
		return refuse(weir.CauseRequestHost, err)
	}
	r.Authority = authority
	if s.Expect != "" && !weir.EqualFold(s.Expect, "100-continue") {
		return refuse(weir.CauseExpectation, section.ErrExpect)
	}
	return nil
}
