package h3

import (
	"errors"
	"strings"

	"weir"
)

// Classes of bytes, as bits of class.
const (
	className   = 1 << iota // may stand in a field name: a token's bytes without upper case (RFC 9114, section 4.2)
	classToken              // RFC 9110, section 5.6.2
	classValue              // may stand in a field value: visible, space, tab, obs-text
	classTarget             // may stand in :path
	classDigit
	classHost // may stand in the name of a host, or its IPv4 address; no percent-encoding
)

var class = func() (t [256]uint8) {
	const lower, upper, digit = "abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789"
	set := func(bits uint8, chars string) {
		for i := range len(chars) {
			t[chars[i]] |= bits
		}
	}
	set(className|classToken, lower+digit+"!#$%&'*+-.^_`|~")
	set(classToken, upper)
	set(classHost, lower+upper+digit+"-._~!$&'()*+,;=")
	set(classDigit, digit)
	set(classValue, " \t")
	for c := 0x21; c <= 0xff; c++ {
		if c == 0x7f {
			continue
		}
		t[c] |= classValue
		if c != '#' && c != '\\' {
			t[c] |= classTarget
		}
	}
	return t
}()

func all(s string, bit uint8) bool {
	for i := 0; i < len(s); i++ {
		if class[s[i]]&bit == 0 {
			return false
		}
	}
	return true
}

// Why a field section is malformed, or what it asks for is not served.
var (
	errName       = errors.New("malformed field name")
	errValue      = errors.New("malformed field value")
	errPseudo     = errors.New("a pseudo field is unknown, repeated, malformed or out of place")
	errMissing    = errors.New("a pseudo field is missing")
	errConnection = errors.New("a field that concerns an HTTP/1 connection")
	errLength     = errors.New("malformed or repeated Content-Length")
	errContent    = errors.New("the content is not as long as Content-Length says")
	errHost       = errors.New(":authority is missing or malformed, or contradicts Host")
	errExpect     = errors.New("unknown expectation")
	errMethod     = errors.New("the method is not served")
	errProtocol   = errors.New("the protocol of an extended CONNECT is not served")
	errLongTarget = errors.New("the target is longer than the limit")
)

// A kind is a kind of field section.
type kind uint8

const (
	kindRequest kind = iota
	kindResponse
	kindTrailer
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

var pseudoFields = [...]map[string]uint8{
	kindRequest: {
		":method": pseudoMethod, ":scheme": pseudoScheme, ":authority": pseudoAuthority, ":path": pseudoPath,
		":protocol": pseudoProtocol,
	},
	kindResponse: {":status": pseudoStatus},
	kindTrailer:  {},
}

// A section is what a field section says besides the fields of a weir.Header.
type section struct {
	kind    kind
	seen    uint8 // pseudo fields
	regular bool  // a field that is no pseudo field has come

	method, scheme, authority, path, protocol string
	status                                    int
	length                                    int64 // Content-Length; -1: not told
	host, expect                              string
	hasHost, hasTE                            bool
	cookies                                   int
}

// read takes in what d has decoded: fields go to h, the rest into s. text is d's text as a string that lasts.
func (s *section) read(k kind, d *sectionDecoder, text string, h *weir.Header) error {
	*s = section{kind: k, length: -1}
	for i := range d.lines {
		l := &d.lines[i]
		if err := s.note(l, text[l.name:l.sep], text[l.sep+2:l.end], h); err != nil {
			return err
		}
	}
	if s.cookies > 1 && k == kindRequest {
		joinCookies(h)
	}
	return nil
}

func (s *section) note(l *line, name, value string, h *weir.Header) error {
	if name != "" && name[0] == ':' {
		return s.pseudo(name, value)
	}
	s.regular = true
	id := weir.FieldOther
	if l.static >= 0 {
		id = staticTable[l.static].id
	} else if id = weir.Identify(name); name == "" || !all(name, className) {
		return errName
	}
	if !validValue(value) {
		return errValue
	}
	if ownField[id] && id != weir.FieldOther {
		return s.own(id, value)
	}
	if id == weir.FieldCookie {
		s.cookies++
	}
	if s.kind != kindTrailer || !notInTrailer(id, name) {
		h.AddField(weir.Field{Name: name, Value: value, ID: id, Wire: true, Line: value != ""})
	}
	return nil
}

// validValue reports whether s can be a field's value: it has no white space at its ends.
func validValue(s string) bool {
	if n := len(s); n > 0 && (s[0] == ' ' || s[0] == '\t' || s[n-1] == ' ' || s[n-1] == '\t') {
		return false
	}
	return all(s, classValue)
}

func (s *section) pseudo(name, value string) error {
	bit := pseudoFields[s.kind][name]
	if bit == 0 || s.seen&bit != 0 || s.regular {
		return errPseudo
	}
	s.seen |= bit
	switch bit {
	case pseudoMethod:
		s.method = value
	case pseudoScheme:
		s.scheme = value
	case pseudoAuthority:
		s.authority = value
	case pseudoPath:
		s.path = value
	case pseudoProtocol:
		s.protocol = value
	case pseudoStatus:
		return s.parseStatus(value)
	}
	return nil
}

func (s *section) parseStatus(v string) error {
	if len(v) != 3 || !all(v, classDigit) || v[0] == '0' || v == "101" { // RFC 9114, section 4.5
		return errPseudo
	}
	s.status = int(v[0]-'0')*100 + int(v[1]-'0')*10 + int(v[2]-'0')
	return nil
}

// ownField marks the fields that are no part of a weir.Header: those that concern an HTTP/1 connection, and those that
// are parsed into the message itself. Proxy-Authorization is one of them: weir asks nobody for it and hands it to nobody.
var ownField = func() (t [256]bool) {
	for _, id := range []weir.FieldID{
		weir.FieldConnection, weir.FieldContentLength, weir.FieldHost, weir.FieldKeepAlive, weir.FieldProxyConnection,
		weir.FieldTE, weir.FieldTransferEncoding, weir.FieldUpgrade, weir.FieldHTTP2Settings, weir.FieldExpect,
		weir.FieldProxyAuthorization,
	} {
		t[id] = true
	}
	return t
}()

func (s *section) own(id weir.FieldID, value string) error {
	switch id {
	case weir.FieldConnection, weir.FieldKeepAlive, weir.FieldProxyConnection, weir.FieldTransferEncoding, weir.FieldUpgrade:
		return errConnection
	case weir.FieldTE:
		if !weir.EqualFold(value, "trailers") {
			return errConnection // RFC 9114, section 4.2
		}
		s.hasTE = true
	case weir.FieldContentLength:
		return s.parseLength(value)
	case weir.FieldHost:
		if s.hasHost && s.kind == kindRequest {
			return errHost
		}
		s.host, s.hasHost = value, true
	case weir.FieldExpect:
		if s.expect == "" || weir.EqualFold(s.expect, "100-continue") {
			s.expect = value
		}
	}
	return nil
}

// parseLength reads a Content-Length: digits alone, without leading zeros, below 10^18.
func (s *section) parseLength(v string) error {
	if s.kind == kindTrailer {
		return nil
	}
	if s.length >= 0 || v == "" || len(v) > 18 || !all(v, classDigit) || len(v) > 1 && v[0] == '0' {
		return errLength
	}
	s.length = 0
	for i := 0; i < len(v); i++ {
		s.length = s.length*10 + int64(v[i]-'0')
	}
	return nil
}

// joinCookies makes one Cookie field of several: HTTP/1 does not let them be several (RFC 9114, section 4.2.1).
func joinCookies(h *weir.Header) {
	var all strings.Builder
	for i := range h.Len() {
		if f := h.At(i); f.ID == weir.FieldCookie {
			if all.Len() > 0 {
				all.WriteString("; ")
			}
			all.WriteString(f.Value)
		}
	}
	h.SetKnown(weir.FieldCookie, all.String())
}

// notInTrailer reports whether a field may not stand in a trailer (RFC 9110, section 6.5.1), since it says how a
// message is framed, routed or authorised. As servers by way of CGI do, it takes "_" for "-".
func notInTrailer(id weir.FieldID, name string) bool {
	if id == weir.FieldOther && strings.IndexByte(name, '_') >= 0 {
		name = strings.ReplaceAll(name, "_", "-")
		id = weir.Identify(name)
	}
	if id == weir.FieldOther {
		return name == "proxy" || strings.HasPrefix(name, "x-forwarded")
	}
	return barredFromTrailer[id] || ownField[id]
}

var barredFromTrailer = func() (t [256]bool) {
	for _, id := range []weir.FieldID{
		weir.FieldTrailer, weir.FieldAuthorization, weir.FieldCookie, weir.FieldSetCookie, weir.FieldContentEncoding,
		weir.FieldContentType, weir.FieldRange, weir.FieldForwarded, weir.FieldXForwardedFor, weir.FieldXForwardedHost,
		weir.FieldXForwardedProto, weir.FieldXForwardedPrefix, weir.FieldXRealIP, weir.FieldVia, weir.FieldXRequestID,
		weir.FieldCacheControl, weir.FieldAge, weir.FieldExpires, weir.FieldLocation, weir.FieldVary, weir.FieldIfMatch,
		weir.FieldIfNoneMatch, weir.FieldIfModifiedSince,
	} {
		t[id] = true
	}
	return t
}()
