package admin

import (
	"bufio"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"sync"

	"golang.org/x/crypto/bcrypt"
)

// users are those of an htpasswd file. It is read again when it changes. A verdict costs a bcrypt
// comparison of some 50 ms, so the good ones are remembered (as a keyed hash), and only one comparison
// runs at a time: guessing passwords cannot take the machine from the traffic.
type users struct {
	path string
	log  *slog.Logger
	key  [32]byte

	mu     sync.Mutex // protects what follows
	hashes map[string][]byte
	known  map[[32]byte]bool // names with passwords that are right
	stamp  fs.FileInfo

	comparing sync.Mutex // held while a password is compared
}

func readUsers(path string, log *slog.Logger) (*users, error) {
	u := &users{path: path, log: log}
	rand.Read(u.key[:])
	return u, u.read()
}

// read reads the file; u.mu is held, or nobody else knows u yet.
func (u *users) read() error {
	f, err := os.Open(u.path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	hashes := map[string][]byte{}
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		name, hash, ok := strings.Cut(line, ":")
		if _, err := bcrypt.Cost([]byte(hash)); !ok || name == "" || err != nil {
			return fmt.Errorf("%s:%d: %q has no bcrypt hash; make one with: htpasswd -B", u.path, n, name)
		}
		hashes[name] = []byte(hash)
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("%s: %w", u.path, err)
	}
	if len(hashes) == 0 {
		return fmt.Errorf("%s: %w", u.path, errors.New("there are no users"))
	}
	u.hashes, u.known, u.stamp = hashes, map[[32]byte]bool{}, info
	return nil
}

// refresh reads the file again if it has changed. What cannot be read changes nothing.
func (u *users) refresh() {
	info, err := os.Stat(u.path)
	if err == nil && u.stamp != nil && info.ModTime().Equal(u.stamp.ModTime()) && info.Size() == u.stamp.Size() && os.SameFile(info, u.stamp) {
		return
	}
	if err == nil {
		err = u.read()
	}
	if err != nil {
		u.log.Error("admin keeps the users it knows", "error", err)
	}
}

// admit reports whether r's name and password are those of a user.
func (u *users) admit(r *http.Request) bool {
	name, password, ok := r.BasicAuth()
	if !ok {
		return false
	}
	u.mu.Lock()
	u.refresh()
	hash, exists := u.hashes[name]
	if !exists {
		hash = u.any() // so that it takes as long to say no
	}
	id := u.id(name, hash, password)
	known := u.known[id]
	u.mu.Unlock()
	if known {
		return true
	}
	u.comparing.Lock()
	defer u.comparing.Unlock()
	if bcrypt.CompareHashAndPassword(hash, []byte(password)) != nil || !exists {
		return false
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.known[id] = true
	return true
}

// any returns somebody's hash; u.mu is held.
func (u *users) any() []byte {
	for _, hash := range u.hashes {
		return hash
	}
	return nil
}

// id stands for a name with a password and the hash that it was compared with: a new hash makes a new one.
func (u *users) id(name string, hash []byte, password string) (out [32]byte) {
	h := hmac.New(sha256.New, u.key[:])
	fmt.Fprintf(h, "%q %q %q", name, hash, password)
	h.Sum(out[:0])
	return out
}
