package cert

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"weir/internal/bounded"
)

const (
	rootLifetime = 10 * 365 * 24 * time.Hour
	rootWarning  = 365 * 24 * time.Hour
	leafLifetime = 7 * 24 * time.Hour
	leafRenewal  = leafLifetime / 3 // a leaf with less than this left is replaced
	clockSkew    = time.Hour        // by which clients' clocks may be behind

	// maxLeaves bounds the leaves that an authority remembers; beyond it one is forgotten and made anew
	// when it is asked for.
	maxLeaves = 4096

	rootWait = 10 * time.Second // for another process that makes the same root
)

// Authority is a CA of weir's own, for names that no public CA serves. Its root lasts ten years and is kept in a
// folder; certificates last a week, are made when they are first asked for and again before they end. Clients
// need its root among those they trust. It may be used concurrently.
type Authority struct {
	root *x509.Certificate
	key  *ecdsa.PrivateKey
	now  func() time.Time

	mu     sync.RWMutex // protects leaves
	leaves map[string]*tls.Certificate
}

// NewAuthority reads the root from root.pem and root.key of a folder, or makes it where there is none. A new root
// may sign only names in the permitted domains, such as "internal" or "example.com"; with none given, any name.
func NewAuthority(dir string, permitted ...string) (*Authority, error) {
	ctx, cancel := context.WithTimeout(context.Background(), rootWait)
	defer cancel()
	l := newLocks(dir)
	if err := l.lock(ctx, "root"); err != nil {
		return nil, err
	}
	defer l.unlock("root")
	a := &Authority{now: time.Now, leaves: map[string]*tls.Certificate{}}
	certificate, key := filepath.Join(dir, "root.pem"), filepath.Join(dir, "root.key")
	var err error
	if exists(certificate) {
		err = a.load(certificate, key)
	} else {
		err = a.create(certificate, key, permitted)
	}
	if err != nil {
		return nil, err
	}
	return a, nil
}

func (a *Authority) create(certificate, key string, permitted []string) (err error) {
	if a.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return err
	}
	raw, err := x509.MarshalPKCS8PrivateKey(a.key)
	if err != nil {
		return err
	}
	if a.root, err = a.signRoot(permitted); err != nil {
		return err
	}
	// The key first: a root without a key would be an error ever after, a key without a root is made anew.
	if err := replace(key, encodePEM("PRIVATE KEY", raw)); err != nil {
		return err
	}
	return replace(certificate, a.RootPEM())
}

func (a *Authority) signRoot(permitted []string) (*x509.Certificate, error) {
	now := a.now()
	number := newSerial()
	template := &x509.Certificate{
		SerialNumber:                number,
		Subject:                     pkix.Name{CommonName: "weir internal CA " + hex.EncodeToString(number.Bytes()[:4])},
		NotBefore:                   now.Add(-clockSkew),
		NotAfter:                    now.Add(rootLifetime),
		IsCA:                        true,
		BasicConstraintsValid:       true,
		MaxPathLenZero:              true,
		KeyUsage:                    x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		PermittedDNSDomains:         permitted,
		PermittedDNSDomainsCritical: len(permitted) > 0,
	}
	return signed(template, template, a.key.Public(), a.key)
}

func signed(template, parent *x509.Certificate, key any, signer *ecdsa.PrivateKey) (*x509.Certificate, error) {
	raw, err := x509.CreateCertificate(rand.Reader, template, parent, key, signer)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(raw)
}

// newSerial is a random number of 127 bits, as RFC 5280 4.1.2.2 allows and CAs are asked for.
func newSerial() *big.Int {
	var b [16]byte
	rand.Read(b[:])
	b[0] = b[0]&0x7f | 0x40
	return new(big.Int).SetBytes(b[:])
}

func (a *Authority) load(certificate, key string) error {
	text, err := bounded.ReadFile(certificate, maxFile)
	if err != nil {
		return err
	}
	secret, err := bounded.ReadFile(key, maxFile)
	if err != nil {
		return fmt.Errorf("the root of the internal CA has no key: %w; put the key back, or remove %q and have clients trust the new root that is made then", err, certificate)
	}
	pair, err := tls.X509KeyPair(text, secret)
	if err != nil {
		return fmt.Errorf("%q with %q: %w", certificate, key, err)
	}
	signer, ok := pair.PrivateKey.(*ecdsa.PrivateKey)
	if !ok || !pair.Leaf.IsCA {
		return fmt.Errorf("%q is no root of an internal CA: want a CA certificate with an ECDSA key", certificate)
	}
	if info, err := os.Stat(key); err == nil && info.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("the key of the internal CA %q may be read by others: want mode 0600", key)
	}
	a.root, a.key = pair.Leaf, signer
	return nil
}

// Root is the certificate that clients have to trust.
func (a *Authority) Root() *x509.Certificate { return a.root }

// Warning says that the root ends within a year, "" where it does not: then root.pem and root.key have to be moved away,
// and clients to be told of the root that is made at the next start.
func (a *Authority) Warning() string {
	if a.now().Before(a.root.NotAfter.Add(-rootWarning)) {
		return ""
	}
	return "the root of the internal CA ends on " + a.root.NotAfter.UTC().Format(time.DateOnly)
}

// RootPEM is Root in the form that trust stores take.
func (a *Authority) RootPEM() []byte { return encodePEM("CERTIFICATE", a.root.Raw) }

func encodePEM(kind string, raw []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: raw})
}

// For is the source for some names, as an [Entry] has them: it signs these and no others. Clients that ask for a
// name that is covered by a wildcard get the wildcard's certificate; those of a default entry that ask for
// something else get that of the first name.
func (a *Authority) For(names ...string) (Source, error) {
	list, err := normalNames(names)
	if err != nil {
		return nil, err
	}
	for _, n := range list {
		if !a.may(n) {
			return nil, fmt.Errorf("the internal CA may not sign %q: its root is limited to %s", n, strings.Join(a.root.PermittedDNSDomains, ", "))
		}
	}
	return &issued{a, list}, nil
}

// may reports whether the root's constraints let it sign a name. RFC 5280 4.2.1.10
func (a *Authority) may(name string) bool {
	if len(a.root.PermittedDNSDomains) == 0 || net.ParseIP(name) != nil {
		return true
	}
	name = strings.TrimPrefix(name, "*.")
	for _, d := range a.root.PermittedDNSDomains {
		d = strings.TrimPrefix(lower(d), ".")
		if name == d || strings.HasSuffix(name, "."+d) {
			return true
		}
	}
	return false
}

// issued is the source of some names of an authority.
type issued struct {
	authority *Authority
	names     []string
}

func (s *issued) Certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	return s.authority.leaf(pickName(s.names, hello))
}

// leaf returns the certificate of a name, a new one where it is time.
func (a *Authority) leaf(name string) (*tls.Certificate, error) {
	a.mu.RLock()
	c := a.leaves[name]
	a.mu.RUnlock()
	if c != nil && a.now().Before(c.Leaf.NotAfter.Add(-leafRenewal)) {
		return c, nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if again := a.leaves[name]; again != c {
		return again, nil
	}
	next, err := a.issue(name)
	if err != nil {
		return nil, fmt.Errorf("internal CA: %q: %w", name, err)
	}
	if len(a.leaves) >= maxLeaves && c == nil {
		a.forgetOne()
	}
	a.leaves[name] = next
	return next, nil
}

// Renew makes a new certificate for a name, whatever is left of the one before. It does not look whether some source has
// the name.
func (a *Authority) Renew(raw string) error {
	name, err := normalName(raw)
	if err != nil {
		return err
	}
	a.mu.Lock()
	delete(a.leaves, name)
	a.mu.Unlock()
	_, err = a.leaf(name)
	return err
}

// forgetOne makes room for a leaf. mu is held.
func (a *Authority) forgetOne() {
	for name := range a.leaves {
		delete(a.leaves, name)
		return
	}
}

func (a *Authority) issue(name string) (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	now := a.now()
	end := now.Add(leafLifetime)
	if end.After(a.root.NotAfter) {
		end = a.root.NotAfter
	}
	template := &x509.Certificate{
		SerialNumber: newSerial(),
		NotBefore:    now.Add(-clockSkew),
		NotAfter:     end,
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if ip := net.ParseIP(name); ip != nil {
		template.IPAddresses = []net.IP{ip}
	} else {
		template.DNSNames = []string{name}
	}
	leaf, err := signed(template, a.root, key.Public(), a.key)
	if err != nil {
		return nil, err
	}
	return &tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: key, Leaf: leaf}, nil
}

// RootOf returns the root that an authority keeps in a folder, in PEM, without the need to read its key. The error is one
// of fs.ErrNotExist where there is none yet.
func RootOf(dir string) ([]byte, error) {
	file := filepath.Join(dir, "root.pem")
	text, err := bounded.ReadFile(file, maxFile)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, fmt.Errorf("%q: %w", file, errNoPEM)
	}
	root, err := x509.ParseCertificate(block.Bytes)
	if err != nil || !root.IsCA {
		return nil, fmt.Errorf("%q is no root of an internal CA", file)
	}
	return encodePEM("CERTIFICATE", root.Raw), nil
}
