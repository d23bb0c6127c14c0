package h2

import (
	"errors"
	"strings"

	"weir"
	"weir/internal/syntax"
)

// request makes the request of what the field reader has read into s.x.Request.Header; err is what it returned. What is
// wrong with it becomes s.fault.
func (s *stream) request(r *fieldReader, end bool, err error) {
	q := &s.x.Request
	q.Protocol, q.Scheme = "HTTP/2", s.c.facts.Scheme()
	q.Method = method(r.method)
	if err == nil {
		err = s.parse(r, end)
	}
	if err != nil {
		s.fault, s.malformed = requestFault(err)
		if q.Method == "" {
			q.Method = "GET" // nobody knows
		}
	}
}

// method returns the constant for a usual method, so that comparing it later costs nothing.
func method(s string) string {
	switch s {
	case "GET":
		return "GET"
	case "POST":
		return "POST"
	case "HEAD":
		return "HEAD"
	}
	return s
}

var (
	errFramed = errors.New("Content-Length contradicts the end of the stream")
	errSelf   = errors.New("the stream depends on itself")
	errWindow = errors.New("WINDOW_UPDATE by nothing, or by too much")
)

// requestFault makes the fault of a request that can't be served. malformed: it breaks HTTP/2's own rules, and is a
// stream error (RFC 9113, section 8.1.1).
func requestFault(err error) (f *weir.Fault, malformed bool) {
	f = &weir.Fault{Op: "parse request", Side: weir.SideClient, Cause: weir.CauseRequestHeader, Err: err}
	switch err {
	case errTooLarge, errTooMany:
		f.Cause = weir.CauseRequestHeaderTooLarge
	case errLongTarget:
		f.Cause = weir.CauseRequestTooLong
	case errHost:
		f.Cause = weir.CauseRequestHost
	case errExpect:
		f.Cause = weir.CauseExpectation
	case errMethod:
		f.Cause = weir.CauseMethodRefused
	case errProtocol:
		f.Cause, f.Status = weir.CauseMethodRefused, 501
	case errLength, errFramed:
		f.Cause = weir.CauseRequestFraming
		return f, true
	default:
		return f, true
	}
	return f, false
}

func (s *stream) parse(r *fieldReader, end bool) error {
	q := &s.x.Request
	switch {
	case q.Method == "CONNECT" && r.seen&pseudoProtocol == 0, q.Method == "TRACE":
		return errMethod
	case len(r.path) > s.cfg.Limits.Line:
		return errLongTarget
	}
	if err := s.authority(r); err != nil {
		return err
	}
	q.Path, q.Query, _ = strings.Cut(r.path, "?")
	q.RawPath = q.Path
	q.TETrailers = r.trailers
	if end && r.length > 0 {
		return errFramed
	}
	if !end && r.length != 0 {
		q.Body = &s.body
	}
	if r.expect != "" {
		if !weir.EqualFold(r.expect, "100-continue") {
			return errExpect
		}
		q.Expect = q.Body != nil
	}
	if r.seen&pseudoProtocol != 0 {
		return s.upgradeRequest(r, end)
	}
	return nil
}

// authority settles whom the request is for: :authority, or Host where that is missing; both must say the same
// (RFC 9113, section 8.3.1).
func (s *stream) authority(r *fieldReader) error {
	a := r.authority
	switch {
	case r.seen&pseudoAuthority == 0:
		a = r.host
	case r.hasHost && !weir.EqualFold(a, r.host):
		return errHost
	}
	if !syntax.IsAuthority(a) {
		return errHost
	}
	s.x.Request.Authority = a
	return nil
}

// upgradeRequest makes an ordinary upgrade of an extended CONNECT (RFC 8441, section 5): handlers and servers see the GET
// that HTTP/1.1 has for it.
func (s *stream) upgradeRequest(r *fieldReader, end bool) error {
	q := &s.x.Request
	if !weir.EqualFold(r.protocol, "websocket") {
		return errProtocol
	}
	if end || q.Expect || r.length >= 0 {
		return errPseudo
	}
	s.extended = true
	q.Method, q.Upgrade, q.Body = "GET", "websocket", nil
	q.Header.Set("Sec-WebSocket-Key", newWebSocketKey())
	return nil
}
