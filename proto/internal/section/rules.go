package section

import (
	"errors"
	"strings"

	"weir"
)

// Why a field section is malformed, or what it asks for is not served.
var (
	ErrName       = errors.New("malformed field name")
	ErrValue      = errors.New("malformed field value")
	ErrPseudo     = errors.New("a pseudo field is unknown, repeated, malformed or out of place")
	ErrMissing    = errors.New("a pseudo field is missing")
	ErrConnection = errors.New("a field that concerns an HTTP/1 connection")
	ErrLength     = errors.New("malformed or repeated Content-Length")
	ErrHost       = errors.New(":authority is missing or malformed, or contradicts Host")
	ErrExpect     = errors.New("unknown expectation")
	ErrMethod     = errors.New("the method is not served")
	ErrProtocol   = errors.New("the protocol of an extended CONNECT is not served")
	ErrLongTarget = errors.New("the target is longer than the limit")
)

// Own reports whether a field is no part of a weir.Header: it concerns an HTTP/1 connection, or is parsed into the message
// itself. Proxy-Authorization is one of them: weir asks nobody for it and hands it to nobody.
func Own(id weir.FieldID) bool { return ownField[id] }

var ownField = marked(
	weir.FieldConnection, weir.FieldContentLength, weir.FieldHost, weir.FieldKeepAlive, weir.FieldProxyConnection,
	weir.FieldTE, weir.FieldTransferEncoding, weir.FieldUpgrade, weir.FieldHTTP2Settings, weir.FieldExpect,
	weir.FieldProxyAuthorization,
)

func marked(ids ...weir.FieldID) (t [256]bool) {
	for _, id := range ids {
		t[id] = true
	}
	return t
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

var barredFromTrailer = marked(
	weir.FieldTrailer, weir.FieldAuthorization, weir.FieldCookie, weir.FieldSetCookie, weir.FieldContentEncoding,
	weir.FieldContentType, weir.FieldRange, weir.FieldForwarded, weir.FieldXForwardedFor, weir.FieldXForwardedHost,
	weir.FieldXForwardedProto, weir.FieldXForwardedPrefix, weir.FieldXRealIP, weir.FieldVia, weir.FieldXRequestID,
	weir.FieldCacheControl, weir.FieldAge, weir.FieldExpires, weir.FieldLocation, weir.FieldVary, weir.FieldIfMatch,
	weir.FieldIfNoneMatch, weir.FieldIfModifiedSince,
)
