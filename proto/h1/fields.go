package h1

import (
	"errors"
	"strings"

	"weir"
)

// Classes of bytes, as bits of class.
const (
	classToken  = 1 << iota // RFC 9110, section 5.6.2
	classValue              // may stand in a field value: visible, space, tab, obs-text
	classTarget             // may stand in a request target
	classDigit
	classHost // may stand in the name of a host, or its IPv4 address
)

var class = makeClass()

func makeClass() (t [256]uint8) {
	set := func(bit uint8, chars string) {
		for i := range len(chars) {
			t[chars[i]] |= bit
		}
	}
	const alnum = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	set(classToken, alnum+"!#$%&'*+-.^_`|~")
	set(classHost, alnum+"-._")
	set(classDigit, "0123456789")
	for c := 0x21; c <= 0xff; c++ {
		if c != 0x7f {
			t[c] |= classValue
		}
	}
	t[' '] |= classValue
	t['\t'] |= classValue
	for c := 0x21; c < 0x7f; c++ {
		if !strings.ContainsRune("#\\\"<>^`{|}", rune(c)) {
			t[c] |= classTarget
		}
	}
	// Browsers send these unescaped in paths and queries; none of them changes how a target is split.
	set(classTarget, "\"<>^`{|}")
	for c := 0x80; c <= 0xff; c++ {
		t[c] |= classTarget
	}
	return t
}

func all(s string, bit uint8) bool {
	for i := 0; i < len(s); i++ {
		if class[s[i]]&bit == 0 {
			return false
		}
	}
	return true
}

// A framing is what a head says of the message around it.
type framing struct {
	Chunked bool
	Length  int64  // of the body; -1: not told
	Close   bool   // the connection ends with this message
	Upgrade string // the first protocol of Upgrade, if Connection names upgrade

	lengths, codings int
	lastCoding       string
	connection       connOptions
	upgrade          string
}

// A connOptions is what the Connection fields name.
type connOptions struct {
	close, keepAlive, upgrade, te bool
	others                        []string // names of further fields
}

var (
	errName       = errors.New("malformed field name")
	errValue      = errors.New("malformed field value")
	errLineEnd    = errors.New("a line does not end with CRLF")
	errFold       = errors.New("folded field line")
	errLength     = errors.New("malformed or repeated Content-Length")
	errBoth       = errors.New("both Content-Length and Transfer-Encoding")
	errCoding     = errors.New("field Transfer-Encoding is not exactly \"chunked\"")
	errTooMany    = errors.New("too many fields")
	errHost       = errors.New("field Host is missing, repeated or malformed")
	errConnection = errors.New("field Connection is malformed or names too many fields")
)

// A fieldError is why a field section was refused.
type fieldError struct {
	err     error
	framing bool
	tooMany bool
}

// parseFields reads the field lines of head from i on, up to the empty line at its end, into h. Fields that concern the
// connection go into f and not into h. hosts takes in those that only a request has; nil for an answer. m is head's
// map, or nil.
func parseFields(head string, i int, m *headMap, most int, h *weir.Header, f *framing, hosts *hostField) *fieldError {
	f.Length = -1
	if m != nil {
		return m.parseFields(head, i, most, h, f, hosts)
	}
	for n := 0; !isLineEnd(head, i); n++ {
		if n == most {
			return &fieldError{err: errTooMany, tooMany: true}
		}
		at, end := fieldEnds(head, i)
		field := &h.Room()[0]
		if !isLineEnd(head, end) || !fieldLine(head[i:end], at-i, field) {
			return &fieldError{err: lineError(head, i, at, end)}
		}
		i = end + len("\r\n")
		if !connectionField[field.ID] {
			h.Keep(1)
		} else if err := f.note(field.ID, field.Value, hosts); err != nil {
			return noteError(err)
		}
	}
	return nil
}

func noteError(err error) *fieldError {
	return &fieldError{err: err, framing: err != errHost && err != errConnection}
}

// fieldLine reads into f a line in which the first colon is at at, and behind it no control character but the tab.
func fieldLine(line string, at int, f *weir.Field) bool {
	if at >= len(line) || line[at] != ':' {
		return false
	}
	value := line[at+1:]
	f.Line = len(value) > 1 && value[0] == ' ' && value[1] > ' ' && value[len(value)-1] > ' '
	if f.Line {
		value = value[1:]
	} else {
		value = trim(value)
	}
	f.Name, f.Value, f.Wire = line[:at], value, true
	f.ID = weir.Identify(f.Name)
	return f.ID != weir.FieldOther || isToken(f.Name) // what is known is well formed
}

func isLineEnd(s string, i int) bool {
	return i+1 < len(s) && s[i] == '\r' && s[i+1] == '\n'
}

func isToken(s string) bool { return s != "" && all(s, classToken) }

// lineError is why the line at i is no field line: what looks like its name ends at at, its value at end.
func lineError(s string, i, at, end int) error {
	if at >= len(s) || s[at] != ':' || !isToken(s[i:at]) {
		return nameError(s[i:])
	}
	return valueError(s[end:])
}

func nameError(line string) error {
	if line != "" && (line[0] == ' ' || line[0] == '\t') {
		return errFold
	}
	return errName
}

// valueError is why no value goes on with rest.
func valueError(rest string) error {
	if rest != "" && (rest[0] == '\r' || rest[0] == '\n') {
		return errLineEnd
	}
	return errValue
}

// connectionField marks the fields that concern one connection only (RFC 9110, section 7.6.1) and those
// that are parsed into the message itself. Proxy-Authorization is one of them: weir asks nobody for it and
// hands it to nobody.
var connectionField = func() (t [256]bool) {
	for _, id := range []weir.FieldID{
		weir.FieldConnection, weir.FieldContentLength, weir.FieldHost, weir.FieldKeepAlive, weir.FieldProxyConnection,
		weir.FieldTE, weir.FieldTransferEncoding, weir.FieldUpgrade, weir.FieldHTTP2Settings, weir.FieldExpect,
		weir.FieldProxyAuthorization,
	} {
		t[id] = true
	}
	return t
}()

// note takes in one of the connection's own fields.
func (f *framing) note(id weir.FieldID, value string, hosts *hostField) error {
	switch id {
	case weir.FieldContentLength:
		n, ok := parseLength(value)
		if hosts != nil && len(value) > 1 && value[0] == '0' {
			ok = false // some take it for octal; servers are let have it, since nobody sees it behind weir
		}
		if f.lengths++; !ok || f.lengths > 1 {
			return errLength
		}
		f.Length = n
	case weir.FieldTransferEncoding:
		f.codings++
		f.lastCoding = value
	case weir.FieldConnection:
		return f.connection.add(value, hosts != nil)
	case weir.FieldUpgrade:
		if f.upgrade == "" {
			f.upgrade, _, _ = strings.Cut(value, ",")
			f.upgrade = trim(f.upgrade)
		}
	case weir.FieldHost, weir.FieldTE, weir.FieldExpect:
		if hosts != nil {
			return hosts.note(id, value)
		}
	}
	return nil
}

// settle draws the conclusions once all fields have been read: what the body's framing is, and which
// fields Connection takes away with it.
func (f *framing) settle(h *weir.Header) error {
	if f.codings > 0 {
		if f.lengths > 0 {
			return errBoth
		}
		if f.codings > 1 || !weir.EqualFold(f.lastCoding, "chunked") {
			return errCoding
		}
		f.Chunked = true
	}
	if f.connection.upgrade {
		f.Upgrade = f.upgrade
	}
	for _, name := range f.connection.others {
		h.Del(name)
	}
	return nil
}

// add takes in the value of a Connection field. A client (strict) cannot use it to have fields removed on which
// decisions behind weir rest, such as its own address or its credentials: those are for all recipients, and must not
// be named there (RFC 9110, section 7.6.1).
func (c *connOptions) add(value string, strict bool) error {
	for value != "" {
		var option string
		option, value, _ = strings.Cut(value, ",")
		switch option = trim(option); {
		case option == "":
		case weir.EqualFold(option, "close"):
			c.close = true
		case weir.EqualFold(option, "keep-alive"):
			c.keepAlive = true
		case weir.EqualFold(option, "upgrade"):
			c.upgrade = true
		case weir.EqualFold(option, "te"):
			c.te = true
		case !all(option, classToken), len(c.others) >= mostOptions:
			return errConnection
		case !strict || !isEndToEnd(option):
			c.others = append(c.others, option)
		}
	}
	return nil
}

// mostOptions bounds how many fields Connection may name.
const mostOptions = 32

// isEndToEnd reports whether a name is that of a known field that is not the connection's, or belongs to
// the family that tells of the way a request has taken.
func isEndToEnd(name string) bool {
	const family = "x-forwarded"
	if len(name) >= len(family) && weir.EqualFold(name[:len(family)], family) {
		return true
	}
	id := weir.Identify(name)
	return id != weir.FieldOther && !connectionField[id]
}

func trim(s string) string { return strings.Trim(s, " \t") }

// parseLength reads a Content-Length: digits alone, below 2^63.
func parseLength(s string) (int64, bool) {
	if len(s) == 0 || len(s) > 18 {
		return 0, false
	}
	n := int64(0)
	for i := 0; i < len(s); i++ {
		if class[s[i]]&classDigit == 0 {
			return 0, false
		}
		n = n*10 + int64(s[i]-'0')
	}
	return n, true
}
