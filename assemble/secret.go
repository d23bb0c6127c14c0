package assemble

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
)

const secretSize = 32

// secretOf returns the secret that is kept in the state folder, made at its first use, so that what clients keep
// (sticky cookies) counts after a restart, too. Where there is no such folder, or it cannot be written, there is
// no secret.
func secretOf(folder string, log *slog.Logger) []byte {
	name := filepath.Join(folder, "secret")
	secret, err := os.ReadFile(name)
	if err == nil && len(secret) == secretSize {
		return secret
	}
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		if secret, err = makeSecret(name); err == nil {
			return secret
		}
	}
	log.Debug("no secret is kept", "file", name, "error", err)
	return nil
}

func makeSecret(name string) ([]byte, error) {
	secret := make([]byte, secretSize)
	rand.Read(secret)
	f, err := os.CreateTemp(filepath.Dir(name), ".secret")
	if err != nil {
		return nil, err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(secret)
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	return secret, os.Rename(f.Name(), name)
}
