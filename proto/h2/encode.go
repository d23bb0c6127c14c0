package h2

import (
	"strconv"

	"weir"
	"weir/proto/internal/section"
)

// The encoder keeps no table of its own: every field is either one of the static table or a literal that is not to be
// indexed. So a head can be encoded by any goroutine, without regard to those before it; it costs some bytes on the
// wire, and nobody can learn by the length of one answer what stands in another.

// Indexes into HPACK's static table (RFC 7541, appendix A).
const (
	staticAuthority = 1
	staticGet       = 2
	staticMethod    = 2
	staticPost      = 3
	staticPath      = 4
	staticSlash     = 4
	staticHTTP      = 6
	staticHTTPS     = 7
	staticScheme    = 6
	staticStatus    = 8
	staticLength    = 28
	staticDate      = 33
)

// staticField is where a known name stands in the static table; 0: nowhere.
var staticField = [256]uint8{
	weir.FieldAccept:            19,
	weir.FieldAcceptEncoding:    16,
	weir.FieldAge:               21,
	weir.FieldAuthorization:     23,
	weir.FieldCacheControl:      24,
	weir.FieldContentEncoding:   26,
	weir.FieldContentLength:     staticLength,
	weir.FieldContentType:       31,
	weir.FieldCookie:            32,
	weir.FieldDate:              staticDate,
	weir.FieldETag:              34,
	weir.FieldExpect:            35,
	weir.FieldExpires:           36,
	weir.FieldIfMatch:           39,
	weir.FieldIfModifiedSince:   40,
	weir.FieldIfNoneMatch:       41,
	weir.FieldLastModified:      44,
	weir.FieldLocation:          46,
	weir.FieldProxyAuthenticate: 48,
	weir.FieldRange:             50,
	weir.FieldReferer:           51,
	weir.FieldRetryAfter:        53,
	weir.FieldServer:            54,
	weir.FieldSetCookie:         55,
	weir.FieldUserAgent:         58,
	weir.FieldVary:              59,
	weir.FieldVia:               60,
}

const (
	hpackIndexed = 0x80 // a whole field of the table; 7 bits of index
	hpackLiteral = 0x00 // not to be indexed; 4 bits of index
	hpackNever   = 0x10 // never to be indexed; 4 bits of index
	hpackResize  = 0x20 // the table's new size; 5 bits
)

// appendIndexed appends a field by its index in the static table.
func appendIndexed(dst []byte, index byte) []byte { return append(dst, hpackIndexed|index) }

// appendNamed appends a field whose name stands in the static table.
func appendNamed(dst []byte, kind byte, index int, value string) []byte {
	return section.AppendString(section.AppendInt(dst, kind, 4, index), value)
}

// appendLiteral appends a field by its name, which is put into lower case.
func appendLiteral(dst []byte, kind byte, name, value string) []byte {
	dst = section.AppendInt(append(dst, kind), 0, 7, len(name))
	return section.AppendString(section.AppendLower(dst, name), value)
}

// appendFields appends the fields of h that may be sent.
func appendFields(dst []byte, h *weir.Header) []byte {
	fields := h.Fields()
	for i := range fields {
		f := &fields[i]
		value, ok := section.Sendable(f)
		if !ok {
			continue
		}
		kind := byte(hpackLiteral)
		if section.Secret(f.ID) {
			kind = hpackNever
		}
		if at := staticField[f.ID]; at != 0 {
			dst = appendNamed(dst, kind, int(at), value)
		} else {
			dst = appendLiteral(dst, kind, f.Name, value)
		}
	}
	return dst
}

// appendLength appends Content-Length.
func appendLength(dst []byte, n int64) []byte {
	var digits [20]byte
	text := strconv.AppendInt(digits[:0], n, 10)
	dst = section.AppendInt(dst, hpackLiteral, 4, staticLength)
	return append(section.AppendInt(dst, 0, 7, len(text)), text...)
}

// appendStatus appends :status.
func appendStatus(dst []byte, status int) []byte {
	switch status {
	case 200:
		return appendIndexed(dst, 8)
	case 204:
		return appendIndexed(dst, 9)
	case 206:
		return appendIndexed(dst, 10)
	case 304:
		return appendIndexed(dst, 11)
	case 400:
		return appendIndexed(dst, 12)
	case 404:
		return appendIndexed(dst, 13)
	case 500:
		return appendIndexed(dst, 14)
	}
	dst = append(section.AppendInt(dst, hpackLiteral, 4, staticStatus), 3)
	return append(dst, byte('0'+status/100%10), byte('0'+status/10%10), byte('0'+status%10))
}

// appendRequest appends the pseudo fields and the fields of r. The caller has made sure that method, authority, path and
// query can stand in a head.
func appendRequest(dst []byte, r *weir.Request, scheme string) []byte {
	dst = appendPseudo(dst, r.Method, r.Authority, scheme)
	switch {
	case r.Path == "/" && !r.HasQuery():
		dst = appendIndexed(dst, staticSlash)
	case !r.HasQuery():
		dst = appendNamed(dst, hpackLiteral, staticPath, r.Path)
	default:
		dst = section.AppendInt(section.AppendInt(dst, hpackLiteral, 4, staticPath), 0, 7, len(r.Path)+1+len(r.Query))
		dst = append(append(append(dst, r.Path...), '?'), r.Query...)
	}
	return appendFields(dst, &r.Header)
}

// appendPseudo appends :method, :scheme and :authority.
func appendPseudo(dst []byte, method, authority, scheme string) []byte {
	switch method {
	case "GET":
		dst = appendIndexed(dst, staticGet)
	case "POST":
		dst = appendIndexed(dst, staticPost)
	default:
		dst = appendNamed(dst, hpackLiteral, staticMethod, method)
	}
	switch scheme {
	case "http":
		dst = appendIndexed(dst, staticHTTP)
	case "https":
		dst = appendIndexed(dst, staticHTTPS)
	default:
		dst = appendNamed(dst, hpackLiteral, staticScheme, scheme)
	}
	return appendNamed(dst, hpackLiteral, staticAuthority, authority)
}
