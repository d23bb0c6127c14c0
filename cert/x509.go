package cert

import (
	"bytes"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"strings"
)

// equalPairs reports whether two certificates are the same with chain and key.
func equalPairs(a, b *tls.Certificate) bool {
	if len(a.Certificate) != len(b.Certificate) {
		return false
	}
	for i := range a.Certificate {
		if !bytes.Equal(a.Certificate[i], b.Certificate[i]) {
			return false
		}
	}
	key, ok := a.PrivateKey.(interface{ Equal(crypto.PrivateKey) bool })
	return ok && key.Equal(b.PrivateKey)
}

// covers reports whether leaf is valid for a name; one with a wildcard has to stand there as it is.
func covers(leaf *x509.Certificate, name string) bool {
	if strings.HasPrefix(name, "*.") {
		for _, n := range leaf.DNSNames {
			if strings.EqualFold(n, name) {
				return true
			}
		}
		return false
	}
	return leaf.VerifyHostname(name) == nil
}

// Pool reads the CA certificates of a PEM file of at most a mebibyte. A file without any is an error.
func Pool(file string) (*x509.CertPool, error) {
	a, err := ReadAuthorities(file)
	if err != nil {
		return nil, err
	}
	return a.Pool, nil
}

var errNoPEM = errors.New("no certificate in PEM form")
