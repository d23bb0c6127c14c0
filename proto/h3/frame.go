package h3

import "github.com/quic-go/quic-go/quicvarint"

// Types of frames (RFC 9114, section 7.2).
const (
	frameData        = 0x0
	frameHeaders     = 0x1
	frameCancelPush  = 0x3
	frameSettings    = 0x4
	framePushPromise = 0x5
	frameGoAway      = 0x7
	frameMaxPush     = 0xd
)

// Types of unidirectional streams (RFC 9114, section 6.2; RFC 9204, section 4.2).
const (
	streamControl = 0x0
	streamPush    = 0x1
	streamEncoder = 0x2
	streamDecoder = 0x3
)

// Parameters of SETTINGS (RFC 9114, section 7.2.4.1; RFC 9204, section 5; RFC 9220, section 5; RFC 9297, section 2.1.1).
const (
	settingTableSize   = 0x1
	settingSectionSize = 0x6
	settingBlocked     = 0x7
	settingConnect     = 0x8
	settingDatagram    = 0x33
)

// isReserved reports whether a type of frame is one of HTTP/2's that must not come (RFC 9114, section 7.2.8).
func isReserved(typ uint64) bool { return typ == 0x2 || typ == 0x6 || typ == 0x8 || typ == 0x9 }

// isControl reports whether a type of frame belongs on a control stream only.
func isControl(typ uint64) bool {
	return typ == frameCancelPush || typ == frameSettings || typ == frameGoAway || typ == frameMaxPush
}

// parseFrame reads the header of a frame from the beginning of p. n is its length, 0 where p ends too early.
func parseFrame(p []byte) (typ, length uint64, n int) {
	typ, n1, err := quicvarint.Parse(p)
	if err != nil {
		return 0, 0, 0
	}
	length, n2, err := quicvarint.Parse(p[n1:])
	if err != nil {
		return 0, 0, 0
	}
	return typ, length, n1 + n2
}

// appendFrame appends the header of a frame whose payload of that length the caller appends.
func appendFrame(dst []byte, typ, length uint64) []byte {
	return quicvarint.Append(quicvarint.Append(dst, typ), length)
}

// openHeaders appends the header of a HEADERS frame of unknown length.
func openHeaders(dst []byte) []byte { return append(dst, frameHeaders, 0x40, 0) }

// closeHeaders puts the length of the frame that openHeaders began at from into its header.
func closeHeaders(dst []byte, from int) []byte {
	n := len(dst) - from - 3
	if n < 1<<14 {
		dst[from+1], dst[from+2] = 0x40|byte(n>>8), byte(n)
		return dst
	}
	dst = append(dst, 0, 0)
	copy(dst[from+5:], dst[from+3:])
	dst[from+1], dst[from+2], dst[from+3], dst[from+4] = 0x80|byte(n>>24), byte(n>>16), byte(n>>8), byte(n)
	return dst
}

// appendSettings appends the SETTINGS frame that weir sends. server: it understands extended CONNECT.
func appendSettings(dst []byte, section int, server bool) []byte {
	var p [32]byte
	payload := quicvarint.Append(p[:0], settingSectionSize)
	payload = quicvarint.Append(payload, uint64(section))
	if server {
		payload = append(payload, settingConnect, 1)
	}
	return append(appendFrame(dst, frameSettings, uint64(len(payload))), payload...)
}

func appendGoAway(dst []byte, id uint64) []byte {
	return quicvarint.Append(appendFrame(dst, frameGoAway, uint64(quicvarint.Len(id))), id)
}

// settings are what a peer has said of itself.
type settings struct {
	section uint64 // bytes of a field section it takes; 0: not told
	connect bool   // it understands extended CONNECT
}

// parseSettings reads the payload of a SETTINGS frame.
func parseSettings(p []byte) (s settings, err *connError) {
	var seen [mostSettings]uint64
	for n := 0; len(p) > 0; n++ {
		id, v, used := parseFrame(p) // a parameter has the form of a frame's header
		if used == 0 {
			return s, &connError{codeFrame, "SETTINGS ends in the middle of a parameter"}
		}
		if n == len(seen) {
			return s, &connError{codeExcessiveLoad, "too many parameters in SETTINGS"}
		}
		p = p[used:]
		for _, other := range seen[:n] {
			if other == id {
				return s, &connError{codeSettings, "a parameter of SETTINGS is repeated"}
			}
		}
		seen[n] = id
		if err := s.set(id, v); err != nil {
			return s, err
		}
	}
	return s, nil
}

// mostSettings is how many parameters SETTINGS may have.
const mostSettings = 64

func (s *settings) set(id, v uint64) *connError {
	switch id {
	case 0, 2, 3, 4, 5:
		return &connError{codeSettings, "a parameter of HTTP/2 in SETTINGS"}
	case settingSectionSize:
		s.section = v
	case settingConnect, settingDatagram:
		if v > 1 {
			return &connError{codeSettings, "a parameter of SETTINGS that is neither 0 nor 1"}
		}
		s.connect = s.connect || id == settingConnect && v == 1
	}
	return nil
}
