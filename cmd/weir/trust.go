package main

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// A trustStore is a way of a system to keep the authorities that it trusts.
type trustStore struct {
	folder string // that certificates are put into
	tool   string // that is run then
	args   []string
}

// trustStores are those that are known, in the order in which they are looked for.
var trustStores = []trustStore{
	{"/usr/local/share/ca-certificates", "update-ca-certificates", nil},                // Debian, Ubuntu, Alpine
	{"/etc/pki/ca-trust/source/anchors", "update-ca-trust", []string{"extract"}},       // Fedora, RHEL
	{"/etc/pki/trust/anchors", "update-ca-certificates", nil},                          // SUSE
	{"/etc/ca-certificates/trust-source/anchors", "trust", []string{"extract-compat"}}, // Arch
}

// trustTime bounds how long a tool may run.
const trustTime = time.Minute

// trust adds a root in PEM to the first of the stores that is there, and says what it does.
func (c *cli) trust(ctx context.Context, stores []trustStore, root []byte) error {
	for _, s := range stores {
		tool, err := exec.LookPath(s.tool)
		if err != nil {
			continue
		}
		if info, err := os.Stat(s.folder); err == nil && info.IsDir() {
			return c.trustIn(ctx, s, tool, root)
		}
	}
	return exit{exitFailed, errors.New(`no store of trusted authorities is known here; write the root to a file,
  weir cert root > weir-root.pem
and add that as this system wants it, such as on macOS
  sudo security add-trusted-cert -d -r trustRoot -k /Library/Keychains/System.keychain weir-root.pem`)}
}

func (c *cli) trustIn(ctx context.Context, s trustStore, tool string, root []byte) error {
	name, err := rootFile(root)
	if err != nil {
		return exit{exitConfig, err}
	}
	file := filepath.Join(s.folder, name)
	if old, err := os.ReadFile(file); err != nil || !bytes.Equal(old, root) {
		if err := os.WriteFile(file, root, 0o644); err != nil {
			return failed(fmt.Errorf("%w; only root may have this machine trust somebody", err))
		}
	}
	fmt.Fprintf(c.out, "wrote %s\n", file)
	ctx, cancel := context.WithTimeout(ctx, trustTime)
	defer cancel()
	said, err := exec.CommandContext(ctx, tool, s.args...).CombinedOutput()
	line := strings.Join(append([]string{s.tool}, s.args...), " ")
	if err != nil {
		return failed(fmt.Errorf("%s: %w\n%s", line, err, bytes.TrimSpace(said)))
	}
	fmt.Fprintf(c.out, "ran %s\nThis machine trusts what weir's own authority signs. To end that, remove the file and run\nit again. Firefox and Java have stores of their own: add the file there, too.\n", line)
	return nil
}

// rootFile is what the file of a root is called: after the root, so that those of several weirs stand side by side.
func rootFile(root []byte) (string, error) {
	block, _ := pem.Decode(root)
	if block == nil {
		return "", errors.New("the root is not in PEM form")
	}
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return "", err
	}
	serial := fmt.Sprintf("%032x", c.SerialNumber)
	return "weir-internal-ca-" + serial[:8] + ".crt", nil
}
