package cert

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// DefaultECHKept is how many keys for encrypted client hellos are accepted beside the newest.
const DefaultECHKept = 2

// ECHKeys are the keys for encrypted client hellos of one public name, the newest first. What is told to clients is the
// newest; the others are accepted, since clients go by DNS records that are older.
type ECHKeys []*ECH

// echFolder is where the keys of a public name are kept. Each is a file of its own, whose name begins with its time.
func echFolder(dir, publicName string) string { return filepath.Join(dir, fileName(publicName)) }

// ReadECHKeys reads the keys of a public name that are kept in dir: the newest, and as many older ones as are to be
// accepted. The error is one of fs.ErrNotExist where there is none yet.
func ReadECHKeys(dir, publicName string, kept int) (ECHKeys, error) {
	name, err := publicHost(publicName)
	if err != nil {
		return nil, err
	}
	files, err := echFiles(echFolder(dir, name))
	if err != nil {
		return nil, err
	}
	var keys ECHKeys
	for _, f := range files[:min(len(files), kept+1)] {
		e, err := readECH(f)
		if err != nil {
			return nil, err
		}
		keys = append(keys, e)
	}
	return keys, nil
}

// OpenECHKeys is ReadECHKeys, and makes the first key where there is none.
func OpenECHKeys(dir, publicName string, kept int) (ECHKeys, error) {
	keys, err := ReadECHKeys(dir, publicName, kept)
	if errors.Is(err, fs.ErrNotExist) {
		return RotateECHKeys(dir, publicName, kept, time.Now())
	}
	return keys, err
}

// RotateECHKeys makes another key at now, and deletes those that are not accepted any more.
func RotateECHKeys(dir, publicName string, kept int, now time.Time) (ECHKeys, error) {
	name, err := publicHost(publicName)
	if err != nil {
		return nil, err
	}
	folder := echFolder(dir, name)
	if _, err := NewECH(filepath.Join(folder, now.UTC().Format("20060102T150405.000000000")+".pem"), name); err != nil {
		return nil, err
	}
	files, err := echFiles(folder)
	if err != nil {
		return nil, err
	}
	for _, f := range files[min(len(files), kept+1):] {
		if err := os.Remove(f); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	return ReadECHKeys(dir, name, kept)
}

// echFiles are the files of a folder's keys, the newest first; at least one.
func echFiles(folder string) ([]string, error) {
	files, err := filepath.Glob(filepath.Join(folder, "*.pem"))
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("%w: %q has no key for encrypted client hellos", fs.ErrNotExist, folder)
	}
	slices.Sort(files)
	slices.Reverse(files)
	return files, nil
}

// publicHost is a public name as it is kept.
func publicHost(publicName string) (string, error) {
	name, err := normalName(publicName)
	if err != nil || isAddress(name) || len(name) > maxPublicName || name[0] == '*' || !strings.Contains(name, ".") {
		return "", fmt.Errorf("%q is no public name for encrypted client hellos: want a host name with a dot", publicName)
	}
	return name, nil
}

// Keys are what a [Policy] takes.
func (k ECHKeys) Keys() []tls.EncryptedClientHelloKey {
	var list []tls.EncryptedClientHelloKey
	for i, e := range k {
		key := e.Key()
		key.SendAsRetry = i == 0
		list = append(list, key)
	}
	return list
}
