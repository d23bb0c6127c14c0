package assemble

import (
	"path/filepath"
	"time"

	"weir/cert"
	"weir/observe"
)

// ACMEFolder is what of state_dir belongs to certificates of public authorities.
const ACMEFolder = "acme"

func acmeFolder(state string) string { return filepath.Join(state, ACMEFolder) }
func caFolder(state string) string   { return filepath.Join(state, "ca") }

// Kept lists the certificates of public authorities that are kept in a state_dir, without an engine.
func Kept(state string, now time.Time) ([]observe.CertificateStatus, error) {
	kept, err := cert.Kept(acmeFolder(state))
	list := []observe.CertificateStatus{}
	for _, s := range kept {
		list = append(list, certificateStatus(s, now))
	}
	return list, err
}

// Import takes the certificates of another program's store over into a state_dir, as [cert.Import] says.
func Import(state, store string, now time.Time) ([]cert.Imported, error) {
	return cert.Import(acmeFolder(state), store, now)
}

// Root returns the root of the authority that is kept in a state_dir, in PEM. The error is one of fs.ErrNotExist where
// there is none yet.
func Root(state string) ([]byte, error) { return cert.RootOf(caFolder(state)) }
