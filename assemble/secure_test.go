package assemble

import (
	"bufio"
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// askSealed asks the encrypted listener for host on a connection that was agreed on for name, without a certificate.
func (b *bench) askSealed(listener, name, host string) int {
	b.t.Helper()
	c := &http.Client{
		Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{ServerName: name, InsecureSkipVerify: true}},
	}
	q, err := http.NewRequest("GET", "https://"+b.Addr(listener).String()+"/", nil)
	if err != nil {
		b.t.Fatal(err)
	}
	q.Host = host
	r, err := c.Do(q)
	if err != nil {
		b.t.Log(err)
		return 0
	}
	defer r.Body.Close()
	io.Copy(io.Discard, r.Body)
	return r.StatusCode
}

// Who is let in by a site that asks for no certificate does not get at those that ask as their listener does, nor by a
// listener that asks for none at those that ask there.
func TestClientCertificatesOfListener(t *testing.T) {
	dir := t.TempDir()
	keepPair(t, dir, "a.test")
	b := start(t, http.NotFoundHandler(), strings.ReplaceAll(`
state_dir = "DIR/state"
listener "open" {
  address = "127.0.0.1:0"
  tls {}
}
listener "https" {
  address = "127.0.0.1:0"
  tls {
    client_ca = "DIR/pair.pem"
  }
}
site "open.test" {
  tls {
    from   = "internal"
    verify = "off"
  }
  respond "/*" { status = 204 }
}
site "closed.test" {
  tls = "internal"
  respond "/*" { status = 204 }
}
site "modern.test" {
  tls {
    from    = "internal"
    minimum = "1.3"
  }
  respond "/*" { status = 204 }
}
`, "DIR", dir))
	for _, c := range []struct {
		listener, name, host string
		want                 int
	}{
		{"https", "open.test", "open.test", 204},
		{"https", "closed.test", "closed.test", 0},
		{"https", "open.test", "closed.test", 421},
		{"https", "modern.test", "modern.test", 0},
		{"https", "open.test", "modern.test", 421},
		{"open", "closed.test", "closed.test", 204},
		{"open", "open.test", "closed.test", 204},
		{"open", "modern.test", "modern.test", 204},
	} {
		if got := b.askSealed(c.listener, c.name, c.host); got != c.want {
			t.Errorf("%s: agreed on for %s, asked %s: %d, want %d", c.listener, c.name, c.host, got, c.want)
		}
	}
}

// Certificates are asked for by a site for any host, too, and not to be avoided by the name of a site whose wildcard
// another one has, nor on a connection from the time before.
func TestClientCertificatesOfSites(t *testing.T) {
	dir := t.TempDir()
	keepPair(t, dir, "a.test")
	b := start(t, http.NotFoundHandler(), strings.ReplaceAll(`
state_dir = "DIR/state"
listener "https" {
  address = "127.0.0.1:0"
  tls {
    certificate = "DIR/pair.pem"
    key         = "DIR/pair.key"
  }
}
site "any" {
  hosts = ["*"]
  tls {
    client_ca = "DIR/pair.pem"
  }
  respond "/*" { status = 204 }
}
site "free.wild.test" {
  tls = "internal"
  respond "/*" { status = 204 }
}
site "*.wild.test" {
  tls {
    from      = "internal"
    client_ca = "DIR/pair.pem"
  }
  respond "/*" { status = 204 }
}
`, "DIR", dir))
	for _, c := range []struct {
		name, host string
		want       int
	}{
		{"x.test", "x.test", 0},
		{"free.wild.test", "free.wild.test", 204},
		{"free.wild.test", "x.test", 421},
		{"free.wild.test", "x.wild.test", 421},
		{"x.wild.test", "x.wild.test", 0},
	} {
		if got := b.askSealed("https", c.name, c.host); got != c.want {
			t.Errorf("agreed on for %s, asked %s: %d, want %d", c.name, c.host, got, c.want)
		}
	}
	before, err := tls.Dial("tcp", b.Addr("https").String(), &tls.Config{ServerName: "free.wild.test", InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer before.Close()
	b.edit(`tls = "internal"`, "tls {\n    from      = \"internal\"\n    client_ca = \""+dir+"/pair.pem\"\n  }")
	if _, err := b.Reload(context.Background()); err != nil {
		t.Fatal(err)
	}
	io.WriteString(before, "GET / HTTP/1.1\r\nHost: free.wild.test\r\n\r\n")
	r, err := http.ReadResponse(bufio.NewReader(before), nil)
	if err != nil || r.StatusCode != 421 {
		t.Errorf("agreed on before: %v, %v; want 421", r, err)
	}
}

// A site that asks clients for certificates is served to nobody where there is no encryption to ask by.
func TestClientCertificatesWithoutTLS(t *testing.T) {
	dir := t.TempDir()
	keepPair(t, dir, "a.test")
	b := start(t, http.NotFoundHandler(), strings.ReplaceAll(`
state_dir = "DIR/state"
listener "http" { address = "127.0.0.1:0" }
site "a.test" {
  tls {
    from      = "internal"
    client_ca = "DIR/pair.pem"
  }
  respond "/*" { body = "secret" }
}
site "b.test" {
  respond "/*" { body = "open" }
}
`, "DIR", dir))
	b.want("b.test", "/", 200, "open")
	if status, body := b.get("a.test", "/"); status != 503 || strings.Contains(body, "secret") {
		t.Errorf("%d %q", status, body)
	}
}

// A listener that is broken stays as it was, and what it encrypts is not to be had without.
func TestBrokenListenerStaysEncrypted(t *testing.T) {
	dir := t.TempDir()
	b := start(t, http.NotFoundHandler(), strings.ReplaceAll(`
state_dir = "DIR/state"
listener "http" { address = "127.0.0.1:0" }
listener "https" {
  address = "127.0.0.1:0"
  tls {}
}
site "a.test" {
  tls = "internal"
  respond "/*" { status = 204 }
}
`, "DIR", dir))
	b.want("a.test", "/", 301, "https://a.test")
	for _, broken := range []string{"tls { minimum = \"9\" }", "tls { minimum = \"8\" }"} {
		b.edit("tls {}", broken)
		if _, err := b.Reload(context.Background()); err != nil {
			t.Fatal(err)
		}
		b.want("a.test", "/", 301, "https://a.test")
		if got := b.askSealed("https", "a.test", "a.test"); got != 204 {
			t.Errorf("encrypted: %d", got)
		}
		b.edit(broken, "tls {}")
	}
}

// The same goes for one whose file cannot be read any more.
func TestListenerOfBrokenFileStays(t *testing.T) {
	dir := t.TempDir()
	part := filepath.Join(dir, "tls.hcl")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(part, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("listener \"https\" {\n  address = \"127.0.0.1:0\"\n  tls {}\n}\n")
	b := start(t, http.NotFoundHandler(), strings.ReplaceAll(`
state_dir = "DIR/state"
include   = ["DIR/*.hcl"]
listener "http" { address = "127.0.0.1:0" }
site "a.test" {
  tls = "internal"
  respond "/*" { status = 204 }
}
`, "DIR", dir))
	b.want("a.test", "/", 301, "https://a.test")
	write("}}} listener")
	if _, err := b.Reload(context.Background()); err != nil {
		t.Fatal(err)
	}
	b.want("a.test", "/", 301, "https://a.test")
	if got := b.askSealed("https", "a.test", "a.test"); got != 204 {
		t.Errorf("encrypted: %d", got)
	}
}

// A file of authorities that is spoilt takes nothing down that was served with it, and lets nobody in.
func TestAuthoritiesAreKept(t *testing.T) {
	dir := t.TempDir()
	keepPair(t, dir, "a.test")
	b := start(t, echo, strings.ReplaceAll(`
state_dir = "DIR/state"
listener "http" { address = "127.0.0.1:0" }
listener "https" {
  address = "127.0.0.1:0"
  tls {}
}
upstream "app" {
  server "ORIGIN" {}
}
upstream "far" {
  server "127.0.0.1:1" {}
  tls {
    ca = "DIR/pair.pem"
  }
}
site "a.test" {
  route "/*" { proxy = upstream.app }
  route "/far/*" { proxy = upstream.far }
  tls {
    from      = "internal"
    redirect  = false
  }
}
site "b.test" {
  tls {
    from      = "internal"
    client_ca = "DIR/pair.pem"
  }
  respond "/*" { status = 204 }
}
site "c.test" {
  tls = "internal"
  respond "/*" { status = 204 }
}
`, "DIR", dir))
	b.want("a.test", "/", 200, "GET a.test/")
	if err := os.WriteFile(filepath.Join(dir, "pair.pem"), []byte("spoilt"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := b.Reload(context.Background()); err != nil {
			t.Fatal(err)
		}
		b.want("a.test", "/", 200, "GET a.test/")
		b.want("b.test", "/", 301, "https://b.test")
		if got := b.askSealed("https", "c.test", "b.test"); got != 421 {
			t.Errorf("without a certificate: %d", got)
		}
	}
}

// Who is sent to https is not sent to the port of a unix socket.
func TestRedirectPastUnixSockets(t *testing.T) {
	dir := t.TempDir()
	b := start(t, http.NotFoundHandler(), strings.ReplaceAll(`
state_dir = "DIR/state"
listener "http" { address = "127.0.0.1:0" }
listener "inside" {
  address = "unix:DIR/s"
  tls {}
}
site "a.test" {
  tls = "internal"
  respond "/*" { status = 204 }
}
`, "DIR", dir))
	if _, to := b.get("a.test", "/"); to != "https://a.test/" {
		t.Errorf("sent to %s", to)
	}
}
