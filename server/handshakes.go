package server

import (
	"crypto/tls"
	"sync/atomic"

	"weir/cert"
)

// handshakes counts how handshakes of TLS end. Its methods may be called concurrently.
type handshakes struct {
	agreed [2][2]atomic.Uint64 // TLS 1.2 and 1.3; anew and resumed
	failed [cert.Troubles]atomic.Uint64
}

// A HandshakeCount is how many handshakes ended one way.
type HandshakeCount struct {
	Version uint16       // tls.VersionTLS12 or tls.VersionTLS13; 0: they failed
	Resumed bool         // they went on from an earlier one
	Trouble cert.Trouble // what they failed at; NoTrouble: at nothing of TLS, such as a client that went away
	Count   uint64
}

// succeed counts a handshake that ended well.
func (h *handshakes) succeed(s *tls.ConnectionState) {
	version, resumed := 0, 0
	if s.Version >= tls.VersionTLS13 {
		version = 1
	}
	if s.DidResume {
		resumed = 1
	}
	h.agreed[version][resumed].Add(1)
}

// fail counts a handshake that err ended.
func (h *handshakes) fail(err error) { h.failed[cert.CauseOf(err)].Add(1) }

// counts lists the ways in which handshakes have ended.
func (h *handshakes) counts() (list []HandshakeCount) {
	for i, version := range [2]uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for k, resumed := range [2]bool{false, true} {
			if n := h.agreed[i][k].Load(); n > 0 {
				list = append(list, HandshakeCount{Version: version, Resumed: resumed, Count: n})
			}
		}
	}
	for i := range h.failed {
		if n := h.failed[i].Load(); n > 0 {
			list = append(list, HandshakeCount{Trouble: cert.Trouble(i), Count: n})
		}
	}
	return list
}
