package cert

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if config := os.Getenv(childConfig); config != "" {
		runChild(config)
	}
	goleak.VerifyTestMain(m)
}

// A ca signs certificates for tests.
type ca struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

func newCA(t testing.TB) *ca {
	t.Helper()
	c := &ca{key: newKey(t)}
	template := &x509.Certificate{
		SerialNumber: serial(t), Subject: pkix.Name{CommonName: t.Name()}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	c.certificate = sign(t, template, template, c.key, c.key)
	return c
}

func (c *ca) pem() []byte { return encodePEM("CERTIFICATE", c.certificate.Raw) }

func (c *ca) pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(c.certificate)
	return p
}

// leaf makes a certificate for the names; change may alter it before it is signed.
func (c *ca) leaf(t testing.TB, change func(*x509.Certificate), names ...string) *tls.Certificate {
	t.Helper()
	key := newKey(t)
	template := &x509.Certificate{
		SerialNumber: serial(t), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	for _, n := range names {
		if ip := net.ParseIP(n); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, n)
		}
	}
	if change != nil {
		change(template)
	}
	leaf := sign(t, template, c.certificate, key, c.key)
	return &tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: key, Leaf: leaf}
}

// rsaLeaf makes a certificate with an RSA key of so many bits.
func (c *ca) rsaLeaf(t testing.TB, bits int, names ...string) *tls.Certificate {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	template := c.leaf(t, nil, names...).Leaf
	leaf := sign(t, template, c.certificate, key, c.key)
	return &tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: key, Leaf: leaf}
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func serial(t testing.TB) *big.Int {
	t.Helper()
	n, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func sign(t testing.TB, template, parent *x509.Certificate, key, signer crypto.Signer) *x509.Certificate {
	t.Helper()
	raw, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(raw)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// write puts a certificate and its key into two files of a folder and returns their names.
func write(t testing.TB, dir string, c *tls.Certificate) (certificate, key string) {
	t.Helper()
	var chain bytes.Buffer
	for _, raw := range c.Certificate {
		pem.Encode(&chain, &pem.Block{Type: "CERTIFICATE", Bytes: raw})
	}
	raw, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	certificate, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	writeFile(t, certificate, chain.Bytes())
	writeFile(t, key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw}))
	return certificate, key
}

func writeFile(t testing.TB, name string, content []byte) {
	t.Helper()
	if err := os.WriteFile(name, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// fixed is a source of one certificate.
type fixed struct{ c *tls.Certificate }

func (f fixed) Certificate(*tls.ClientHelloInfo) (*tls.Certificate, error) { return f.c, nil }

func newTable(t testing.TB, entries ...Entry) *Table {
	t.Helper()
	table, err := NewTable(entries)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// A meeting is what both sides of a handshake have to say of it.
type meeting struct {
	server, client       tls.ConnectionState
	serverErr, clientErr error
}

// meet has a client and a server shake hands over loopback and say a byte each.
func meet(t testing.TB, server, client *tls.Config) meeting {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var m meeting
	var both sync.WaitGroup
	both.Go(func() {
		c, err := l.Accept()
		if err != nil {
			m.serverErr = err
			return
		}
		m.server, m.serverErr = greet(tls.Server(c, server), "s", "c")
	})
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	m.client, m.clientErr = greet(tls.Client(c, client), "c", "s")
	both.Wait()
	return m
}

// greet shakes hands, says one thing and hears another.
func greet(c *tls.Conn, say, hear string) (tls.ConnectionState, error) {
	defer c.Close()
	c.SetDeadline(time.Now().Add(20 * time.Second))
	if err := c.HandshakeContext(context.Background()); err != nil {
		return c.ConnectionState(), err
	}
	if _, err := io.WriteString(c, say); err != nil {
		return c.ConnectionState(), err
	}
	heard := make([]byte, len(hear))
	_, err := io.ReadFull(c, heard)
	return c.ConnectionState(), err
}

// A journal keeps the event log for tests.
type journal struct {
	mu  sync.Mutex // protects buf
	buf bytes.Buffer
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.buf.Write(b)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.buf.String()
}

func (j *journal) logger() *slog.Logger { return slog.New(slog.NewTextHandler(j, nil)) }

func helloFor(name string) *tls.ClientHelloInfo { return &tls.ClientHelloInfo{ServerName: name} }
