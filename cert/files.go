package cert

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"weir/internal/bounded"
)

const (
	// maxFile bounds a PEM file that is read, in bytes.
	maxFile = 1 << 20

	// settled is the age, at the time of reading, from which on a file that looks unchanged is taken to be:
	// a younger one may have been written again within the resolution of the file system's clock.
	settled = 2 * time.Second
)

// Files is the source of one certificate with its chain and key, in PEM, from two files or from one that has
// both. It may be used concurrently.
type Files struct {
	certificate, key string
	current          atomic.Pointer[tls.Certificate]
	problem          atomic.Pointer[error] // of the last reading; nil: none

	mu   sync.Mutex // protects seen and serializes reading
	seen stamp
}

// A stamp tells whether files were changed since they were read.
type stamp struct {
	infos [2]os.FileInfo // nil: not read
	read  time.Time
}

// NewFiles reads a certificate with its chain and its key. They must belong together; see [Files.Warning] for
// what is odd but works.
func NewFiles(certificate, key string) (*Files, error) {
	f := &Files{certificate: filepath.Clean(certificate), key: filepath.Clean(key)}
	if _, err := f.Reload(); err != nil {
		return nil, err
	}
	return f, nil
}

// Certificate returns the pair that was read last.
func (f *Files) Certificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	return f.current.Load(), nil
}

// Leaf returns the certificate that was read last, without its chain.
func (f *Files) Leaf() *x509.Certificate { return f.current.Load().Leaf }

// String names the file of the certificate.
func (f *Files) String() string { return f.certificate }

// Is reports whether f reads these two files.
func (f *Files) Is(certificate, key string) bool {
	return f.certificate == filepath.Clean(certificate) && f.key == filepath.Clean(key)
}

// Warning says what is wrong with the certificate that does not keep weir from using it: it has expired or is not
// valid yet, or it names no host. "" where all is well at now.
func (f *Files) Warning(now time.Time) string { return warning(f.Leaf(), now) }

func warning(leaf *x509.Certificate, now time.Time) string {
	switch {
	case now.After(leaf.NotAfter):
		return "expired on " + leaf.NotAfter.UTC().Format(time.DateTime)
	case now.Before(leaf.NotBefore):
		return "not valid before " + leaf.NotBefore.UTC().Format(time.DateTime)
	case len(leaf.DNSNames) == 0 && len(leaf.IPAddresses) == 0:
		return "names no host: clients look at the subject alternative names alone"
	}
	return ""
}

// Covers reports whether the certificate is valid for that name: a host, a wildcard or an address.
func (f *Files) Covers(name string) bool { return covers(f.Leaf(), name) }

// Reload reads the files anew where they were changed, and reports whether the certificate is another one now.
// With an error the last good pair stays, and the next call reads again.
func (f *Files) Reload() (bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	changed, err := f.reload(time.Now())
	if err != nil {
		f.seen = stamp{}
		f.problem.Store(&err)
	} else {
		f.problem.Store(nil)
	}
	return changed, err
}

// reload is Reload. f.mu is held.
func (f *Files) reload(now time.Time) (bool, error) {
	infos, err := f.stat()
	if err != nil || f.seen.same(infos) {
		return false, err
	}
	pair, err := f.read()
	if err != nil {
		return false, err
	}
	f.seen = stamp{infos, now}
	old := f.current.Load()
	if old != nil && equalPairs(old, pair) {
		return false, nil
	}
	f.current.Store(pair)
	return true, nil
}

func (f *Files) stat() (infos [2]os.FileInfo, err error) {
	for i, name := range [2]string{f.certificate, f.key} {
		if infos[i], err = os.Stat(name); err != nil {
			return infos, err
		}
	}
	return infos, nil
}

// same reports whether files that look like infos are those that were read.
func (s stamp) same(infos [2]os.FileInfo) bool {
	for i, now := range infos {
		was := s.infos[i]
		if was == nil || !os.SameFile(was, now) || was.Size() != now.Size() || !was.ModTime().Equal(now.ModTime()) {
			return false
		}
		if s.read.Sub(was.ModTime()) < settled {
			return false
		}
	}
	return true
}

func (f *Files) read() (*tls.Certificate, error) {
	certificate, err := bounded.ReadFile(f.certificate, maxFile)
	if err != nil {
		return nil, err
	}
	key, err := bounded.ReadFile(f.key, maxFile)
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		return nil, f.explain(certificate, key, err)
	}
	return &pair, nil
}

// explain says in plain words why two files are no certificate with its key, and what to do about it.
func (f *Files) explain(certificate, key []byte, err error) error {
	inFirst, inSecond := pemTypes(certificate), pemTypes(key)
	isKey := func(kind string) bool { return strings.HasSuffix(kind, "PRIVATE KEY") }
	hasCertificate := slices.Contains(inFirst, "CERTIFICATE")
	switch hasKey := slices.ContainsFunc(inSecond, isKey); {
	case len(inFirst) == 0:
		return fmt.Errorf("%q is not in PEM form (-----BEGIN CERTIFICATE-----): is it the right file? One in DER form is converted by openssl x509 -inform der", f.certificate)
	case !hasCertificate && slices.ContainsFunc(inFirst, isKey):
		return fmt.Errorf("%q has a private key and no certificate: are certificate and key exchanged?", f.certificate)
	case !hasCertificate:
		return fmt.Errorf("%q has no certificate, but %s", f.certificate, strings.Join(inFirst, ", "))
	case !hasKey && f.key == f.certificate:
		return fmt.Errorf("%q has no private key: name the file that has it (key = \"...\")", f.certificate)
	case !hasKey:
		return fmt.Errorf("%q has no private key in PEM form: is it the right file?", f.key)
	case slices.Contains(inSecond, "ENCRYPTED PRIVATE KEY"), bytes.Contains(key, []byte("Proc-Type: 4,ENCRYPTED")):
		return fmt.Errorf("the private key in %q has a passphrase, which nobody is there to type: take it off with openssl pkey, and keep the file for weir's user alone", f.key)
	case strings.Contains(err.Error(), "does not match"):
		return fmt.Errorf("the private key in %q is not that of the certificate in %q: was one of them replaced without the other?", f.key, f.certificate)
	}
	return fmt.Errorf("certificate %q with key %q: %w", f.certificate, f.key, err)
}

// pemTypes are the types of the blocks in a PEM file, in order.
func pemTypes(text []byte) (types []string) {
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			return types
		}
		types = append(types, block.Type)
	}
}
