// Package proxyproto reads and writes the PROXY protocol, versions 1 and 2: the few bytes by which a proxy that
// understands nothing of what it carries tells, before all else, whose connection it is (HAProxy's
// proxy-protocol.txt, of which sections are cited).
//
// Whoever sends a header can claim any address. It is for the caller to let only trusted peers do so; nothing in
// here guesses whom to believe.
package proxyproto

import (
	"bytes"
	"errors"
	"net/netip"
)

// A Header is what a proxy said of a connection. The zero Header is that of a connection without one.
type Header struct {
	Version  int  // 1 or 2; 0: there was no header
	Local    bool // the proxy itself speaks, as in a health check: the addresses are the connection's own
	Datagram bool // the client speaks UDP to the proxy, or the like

	Family              Family
	Source, Destination netip.AddrPort // the client's end and the one it was connected to; IPv4 as such. Inet only

	SourcePath, DestinationPath string // Unix only; often empty

	TLVs
}

// A Family tells what kind of addresses a header has.
type Family uint8

// The families.
const (
	Unknown Family = iota // none, or of a kind that is not known: the addresses are the connection's own
	Inet
	Unix
)

// Addresses returns what counts as a connection's ends, where local and remote are its own. They are zero where the
// client came over a unix socket.
func (h *Header) Addresses(local, remote netip.AddrPort) (netip.AddrPort, netip.AddrPort) {
	if h.Local || h.Datagram || h.Family == Unknown {
		return local, remote
	}
	return h.Destination, h.Source
}

// Errors of Parse. Every other error of it means that the header is malformed.
var (
	ErrMore = errors.New("the PROXY header is not complete")
	ErrNone = errors.New("there is no PROXY header")
)

var (
	errLine     = errors.New("PROXY header, version 1: malformed line")
	errLong     = errors.New("PROXY header, version 1: no end within 107 bytes")
	errAddress  = errors.New("PROXY header, version 1: malformed address")
	errPort     = errors.New("PROXY header, version 1: malformed port")
	errVersion  = errors.New("PROXY header, version 2: unknown version or command")
	errFamily   = errors.New("PROXY header, version 2: unknown address family or protocol")
	errLength   = errors.New("PROXY header, version 2: too short for its addresses")
	errTooLong  = errors.New("PROXY header, version 2: longer than 4096 bytes")
	errTLV      = errors.New("PROXY header, version 2: malformed, repeated or oversized extension")
	errChecksum = errors.New("PROXY header, version 2: wrong checksum")
)

const (
	signature1 = "PROXY "
	signature2 = "\r\n\r\n\x00\r\nQUIT\n"
)

// MaxSize is the size of the largest header that Parse takes. (Section 2.2 allows 64 KiB, but also says that headers
// are meant to fit into 536 bytes.)
const MaxSize = 4 << 10

// Parse reads the header that buf begins with and returns it with its length. ErrMore: buf is the beginning of one, or
// empty. ErrNone: buf begins with something else. Any other error: the peer is to be hung up on. What it returns shares
// no memory with buf.
func Parse(buf []byte) (h Header, n int, err error) {
	switch {
	case len(buf) == 0:
		return h, 0, ErrMore
	case begins(buf, signature1):
		return parse1(buf)
	case begins(buf, signature2):
		return parse2(buf)
	}
	return h, 0, ErrNone
}

// begins reports whether buf begins with the signature, or is the beginning of it.
func begins(buf []byte, signature string) bool {
	n := min(len(buf), len(signature))
	return string(buf[:n]) == signature[:n]
}

// Missing returns how many more bytes must come at least before a header that begins with buf, of which Parse says
// ErrMore, can be complete: whoever reads no more than that takes nothing of what follows the header.
func Missing(buf []byte) int {
	if len(buf) > 0 && buf[0] == signature2[0] {
		return missing2(buf)
	}
	return missing1(bytes.TrimPrefix(buf, []byte(signature1)), min(len(buf), len(signature1)))
}
