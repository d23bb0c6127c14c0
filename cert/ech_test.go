package cert

import (
	"bytes"
	"crypto/tls"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestEncryptedHellos(t *testing.T) {
	authority := newCA(t)
	file := filepath.Join(t.TempDir(), "ech", "key.pem")
	e, err := NewECH(file, "public.example")
	if err != nil {
		t.Fatal(err)
	}
	table := newTable(t, Entry{Names: []string{"secret.example", "public.example"}, Source: fixed{authority.leaf(t, nil, "secret.example", "public.example")}})
	server := Policy{ECH: []tls.EncryptedClientHelloKey{e.Key()}}.ServerConfig(table, NewTickets(0))
	client := func(e *ECH) *tls.Config {
		return &tls.Config{ServerName: "secret.example", RootCAs: authority.pool(), MinVersion: tls.VersionTLS13, EncryptedClientHelloConfigList: e.ConfigList()}
	}
	m := meet(t, server, client(e))
	if m.clientErr != nil || !m.client.ECHAccepted || m.server.ServerName != "secret.example" {
		t.Errorf("%v, accepted %v, name %q", m.clientErr, m.client.ECHAccepted, m.server.ServerName)
	}
	// A client with another key is told the right one.
	other, err := NewECH(filepath.Join(t.TempDir(), "key.pem"), "public.example")
	if err != nil {
		t.Fatal(err)
	}
	m = meet(t, server, client(other))
	var rejected *tls.ECHRejectionError
	if !errors.As(m.clientErr, &rejected) || !bytes.Equal(rejected.RetryConfigList, e.ConfigList()) {
		t.Errorf("%v", m.clientErr)
	}
	if again, err := NewECH(file, "other.example"); err != nil || again.Parameter() != e.Parameter() {
		t.Errorf("another key after a restart, %v", err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	writeFile(t, file, []byte("torn"))
	if _, err := NewECH(file, "public.example"); err == nil {
		t.Error("a broken file is replaced silently")
	}
	for _, n := range []string{"", "192.0.2.1", "*.example"} {
		if _, err := NewECH(filepath.Join(t.TempDir(), "key.pem"), n); err == nil {
			t.Errorf("%q is a public name", n)
		}
	}
}
