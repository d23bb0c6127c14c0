package weir

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

// Multipliers of fieldHash, found by trial so that no two known names share a slot.
const (
	fieldMulLen   = 252
	fieldMulFirst = 237
	fieldMulMid   = 76
	fieldMulLast  = 186
)

// fieldTable finds a name by a hash of its length and three of its letters. A test makes sure that no
// two known names share a slot.
var fieldTable = func() (t [fieldSlots]FieldID) {
	for id := FieldOther + 1; id < fieldCount; id++ {
		t[fieldHash(fieldNames[id])] = id
	}
	return t
}()

func fieldHash(name string) uint8 {
	n := len(name)
	return uint8(n)*fieldMulLen + uint8(name[0]|0x20)*fieldMulFirst + uint8(name[n/2]|0x20)*fieldMulMid + uint8(name[n-1]|0x20)*fieldMulLast
}

// Identify returns the number of a field name, or FieldOther. Case does not matter.
func Identify(name string) FieldID {
	if len(name) < 2 || len(name) > 19 {
		return FieldOther
	}
	id := fieldTable[fieldHash(name)]
	if known := fieldNames[id]; known == name || EqualFold(known, name) {
		return id
	}
	return FieldOther
}
