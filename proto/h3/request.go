package h3

import (
	"strings"

	"weir"
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

// sectionCause is the cause of an error of section.read in a request.
func sectionCause(err error) weir.Cause {
	switch err {
	case errLength:
		return weir.CauseRequestFraming
	case errHost:
		return weir.CauseRequestHost
	}
	return weir.CauseRequestHeader
}

// request makes r of a request's section, whose fields are in r.Header already.
func (s *section) request(lim *Limits, r *weir.Request) *badRequest {
	if err := s.pseudoRules(); err != nil {
		return malformed(weir.CauseRequestHeader, err)
	}
	r.Method = method(s.method)
	r.TETrailers = s.hasTE
	switch {
	case s.protocol != "":
		if s.protocol != "websocket" {
			b := refuse(weir.CauseMethodRefused, errProtocol)
			b.fault.Status = 501 // RFC 9220, section 3
			return b
		}
		r.Method, r.Upgrade = "GET", "websocket"
	case s.method == "CONNECT" || s.method == "TRACE":
		return refuse(weir.CauseMethodRefused, errMethod)
	}
	if len(s.path) > lim.Line {
		return refuse(weir.CauseRequestTooLong, errLongTarget)
	}
	r.Path, r.Query, _ = strings.Cut(s.path, "?")
	r.RawPath = r.Path
	if err := s.settleHost(r); err != nil {
		return refuse(weir.CauseRequestHost, err)
	}
	if s.expect != "" && !weir.EqualFold(s.expect, "100-continue") {
		return refuse(weir.CauseExpectation, errExpect)
	}
	return nil
}

// describe leaves in r what a malformed request seems to have asked for, for the log.
func (s *section) describe(r *weir.Request) {
	if all(s.method, classToken) {
		r.Method = method(s.method)
	}
	if s.path != "" && s.path[0] == '/' && all(s.path, classTarget) {
		r.Path, r.Query, _ = strings.Cut(s.path, "?")
		r.RawPath = r.Path
	}
	if validHost(s.authority) {
		r.Authority = s.authority
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

// pseudoRules are those of RFC 9114, section 4.3.1, and of RFC 9220.
func (s *section) pseudoRules() error {
	const target = pseudoScheme | pseudoPath
	if s.method == "" || !all(s.method, classToken) {
		return errMissing
	}
	switch {
	case s.seen&pseudoProtocol != 0:
		if s.method != "CONNECT" || s.seen&target != target || s.authority == "" || s.protocol == "" {
			return errPseudo
		}
	case s.method == "CONNECT":
		if s.seen != pseudoMethod|pseudoAuthority {
			return errPseudo
		}
		return nil
	case s.seen&target != target:
		return errMissing
	}
	if !weir.EqualFold(s.scheme, "http") && !weir.EqualFold(s.scheme, "https") {
		return errPseudo
	}
	if s.path == "" || !all(s.path, classTarget) || s.path[0] != '/' && (s.path != "*" || s.method != "OPTIONS") {
		return errPseudo
	}
	return nil
}

// settleHost holds :authority and Host against each other.
func (s *section) settleHost(r *weir.Request) error {
	r.Authority = s.authority
	if s.seen&pseudoAuthority == 0 {
		r.Authority = s.host
	} else if s.hasHost && !weir.EqualFold(s.host, s.authority) {
		return errHost
	}
	if !validHost(r.Authority) {
		return errHost
	}
	return nil
}

// validHost reports whether s is uri-host [ ":" port ] (RFC 9110, section 7.2), without user information.
func validHost(s string) bool {
	i := 0
	for i < len(s) && class[s[i]]&classHost != 0 {
		i++
	}
	if i == 0 && s != "" && s[0] == '[' {
		if i = strings.IndexByte(s, ']') + 1; i < 4 || !ipv6Bytes(s[1:i-1]) {
			return false
		}
	}
	return i > 0 && (i == len(s) || s[i] == ':' && validPort(s[i+1:]))
}

func ipv6Bytes(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i] | 0x20
		if class[s[i]]&classDigit == 0 && !('a' <= c && c <= 'f') && s[i] != ':' && s[i] != '.' {
			return false
		}
	}
	return true
}

func validPort(s string) bool {
	n := 0
	for i := 0; i < len(s); i++ {
		if class[s[i]]&classDigit == 0 || len(s) > 5 {
			return false
		}
		n = n*10 + int(s[i]-'0')
	}
	return n < 1<<16
}
