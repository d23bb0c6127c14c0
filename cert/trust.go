package cert

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// A trustStore is where a kind of system keeps the roots that its administrator added.
type trustStore struct {
	dir, name string
	refresh   []string // the command that has them read
}

// trustStores are those of the usual systems.
var trustStores = []trustStore{
	{"/usr/local/share/ca-certificates", "weir.crt", []string{"update-ca-certificates"}},           // Debian, Ubuntu, Alpine
	{"/etc/pki/ca-trust/source/anchors", "weir.pem", []string{"update-ca-trust", "extract"}},       // Red Hat, Fedora
	{"/etc/ca-certificates/trust-source/anchors", "weir.crt", []string{"trust", "extract-compat"}}, // Arch
	{"/etc/pki/trust/anchors", "weir.pem", []string{"update-ca-certificates"}},                     // SUSE
}

// Trust has this machine trust a root, which takes the rights to change the system's trust store, and returns the
// file that was written. Browsers with stores of their own, such as Firefox, have to be told apart from it.
func Trust(ctx context.Context, rootPEM []byte) (string, error) {
	return trust(ctx, rootPEM, trustStores)
}

func trust(ctx context.Context, rootPEM []byte, stores []trustStore) (string, error) {
	for _, s := range stores {
		if !exists(s.dir) {
			continue
		}
		name := filepath.Join(s.dir, s.name)
		if err := os.WriteFile(name, rootPEM, 0o644); err != nil {
			return "", err
		}
		if out, err := exec.CommandContext(ctx, s.refresh[0], s.refresh[1:]...).CombinedOutput(); err != nil {
			return "", fmt.Errorf("%q is written, but %s: %w: %s", name, s.refresh[0], err, out)
		}
		return name, nil
	}
	return "", errors.New("this system's trust store is none that weir knows: print the root and add it by hand")
}
