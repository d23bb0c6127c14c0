package assemble

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"weir/cert"
	"weir/observe"
)

// keepPair writes a certificate for a name to pair.pem and pair.key in a folder.
func keepPair(t *testing.T, dir, name string) {
	t.Helper()
	a, err := cert.NewAuthority(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	source, err := a.For(name)
	if err != nil {
		t.Fatal(err)
	}
	c, err := source.Certificate(&tls.ClientHelloInfo{ServerName: name})
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	for file, text := range map[string][]byte{
		"pair.key": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}),
		"pair.pem": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate[0]}),
	} {
		if err := os.WriteFile(filepath.Join(dir, file), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// startSealed serves a site with a certificate from files, one with two of weir's own, and a listener without TLS.
func startSealed(t *testing.T) (b *bench, dir string) {
	t.Helper()
	dir = t.TempDir()
	keepPair(t, dir, "files.test")
	return start(t, http.NotFoundHandler(), strings.ReplaceAll(`
state_dir = "DIR/state"
listener "http" { address = "127.0.0.1:0" }
listener "https" {
  address = "127.0.0.1:0"
  tls {}
}
site "files.test" {
  tls {
    certificate = "DIR/pair.pem"
    key         = "DIR/pair.key"
  }
  respond "/*" { status = 204 }
}
site "own.test" {
  hosts = ["own.test", "*.own.test"]
  tls   = "internal"
  respond "/*" { status = 204 }
}
`, "DIR", dir)), dir
}

// greet asks for a name and returns the certificate's serial number.
func greet(t *testing.T, b *bench, name string) string {
	t.Helper()
	c, err := tls.Dial("tcp", b.Addr("https").String(), &tls.Config{ServerName: name, InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	io.WriteString(c, "GET / HTTP/1.1\r\nHost: "+name+"\r\nConnection: close\r\n\r\n")
	if _, err := io.ReadAll(c); err != nil { // only then weir, too, is done with the handshake
		t.Fatal(err)
	}
	return c.ConnectionState().PeerCertificates[0].SerialNumber.Text(16)
}

func certificate(t *testing.T, list []observe.CertificateStatus, name string) observe.CertificateStatus {
	t.Helper()
	i := slices.IndexFunc(list, func(c observe.CertificateStatus) bool { return c.Name() == name })
	if i < 0 {
		t.Fatalf("no certificate for %s in %+v", name, list)
	}
	return list[i]
}

func TestStatusHasCertificates(t *testing.T) {
	b, dir := startSealed(t)
	serial := greet(t, b, "own.test")
	s := b.Status()
	if len(s.Certificates) != 3 {
		t.Errorf("%+v", s.Certificates)
	}
	files := certificate(t, s.Certificates, "files.test")
	if files.Kind != "files" || files.State != observe.CertificateOK || files.File != filepath.Join(dir, "pair.pem") || !files.Renewal.IsZero() {
		t.Errorf("%+v", files)
	}
	own := certificate(t, s.Certificates, "own.test")
	if own.Kind != "internal" || own.State != observe.CertificateOK || own.Serial != serial || own.Renewal.IsZero() {
		t.Errorf("%+v", own)
	}
	if wild := certificate(t, s.Certificates, "*.own.test"); wild.State != observe.CertificateUnasked || wild.Issuer == "" {
		t.Errorf("%+v", wild)
	}
	for _, l := range s.Listeners {
		switch {
		case l.Name == "http" && (l.TLS || strings.Join(l.Protocols, " ") != "h1" || l.Handshakes.Ways != nil):
			t.Errorf("%+v", l)
		case l.Name == "https" && (!l.TLS || strings.Join(l.Protocols, " ") != "h1 h2 h3" || l.Handshakes.Succeeded != 1):
			t.Errorf("%+v", l)
		}
	}
	b.edit(`hosts = ["own.test", "*.own.test"]`, `hosts = ["own.test"]`)
	if _, err := b.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := len(b.Status().Certificates); n != 2 {
		t.Errorf("%d certificates after a reload without one of three", n)
	}
}

func TestRenew(t *testing.T) {
	b, dir := startSealed(t)
	if _, err := b.Root(); err != nil {
		t.Error(err)
	}
	first := greet(t, b, "www.own.test")
	now, err := b.Renew(t.Context(), "WWW.own.test")
	if err != nil || len(now) != 1 || now[0].Name() != "*.own.test" || now[0].Serial == first {
		t.Errorf("%+v, %v", now, err)
	}
	if next := greet(t, b, "www.own.test"); next != now[0].Serial {
		t.Errorf("clients are shown %s, not %s", next, now[0].Serial)
	}

	if _, err := b.Renew(t.Context(), "files.test"); err == nil || !strings.Contains(err.Error(), "pair.pem, which has not changed") {
		t.Errorf("a file that nobody has changed: %v", err)
	}
	keepPair(t, dir, "files.test")
	if now, err = b.Renew(t.Context(), "files.test"); err != nil || greet(t, b, "files.test") != now[0].Serial {
		t.Errorf("a file that was changed: %+v, %v", now, err)
	}

	if _, err := b.Renew(t.Context(), "other.test"); !errors.Is(err, cert.ErrNoName) {
		t.Errorf("a name that nobody has: %v", err)
	}
}
