package cert

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
)

// Verify says what is asked of clients.
type Verify uint8

// Whether clients show certificates.
const (
	Off     Verify = iota // they are not asked
	Request               // they are asked, may have none, and what they show must be valid
	Require               // they need a valid one
)

// String is the word of the configuration: "off", "request" or "require".
func (v Verify) String() string { return [...]string{"off", "request", "require"}[v] }

// ParseVerify is the opposite of String; ok is false for other words.
func ParseVerify(s string) (v Verify, ok bool) {
	for v := Off; v <= Require; v++ {
		if v.String() == s {
			return v, true
		}
	}
	return Off, false
}

// Policy is how weir speaks TLS with clients.
type Policy struct {
	// Minimum is tls.VersionTLS12, the default, or tls.VersionTLS13.
	Minimum uint16

	// ClientCAs are the authorities of client certificates, Verify what is asked. They come together.
	ClientCAs *x509.CertPool
	Verify    Verify

	// Protocols are the application protocols (ALPN) in order of preference, such as "h2", "http/1.1".
	// A client that names none of them is refused; one that speaks no ALPN is not.
	Protocols []string

	// ECH are keys for encrypted client hellos, none by default.
	ECH []tls.EncryptedClientHelloKey
}

// Check says what makes the policy impossible.
func (p Policy) Check() error {
	switch p.Minimum {
	case 0, tls.VersionTLS12, tls.VersionTLS13:
	default:
		return fmt.Errorf("TLS version %#x is none that weir speaks: want 1.2 or 1.3", p.Minimum)
	}
	if p.Verify != Off && p.ClientCAs == nil {
		return errors.New("client certificates are asked for, but no authority for them is named")
	}
	if p.Verify == Off && p.ClientCAs != nil {
		return errors.New("an authority of client certificates is named, but none are asked for")
	}
	return nil
}

// suites12 are those of TLS 1.2: forward secret and authenticated. Those of 1.3 cannot be chosen; all are sane.
var suites12 = []uint16{
	tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
	tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
	tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
	tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
	tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
	tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
}

// curves are the key exchanges: with a lattice first, against those who record now and decrypt later.
var curves = []tls.CurveID{tls.X25519MLKEM768, tls.X25519, tls.CurveP256, tls.CurveP384}

// ServerConfig returns the configuration for connections of clients, which get their certificates from t.
// Tickets may be nil: then sessions are not resumed. The configuration is not to be changed; clones of it work.
//
// A policy with Verify but without ClientCAs, which Check refuses, lets nobody in.
func (p Policy) ServerConfig(t *Table, tickets *Tickets) *tls.Config {
	base := p.config(t, tickets)
	special := map[*Entry]*tls.Config{}
	for i := range t.entries {
		if e := &t.entries[i]; e.Policy != nil {
			special[e] = e.Policy.config(t, tickets)
			if len(e.Policy.Protocols) == 0 {
				special[e].NextProtos = base.NextProtos
			}
			if len(e.Policy.ECH) == 0 {
				special[e].EncryptedClientHelloKeys = base.EncryptedClientHelloKeys // for what is told of them
			}
		}
	}
	refusing := base.Clone()
	refusing.NextProtos = noProtocols
	base.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		if slices.Equal(hello.SupportedProtos, challengeProtocols) {
			return challengeConfig(t.find(hello), hello)
		}
		if isTakenForSilent(hello, p.Protocols) {
			return refusing, nil
		}
		if len(special) == 0 {
			return nil, nil
		}
		return special[t.find(hello)], nil
	}
	return base
}

func (p Policy) config(t *Table, tickets *Tickets) *tls.Config {
	c := &tls.Config{
		MinVersion:                  max(p.Minimum, tls.VersionTLS12),
		CipherSuites:                suites12,
		CurvePreferences:            curves,
		NextProtos:                  slices.Clone(p.Protocols),
		ClientAuth:                  p.Verify.auth(),
		ClientCAs:                   p.ClientCAs,
		GetCertificate:              t.get,
		VerifyConnection:            checkKeys,
		EncryptedClientHelloKeys:    p.ECH,
		DynamicRecordSizingDisabled: true, // small records cost a write each, and gain nothing here
	}
	if c.ClientCAs == nil {
		c.ClientCAs = x509.NewCertPool() // and not those of the system
	}
	if tickets == nil {
		c.SessionTicketsDisabled = true
		return c
	}
	tickets.use(c, p.Verify.String())
	return c
}

func (v Verify) auth() tls.ClientAuthType {
	switch v {
	case Request:
		return tls.VerifyClientCertIfGiven
	case Require:
		return tls.RequireAndVerifyClientCert
	}
	return tls.NoClientCert
}

// get is Certificate for crypto/tls, which makes of no certificate and no error the alert unrecognized_name.
func (t *Table) get(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	e := t.find(hello)
	if e == nil {
		return nil, nil
	}
	c, err := t.of(e, hello)
	if errors.Is(err, ErrNoName) {
		return nil, nil
	}
	return c, err
}

// isTakenForSilent reports whether crypto/tls would treat a client that names none of the protocols as one that speaks no
// ALPN: it does so with HTTP/1.1 where HTTP/2 is spoken, and such a client would be answered in HTTP/2.
func isTakenForSilent(hello *tls.ClientHelloInfo, spoken []string) bool {
	return slices.Contains(spoken, "h2") && slices.Contains(hello.SupportedProtos, "http/1.1") &&
		!slices.ContainsFunc(hello.SupportedProtos, func(p string) bool { return slices.Contains(spoken, p) })
}

// noProtocols are what no client names.
var noProtocols = []string{"-"}

var challengeProtocols = []string{ALPNChallenge}

// challengeConfig answers a CA's check. A nil configuration leads to the refusal of a protocol that is not spoken.
func challengeConfig(e *Entry, hello *tls.ClientHelloInfo) (*tls.Config, error) {
	if e == nil {
		return nil, nil
	}
	c, ok := e.Source.(challenger)
	if !ok {
		return nil, nil
	}
	certificate, err := c.challenge(hello)
	if err != nil || certificate == nil {
		return nil, err
	}
	return &tls.Config{
		MinVersion:             tls.VersionTLS12,
		NextProtos:             challengeProtocols,
		Certificates:           []tls.Certificate{*certificate},
		SessionTicketsDisabled: true,
	}, nil
}
