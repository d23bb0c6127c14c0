// Package cert gives connections their certificates and says how TLS is spoken, on both sides.
//
// A [Source] gives the certificates of some names: [Files] from a pair of files, [Authority] from a CA of
// weir's own, [Manager] from public ones by ACME. A [Table] finds the source of the name that a client asks
// for; it is immutable, a reload makes the next one. A [Policy] makes of a table the configuration that
// crypto/tls works by, and a [ClientPolicy] the one for connections to servers. [CauseOf] tells what a failed
// handshake failed at.
//
// Private keys are never logged and are written with mode 0600 alone.
package cert

import (
	"crypto/tls"
	"errors"
	"fmt"
)

// ALPNChallenge is the application protocol of a connection by which a CA checks that a name leads here
// (TLS-ALPN-01, RFC 8737). Such a connection ends with its handshake: nothing is read from it or said on it.
const ALPNChallenge = "acme-tls/1"

// A Source gives the certificates of one set of names.
type Source interface {
	// Certificate returns the certificate for a handshake. It may be called concurrently, and it answers at
	// once, unless it has to get a certificate on demand: then it takes no longer than hello.Context()
	// lives. What it returns is not changed any more.
	Certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error)
}

// A challenger is a source that answers the CA's checks by TLS-ALPN-01. It returns nil where none of the name
// of the hello is under way.
type challenger interface {
	challenge(hello *tls.ClientHelloInfo) (*tls.Certificate, error)
}

// ErrNoName is the error of a table for a name that none of its entries has.
var ErrNoName = errors.New("no certificate for the name")

// Choice is a source of several certificates for the same names, such as one with an ECDSA and one with an RSA
// key: a client gets the first that it supports, and the first of all where it supports none.
type Choice []Source

// Certificate is that of the first source that suits the client.
func (c Choice) Certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	var first *tls.Certificate
	var problem error = ErrNoName
	for _, s := range c {
		got, err := s.Certificate(hello)
		if err != nil {
			problem = err
			continue
		}
		if hello.SupportsCertificate(got) == nil {
			return got, nil
		}
		if first == nil {
			first = got
		}
	}
	if first == nil {
		return nil, problem
	}
	return first, nil
}

// challenge is that of the first source that has one.
func (c Choice) challenge(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	for _, s := range c {
		if s, ok := s.(challenger); ok {
			if got, err := s.challenge(hello); got != nil || err != nil {
				return got, err
			}
		}
	}
	return nil, nil
}

func noName(name string) error {
	if name == "" {
		return fmt.Errorf("%w: the client sent none", ErrNoName)
	}
	return fmt.Errorf("%w: %q", ErrNoName, name)
}
