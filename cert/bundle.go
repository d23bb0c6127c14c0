package cert

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/mholt/acmez/v3/acme"

	"weir/internal/bounded"
)

// noteBlock is the PEM type of what weir knows of a certificate, in JSON.
const noteBlock = "WEIR NOTE"

// A bundle is a certificate with its chain, its key and where it came from. It is kept in one file, so that its parts
// always belong together whatever happens while they are written.
type bundle struct {
	pair *tls.Certificate
	note note
}

// A note is what is not in the certificate itself.
type note struct {
	CA      string            `json:"ca,omitempty"`  // the name of the one that issued it
	URL     string            `json:"url,omitempty"` // where it has it
	Renewal *acme.RenewalInfo `json:"renewal,omitempty"`
	From    string            `json:"from,omitempty"` // the file it was imported from
	Got     time.Time         `json:"got"`
}

// bundleFile is where the certificate of a name is kept.
func bundleFile(dir, name string) string {
	return filepath.Join(dir, "certificates", fileName(name)+".pem")
}

func readBundle(file string) (*bundle, error) {
	text, err := bounded.ReadFile(file, maxFile)
	if err != nil {
		return nil, err
	}
	b, err := parseBundle(text)
	if err != nil {
		return nil, fmt.Errorf("%q: %w", file, err)
	}
	return b, nil
}

// parseBundle takes key, certificates and note in any order.
func parseBundle(text []byte) (*bundle, error) {
	pair, err := tls.X509KeyPair(text, text)
	if err != nil {
		return nil, err
	}
	b := &bundle{pair: &pair}
	for rest := text; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return b, nil
		}
		if block.Type == noteBlock {
			if err := json.Unmarshal(block.Bytes, &b.note); err != nil {
				return nil, err
			}
		}
	}
}

// writeBundle keeps a certificate, and refuses one whose key is another's.
func writeBundle(file string, chain, key []byte, n note) (*bundle, error) {
	text, err := json.Marshal(n)
	if err != nil {
		return nil, err
	}
	whole := bytes.Join([][]byte{bytes.TrimSpace(key), bytes.TrimSpace(chain), encodePEM(noteBlock, text)}, []byte("\n"))
	b, err := parseBundle(whole)
	if err != nil {
		return nil, err
	}
	return b, replace(file, whole)
}

// rewrite keeps what has become known of the certificate in a file, if it is still that one.
func (b *bundle) rewrite(file string) error {
	text, err := bounded.ReadFile(file, maxFile)
	if err != nil {
		return err
	}
	now, err := parseBundle(text)
	if err != nil || !equalPairs(now.pair, b.pair) {
		return err
	}
	at := bytes.Index(text, []byte("-----BEGIN "+noteBlock))
	if at < 0 {
		at = len(text)
	}
	n, err := json.Marshal(b.note)
	if err != nil {
		return err
	}
	return replace(file, append(text[:at:at], encodePEM(noteBlock, n)...))
}

// issuerOf is the name of who signed the certificate, for people.
func issuerOf(b *bundle) string {
	i := b.pair.Leaf.Issuer
	if len(i.Organization) > 0 && !strings.Contains(i.CommonName, i.Organization[0]) {
		return strings.TrimSpace(i.Organization[0] + " " + i.CommonName)
	}
	return i.CommonName
}
