package cert

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"weir/internal/bounded"
)

// Imported is what became of a certificate in the store of another program.
type Imported struct {
	File    string    // its certificate
	Names   []string  // that it is kept for now
	Until   time.Time // valid until
	Skipped string    // why it was not taken, "" if it was
}

// Import takes the certificates of another program's store over, so that nothing has to be ordered for them before they
// end: certbot's (usually /etc/letsencrypt), Caddy's (usually /var/lib/caddy/.local/share/caddy) or any folder of
// such pairs. dir is weir's own folder, that of [NewManager]. The other store is only read. A certificate is kept for
// each of its names, unless a longer lasting one is there; the private key goes with it.
func Import(dir, store string, now time.Time) ([]Imported, error) {
	pairs, err := findPairs(store)
	if err != nil {
		return nil, err
	}
	if len(pairs) == 0 {
		return nil, fmt.Errorf("%q has no certificates that weir knows how to find: want live/NAME/fullchain.pem and privkey.pem as certbot has them, or certificates/CA/NAME/NAME.crt and .key as Caddy has them", store)
	}
	var list []Imported
	for _, p := range pairs {
		list = append(list, importPair(dir, p, now))
	}
	return list, nil
}

type pairFiles struct{ certificate, key string }

// maxStore bounds the files that are looked at in a store.
const maxStore = 100_000

// findPairs walks a store. Certbot's archive, which has what live links to and all before, is left out.
func findPairs(store string) ([]pairFiles, error) {
	root, err := filepath.EvalSymlinks(store)
	if err != nil {
		return nil, err
	}
	var pairs []pairFiles
	seen := 0
	err = filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if seen++; seen > maxStore {
			return fmt.Errorf("%q has more than %d files: is it a store of certificates?", store, maxStore)
		}
		if d.IsDir() && d.Name() == "archive" {
			return fs.SkipDir
		}
		if key := keyBeside(name); key != "" {
			pairs = append(pairs, pairFiles{name, key})
		}
		return nil
	})
	return pairs, err
}

// keyBeside is the file of the key that belongs to a file, "" where that is no certificate.
func keyBeside(name string) string {
	key := ""
	if filepath.Base(name) == "fullchain.pem" {
		key = filepath.Join(filepath.Dir(name), "privkey.pem")
	} else if base, ok := strings.CutSuffix(name, ".crt"); ok {
		key = base + ".key"
	}
	if key == "" || !exists(key) {
		return ""
	}
	return key
}

func importPair(dir string, p pairFiles, now time.Time) Imported {
	i := Imported{File: p.certificate}
	f, err := NewFiles(p.certificate, p.key)
	if err != nil {
		i.Skipped = err.Error()
		return i
	}
	leaf := f.Leaf()
	i.Until = leaf.NotAfter
	if w := f.Warning(now); w != "" {
		i.Skipped = w
		return i
	}
	for _, n := range leaf.DNSNames {
		kept, err := importName(dir, n, f, p)
		if err != nil {
			i.Skipped = err.Error()
			return i
		}
		if kept {
			i.Names = append(i.Names, n)
		}
	}
	if len(i.Names) == 0 {
		i.Skipped = "there are certificates for its names that last longer"
	}
	return i
}

// importName keeps a pair for one of its names and reports whether it was better than what was there.
func importName(dir, raw string, f *Files, p pairFiles) (bool, error) {
	name, err := normalName(raw)
	if err != nil {
		return false, err
	}
	file := bundleFile(dir, name)
	old, err := readBundle(file)
	if err == nil && !old.pair.Leaf.NotAfter.Before(f.Leaf().NotAfter) {
		return false, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	chain, err := bounded.ReadFile(p.certificate, maxFile)
	if err != nil {
		return false, err
	}
	key, err := bounded.ReadFile(p.key, maxFile)
	if err != nil {
		return false, err
	}
	_, err = writeBundle(file, chain, key, note{From: p.certificate, Got: f.Leaf().NotBefore})
	return err == nil, err
}

// Kept lists what a manager's folder has, without one running: for the command line.
func Kept(dir string) ([]Status, error) {
	entries, err := os.ReadDir(filepath.Join(dir, "certificates"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var list []Status
	for _, e := range entries {
		if filepath.Ext(e.Name()) != ".pem" {
			continue
		}
		file := filepath.Join(dir, "certificates", e.Name())
		list = append(list, keptStatus(file))
	}
	slices.SortFunc(list, func(a, b Status) int { return strings.Compare(a.File, b.File) })
	return list, err
}

func keptStatus(file string) Status {
	name := strings.Replace(strings.TrimSuffix(filepath.Base(file), ".pem"), "+", "*", 1)
	s := Status{Names: []string{name}, Kind: "acme", File: file}
	b, err := readBundle(file)
	if err != nil {
		s.Problem = err.Error()
		return s
	}
	leaf := b.pair.Leaf
	s.Issuer, s.Serial = issuerOf(b), leaf.SerialNumber.Text(16)
	s.From, s.Until, s.Renewal = leaf.NotBefore, leaf.NotAfter, renewAt(b)
	return s
}
