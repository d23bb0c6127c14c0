package h3

import (
	"strconv"
	"sync/atomic"
	"time"

	"weir"
	"weir/proto/internal/section"
)

// The encoder writes entries of the static table and plain literals. So a head can be encoded by any goroutine, without
// regard to those before it, and nobody can learn by the length of one answer what stands in another. Strings are not put
// into Huffman code: it would save a quarter of a head, which is one packet either way, at a cost on both sides.

const (
	qpackIndexed = 0xc0 // a whole entry of the static table; 6 bits of index
	qpackNamed   = 0x50 // its name, and a literal value; 4 bits of index
	qpackLiteral = 0x20 // both literal; 3 bits of length
	qpackNever   = 0x20 // with qpackNamed: nobody on the way may put it into a table
)

// appendPrefix appends what a section without a dynamic table begins with.
func appendPrefix(dst []byte) []byte { return append(dst, 0, 0) }

func appendIndexed(dst []byte, i int) []byte { return section.AppendInt(dst, qpackIndexed, 6, i) }

func appendNamed(dst []byte, kind byte, i int, value string) []byte {
	return section.AppendString(section.AppendInt(dst, kind, 4, i), value)
}

// appendLiteral appends a field by its name, which is put into lower case.
func appendLiteral(dst []byte, name, value string) []byte {
	dst = section.AppendInt(dst, qpackLiteral, 3, len(name))
	return section.AppendString(section.AppendLower(dst, name), value)
}

// appendFields appends the fields of h that may be sent.
func appendFields(dst []byte, h *weir.Header) []byte {
	fields := h.Fields()
	for i := range fields {
		f := &fields[i]
		if value, ok := section.Sendable(f); ok {
			dst = appendField(dst, f, value)
		}
	}
	return dst
}

func appendField(dst []byte, f *weir.Field, value string) []byte {
	e := staticByID[f.ID]
	for i := e.at; i < e.at+e.n; i++ {
		if staticTable[i].value == value {
			return appendIndexed(dst, int(i))
		}
	}
	switch {
	case e.n == 0:
		return appendLiteral(dst, f.Name, value)
	case section.Secret(f.ID):
		return appendNamed(dst, qpackNamed|qpackNever, int(e.at), value)
	}
	return appendNamed(dst, qpackNamed, int(e.at), value)
}

// appendLength appends Content-Length.
func appendLength(dst []byte, n int64) []byte {
	var digits [20]byte
	text := strconv.AppendInt(digits[:0], n, 10)
	dst = section.AppendInt(dst, qpackNamed, 4, staticContentLength)
	return append(section.AppendInt(dst, 0, 7, len(text)), text...)
}

// appendStatus appends :status, a number of three digits.
func appendStatus(dst []byte, status int) []byte {
	if status < len(staticByStatus) && staticByStatus[status] != 0 {
		return appendIndexed(dst, int(staticByStatus[status]))
	}
	dst = append(section.AppendInt(dst, qpackNamed, 4, staticStatus), 3)
	return append(dst, byte('0'+status/100%10), byte('0'+status/10%10), byte('0'+status%10))
}

// appendRequest appends the pseudo fields of r. The caller has made sure that they can stand in a head. protocol is
// that of an extended CONNECT, or "".
func appendRequest(dst []byte, r *weir.Request, protocol string) []byte {
	if protocol != "" {
		dst = appendIndexed(dst, staticConnect)
		dst = appendLiteral(dst, ":protocol", protocol)
	} else {
		dst = appendMethod(dst, r.Method)
	}
	dst = appendIndexed(dst, staticHTTPS)
	dst = appendNamed(dst, qpackNamed, staticAuthority, r.Authority)
	switch {
	case r.Path == "/" && !r.HasQuery():
		return appendIndexed(dst, staticPath)
	case !r.HasQuery():
		return appendNamed(dst, qpackNamed, staticPath, r.Path)
	}
	dst = section.AppendInt(section.AppendInt(dst, qpackNamed, 4, staticPath), 0, 7, len(r.Path)+1+len(r.Query))
	return append(append(append(dst, r.Path...), '?'), r.Query...)
}

func appendMethod(dst []byte, method string) []byte {
	switch method {
	case "GET":
		return appendIndexed(dst, staticGet)
	case "POST":
		return appendIndexed(dst, staticPost)
	}
	return appendNamed(dst, qpackNamed, staticMethod, method)
}

// dateNow is the time of an answer as its Date field has it, made once a second.
type dateNow struct {
	second int64
	text   string
}

var date atomic.Pointer[dateNow]

// appendDate appends Date with the present time (RFC 9110, section 5.6.7).
func appendDate(dst []byte) []byte {
	now := time.Now()
	d := date.Load()
	if d == nil || d.second != now.Unix() {
		d = &dateNow{now.Unix(), now.UTC().Format("Mon, 02 Jan 2006 15:04:05 GMT")}
		date.Store(d)
	}
	return appendNamed(dst, qpackNamed, staticDate, d.text)
}
