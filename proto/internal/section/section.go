// Package section holds the rules of HTTP/2 and HTTP/3 for field sections: what a name, a value and a pseudo field may
// be, which of them must come, in what order and how often, and what no section may say (RFC 9113, section 8; RFC 9114,
// section 4). How a section is compressed is the codec's business; what it says is judged here, for requests, answers
// and trailers alike. Whatever could become a second line, a second request or another length behind weir is refused.
package section

import (
	"strings"

	"weir"
	"weir/internal/syntax"
)

// A Kind is a kind of field section.
type Kind uint8

// The kinds.
const (
	Request Kind = iota
	Response
	Trailer
)

// The pseudo fields, as bits.
const (
	pseudoMethod = 1 << iota
	pseudoScheme
	pseudoAuthority
	pseudoPath
	pseudoProtocol
	pseudoStatus
)

// pseudoField returns the bit of a pseudo field that may stand in a section of that kind; 0: there is none.
func pseudoField(kind Kind, name string) uint8 {
	switch kind {
	case Request:
		switch name {
		case ":method":
			return pseudoMethod
		case ":scheme":
			return pseudoScheme
		case ":authority":
			return pseudoAuthority
		case ":path":
			return pseudoPath
		case ":protocol":
			return pseudoProtocol
		}
	case Response:
		if name == ":status" {
			return pseudoStatus
		}
	}
	return 0
}

// A Section is what a field section says besides the fields of a weir.Header. Begin comes first, then Pseudo or Field for
// each of its fields in their order, then Settle. It is used by one goroutine at a time. After an error it has what came
// before that, unjudged as a whole.
type Section struct {
	kind    Kind
	seen    uint8 // pseudo fields
	regular bool  // a field that is no pseudo field has come
	cookies int

	Method, Scheme, Path, Protocol string
	Status                         int
	Length                         int64  // Content-Length; -1: not told
	Expect                         string // of several, the first that is no 100-continue
	Trailers                       bool   // te: trailers

	authority, host string
	hasHost         bool
}

// Begin empties s for a section of that kind.
func (s *Section) Begin(kind Kind) { *s = Section{kind: kind, Length: -1} }

// Kind returns what s was begun with.
func (s *Section) Kind() Kind { return s.kind }

// Extended reports whether it is the request of an extended CONNECT (RFC 8441, section 4; RFC 9220, section 3).
func (s *Section) Extended() bool { return s.seen&pseudoProtocol != 0 }

// IsPseudo reports whether a name is to be taken in by Pseudo.
func IsPseudo(name string) bool { return name != "" && name[0] == ':' }

// Pseudo takes in a pseudo field.
func (s *Section) Pseudo(name, value string) error {
	bit := pseudoField(s.kind, name)
	if bit == 0 || s.seen&bit != 0 || s.regular {
		return ErrPseudo
	}
	s.seen |= bit
	switch bit {
	case pseudoMethod:
		s.Method = value
	case pseudoScheme:
		s.Scheme = value
	case pseudoAuthority:
		s.authority = value
	case pseudoPath:
		s.Path = value
	case pseudoProtocol:
		s.Protocol = value
	case pseudoStatus:
		return s.parseStatus(value)
	}
	return nil
}

func (s *Section) parseStatus(v string) error {
	if len(v) != 3 || !all(v, classDigit) || v[0] == '0' || v == "101" { // RFC 9113, section 8.6; RFC 9114, section 4.5
		return ErrPseudo
	}
	s.Status = int(v[0]-'0')*100 + int(v[1]-'0')*10 + int(v[2]-'0')
	return nil
}

// Field takes in any other field. id is that of its name. kept: it belongs into the message's Header; else it is part of
// s, or it has no business in a section of that kind and is to be dropped.
func (s *Section) Field(id weir.FieldID, name, value string) (kept bool, err error) {
	s.regular = true
	switch {
	case !IsName(name):
		return false, ErrName
	case !IsValue(value):
		return false, ErrValue
	case ownField[id]:
		return false, s.own(id, value)
	case id == weir.FieldCookie:
		s.cookies++
	}
	return s.kind != Trailer || !notInTrailer(id, name), nil
}

// own takes in one of the fields that are no part of a weir.Header.
func (s *Section) own(id weir.FieldID, value string) error {
	switch id {
	case weir.FieldConnection, weir.FieldKeepAlive, weir.FieldProxyConnection, weir.FieldTransferEncoding, weir.FieldUpgrade:
		return ErrConnection
	case weir.FieldTE:
		if !weir.EqualFold(value, "trailers") {
			return ErrConnection // RFC 9113, section 8.2.2; RFC 9114, section 4.2
		}
		s.Trailers = true
	case weir.FieldContentLength:
		return s.parseLength(value)
	case weir.FieldHost:
		if s.hasHost && s.kind == Request {
			return ErrHost
		}
		s.host, s.hasHost = value, true
	case weir.FieldExpect:
		if s.Expect == "" || weir.EqualFold(s.Expect, "100-continue") {
			s.Expect = value
		}
	}
	return nil
}

// parseLength reads a Content-Length: digits alone, without leading zeros, below 10^18.
func (s *Section) parseLength(v string) error {
	if s.kind == Trailer {
		return nil
	}
	if s.Length >= 0 || v == "" || len(v) > 18 || !all(v, classDigit) || len(v) > 1 && v[0] == '0' {
		return ErrLength
	}
	s.Length = 0
	for i := 0; i < len(v); i++ {
		s.Length = s.Length*10 + int64(v[i]-'0')
	}
	return nil
}

// Settle judges the section as a whole. h has the fields that were kept; of a request's several Cookie fields, which these
// protocols alone let be several, it makes one (RFC 9113, section 8.2.3; RFC 9114, section 4.2.1).
func (s *Section) Settle(h *weir.Header) error {
	switch s.kind {
	case Request:
		if s.cookies > 1 {
			joinCookies(h)
		}
		return s.settleRequest()
	case Response:
		if s.Status == 0 {
			return ErrMissing
		}
	}
	return nil
}

// settleRequest has the rules of RFC 9113 and RFC 9114, section 8.3.1 and 4.3.1, and of RFC 8441 and RFC 9220.
func (s *Section) settleRequest() error {
	const ordinary = pseudoMethod | pseudoScheme | pseudoPath
	if !IsToken(s.Method) {
		return ErrMissing
	}
	switch {
	case s.Extended():
		if s.Method != "CONNECT" || s.seen&ordinary != ordinary || s.authority == "" || s.Protocol == "" {
			return ErrPseudo
		}
		if s.Length >= 0 || s.Expect != "" { // what follows is no content
			return ErrPseudo
		}
	case s.Method == "CONNECT":
		if s.seen != pseudoMethod|pseudoAuthority {
			return ErrPseudo
		}
		return nil
	case s.seen&ordinary != ordinary:
		return ErrMissing
	}
	if !weir.EqualFold(s.Scheme, "http") && !weir.EqualFold(s.Scheme, "https") {
		return ErrPseudo
	}
	if s.Path == "" || !IsTarget(s.Path) || s.Path[0] != '/' && (s.Path != "*" || s.Method != "OPTIONS") {
		return ErrPseudo
	}
	return nil
}

// Authority returns whom a request is for: :authority, or Host where that is missing. ErrHost: that is no host, or the
// two contradict each other (RFC 9113, section 8.3.1; RFC 9114, section 4.3.1).
func (s *Section) Authority() (string, error) {
	a := s.authority
	switch {
	case s.seen&pseudoAuthority == 0:
		a = s.host
	case s.hasHost && !weir.EqualFold(a, s.host):
		return "", ErrHost
	}
	if !syntax.IsAuthority(a) {
		return "", ErrHost
	}
	return a, nil
}

// Describe leaves in r what a request that is not fit to be served seems to have asked for, for the log.
func (s *Section) Describe(r *weir.Request) {
	if IsToken(s.Method) {
		r.Method = Method(s.Method)
	}
	if s.Path != "" && s.Path[0] == '/' && IsTarget(s.Path) {
		r.SetTarget(s.Path)
	}
	if syntax.IsAuthority(s.authority) {
		r.Authority = s.authority
	}
}

// Method returns the constant for a usual method, so that comparing it later costs nothing.
func Method(s string) string {
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

func joinCookies(h *weir.Header) {
	var all strings.Builder
	for i := range h.Len() {
		if f := h.At(i); f.ID == weir.FieldCookie && f.Value != "" {
			if all.Len() > 0 {
				all.WriteString("; ")
			}
			all.WriteString(f.Value)
		}
	}
	h.SetKnown(weir.FieldCookie, all.String())
}
