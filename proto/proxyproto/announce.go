package proxyproto

import (
	"crypto/tls"
	"net/netip"

	"weir"
	"weir/internal/poll"
)

// A Dial makes a connection to address for x until deadline, as transports ask for it.
type Dial func(x *weir.Exchange, address string, deadline int64) (poll.Conn, error)

// Announcing returns dial with a header of that version (1 or 2) in front of each connection, which tells who x's client
// is. It stands before all else, also before TLS. A connection that was announced belongs to that client: a transport
// that uses it must keep none for others (section 2).
func Announcing(version int, dial Dial) Dial {
	return func(x *weir.Exchange, address string, deadline int64) (poll.Conn, error) {
		c, err := dial(x, address, deadline)
		if err != nil {
			return nil, err
		}
		c.SetWriteDeadline(deadline)
		if _, err := c.Write(announcement(version, x)); err != nil {
			c.Close()
			return nil, err
		}
		c.SetWriteDeadline(0)
		return c, nil
	}
}

func announcement(version int, x *weir.Exchange) []byte {
	source := clientOf(x)
	if version == 1 {
		return AppendV1(nil, source, x.Conn.Local)
	}
	return AppendV2(nil, source, x.Conn.Local, factsOf(x))
}

// clientOf returns the client's end. Of a client that a trusted proxy tells of, the port is not known.
func clientOf(x *weir.Exchange) netip.AddrPort {
	switch {
	case !x.Client.IsValid():
		return netip.AddrPort{}
	case x.Client == x.Conn.Remote.Addr():
		return x.Conn.Remote
	}
	return netip.AddrPortFrom(x.Client, 0)
}

// factsOf returns what is known besides the addresses.
func factsOf(x *weir.Exchange) *TLVs {
	t := &TLVs{UniqueID: x.ID}
	s := x.Conn.TLS
	if s == nil {
		return t
	}
	t.ALPN, t.Authority = s.NegotiatedProtocol, s.ServerName
	t.SSL = &SSL{TLS: true, Version: versionName(s.Version), Cipher: tls.CipherSuiteName(s.CipherSuite), Verify: 1}
	if len(s.PeerCertificates) > 0 {
		t.SSL.Certificate, t.SSL.Session = true, true
		t.SSL.CommonName = s.PeerCertificates[0].Subject.CommonName
	}
	if len(s.VerifiedChains) > 0 {
		t.SSL.Verify = 0
	}
	return t
}

// versionName is the version of TLS as other proxies write it.
func versionName(v uint16) string {
	switch v {
	case tls.VersionTLS12:
		return "TLSv1.2"
	case tls.VersionTLS13:
		return "TLSv1.3"
	}
	return tls.VersionName(v)
}
