package h3

import (
	"strconv"

	"github.com/quic-go/quic-go"
)

// A code is why a stream or a connection ended (RFC 9114, section 8.1; RFC 9204, section 6).
type code uint64

const (
	codeNone              code = 0x100
	codeGeneralProtocol   code = 0x101
	codeInternal          code = 0x102
	codeStreamCreation    code = 0x103
	codeClosedCritical    code = 0x104
	codeFrameUnexpected   code = 0x105
	codeFrame             code = 0x106
	codeExcessiveLoad     code = 0x107
	codeID                code = 0x108
	codeSettings          code = 0x109
	codeMissingSettings   code = 0x10a
	codeRequestRejected   code = 0x10b
	codeRequestCancelled  code = 0x10c
	codeRequestIncomplete code = 0x10d
	codeMessage           code = 0x10e
	codeConnect           code = 0x10f
	codeVersionFallback   code = 0x110

	codeDecompression code = 0x200
	codeEncoderStream code = 0x201
	codeDecoderStream code = 0x202
)

var codeNames = map[code]string{
	codeNone: "H3_NO_ERROR", codeGeneralProtocol: "H3_GENERAL_PROTOCOL_ERROR", codeInternal: "H3_INTERNAL_ERROR",
	codeStreamCreation: "H3_STREAM_CREATION_ERROR", codeClosedCritical: "H3_CLOSED_CRITICAL_STREAM",
	codeFrameUnexpected: "H3_FRAME_UNEXPECTED", codeFrame: "H3_FRAME_ERROR", codeExcessiveLoad: "H3_EXCESSIVE_LOAD",
	codeID: "H3_ID_ERROR", codeSettings: "H3_SETTINGS_ERROR", codeMissingSettings: "H3_MISSING_SETTINGS",
	codeRequestRejected: "H3_REQUEST_REJECTED", codeRequestCancelled: "H3_REQUEST_CANCELLED",
	codeRequestIncomplete: "H3_REQUEST_INCOMPLETE", codeMessage: "H3_MESSAGE_ERROR", codeConnect: "H3_CONNECT_ERROR",
	codeVersionFallback: "H3_VERSION_FALLBACK", codeDecompression: "QPACK_DECOMPRESSION_FAILED",
	codeEncoderStream: "QPACK_ENCODER_STREAM_ERROR", codeDecoderStream: "QPACK_DECODER_STREAM_ERROR",
}

// String returns the code's name in the RFC, or its number.
func (c code) String() string {
	if name := codeNames[c]; name != "" {
		return name
	}
	return "error 0x" + strconv.FormatUint(uint64(c), 16)
}

func (c code) stream() quic.StreamErrorCode    { return quic.StreamErrorCode(c) }
func (c code) conn() quic.ApplicationErrorCode { return quic.ApplicationErrorCode(c) }

// A connError ends the connection that it happened on.
type connError struct {
	code code
	text string
}

// Error returns the code's name and the text.
func (e *connError) Error() string { return e.code.String() + ": " + e.text }

// A streamError ends one stream.
type streamError struct {
	code code
	text string
}

// Error returns the code's name and the text.
func (e *streamError) Error() string { return e.code.String() + ": " + e.text }
