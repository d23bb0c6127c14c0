package weir

import (
	"encoding/binary"
	"math/bits"
	"unsafe"
)

// A FieldID is the number of a header field name that weir itself has to do with. Comparing it is
// cheaper than comparing names; a protocol finds it once, when it parses the head.
type FieldID uint8

// The known field names.
const (
	FieldOther FieldID = iota
	FieldAccept
	FieldAcceptEncoding
	FieldAge
	FieldAltSvc
	FieldAuthorization
	FieldCacheControl
	FieldConnection
	FieldContentEncoding
	FieldContentLength
	FieldContentType
	FieldCookie
	FieldDate
	FieldETag
	FieldExpect
	FieldExpires
	FieldForwarded
	FieldHost
	FieldHTTP2Settings
	FieldIfMatch
	FieldIfModifiedSince
	FieldIfNoneMatch
	FieldKeepAlive
	FieldLastModified
	FieldLocation
	FieldOrigin
	FieldProxyAuthenticate
	FieldProxyAuthorization
	FieldProxyConnection
	FieldRange
	FieldReferer
	FieldRetryAfter
	FieldServer
	FieldSetCookie
	FieldTE
	FieldTrailer
	FieldTransferEncoding
	FieldUpgrade
	FieldUserAgent
	FieldVary
	FieldVia
	FieldXAccelBuffering
	FieldXForwardedFor
	FieldXForwardedHost
	FieldXForwardedPrefix
	FieldXForwardedProto
	FieldXRealIP
	FieldXRequestID
	fieldCount
)

var fieldNames = [fieldCount]string{
	FieldAccept:             "Accept",
	FieldAcceptEncoding:     "Accept-Encoding",
	FieldAge:                "Age",
	FieldAltSvc:             "Alt-Svc",
	FieldAuthorization:      "Authorization",
	FieldCacheControl:       "Cache-Control",
	FieldConnection:         "Connection",
	FieldContentEncoding:    "Content-Encoding",
	FieldContentLength:      "Content-Length",
	FieldContentType:        "Content-Type",
	FieldCookie:             "Cookie",
	FieldDate:               "Date",
	FieldETag:               "ETag",
	FieldExpect:             "Expect",
	FieldExpires:            "Expires",
	FieldForwarded:          "Forwarded",
	FieldHost:               "Host",
	FieldHTTP2Settings:      "HTTP2-Settings",
	FieldIfMatch:            "If-Match",
	FieldIfModifiedSince:    "If-Modified-Since",
	FieldIfNoneMatch:        "If-None-Match",
	FieldKeepAlive:          "Keep-Alive",
	FieldLastModified:       "Last-Modified",
	FieldLocation:           "Location",
	FieldOrigin:             "Origin",
	FieldProxyAuthenticate:  "Proxy-Authenticate",
	FieldProxyAuthorization: "Proxy-Authorization",
	FieldProxyConnection:    "Proxy-Connection",
	FieldRange:              "Range",
	FieldReferer:            "Referer",
	FieldRetryAfter:         "Retry-After",
	FieldServer:             "Server",
	FieldSetCookie:          "Set-Cookie",
	FieldTE:                 "TE",
	FieldTrailer:            "Trailer",
	FieldTransferEncoding:   "Transfer-Encoding",
	FieldUpgrade:            "Upgrade",
	FieldUserAgent:          "User-Agent",
	FieldVary:               "Vary",
	FieldVia:                "Via",
	FieldXAccelBuffering:    "X-Accel-Buffering",
	FieldXForwardedFor:      "X-Forwarded-For",
	FieldXForwardedHost:     "X-Forwarded-Host",
	FieldXForwardedPrefix:   "X-Forwarded-Prefix",
	FieldXForwardedProto:    "X-Forwarded-Proto",
	FieldXRealIP:            "X-Real-IP",
	FieldXRequestID:         "X-Request-ID",
}

// String returns the name in its usual spelling, or "" for FieldOther.
func (id FieldID) String() string {
	if id < fieldCount {
		return fieldNames[id]
	}
	return ""
}

const fieldSlots = 256

// fieldMul is the multiplier of fieldHash, found by trial so that no two known names share a slot.
const fieldMul = 0x617959ce3f1f65a9

// A fieldSlot is a known name in a form that is compared by two words.
type fieldSlot struct {
	head, tail uint64
	size       uint8
	id         FieldID
}

// fieldTable finds a name by a hash of its first and last letters. A test makes sure that no two known names share a slot.
var fieldTable = func() (t [fieldSlots]fieldSlot) {
	for id := FieldOther + 1; id < fieldCount; id++ {
		name := fieldNames[id]
		head, tail := ends(name)
		t[fieldHash(head, tail)] = fieldSlot{head: head, tail: tail, size: uint8(len(name)), id: id}
	}
	return t
}()

// fieldHash is the same for all spellings of a name.
func fieldHash(head, tail uint64) uint8 {
	const small = 0x2020202020202020
	return uint8((bits.RotateLeft64(head|small, 27) ^ (tail | small)) * fieldMul >> 56)
}

// ends returns the first and the last eight bytes of a name of two bytes or more, of a shorter one all it has.
func ends(name string) (head, tail uint64) {
	p, n := unsafe.Slice(unsafe.StringData(name), len(name)), len(name)
	switch {
	case n >= 8:
		return binary.LittleEndian.Uint64(p), binary.LittleEndian.Uint64(p[n-8:])
	case n >= 4:
		return uint64(binary.LittleEndian.Uint32(p)), uint64(binary.LittleEndian.Uint32(p[n-4:]))
	}
	return uint64(binary.LittleEndian.Uint16(p)), uint64(p[n-1])
}

// Identify returns the number of a field name, or FieldOther. Case does not matter.
func Identify(name string) FieldID {
	n := len(name)
	if n < 2 || n > 19 {
		return FieldOther
	}
	head, tail := ends(name)
	slot := &fieldTable[fieldHash(head, tail)]
	if int(slot.size) != n {
		return FieldOther
	}
	if head == slot.head && tail == slot.tail && n <= 16 {
		return slot.id
	}
	if EqualFold(fieldNames[slot.id], name) {
		return slot.id
	}
	return FieldOther
}
