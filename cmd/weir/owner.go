package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// An owner is whom the files of a state_dir shall belong to; nobody where that is settled by who writes them.
type owner struct {
	uid, gid int
	known    bool
}

// ownerOf is the owner of a state_dir. Only root can, and has to, write in the name of another: as whom weir runs, what
// root keeps for itself could not be read. A folder that does not exist yet will be the named user's.
func ownerOf(dir, name string) (owner, error) {
	if os.Geteuid() != 0 {
		return owner{}, nil
	}
	info, err := os.Stat(dir)
	if err == nil {
		if s, ok := info.Sys().(*syscall.Stat_t); ok {
			return owner{int(s.Uid), int(s.Gid), true}, nil
		}
	}
	if !errors.Is(err, fs.ErrNotExist) || name == "" {
		return owner{}, nil
	}
	return named(name)
}

// named is the user of that name as an owner.
func named(name string) (owner, error) {
	u, err := user.Lookup(name)
	if err != nil {
		return owner{}, fmt.Errorf("user %q: %w", name, err)
	}
	uid, err1 := strconv.Atoi(u.Uid)
	gid, err2 := strconv.Atoi(u.Gid)
	return owner{uid, gid, true}, errors.Join(err1, err2)
}

// take gives a state_dir, and what a folder in it has, to the owner, as far as it is root's. The owner may be changing
// things there meanwhile: nothing outside is touched, nor what is elsewhere, too (hard links).
func (o owner) take(dir, folder string) error {
	if !o.known || o.uid == 0 {
		return nil
	}
	root, err := os.OpenRoot(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // nothing was written
	}
	if err != nil {
		return err
	}
	defer root.Close()
	if err := o.takeOne(root, "."); err != nil {
		return err
	}
	return fs.WalkDir(root.FS(), folder, func(name string, _ fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		return o.takeOne(root, name)
	})
}

func (o owner) takeOne(root *os.Root, name string) error {
	info, err := root.Lstat(name)
	if err != nil {
		return err
	}
	s, ok := info.Sys().(*syscall.Stat_t)
	if !ok || s.Uid != 0 || !info.IsDir() && (!info.Mode().IsRegular() || s.Nlink > 1) {
		return nil
	}
	return root.Lchown(name, o.uid, o.gid)
}

// takeFile gives one file to the owner, as far as it is root's.
func (o owner) takeFile(name string) error {
	root, err := os.OpenRoot(filepath.Dir(name))
	if err != nil {
		return err
	}
	defer root.Close()
	return o.takeOne(root, filepath.Base(name))
}
