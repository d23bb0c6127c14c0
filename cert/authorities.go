package cert

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"

	"weir/internal/bounded"
)

// Authorities are those that certificates are verified by. They are immutable.
type Authorities struct {
	Pool   *x509.CertPool
	Digest string // tells them from others

	known map[string]bool // by their encoding
}

// ReadAuthorities reads the CA certificates of a PEM file of at most a mebibyte. A file without any is an error.
func ReadAuthorities(file string) (*Authorities, error) {
	text, err := bounded.ReadFile(file, maxFile)
	if err != nil {
		return nil, err
	}
	a := &Authorities{Pool: x509.NewCertPool(), known: map[string]bool{}}
	sum := sha256.New()
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		if c, err := x509.ParseCertificate(block.Bytes); err == nil && !a.known[string(c.Raw)] {
			a.known[string(c.Raw)] = true
			a.Pool.AddCert(c)
			sum.Write(c.Raw)
		}
	}
	if len(a.known) == 0 {
		return nil, fmt.Errorf("%q: %w", file, errNoPEM)
	}
	a.Digest = hex.EncodeToString(sum.Sum(nil))
	return a, nil
}

// Vouch reports whether one of the chains, which have been verified at another time and perhaps by others, leads to one of
// the authorities.
func (a *Authorities) Vouch(chains [][]*x509.Certificate) bool {
	for _, chain := range chains {
		for _, c := range chain {
			if a != nil && a.known[string(c.Raw)] {
				return true
			}
		}
	}
	return false
}
