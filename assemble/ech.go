package assemble

import (
	"crypto/tls"
	"fmt"
	"path/filepath"
	"time"

	"weir/cert"
	"weir/config"
)

// ECHFolder is what of state_dir belongs to keys for encrypted client hellos.
const ECHFolder = "ech"

func echFolder(state string) string { return filepath.Join(state, ECHFolder) }

// ECHKeys returns the keys for encrypted client hellos that are kept in a state_dir, the newest first. The error is one of
// fs.ErrNotExist where there is none yet.
func ECHKeys(state string, e *config.ECH) (cert.ECHKeys, error) {
	return cert.ReadECHKeys(echFolder(state), e.PublicName, e.Keep)
}

// RotateECH makes another key.
func RotateECH(state string, e *config.ECH, now time.Time) (cert.ECHKeys, error) {
	return cert.RotateECHKeys(echFolder(state), e.PublicName, e.Keep, now)
}

// echKeys are the keys of a listener.
func (b *builder) echKeys(e *config.ECH) ([]tls.EncryptedClientHelloKey, error) {
	if e == nil || b.engine.dry {
		return nil, nil
	}
	keys, err := cert.OpenECHKeys(echFolder(b.engine.certs.folder), e.PublicName, e.Keep)
	if err != nil {
		return nil, fmt.Errorf("ech: %w", err)
	}
	return keys.Keys(), nil
}

// cover returns the entry for the public name of encrypted hellos, where nothing else has a certificate for it. Clients with
// an old key need one: by it they know that the new key is the server's.
func (b *builder) cover(l *config.Listener, list []cert.Entry) ([]cert.Entry, error) {
	if l.TLS.ECH == nil {
		return nil, nil
	}
	table, err := cert.NewTable(list)
	name := l.TLS.ECH.PublicName
	if err != nil || table.Has(name) { // what is wrong with the entries is said where they are used
		return nil, nil
	}
	for _, e := range list {
		if f, ok := e.Source.(*cert.Files); ok && e.Default && f.Covers(name) {
			return nil, nil
		}
	}
	public, own := b.sort([]string{name})
	get := b.acme
	if len(own) > 0 {
		get = b.internal
	}
	source, err := get(append(public, own...)...)
	if err != nil {
		return nil, fmt.Errorf("ech: %w", err)
	}
	b.g.defaults = append(b.g.defaults, source)
	return []cert.Entry{{Names: []string{name}, Source: source}}, nil
}
