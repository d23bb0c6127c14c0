package cert

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/mholt/acmez/v3/acme"

	"weir/internal/bounded"
)

// accountBlock is the PEM type of what a CA said of an account, in JSON.
const accountBlock = "ACME ACCOUNT"

// An account at a CA is kept in one file: its key, and what the CA said of it.

// account returns the account at the CA of a client, from its file or newly registered. Only one of several
// goroutines and processes registers.
func (m *Manager) account(ctx context.Context, s *settings, ca CA, client *acme.Client) (acme.Account, error) {
	file := accountFile(s, ca)
	name := "account-" + ca.key()
	if err := m.locks.lock(ctx, name); err != nil {
		return acme.Account{}, err
	}
	defer m.locks.unlock(name)
	a, err := readAccount(file)
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		return a, err
	}
	if a, err = register(ctx, s, ca, client); err != nil {
		return a, err
	}
	return a, writeAccount(file, a)
}

func accountFile(s *settings, ca CA) string {
	name := "default"
	if s.Email != "" {
		name = fileName(s.Email)
	}
	return filepath.Join(s.dir, "accounts", ca.key(), name+".pem")
}

// dropAccount removes an account that the CA says it does not know any more, as one that was set up anew does. It
// reports whether it did: then another one is registered with the next order.
func (m *Manager) dropAccount(s *settings, ca CA, err error) bool {
	var p acme.Problem
	if !errors.As(err, &p) || p.Type != acme.ProblemTypeAccountDoesNotExist {
		return false
	}
	m.log.Warn("the CA does not know weir's account any more: another one is made", "ca", ca.String())
	return os.Remove(accountFile(s, ca)) == nil
}

func register(ctx context.Context, s *settings, ca CA, client *acme.Client) (acme.Account, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return acme.Account{}, err
	}
	a := acme.Account{TermsOfServiceAgreed: true, PrivateKey: key}
	if s.Email != "" {
		a.Contact = []string{"mailto:" + s.Email}
	}
	eab := ca.EAB
	if eab == nil && ca.register != nil {
		if eab, err = ca.register(ctx, client.HTTPClient, s.Email); err != nil {
			return a, err
		}
	}
	if eab != nil {
		if err := a.SetExternalAccountBinding(ctx, client, eab.acme()); err != nil {
			return a, fmt.Errorf("external account binding: %w", err)
		}
	}
	return client.NewAccount(ctx, a)
}

func readAccount(file string) (a acme.Account, err error) {
	text, err := bounded.ReadFile(file, maxFile)
	if err != nil {
		return a, err
	}
	for len(text) > 0 {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			break
		}
		switch block.Type {
		case accountBlock:
			err = json.Unmarshal(block.Bytes, &a)
		case "EC PRIVATE KEY":
			a.PrivateKey, err = x509.ParseECPrivateKey(block.Bytes)
		}
		if err != nil {
			return a, fmt.Errorf("%q: %w", file, err)
		}
	}
	if a.PrivateKey == nil || a.Location == "" {
		return a, fmt.Errorf("%q is no account at a CA: remove it, and another one is made", file)
	}
	return a, nil
}

func writeAccount(file string, a acme.Account) error {
	text, err := json.Marshal(a)
	if err != nil {
		return err
	}
	key, err := x509.MarshalECPrivateKey(a.PrivateKey.(*ecdsa.PrivateKey))
	if err != nil {
		return err
	}
	return replace(file, append(encodePEM("EC PRIVATE KEY", key), encodePEM(accountBlock, text)...))
}
