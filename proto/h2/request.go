package h2

import (
	"errors"

	"weir"
	"weir/proto/internal/section"
	"weir/proto/internal/websocket"
)

// request makes the request of what the field reader has read into s.x.Request.Header; err is what it returned. What is
// wrong with it becomes s.fault.
func (s *stream) request(r *fieldReader, end bool, err error) {
	q := &s.x.Request
	q.Protocol, q.Scheme = "HTTP/2", s.c.facts.Scheme()
	q.Method = section.Method(r.Method)
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
	case section.ErrLongTarget:
		f.Cause = weir.CauseRequestTooLong
	case section.ErrHost:
		f.Cause = weir.CauseRequestHost
	case section.ErrExpect:
		f.Cause = weir.CauseExpectation
	case section.ErrMethod:
		f.Cause = weir.CauseMethodRefused
	case section.ErrProtocol:
		f.Cause, f.Status = weir.CauseMethodRefused, 501
	case section.ErrLength, errFramed:
		f.Cause = weir.CauseRequestFraming
		return f, true
	default:
		return f, true
	}
	return f, false
}

func (s *stream) parse(r *fieldReader, end bool) error {
	q := &s.x.Request
	if err := r.fill(q, s.cfg.Limits.Line); err != nil {
		return err
	}
	if end && r.Length > 0 {
		return errFramed
	}
	if !end && r.Length != 0 {
		q.Body = &s.body
	}
	if err := r.expects(); err != nil {
		return err
	}
	q.Expect = r.Expect != "" && q.Body != nil
	if r.Extended() {
		return s.upgradeRequest(r, end)
	}
	return nil
}

// fill leaves in q what the section says of the request, of which longest bytes may be its target.
func (r *fieldReader) fill(q *weir.Request, longest int) error {
	switch {
	case q.Method == "CONNECT" && !r.Extended(), q.Method == "TRACE":
		return section.ErrMethod
	case len(r.Path) > longest:
		return section.ErrLongTarget
	}
	authority, err := r.Authority()
	if err != nil {
		return err
	}
	q.Authority = authority
	q.SetTarget(r.Path)
	q.TETrailers = r.Trailers
	return nil
}

// expects reports whether more is expected than there is (RFC 9110, section 10.1.1).
func (r *fieldReader) expects() error {
	if r.Expect != "" && !weir.EqualFold(r.Expect, "100-continue") {
		return section.ErrExpect
	}
	return nil
}

// upgradeRequest makes an ordinary upgrade of an extended CONNECT (RFC 8441, section 5): handlers and servers see the GET
// that HTTP/1.1 has for it.
func (s *stream) upgradeRequest(r *fieldReader, end bool) error {
	q := &s.x.Request
	if !weir.EqualFold(r.Protocol, "websocket") {
		return section.ErrProtocol
	}
	if end || q.Expect || r.Length >= 0 {
		return section.ErrPseudo
	}
	s.extended = true
	q.Method, q.Upgrade, q.Body = "GET", "websocket", nil
	q.Header.Set(websocket.KeyField, websocket.NewKey())
	return nil
}
