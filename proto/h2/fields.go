package h2

import (
	"errors"
	"strings"

	"golang.org/x/net/http2/hpack"

	"weir"
)

// Classes of bytes, as bits of class.
const (
	className   = 1 << iota // may stand in a field name: a token's bytes, without upper case (RFC 9113, section 8.2)
	classMethod             // may stand in a method: a token's bytes
	classValue              // may stand in a field value: visible, space, tab, obs-text
	classTarget             // may stand in :path
	classDigit
)

var class = func() (t [256]uint8) {
	const lower, upper, digit = "abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789"
	set := func(bits uint8, chars string) {
		for i := range len(chars) {
			t[chars[i]] |= bits
		}
	}
	set(className|classMethod, lower+digit+"!#$%&'*+-.^_`|~")
	set(classMethod, upper)
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

// Why a field section is malformed.
var (
	errName       = errors.New("malformed field name")
	errValue      = errors.New("malformed field value")
	errPseudo     = errors.New("a pseudo field is unknown, repeated, malformed or out of place")
	errMissing    = errors.New("a pseudo field is missing")
	errConnection = errors.New("a field that concerns an HTTP/1 connection")
	errLength     = errors.New("malformed or repeated Content-Length")
	errHost       = errors.New(":authority is missing or malformed, or contradicts Host")
	errExpect     = errors.New("unknown expectation")
	errMethod     = errors.New("the method is not served")
	errProtocol   = errors.New("the protocol of an extended CONNECT is not served")
	errTooLarge   = errors.New("the field section is larger than the limit")
	errTooMany    = errors.New("too many fields")
	errLongTarget = errors.New("the target is longer than the limit")
)

// A section is a kind of field section.
type section uint8

const (
	sectionRequest section = iota
	sectionResponse
	sectionTrailer
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
func pseudoField(kind section, name string) uint8 {
	switch kind {
	case sectionRequest:
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
	case sectionResponse:
		if name == ":status" {
			return pseudoStatus
		}
	}
	return 0
}

// A fieldReader decodes the field sections that one peer sends. It is used by one goroutine, for every section on the
// connection in the order of their arrival, wanted or not: each may change what the next one means.
type fieldReader struct {
	hp    *hpack.Decoder
	bound int // of strings, as hp has been told

	// Of the section being read, or read last.
	kind    section
	lim     *Limits
	h       *weir.Header // takes the fields
	size    int
	fields  int
	seen    uint8
	regular bool  // a field that is no pseudo field has come
	err     error // the first thing wrong with it

	method, scheme, authority, path, protocol string
	status                                    int
	length                                    int64 // Content-Length; -1: not told
	host, expect                              string
	hasHost                                   bool
	trailers                                  bool // te: trailers
	cookies                                   int
}

func newFieldReader() *fieldReader {
	r := &fieldReader{}
	r.hp = hpack.NewDecoder(4096, r.take)
	return r
}

// blockMost is how long a compressed field section may be: twice what it may be decoded, so that one that is somewhat
// too large still gets its proper answer.
func (l *Limits) blockMost() int { return 2 * l.Head }

// read decodes a whole compressed section into h, which it empties first, and into r's own fields. A *connError means
// that the compression's state is lost, and the connection with it; any other error, that this section is malformed or
// too large.
func (r *fieldReader) read(block []byte, kind section, lim *Limits, h *weir.Header) error {
	*r = fieldReader{hp: r.hp, bound: r.bound, kind: kind, lim: lim, h: h, length: -1}
	h.Reset()
	r.hp.SetEmitEnabled(true)
	if err := r.decode(block); err != nil {
		return err
	}
	if r.err == nil {
		r.err = r.settle()
	}
	return r.err
}

// skip decodes a section that nobody wants, for what it does to the ones that follow. Its error is a *connError.
func (r *fieldReader) skip(block []byte, lim *Limits) error {
	r.lim = lim
	r.hp.SetEmitEnabled(false)
	return r.decode(block)
}

func (r *fieldReader) decode(block []byte) error {
	if bound := r.lim.blockMost(); bound != r.bound {
		r.bound = bound
		r.hp.SetMaxStringLength(bound)
	}
	_, err := r.hp.Write(block)
	if err == nil {
		err = r.hp.Close()
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, hpack.ErrStringLength):
		return &connError{codeCalm, "a field larger than any limit"}
	}
	return &connError{codeCompression, err.Error()}
}

// take takes in one decoded field.
func (r *fieldReader) take(f hpack.HeaderField) {
	if r.err = r.note(f.Name, f.Value); r.err != nil {
		r.hp.SetEmitEnabled(false)
	}
}

func (r *fieldReader) note(name, value string) error {
	if err := r.weigh(len(name) + len(value)); err != nil {
		return err
	}
	if name != "" && name[0] == ':' {
		return r.pseudo(name, value)
	}
	r.regular = true
	if r.fields++; r.fields > r.lim.Fields {
		return errTooMany
	}
	if name == "" || !all(name, className) {
		return errName
	}
	if !validValue(value) {
		return errValue
	}
	id := weir.Identify(name)
	if id != weir.FieldOther && ownField[id] {
		return r.own(id, value)
	}
	if id == weir.FieldCookie {
		r.cookies++
	}
	if r.kind == sectionTrailer && notInTrailer(id, name) {
		return nil
	}
	r.h.AddField(weir.Field{Name: name, Value: value, ID: id, Wire: true})
	return nil
}

// weigh counts a field of n bytes against the limits.
func (r *fieldReader) weigh(n int) error {
	most := r.lim.Head
	if r.kind == sectionTrailer {
		most = r.lim.Trailer
	}
	if r.size += n + 32; r.size > most {
		return errTooLarge
	}
	return nil
}

func validValue(s string) bool {
	if n := len(s); n > 0 && (s[0] == ' ' || s[0] == '\t' || s[n-1] == ' ' || s[n-1] == '\t') {
		return false
	}
	return all(s, classValue)
}

func (r *fieldReader) pseudo(name, value string) error {
	bit := pseudoField(r.kind, name)
	if bit == 0 || r.seen&bit != 0 || r.regular {
		return errPseudo
	}
	r.seen |= bit
	switch bit {
	case pseudoMethod:
		r.method = value
	case pseudoScheme:
		r.scheme = value
	case pseudoAuthority:
		r.authority = value
	case pseudoPath:
		r.path = value
	case pseudoProtocol:
		r.protocol = value
	case pseudoStatus:
		return r.parseStatus(value)
	}
	return nil
}

func (r *fieldReader) parseStatus(s string) error {
	if len(s) != 3 || !all(s, classDigit) || s[0] == '0' {
		return errPseudo
	}
	r.status = int(s[0]-'0')*100 + int(s[1]-'0')*10 + int(s[2]-'0')
	if r.status == 101 {
		return errPseudo // RFC 9113, section 8.6
	}
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

func (r *fieldReader) own(id weir.FieldID, value string) error {
	switch id {
	case weir.FieldConnection, weir.FieldKeepAlive, weir.FieldProxyConnection, weir.FieldTransferEncoding, weir.FieldUpgrade:
		return errConnection
	case weir.FieldTE:
		if !weir.EqualFold(value, "trailers") {
			return errConnection // RFC 9113, section 8.2.2
		}
		r.trailers = true
	case weir.FieldContentLength:
		return r.parseLength(value)
	case weir.FieldHost:
		if r.hasHost && r.kind == sectionRequest {
			return errHost
		}
		r.host, r.hasHost = value, true
	case weir.FieldExpect:
		if r.expect == "" || weir.EqualFold(r.expect, "100-continue") {
			r.expect = value
		}
	}
	return nil
}

// parseLength reads a Content-Length: digits alone, without leading zeros, below 10^18.
func (r *fieldReader) parseLength(s string) error {
	if r.kind == sectionTrailer {
		return nil
	}
	if r.length >= 0 || s == "" || len(s) > 18 || !all(s, classDigit) || len(s) > 1 && s[0] == '0' {
		return errLength
	}
	r.length = 0
	for i := 0; i < len(s); i++ {
		r.length = r.length*10 + int64(s[i]-'0')
	}
	return nil
}

// settle looks at the section as a whole.
func (r *fieldReader) settle() error {
	switch r.kind {
	case sectionRequest:
		if r.cookies > 1 {
			r.joinCookies()
		}
		return r.settleRequest()
	case sectionResponse:
		if r.status == 0 {
			return errMissing
		}
	}
	return nil
}

func (r *fieldReader) settleRequest() error {
	const ordinary = pseudoMethod | pseudoScheme | pseudoPath
	if r.seen&pseudoMethod == 0 || r.method == "" || !all(r.method, classMethod) {
		return errMissing
	}
	switch {
	case r.seen&pseudoProtocol != 0:
		if r.method != "CONNECT" || r.seen&ordinary != ordinary || r.authority == "" {
			return errPseudo // RFC 8441, section 4
		}
	case r.method == "CONNECT":
		if r.seen != pseudoMethod|pseudoAuthority {
			return errPseudo
		}
		return nil
	case r.seen&ordinary != ordinary:
		return errMissing
	}
	if !weir.EqualFold(r.scheme, "http") && !weir.EqualFold(r.scheme, "https") {
		return errPseudo
	}
	if r.path == "" || !all(r.path, classTarget) || r.path[0] != '/' && (r.path != "*" || r.method != "OPTIONS") {
		return errPseudo
	}
	return nil
}

// joinCookies makes one Cookie field of several: HTTP/2 alone lets them be several (RFC 9113, section 8.2.3).
func (r *fieldReader) joinCookies() {
	var all strings.Builder
	for i := range r.h.Len() {
		if f := r.h.At(i); f.ID == weir.FieldCookie {
			if all.Len() > 0 {
				all.WriteString("; ")
			}
			all.WriteString(f.Value)
		}
	}
	r.h.SetKnown(weir.FieldCookie, all.String())
}

// notInTrailer reports whether a field may not stand in a trailer (RFC 9110, section 6.5.1), since it says how a
// message is framed, routed or authorised. As servers by way of CGI do, it takes "_" for "-".
func notInTrailer(id weir.FieldID, name string) bool {
	if id == weir.FieldOther && strings.IndexByte(name, '_') >= 0 {
		name = strings.ReplaceAll(name, "_", "-")
		id = weir.Identify(name)
	}
	switch id {
	case weir.FieldOther:
		return name == "proxy" || strings.HasPrefix(name, "x-forwarded")
	case weir.FieldTrailer, weir.FieldAuthorization, weir.FieldCookie, weir.FieldSetCookie,
		weir.FieldContentEncoding, weir.FieldContentType, weir.FieldRange, weir.FieldForwarded, weir.FieldXForwardedFor,
		weir.FieldXForwardedHost, weir.FieldXForwardedProto, weir.FieldXForwardedPrefix, weir.FieldXRealIP, weir.FieldVia,
		weir.FieldXRequestID, weir.FieldCacheControl, weir.FieldAge, weir.FieldExpires, weir.FieldLocation, weir.FieldVary,
		weir.FieldIfMatch, weir.FieldIfNoneMatch, weir.FieldIfModifiedSince:
		return true
	}
	return ownField[id]
}
