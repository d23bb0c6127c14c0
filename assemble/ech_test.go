package assemble

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"weir/cert"
	"weir/config"
)

// A tap is a connection of which what is said is kept.
type tap struct {
	net.Conn
	mu   sync.Mutex // protects said
	said bytes.Buffer
}

func (c *tap) Write(p []byte) (int, error) {
	c.mu.Lock()
	c.said.Write(p)
	c.mu.Unlock()
	return c.Conn.Write(p)
}

// hello shakes hands for a name with an encrypted hello, and returns what became of it and what went over the wire.
func (b *bench) hello(listener, name string, list []byte) (tls.ConnectionState, string, error) {
	b.t.Helper()
	raw, err := net.Dial("tcp", b.Addr(listener).String())
	if err != nil {
		b.t.Fatal(err)
	}
	defer raw.Close()
	root, err := b.Root()
	if err != nil {
		b.t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(root)
	wire := &tap{Conn: raw}
	c := tls.Client(wire, &tls.Config{ServerName: name, RootCAs: pool, EncryptedClientHelloConfigList: list, MinVersion: tls.VersionTLS13})
	ctx, cancel := context.WithTimeout(b.t.Context(), 20*time.Second)
	defer cancel()
	err = c.HandshakeContext(ctx)
	wire.mu.Lock()
	defer wire.mu.Unlock()
	return c.ConnectionState(), wire.said.String(), err
}

func TestEncryptedHellos(t *testing.T) {
	dir := t.TempDir()
	b := start(t, http.NotFoundHandler(), strings.ReplaceAll(`
state_dir = "DIR/state"
listener "https" {
  address = "127.0.0.1:0"
  tls {
    ech {
      public_name = "cover.test.internal"
      keep        = 1
    }
  }
}
site "secret.internal" {
  tls {
    from    = "internal"
    minimum = "1.3"
  }
  respond "/*" { status = 204 }
}
`, "DIR", dir))
	ech := &config.ECH{PublicName: "cover.test.internal", Keep: 1}
	state := filepath.Join(dir, "state")
	first, err := ECHKeys(state, ech)
	if err != nil || len(first) != 1 {
		t.Fatal(len(first), err)
	}
	files, _ := filepath.Glob(filepath.Join(state, ECHFolder, "*", "*.pem"))
	if info, err := os.Stat(files[0]); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	accepted := func(keys cert.ECHKeys) {
		t.Helper()
		state, wire, err := b.hello("https", "secret.internal", keys[0].ConfigList())
		if err != nil || !state.ECHAccepted || state.PeerCertificates[0].VerifyHostname("secret.internal") != nil {
			t.Errorf("%v, accepted %v", err, state.ECHAccepted)
		}
		if strings.Contains(wire, "secret") || !strings.Contains(wire, "cover.test.internal") {
			t.Error("the wire tells the wrong name")
		}
	}
	accepted(first)
	rotate := func() cert.ECHKeys {
		t.Helper()
		keys, err := RotateECH(state, ech, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		return keys
	}
	second := rotate()
	accepted(second)
	accepted(first) // still
	third := rotate()
	var rejected *tls.ECHRejectionError
	_, wire, err := b.hello("https", "secret.internal", first[0].ConfigList())
	if !errors.As(err, &rejected) || !bytes.Equal(rejected.RetryConfigList, third[0].ConfigList()) || strings.Contains(wire, "secret") {
		t.Errorf("with a stale key: %v", err)
	}
	accepted(second)
	accepted(third)
	if kept, _ := filepath.Glob(filepath.Join(state, ECHFolder, "*", "*.pem")); len(kept) != 2 {
		t.Errorf("%d keys are kept", len(kept))
	}
}

// The name that everybody sees has a certificate, from whoever has one.
func TestPublicNameIsCovered(t *testing.T) {
	dir := t.TempDir()
	keepPair(t, dir, "cover.test.internal")
	b := start(t, http.NotFoundHandler(), strings.ReplaceAll(`
state_dir = "DIR/state"
listener "site" {
  address = "127.0.0.1:0"
  tls {
    ech { public_name = "own.internal" }
  }
}
listener "files" {
  address = "127.0.0.1:0"
  tls {
    certificate = "DIR/pair.pem"
    key         = "DIR/pair.key"
    ech { public_name = "cover.test.internal" }
  }
}
site "own.internal" {
  respond "/*" { status = 204 }
}
`, "DIR", dir))
	if state, _, err := b.hello("site", "own.internal", nil); err != nil || len(state.PeerCertificates) == 0 {
		t.Error(err)
	}
	if got := b.askSealed("files", "cover.test.internal", "own.internal"); got != 421 && got != 204 {
		t.Errorf("status %d", got)
	}
	all, _ := b.Engine.certs.status(b.Engine.current.Load(), time.Now())
	if len(all) != 2 {
		t.Errorf("%d certificates, want that of the site and that of the listener: %+v", len(all), all)
	}
}
