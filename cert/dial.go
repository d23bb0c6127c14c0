package cert

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"syscall"

	"weir"
	"weir/internal/poll"
)

// A Dialer makes encrypted connections to one server. It may be used concurrently.
type Dialer struct {
	Group  *poll.Group // whose pollers carry the connections
	Config *tls.Config // of a ClientPolicy

	// Below makes the connection that is encrypted; nil: Group does.
	Below func(x *weir.Exchange, address string, deadline int64) (poll.Conn, error)
}

// Dial connects to address ("host-address:port" or "unix:path") and agrees on keys, all of it until deadline, a value
// of clock.Now, and as long as the client of x stays. The connection is on the poller of x's. Errors are those of
// poll.Group.Dial, or a *weir.Fault with the cause why the handshake failed; in either case nothing has been asked
// of the server.
func (d *Dialer) Dial(x *weir.Exchange, address string, deadline int64) (poll.Conn, error) {
	watch := func(c poll.Canceler) { x.Watch(c) }
	var c poll.Conn
	var err error
	if d.Below != nil {
		c, err = d.Below(x, address, deadline)
	} else {
		c, err = d.Group.Dial(address, x.Conn.Shard, deadline, watch)
	}
	if err != nil {
		return nil, err
	}
	return Seal(c, d.Config, deadline, watch)
}

// Seal agrees on keys with a server that c leads to, until deadline. A connection that it does not return it has
// closed. watch, which may be nil, is given the canceler of the wait for as long as it lasts.
func Seal(c poll.Conn, config *tls.Config, deadline int64, watch func(poll.Canceler)) (poll.Conn, error) {
	var asked bool
	s := poll.SealClient(c, noting(&asked, config))
	c.SetReadDeadline(deadline)
	c.SetWriteDeadline(deadline)
	if watch != nil {
		watch(c)
		defer watch(nil)
	}
	if err := s.Handshake(); err != nil {
		c.Close()
		return nil, handshakeError(err, asked)
	}
	c.SetReadDeadline(0)
	c.SetWriteDeadline(0)
	return s, nil
}

// noting returns config with a note of whether the server asks for a certificate where there is none to show.
func noting(asked *bool, config *tls.Config) *tls.Config {
	if config.GetClientCertificate != nil || len(config.Certificates) > 0 {
		return config
	}
	c := config.Clone()
	c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		*asked = true
		return &tls.Certificate{}, nil
	}
	return c
}

// handshakeError makes a fault of an error that TLS knows the reason of, or that the connection broke off with. Servers of
// TLS 1.2 that asked for a certificate in vain have no alert of their own for that (RFC 5246, section 7.4.6).
func handshakeError(err error, asked bool) error {
	cause := UpstreamCause(err)
	switch {
	case cause == weir.CauseUpstreamTLSHandshake && asked && isAlert(err, handshakeFailure):
		cause = weir.CauseUpstreamTLSCertificateAsked
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		cause, err = weir.CauseUpstreamClosed, brokenOff(err)
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		cause, err = weir.CauseUpstreamReset, brokenOff(err)
	}
	if cause == weir.CauseNone {
		return err
	}
	return &weir.Fault{Op: "handshake", Side: weir.SideUpstream, Cause: cause, Retry: weir.RetryAlways, Err: err}
}

func brokenOff(err error) error { return fmt.Errorf("in the handshake of TLS: %w", err) }

// UpstreamCause is the cause of what a handshake with a server failed at; CauseNone: TLS does not know it.
func UpstreamCause(err error) weir.Cause { return upstreamCauses[CauseOf(err)] }

// upstreamCauses are the causes of what goes wrong with servers.
var upstreamCauses = [Troubles]weir.Cause{
	Expired:           weir.CauseUpstreamTLSExpired,
	NotYetValid:       weir.CauseUpstreamTLSNotYetValid,
	UnknownAuthority:  weir.CauseUpstreamTLSUnknownAuthority,
	NameMismatch:      weir.CauseUpstreamTLSNameMismatch,
	PinMismatch:       weir.CauseUpstreamTLSPinMismatch,
	BadCertificate:    weir.CauseUpstreamTLSBadCertificate,
	CertificateAsked:  weir.CauseUpstreamTLSCertificateAsked,
	CertificateDenied: weir.CauseUpstreamTLSCertificateDenied,
	NameDenied:        weir.CauseUpstreamTLSNameDenied,
	VersionMismatch:   weir.CauseUpstreamTLSVersion,
	ProtocolMismatch:  weir.CauseUpstreamTLSProtocol,
	HandshakeFailure:  weir.CauseUpstreamTLSHandshake,
	NotTLS:            weir.CauseUpstreamTLSNotTLS,
}
