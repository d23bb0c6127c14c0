package proxyproto

import (
	"encoding/binary"
	"net/netip"
	"strings"
)

// A header of version 2 begins with the signature, version and command, family and protocol, and the length of what
// follows (section 2.2).
const (
	atCommand = len(signature2)
	atFamily  = atCommand + 1
	atLength  = atFamily + 1
	fixed     = atLength + 2
)

const (
	version2     = 0x20
	commandLocal = version2
	commandProxy = version2 | 1
)

// Families of addresses, and the protocols in their lower four bits.
const (
	familyNone  = 0x00
	familyInet4 = 0x10
	familyInet6 = 0x20
	familyUnix  = 0x30

	protocolStream   = 0x01
	protocolDatagram = 0x02
)

const (
	size4    = 2*4 + 2*2
	size6    = 2*16 + 2*2
	pathSize = 108
)

// parse2 reads a header of version 2, which buf at least begins.
func parse2(buf []byte) (h Header, n int, err error) {
	if len(buf) > atCommand && buf[atCommand] != commandLocal && buf[atCommand] != commandProxy {
		return h, 0, errVersion
	}
	if len(buf) > atFamily && (buf[atFamily]>>4 > familyUnix>>4 || buf[atFamily]&15 > protocolDatagram) {
		return h, 0, errFamily
	}
	if len(buf) < fixed {
		return h, 0, ErrMore
	}
	n = fixed + int(binary.BigEndian.Uint16(buf[atLength:]))
	switch {
	case n > MaxSize:
		return h, 0, errTooLong
	case len(buf) < n:
		return h, 0, ErrMore
	}
	if h, err = parseBlock(buf[:n]); err != nil {
		return Header{}, 0, err
	}
	return h, n, nil
}

// parseBlock reads a whole header. What follows an unknown family, or the proxy's word that it speaks for itself, is
// not looked at.
func parseBlock(b []byte) (h Header, err error) {
	h.Version = 2
	family, protocol, rest := b[atFamily]&0xf0, b[atFamily]&0x0f, b[fixed:]
	h.Local = b[atCommand] == commandLocal
	if h.Local || family == familyNone || protocol == 0 {
		return h, nil
	}
	h.Datagram = protocol == protocolDatagram
	if rest, err = h.parseAddresses(family, rest); err != nil {
		return h, err
	}
	return h, h.parseTLVs(b, rest)
}

// parseAddresses reads the addresses that b begins with, and returns the rest.
func (h *Header) parseAddresses(family byte, b []byte) ([]byte, error) {
	h.Family = Inet
	switch {
	case family == familyInet4 && len(b) >= size4:
		h.Source, h.Destination = addrPort(b[0:4], b[8:10]), addrPort(b[4:8], b[10:12])
		return b[size4:], nil
	case family == familyInet6 && len(b) >= size6:
		h.Source, h.Destination = addrPort(b[0:16], b[32:34]), addrPort(b[16:32], b[34:36])
		return b[size6:], nil
	case family == familyUnix && len(b) >= 2*pathSize:
		h.Family = Unix
		h.SourcePath, h.DestinationPath = path(b[:pathSize]), path(b[pathSize:2*pathSize])
		return b[2*pathSize:], nil
	}
	return nil, errLength
}

func addrPort(addr, port []byte) netip.AddrPort {
	a, _ := netip.AddrFromSlice(addr)
	return netip.AddrPortFrom(a.Unmap(), binary.BigEndian.Uint16(port))
}

// path is the path of a unix socket as it stands in a header, without the zero bytes behind it.
func path(b []byte) string { return strings.TrimRight(string(b), "\x00") }

// missing2 is Missing of a header of version 2.
func missing2(buf []byte) int {
	if len(buf) < fixed {
		return fixed - len(buf)
	}
	return fixed + int(binary.BigEndian.Uint16(buf[atLength:])) - len(buf)
}

// AppendV2 appends a header of version 2 that says that the connection is source's, made to destination. Where one of
// them is not valid, as that of a unix socket, it says what AppendLocal says: HAProxy takes no other way of saying that
// nothing is known. tlvs may be nil.
func AppendV2(dst []byte, source, destination netip.AddrPort, tlvs *TLVs) []byte {
	if !source.IsValid() || !destination.IsValid() {
		return AppendLocal(dst)
	}
	at := len(dst)
	src, to, four := alike(source.Addr(), destination.Addr())
	family := byte(familyInet6)
	if four {
		family = familyInet4
	}
	dst = append(append(dst, signature2...), commandProxy, family|protocolStream, 0, 0)
	dst = append(append(dst, src.AsSlice()...), to.AsSlice()...)
	dst = binary.BigEndian.AppendUint16(dst, source.Port())
	dst = binary.BigEndian.AppendUint16(dst, destination.Port())
	return tlvs.append(dst, at)
}

// AppendLocal appends a header of version 2 for a connection of weir's own, such as a health check.
func AppendLocal(dst []byte) []byte {
	return append(append(dst, signature2...), commandLocal, familyNone, 0, 0)
}
