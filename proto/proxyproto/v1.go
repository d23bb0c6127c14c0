package proxyproto

import (
	"bytes"
	"net/netip"
	"strconv"
	"strings"
)

// maxLine is the longest line of version 1, with its end (section 2.1).
const maxLine = 107

// parse1 reads a header of version 1, which buf at least begins.
func parse1(buf []byte) (h Header, n int, err error) {
	window := buf[:min(len(buf), maxLine)]
	end := bytes.IndexByte(window, '\n')
	if end < 0 {
		end = len(window)
	}
	cr := bytes.IndexByte(window[:end], '\r')
	switch {
	case cr >= 0 && cr < end-1, end < len(window) && cr != end-1:
		return h, 0, errLine // a CR or LF alone
	case end < len(window):
		if h, err = parseLine(string(window[:cr])); err != nil {
			return Header{}, 0, err
		}
		return h, end + 1, nil
	case len(window) == maxLine:
		return h, 0, errLong
	}
	return h, 0, ErrMore
}

// parseLine reads the line without its end.
func parseLine(line string) (h Header, err error) {
	h.Version = 1
	line = strings.TrimPrefix(line, signature1)
	if line == "UNKNOWN" || strings.HasPrefix(line, "UNKNOWN ") {
		return h, nil
	}
	part := strings.Split(line, " ")
	if len(part) != 5 || part[0] != "TCP4" && part[0] != "TCP6" {
		return h, errLine
	}
	six := part[0] == "TCP6"
	src, sok := parseAddr(part[1], six)
	dst, dok := parseAddr(part[2], six)
	if !sok || !dok {
		return h, errAddress
	}
	sp, sok := parsePort(part[3])
	dp, dok := parsePort(part[4])
	if !sok || !dok {
		return h, errPort
	}
	h.Family = Inet
	h.Source, h.Destination = netip.AddrPortFrom(src, sp), netip.AddrPortFrom(dst, dp)
	return h, nil
}

// parseAddr reads an address. Among IPv6 addresses it takes ::ffff:192.0.2.1, too, as HAProxy itself writes it.
func parseAddr(s string, six bool) (netip.Addr, bool) {
	a, err := netip.ParseAddr(s)
	return a.Unmap(), err == nil && a.Is6() == six && a.Zone() == ""
}

// parsePort reads a port: digits alone, none of them a leading zero.
func parsePort(s string) (uint16, bool) {
	if len(s) == 0 || len(s) > 5 || s[0] == '0' && len(s) > 1 {
		return 0, false
	}
	n := 0
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = n*10 + int(s[i]-'0')
	}
	return uint16(n), n <= 65535
}

// The shortest fields of a line: two addresses and two ports.
var (
	shortest4 = [...]int{len("0.0.0.0"), len("0.0.0.0"), 1, 1}
	shortest6 = [...]int{len("::"), len("::"), 1, 1}
)

// missing1 is Missing where rest follows the signature, of which have bytes have come.
func missing1(rest []byte, have int) int {
	const protocol = len("TCP4 ")
	switch {
	case have < len(signature1):
		return len("PROXY UNKNOWN\r\n") - have
	case len(rest) < protocol:
		return len("UNKNOWN\r\n") - len(rest)
	case rest[len(rest)-1] == '\r':
		return 1
	case rest[0] == 'U':
		return max(len("UNKNOWN\r\n")-len(rest), len("\r\n"))
	case rest[3] == '6':
		return missingFields(rest[protocol:], shortest6[:])
	}
	return missingFields(rest[protocol:], shortest4[:])
}

// missingFields returns what is missing at least of the fields and the end of the line.
func missingFields(rest []byte, shortest []int) int {
	done := min(bytes.Count(rest, []byte{' '}), len(shortest)-1)
	last := rest[bytes.LastIndexByte(rest, ' ')+1:]
	n := len("\r\n")
	switch dots := bytes.Count(last, []byte{'.'}); {
	case len(last) == 0:
		n += shortest[done]
	case shortest[done] == len("0.0.0.0"):
		n += 2 * max(3-dots, 0)
	}
	for _, size := range shortest[done+1:] {
		n += 1 + size
	}
	return n
}

// AppendV1 appends a header of version 1 that says that the connection is source's, made to destination. Where one of
// them is not valid, as that of a unix socket, the header says that nothing is known.
func AppendV1(dst []byte, source, destination netip.AddrPort) []byte {
	if !source.IsValid() || !destination.IsValid() {
		return append(dst, "PROXY UNKNOWN\r\n"...)
	}
	src, to, four := alike(source.Addr(), destination.Addr())
	if four {
		dst = append(dst, "PROXY TCP4 "...)
	} else {
		dst = append(dst, "PROXY TCP6 "...)
	}
	dst = append(appendAddr(dst, src), ' ')
	dst = append(appendAddr(dst, to), ' ')
	dst = append(strconv.AppendUint(dst, uint64(source.Port()), 10), ' ')
	dst = strconv.AppendUint(dst, uint64(destination.Port()), 10)
	return append(dst, "\r\n"...)
}

// alike makes two addresses ones of the same family: both are IPv4, or both become IPv6, without zones.
func alike(a, b netip.Addr) (netip.Addr, netip.Addr, bool) {
	a, b = a.Unmap(), b.Unmap()
	if a.Is4() && b.Is4() {
		return a, b, true
	}
	return netip.AddrFrom16(a.As16()), netip.AddrFrom16(b.As16()), false
}

// appendAddr appends an address as section 2.1 has it: an IPv4 address that stands in for an IPv6 one in
// hexadecimal digits like any other.
func appendAddr(dst []byte, a netip.Addr) []byte {
	if !a.Is4In6() {
		return a.AppendTo(dst)
	}
	b := a.As16()
	dst = append(dst, "::ffff:"...)
	dst = strconv.AppendUint(dst, uint64(b[12])<<8|uint64(b[13]), 16)
	dst = append(dst, ':')
	return strconv.AppendUint(dst, uint64(b[14])<<8|uint64(b[15]), 16)
}
