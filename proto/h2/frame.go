package h2

import (
	"encoding/binary"
	"strconv"
)

// Preface is what a client begins a connection with (RFC 9113, section 3.4).
const Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

const (
	headerSize   = 9         // bytes of a frame header
	minFrameSize = 16 << 10  // what every peer takes as a payload, and all that we take
	maxFrameSize = 1<<24 - 1 // the largest value of SETTINGS_MAX_FRAME_SIZE
	startWindow  = 1<<16 - 1 // of a stream and of a connection, before anybody has said otherwise
	maxWindow    = 1<<31 - 1
	maxStream    = 1<<31 - 1
)

// A frameType is the type of a frame (RFC 9113, section 6).
type frameType uint8

const (
	frameData frameType = iota
	frameHeaders
	framePriority
	frameReset
	frameSettings
	framePush
	framePing
	frameGoAway
	frameWindow
	frameContinuation
)

// Flags of frames.
const (
	flagEndStream  = 0x1 // DATA, HEADERS
	flagAck        = 0x1 // SETTINGS, PING
	flagEndHeaders = 0x4 // HEADERS, CONTINUATION
	flagPadded     = 0x8 // DATA, HEADERS
	flagPriority   = 0x20
)

// An errorCode is why a stream or a connection ended (RFC 9113, section 7).
type errorCode uint32

const (
	codeNone errorCode = iota
	codeProtocol
	codeInternal
	codeFlowControl
	codeSettingsTimeout
	codeStreamClosed
	codeFrameSize
	codeRefusedStream
	codeCancel
	codeCompression
	codeConnect
	codeCalm
	codeSecurity
	codeHTTP11
)

var codeNames = [...]string{
	"NO_ERROR", "PROTOCOL_ERROR", "INTERNAL_ERROR", "FLOW_CONTROL_ERROR", "SETTINGS_TIMEOUT", "STREAM_CLOSED",
	"FRAME_SIZE_ERROR", "REFUSED_STREAM", "CANCEL", "COMPRESSION_ERROR", "CONNECT_ERROR", "ENHANCE_YOUR_CALM",
	"INADEQUATE_SECURITY", "HTTP_1_1_REQUIRED",
}

// String returns the code's name in the RFC, or its number.
func (c errorCode) String() string {
	if int64(c) < int64(len(codeNames)) {
		return codeNames[c]
	}
	return "error " + strconv.FormatUint(uint64(c), 10)
}

// A setting is the number of a parameter of SETTINGS (RFC 9113, section 6.5.2; RFC 8441, section 3).
type setting uint16

const (
	settingTableSize  setting = 0x1
	settingPush       setting = 0x2
	settingStreams    setting = 0x3 // that the peer may have open at a time
	settingWindow     setting = 0x4 // of a new stream
	settingFrameSize  setting = 0x5
	settingHeaderList setting = 0x6
	settingConnect    setting = 0x8 // extended CONNECT is understood
	settingSize               = 6   // bytes of one
)

// A connError ends the connection it happened on: it is told to the peer in GOAWAY.
type connError struct {
	code errorCode
	text string
}

// Error returns the code's name and the text.
func (e *connError) Error() string { return e.code.String() + ": " + e.text }

// A streamError ends one stream: it is told to the peer in RST_STREAM.
type streamError struct {
	stream uint32
	code   errorCode
	text   string
}

// Error returns the code's name and the text.
func (e *streamError) Error() string { return e.code.String() + ": " + e.text }

func protocolError(text string) *connError { return &connError{codeProtocol, text} }

func frameSizeError(text string) *connError { return &connError{codeFrameSize, text} }

// A frame is the header of a frame.
type frame struct {
	length int // of the payload
	typ    frameType
	flags  uint8
	stream uint32
}

func (f *frame) has(flag uint8) bool { return f.flags&flag != 0 }

// parseFrame reads the header of a frame from the first headerSize bytes of p. The reserved bit is dropped.
func parseFrame(p []byte) frame {
	_ = p[headerSize-1]
	return frame{
		length: int(p[0])<<16 | int(p[1])<<8 | int(p[2]),
		typ:    frameType(p[3]),
		flags:  p[4],
		stream: binary.BigEndian.Uint32(p[5:]) & maxStream,
	}
}

// appendFrame appends the header of a frame whose payload of that length the caller appends.
func appendFrame(dst []byte, length int, typ frameType, flags uint8, stream uint32) []byte {
	return append(dst, byte(length>>16), byte(length>>8), byte(length), byte(typ), flags,
		byte(stream>>24), byte(stream>>16), byte(stream>>8), byte(stream))
}

// appendData appends a DATA frame; p is at most as long as the peer's frames may be.
func appendData(dst []byte, stream uint32, end bool, p []byte) []byte {
	return append(appendFrame(dst, len(p), frameData, endFlag(end), stream), p...)
}

func endFlag(end bool) uint8 {
	if end {
		return flagEndStream
	}
	return 0
}

// appendHeaders appends a field section as one HEADERS frame and as many CONTINUATION frames as it takes where
// no payload may be longer than most.
func appendHeaders(dst []byte, stream uint32, end bool, block []byte, most int) []byte {
	typ, flags := frameHeaders, endFlag(end)
	for {
		part := block[:min(len(block), most)]
		if block = block[len(part):]; len(block) == 0 {
			flags |= flagEndHeaders
		}
		dst = append(appendFrame(dst, len(part), typ, flags, stream), part...)
		if len(block) == 0 {
			return dst
		}
		typ, flags = frameContinuation, 0
	}
}

func appendReset(dst []byte, stream uint32, code errorCode) []byte {
	return binary.BigEndian.AppendUint32(appendFrame(dst, 4, frameReset, 0, stream), uint32(code))
}

// appendWindow appends a WINDOW_UPDATE frame; stream 0 is the connection, n is at least 1.
func appendWindow(dst []byte, stream uint32, n int) []byte {
	return binary.BigEndian.AppendUint32(appendFrame(dst, 4, frameWindow, 0, stream), uint32(n))
}

func appendPing(dst []byte, ack bool, data [8]byte) []byte {
	flags := uint8(0)
	if ack {
		flags = flagAck
	}
	return append(appendFrame(dst, 8, framePing, flags, 0), data[:]...)
}

func appendGoAway(dst []byte, last uint32, code errorCode, text string) []byte {
	dst = appendFrame(dst, 8+len(text), frameGoAway, 0, 0)
	dst = binary.BigEndian.AppendUint32(dst, last)
	dst = binary.BigEndian.AppendUint32(dst, uint32(code))
	return append(dst, text...)
}

// A settingValue is one parameter of SETTINGS.
type settingValue struct {
	id    setting
	value uint32
}

func appendSettings(dst []byte, values ...settingValue) []byte {
	dst = appendFrame(dst, settingSize*len(values), frameSettings, 0, 0)
	for _, v := range values {
		dst = binary.BigEndian.AppendUint16(dst, uint16(v.id))
		dst = binary.BigEndian.AppendUint32(dst, v.value)
	}
	return dst
}

func appendSettingsAck(dst []byte) []byte { return appendFrame(dst, 0, frameSettings, flagAck, 0) }

// A peerSettings is what the peer has said of itself.
type peerSettings struct {
	tableSize  uint32
	streams    uint32 // that we may have open at a time
	window     int32  // of a new stream
	frameSize  int
	headerList uint32
	connect    bool // it understands extended CONNECT
	push       bool
}

// newPeerSettings returns the values that hold until the peer says otherwise.
func newPeerSettings() peerSettings {
	return peerSettings{
		tableSize: 4096, streams: 1<<32 - 1, window: startWindow, frameSize: minFrameSize, headerList: 1<<32 - 1, push: true,
	}
}

// apply takes in the payload of a SETTINGS frame that is no acknowledgement. Unknown parameters are passed over.
func (s *peerSettings) apply(p []byte) *connError {
	if len(p)%settingSize != 0 {
		return frameSizeError("SETTINGS of an odd length")
	}
	for ; len(p) > 0; p = p[settingSize:] {
		if err := s.set(setting(binary.BigEndian.Uint16(p)), binary.BigEndian.Uint32(p[2:])); err != nil {
			return err
		}
	}
	return nil
}

func (s *peerSettings) set(id setting, v uint32) *connError {
	switch id {
	case settingTableSize:
		s.tableSize = v
	case settingPush:
		if v > 1 {
			return protocolError("SETTINGS_ENABLE_PUSH out of range")
		}
		s.push = v == 1
	case settingStreams:
		s.streams = v
	case settingWindow:
		if v > maxWindow {
			return &connError{codeFlowControl, "SETTINGS_INITIAL_WINDOW_SIZE out of range"}
		}
		s.window = int32(v)
	case settingFrameSize:
		if v < minFrameSize || v > maxFrameSize {
			return protocolError("SETTINGS_MAX_FRAME_SIZE out of range")
		}
		s.frameSize = int(v)
	case settingHeaderList:
		s.headerList = v
	case settingConnect:
		if v > 1 || v == 0 && s.connect {
			return protocolError("SETTINGS_ENABLE_CONNECT_PROTOCOL out of range")
		}
		s.connect = v == 1
	}
	return nil
}

// unpad returns the payload of a DATA or HEADERS frame without its padding (RFC 9113, section 6.1).
func unpad(f *frame, p []byte) ([]byte, *connError) {
	if !f.has(flagPadded) {
		return p, nil
	}
	if len(p) == 0 {
		return nil, frameSizeError("a padded frame without its pad length")
	}
	n := int(p[0])
	if n >= len(p) {
		return nil, protocolError("more padding than payload")
	}
	return p[1 : len(p)-n], nil
}

// prioritySize is what a stream's place in the old priority tree takes in HEADERS and PRIORITY.
const prioritySize = 5

// unprioritize returns the payload of a HEADERS frame without the priority that RFC 9113 has done away with. dependsOn
// is the stream it named, 0 where it named none.
func unprioritize(f *frame, p []byte) (rest []byte, dependsOn uint32, err *connError) {
	if !f.has(flagPriority) {
		return p, 0, nil
	}
	if len(p) < prioritySize {
		return nil, 0, frameSizeError("HEADERS too short for its priority")
	}
	return p[prioritySize:], binary.BigEndian.Uint32(p) & maxStream, nil
}
