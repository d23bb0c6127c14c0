package assemble

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// clientAuthority makes an authority, in PEM, and the certificate of a client that it has signed.
func clientAuthority(t *testing.T) (root []byte, client tls.Certificate) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	own, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), NotAfter: time.Now().Add(time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	rootDER, err := x509.CreateCertificate(rand.Reader, ca, ca, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	if ca, err = x509.ParseCertificate(rootDER); err != nil {
		t.Fatal(err)
	}
	leafDER, err := x509.CreateCertificate(rand.Reader, leaf, ca, &own.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	root = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: rootDER})
	return root, tls.Certificate{Certificate: [][]byte{leafDER}, PrivateKey: own}
}

// Who was let in by an authority that is asked no more does not stay in.
func TestClientAuthorityChanges(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "ca.pem")
	keep := func(pem []byte) {
		t.Helper()
		if err := os.WriteFile(file, pem, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	first, client := clientAuthority(t)
	second, other := clientAuthority(t)
	keep(first)
	b := start(t, http.NotFoundHandler(), strings.ReplaceAll(`
state_dir = "DIR/state"
listener "https" {
  address = "127.0.0.1:0"
  tls {
    client_ca = "DIR/ca.pem"
  }
}
site "a.test" {
  tls = "internal"
  respond "/*" { status = 204 }
}
`, "DIR", dir))
	dial := func(c tls.Certificate) (*tls.Conn, *bufio.Reader) {
		t.Helper()
		config := &tls.Config{ServerName: "a.test", InsecureSkipVerify: true, Certificates: []tls.Certificate{c}}
		conn, err := tls.Dial("tcp", b.Addr("https").String(), config)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		return conn, bufio.NewReader(conn)
	}
	ask := func(conn *tls.Conn, in *bufio.Reader) int {
		io.WriteString(conn, "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
		r, err := http.ReadResponse(in, nil)
		if err != nil {
			return 0
		}
		return r.StatusCode
	}
	reload := func() {
		t.Helper()
		if _, err := b.Reload(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	idle, idleIn := dial(client)
	if got := ask(idle, idleIn); got != 204 {
		t.Fatalf("a client of the authority: %d", got)
	}
	reload()
	if got := ask(idle, idleIn); got != 204 {
		t.Fatalf("after a reload that changes nothing: %d", got)
	}
	fresh, freshIn := dial(client)
	if err := awaitOpen(b, 2); err != nil {
		t.Fatal(err)
	}
	keep(second)
	reload()
	if got := ask(fresh, freshIn); got != 421 {
		t.Errorf("a client of the former authority that asks for the first time: %d, want 421", got)
	}
	if _, err := idleIn.ReadByte(); err != io.EOF {
		t.Errorf("a client of the former authority that was idle: %v, want the end", err)
	}
	if got := ask(dial(client)); got != 0 {
		t.Errorf("a client of the former authority comes back: %d", got)
	}
	if got := ask(dial(other)); got != 204 {
		t.Errorf("a client of the authority of today: %d", got)
	}
}

// awaitOpen waits until the listener has served n handshakes.
func awaitOpen(b *bench, n uint64) error {
	ctx, cancel := context.WithTimeout(b.t.Context(), 10*time.Second)
	defer cancel()
	for b.Status().Listeners[0].Handshakes.Succeeded < n && ctx.Err() == nil {
		time.Sleep(time.Millisecond)
	}
	return ctx.Err()
}

// A site that turns out to be broken has no certificate ordered.
func TestBrokenSitesOrderNothing(t *testing.T) {
	b := start(t, http.NotFoundHandler(), strings.ReplaceAll(`
state_dir = "DIR"
listener "http" { address = "127.0.0.1:0" }
listener "https" {
  address = "127.0.0.1:0"
  tls {}
}
acme {
  ca        = ["https://127.0.0.1:1/directory"]
  resolvers = ["127.0.0.1:1"]
}
site "good.test" {
  respond "/*" { status = 204 }
}
site "bad.test" {
  respond "/*" { status = 204 }
  expect "GET /" { status = 200 }
}
`, "DIR", t.TempDir()))
	if got := b.current.Load().acmeNames; !slices.Equal(got, []string{"good.test"}) {
		t.Errorf("ordered: %q", got)
	}
}
