package cert

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"strings"
	"time"
)

// A Trouble is what a TLS handshake failed at.
type Trouble uint8

// The troubles, those of a server that weir dials first.
const (
	NoTrouble          Trouble = iota // none, or none of TLS: a connection that was reset or took too long
	Expired                           // a certificate of the server's chain has expired
	NotYetValid                       // one is not valid yet: a clock is wrong
	UnknownAuthority                  // the chain leads to no trusted root
	NameMismatch                      // the certificate is for other names
	PinMismatch                       // its key is none of the pinned ones
	BadCertificate                    // it may not be used for this, or is malformed
	CertificateAsked                  // the server wants a client certificate, and weir has none
	CertificateDenied                 // the server refused weir's client certificate
	NameDenied                        // the server does not know the name that weir asks for
	VersionMismatch                   // no TLS version in common
	ProtocolMismatch                  // no application protocol (ALPN) in common
	HandshakeFailure                  // anything else that the other side or we took offence at
	NotTLS                            // what answers does not speak TLS
	UnknownName                       // a client asked for a name that weir has no certificate for
	CertificateMissing                // a client showed none and needs one
	Troubles                          // how many there are, NoTrouble included
)

var troubleTexts = [Troubles]string{
	Expired:            "expired",
	NotYetValid:        "not_yet_valid",
	UnknownAuthority:   "unknown_authority",
	NameMismatch:       "name_mismatch",
	PinMismatch:        "pin_mismatch",
	BadCertificate:     "bad_certificate",
	CertificateAsked:   "certificate_asked",
	CertificateDenied:  "certificate_denied",
	NameDenied:         "name_denied",
	VersionMismatch:    "version_mismatch",
	ProtocolMismatch:   "protocol_mismatch",
	HandshakeFailure:   "handshake",
	NotTLS:             "not_tls",
	UnknownName:        "unknown_name",
	CertificateMissing: "certificate_missing",
}

// String is the trouble in one word, such as "name_mismatch"; "" for NoTrouble.
func (t Trouble) String() string { return troubleTexts[t] }

// CauseOf tells what the error of a handshake, or of the first reading or writing after it, means. With TLS 1.3 a
// server's judgement of a client certificate comes as late as that.
func CauseOf(err error) Trouble {
	if err == nil {
		return NoTrouble
	}
	for _, ask := range []func(error) Trouble{ofOurs, ofCertificate, ofRecord, ofAlert, ofHandshake} {
		if t := ask(err); t != NoTrouble {
			return t
		}
	}
	return NoTrouble
}

func ofOurs(err error) Trouble {
	switch {
	case errors.Is(err, errPin):
		return PinMismatch
	case errors.Is(err, errWeakKey):
		return BadCertificate
	case errors.Is(err, ErrNoName):
		return UnknownName
	}
	return NoTrouble
}

func ofCertificate(err error) Trouble {
	var invalid x509.CertificateInvalidError
	var authority x509.UnknownAuthorityError
	var name x509.HostnameError
	var roots x509.SystemRootsError
	var verification *tls.CertificateVerificationError
	switch {
	case errors.As(err, &invalid):
		return ofInvalid(invalid)
	case errors.As(err, &name):
		return NameMismatch
	case errors.As(err, &authority) && strings.Contains(err.Error(), insecureAlgorithm):
		return BadCertificate
	case errors.As(err, &authority), errors.As(err, &roots):
		return UnknownAuthority
	case errors.As(err, &verification):
		return BadCertificate
	}
	return NoTrouble
}

// insecureAlgorithm is how crypto/x509 calls a signature such as one with SHA-1, in the hint of an UnknownAuthorityError.
const insecureAlgorithm = "cannot verify signature: insecure algorithm"

func ofInvalid(err x509.CertificateInvalidError) Trouble {
	if err.Reason != x509.Expired {
		return BadCertificate
	}
	if err.Cert != nil && time.Now().Before(err.Cert.NotBefore) {
		return NotYetValid
	}
	return Expired
}

// ofRecord is for answers that are no TLS records at all.
func ofRecord(err error) Trouble {
	var record tls.RecordHeaderError
	if errors.As(err, &record) {
		return NotTLS
	}
	return NoTrouble
}

// alerts are the texts of alerts, RFC 8446 6.2: crypto/tls has no type for those of the other side.
var alerts = map[string]Trouble{
	tls.AlertError(42).Error():  CertificateDenied, // bad_certificate
	tls.AlertError(43).Error():  CertificateDenied, // unsupported_certificate
	tls.AlertError(44).Error():  CertificateDenied, // certificate_revoked
	tls.AlertError(45).Error():  CertificateDenied, // certificate_expired
	tls.AlertError(46).Error():  CertificateDenied, // certificate_unknown
	tls.AlertError(48).Error():  CertificateDenied, // unknown_ca
	tls.AlertError(49).Error():  CertificateDenied, // access_denied
	tls.AlertError(116).Error(): CertificateAsked,  // certificate_required
	tls.AlertError(112).Error(): NameDenied,        // unrecognized_name
	tls.AlertError(70).Error():  VersionMismatch,   // protocol_version
	tls.AlertError(120).Error(): ProtocolMismatch,  // no_application_protocol
}

const handshakeFailure = tls.AlertError(40)

// isAlert reports whether err is an alert of the other side's.
func isAlert(err error, a tls.AlertError) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "remote error" && op.Err != nil && op.Err.Error() == a.Error()
}

// ofAlert is for what the other side said before it hung up.
func ofAlert(err error) Trouble {
	var op *net.OpError
	if !errors.As(err, &op) || op.Op != "remote error" || op.Err == nil {
		return NoTrouble
	}
	if t := alerts[op.Err.Error()]; t != NoTrouble {
		return t
	}
	return HandshakeFailure
}

// texts are errors of crypto/tls that have no type, and mean more than that a handshake failed.
var texts = map[string]Trouble{
	"tls: no certificates configured":                         UnknownName,
	"tls: client didn't provide a certificate":                CertificateMissing,
	"tls: server selected unsupported protocol version":       VersionMismatch,
	"tls: client offered only unsupported versions":           VersionMismatch,
	"tls: client requested unsupported application protocols": ProtocolMismatch,
	"tls: server selected unadvertised ALPN protocol":         ProtocolMismatch,
	"tls: failed to parse certificate from server: ":          BadCertificate,
	"tls: invalid signature by the server certificate: ":      BadCertificate,
}

// ofHandshake is for what crypto/tls found wrong itself.
func ofHandshake(err error) Trouble {
	text := err.Error()
	for known, t := range texts {
		if strings.Contains(text, known) {
			return t
		}
	}
	var ech *tls.ECHRejectionError
	if strings.Contains(text, "tls: ") || errors.As(err, &ech) {
		return HandshakeFailure
	}
	return NoTrouble
}
