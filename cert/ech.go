package cert

import (
	"crypto/ecdh"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"

	"golang.org/x/crypto/cryptobyte"

	"weir/internal/bounded"
)

// Numbers of RFC 9849 4 and RFC 9180 7.
const (
	echVersion   = 0xfe0d
	kemX25519    = 0x0020 // DHKEM(X25519, HKDF-SHA256)
	kdfSHA256    = 0x0001 // HKDF-SHA256
	aeadAES128   = 0x0001 // AES-128-GCM
	aeadChaCha20 = 0x0003 // ChaCha20Poly1305

	maxPublicName = 255
)

// echBlock is the PEM type of a configuration, as other programs write it, too.
const echBlock = "ECHCONFIG"

// ECH is a key for encrypted client hellos (RFC 9849): who listens on the way sees the public name instead of that of
// the site. Clients find the configuration in the HTTPS record of the site's name; a server that has changed its key
// tells them the new one, as long as it has a certificate for the public name.
type ECH struct {
	config []byte // an ECHConfig
	key    []byte
}

// NewECH reads the key from a file, or makes one for a public name where there is none.
func NewECH(file, publicName string) (*ECH, error) {
	e, err := readECH(file)
	if !errors.Is(err, fs.ErrNotExist) {
		return e, err
	}
	name, err := publicHost(publicName)
	if err != nil {
		return nil, err
	}
	secret, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	e = &ECH{key: secret.Bytes()}
	if e.config, err = echConfig(secret.PublicKey().Bytes(), name); err != nil {
		return nil, err
	}
	raw, err := x509.MarshalPKCS8PrivateKey(secret)
	if err != nil {
		return nil, err
	}
	return e, replace(file, append(encodePEM("PRIVATE KEY", raw), encodePEM(echBlock, e.list())...))
}

// echConfig writes an ECHConfig, RFC 9849 4.
func echConfig(public []byte, name string) ([]byte, error) {
	var id [1]byte
	rand.Read(id[:])
	var b cryptobyte.Builder
	b.AddUint16(echVersion)
	b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) {
		b.AddUint8(id[0])
		b.AddUint16(kemX25519)
		b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(public) })
		b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) {
			for _, aead := range []uint16{aeadAES128, aeadChaCha20} {
				b.AddUint16(kdfSHA256)
				b.AddUint16(aead)
			}
		})
		b.AddUint8(0) // clients pad to what they choose
		b.AddUint8LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes([]byte(name)) })
		b.AddUint16(0) // extensions
	})
	return b.Bytes()
}

func readECH(file string) (*ECH, error) {
	text, err := bounded.ReadFile(file, maxFile)
	if err != nil {
		return nil, err
	}
	e := &ECH{}
	for len(text) > 0 {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			break
		}
		switch block.Type {
		case "PRIVATE KEY":
			key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
			if secret, ok := key.(*ecdh.PrivateKey); err == nil && ok {
				e.key = secret.Bytes()
			}
		case echBlock:
			e.config = firstConfig(block.Bytes)
		}
	}
	if e.key == nil || e.config == nil {
		return nil, fmt.Errorf("%q has no key for encrypted client hellos: want an X25519 key and an ECHCONFIG", file)
	}
	return e, nil
}

// firstConfig takes the first ECHConfig of a list, nil: there is none.
func firstConfig(list []byte) []byte {
	s := cryptobyte.String(list)
	var configs, content cryptobyte.String
	var version uint16
	if !s.ReadUint16LengthPrefixed(&configs) || !s.Empty() {
		return nil
	}
	rest := configs
	if !rest.ReadUint16(&version) || version != echVersion || !rest.ReadUint16LengthPrefixed(&content) {
		return nil
	}
	return configs[:len(configs)-len(rest)]
}

// list is the configuration as an ECHConfigList.
func (e *ECH) list() []byte {
	var b cryptobyte.Builder
	b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(e.config) })
	return b.BytesOrPanic()
}

// Key is what a [Policy] takes.
func (e *ECH) Key() tls.EncryptedClientHelloKey {
	return tls.EncryptedClientHelloKey{Config: e.config, PrivateKey: e.key, SendAsRetry: true}
}

// ConfigList is what clients need, as a tls.Config takes it.
func (e *ECH) ConfigList() []byte { return e.list() }

// Parameter is what stands in the HTTPS record of a site: `example.com. HTTPS 1 . ech="..."`.
func (e *ECH) Parameter() string { return base64.StdEncoding.EncodeToString(e.list()) }
