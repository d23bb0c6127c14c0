package weirtest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// An authority signs certificates for scripts. Its methods may be called concurrently.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// house is the authority of the certificate that weir shows where the script is not about certificates. It is
// made once.
var house = sync.OnceValues(func() (*authority, error) { return newAuthority("the scripts' own") })

// atHome is that certificate.
var atHome = sync.OnceValues(func() (*pair, error) {
	a, err := house()
	if err != nil {
		return nil, err
	}
	return a.sign(wish{names: []string{"localhost", "127.0.0.1", "::1"}})
})

func newAuthority(name string) (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(30 * 24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(raw)
	return &authority{cert, key}, err
}

func (a *authority) pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(a.cert)
	return p
}

func (a *authority) pem() []byte { return pemOf("CERTIFICATE", a.cert.Raw) }

func pemOf(kind string, raw []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: raw})
}

// A wish is what a certificate shall be.
type wish struct {
	names       []string // hosts and addresses
	late, early bool     // it has expired, or is not valid yet
	rsa         bool     // the key is one of RSA with 2048 bits, not of P-256
	months      int      // it lasts, in the place of a day
	revocations string   // where the authority says that it lists what it has revoked
}

// A pair is a certificate and its key.
type pair struct {
	cert, key []byte // PEM
	pin       string // of the key, as weir's configuration has it
}

func (a *authority) sign(w wish) (*pair, error) {
	key, err := w.key()
	if err != nil {
		return nil, err
	}
	raw, err := x509.CreateCertificate(rand.Reader, w.template(), a.cert, key.Public(), a.key)
	if err != nil {
		return nil, err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	sum := sha256.Sum256(public)
	return &pair{
		cert: pemOf("CERTIFICATE", raw), key: pemOf("PRIVATE KEY", secret),
		pin: "sha256/" + base64.StdEncoding.EncodeToString(sum[:]),
	}, err
}

func (w wish) key() (crypto.Signer, error) {
	if w.rsa {
		return rsa.GenerateKey(rand.Reader, 2048)
	}
	return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
}

func (w wish) template() *x509.Certificate {
	serial, _ := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	c := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: strings.Join(w.names, " ")},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	if w.months > 0 {
		c.NotAfter = time.Now().AddDate(0, w.months, 0)
	}
	if w.revocations != "" {
		c.CRLDistributionPoints = []string{w.revocations}
	}
	switch {
	case w.late:
		c.NotBefore, c.NotAfter = time.Now().Add(-48*time.Hour), time.Now().Add(-24*time.Hour)
	case w.early:
		c.NotBefore, c.NotAfter = time.Now().Add(24*time.Hour), time.Now().Add(48*time.Hour)
	}
	for _, name := range w.names {
		if ip := net.ParseIP(name); ip != nil {
			c.IPAddresses = append(c.IPAddresses, ip)
		} else {
			c.DNSNames = append(c.DNSNames, name)
		}
	}
	return c
}

// authority is "NAME": its root is written to NAME.pem.
func (st *stage) authority(step *Step) error {
	a, err := newAuthority(step.Text)
	if err != nil {
		return err
	}
	st.authorities[step.Text] = a
	return st.write(step.Text+".pem", a.pem())
}

// certificate is "NAME by AUTHORITY for HOST... [expired|early]": it is written to NAME.pem and its key to
// NAME.key, both in one go, so that nobody finds half of them.
func (st *stage) certificate(step *Step) error {
	words := strings.Fields(step.Text)
	if len(words) < 5 || words[1] != "by" || words[3] != "for" {
		return fmt.Errorf("not NAME by AUTHORITY for HOST...: %q", step.Text)
	}
	a := st.authorities[words[2]]
	if a == nil {
		return fmt.Errorf("no authority %q", words[2])
	}
	var w wish
	for _, word := range words[4:] {
		switch word {
		case "expired":
			w.late = true
		case "early":
			w.early = true
		default:
			w.names = append(w.names, word)
		}
	}
	p, err := a.sign(w)
	if err != nil {
		return err
	}
	st.vars["pin-"+words[0]] = p.pin
	return st.keepPair(words[0], p)
}

// keepPair writes a certificate and its key.
func (st *stage) keepPair(name string, p *pair) error {
	return errors.Join(st.write(name+".key", p.key), st.write(name+".pem", p.cert))
}

// write puts a file in the script's directory, in the place of the one that may be there.
func (st *stage) write(name string, data []byte) error {
	path := filepath.Join(st.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(path+".new", data, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}
