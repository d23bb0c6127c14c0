package cert

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
)

// sessionsKept is how many sessions with one server are kept for resumption.
const sessionsKept = 32

// A Pin is the SHA-256 of a public key (its SubjectPublicKeyInfo), as `openssl pkey -pubin -outform der | sha256sum`
// has it.
type Pin [sha256.Size]byte

// PinOf is the pin of a certificate's key.
func PinOf(c *x509.Certificate) Pin { return sha256.Sum256(c.RawSubjectPublicKeyInfo) }

// ParsePin reads a pin in hexadecimal or base64, with or without "sha256:" or "sha256/" before it.
func ParsePin(s string) (Pin, error) {
	text := strings.TrimPrefix(strings.TrimPrefix(s, "sha256:"), "sha256/")
	for _, decode := range []func(string) ([]byte, error){hex.DecodeString, base64.StdEncoding.DecodeString} {
		if b, err := decode(text); err == nil && len(b) == sha256.Size {
			return Pin(b), nil
		}
	}
	return Pin{}, fmt.Errorf("%q is no pin: want the SHA-256 of a public key, 64 hexadecimal digits or base64", s)
}

// String is the pin as ParsePin reads it.
func (p Pin) String() string { return "sha256:" + hex.EncodeToString(p[:]) }

// ClientPolicy is how weir speaks TLS with servers. The zero value verifies by the system's roots and the name
// that is dialled.
type ClientPolicy struct {
	Roots *x509.CertPool // nil: the system's

	// ServerName is the name that is asked for and must stand in the certificate; "": the host that is
	// dialled, or "localhost" at a unix socket.
	ServerName string

	// Certificate is shown to servers that ask for one; nil: none. With [Files] it is always the newest.
	Certificate Source

	// Pins, where there are any, must have the key of a certificate in the server's verified chain, or with
	// Insecure that of the certificate itself.
	Pins []Pin

	Minimum   uint16   // tls.VersionTLS12, the default, or tls.VersionTLS13
	Protocols []string // application protocols (ALPN) in order of preference

	// Insecure takes any certificate, key and name: only pins, where there are some, keep others out.
	Insecure bool
}

// Check says what makes the policy impossible.
func (p ClientPolicy) Check() error { return Policy{Minimum: p.Minimum}.Check() }

// Config returns the configuration for connections to address: "host:port", a host alone, or "unix:path". It
// remembers sessions, so that one of these is for one server, and is kept.
func (p ClientPolicy) Config(address string) *tls.Config {
	c := &tls.Config{
		RootCAs:                     p.Roots,
		ServerName:                  p.name(address),
		MinVersion:                  max(p.Minimum, tls.VersionTLS12),
		CipherSuites:                suites12,
		CurvePreferences:            curves,
		NextProtos:                  slices.Clone(p.Protocols),
		InsecureSkipVerify:          p.Insecure,
		ClientSessionCache:          tls.NewLRUClientSessionCache(sessionsKept),
		DynamicRecordSizingDisabled: true,
	}
	if p.Certificate != nil {
		c.GetClientCertificate = p.show
	}
	c.VerifyConnection = p.check
	return c
}

func (p ClientPolicy) name(address string) string {
	if p.ServerName != "" {
		return p.ServerName
	}
	if strings.HasPrefix(address, "unix:") {
		return "localhost"
	}
	if host, _, err := net.SplitHostPort(address); err == nil {
		return host
	}
	return strings.Trim(address, "[]")
}

// show gives weir's own certificate, or an empty one, which says that there is none.
func (p ClientPolicy) show(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
	c, err := p.Certificate.Certificate(&tls.ClientHelloInfo{})
	if err != nil || c == nil {
		return &tls.Certificate{}, err
	}
	return c, nil
}

var errPin = errors.New("the key of the server's certificate is none of the pinned ones")

// check is what crypto/tls does not look at itself.
func (p ClientPolicy) check(s tls.ConnectionState) error {
	if len(p.Pins) == 0 {
		return checkKeys(s)
	}
	return errors.Join(checkKeys(s), p.checkPins(s))
}

func (p ClientPolicy) checkPins(s tls.ConnectionState) error {
	if p.Insecure {
		return p.checkChain(s.PeerCertificates[:min(1, len(s.PeerCertificates))])
	}
	for _, chain := range s.VerifiedChains {
		if p.checkChain(chain) == nil {
			return nil
		}
	}
	return errPin
}

func (p ClientPolicy) checkChain(chain []*x509.Certificate) error {
	for _, c := range chain {
		if slices.Contains(p.Pins, PinOf(c)) {
			return nil
		}
	}
	return errPin
}
