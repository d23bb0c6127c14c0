package cert

import (
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"slices"
)

// smallestRSA is how many bits an RSA key of a certificate has at least. Who has one that is smaller does not prove much by
// it (NIST SP 800-131A). crypto/x509 takes half of that, and refuses SHA-1 by itself.
const smallestRSA = 2048

var errWeakKey = errors.New("the certificate, or one of its chain, has an RSA key of less than 2048 bits")

// checkKeys refuses a peer each of whose verified chains has a key that is too small. One that has shown no certificate,
// or whose certificate is not verified, it takes.
func checkKeys(s tls.ConnectionState) error {
	if len(s.VerifiedChains) > 0 && !slices.ContainsFunc(s.VerifiedChains, isStrong) {
		return errWeakKey
	}
	return nil
}

func isStrong(chain []*x509.Certificate) bool {
	return !slices.ContainsFunc(chain, func(c *x509.Certificate) bool {
		key, ok := c.PublicKey.(*rsa.PublicKey)
		return ok && key.N.BitLen() < smallestRSA
	})
}
