package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// What includes may take.
const (
	maxIncludes = 10_000   // files
	maxTotal    = 64 << 20 // bytes of all of them
	maxVisited  = 100_000  // names that one pattern is compared with
)

var (
	errNotRegular = errors.New("is no regular file")
	errTooLarge   = errors.New("is larger than the 16 MiB that a configuration may have")
	errManyNames  = fmt.Errorf("would have to be compared with more than %d names", maxVisited)
)

// readMain reads the main file. Standard input and what the process was given open, such as a shell makes of
// <(command), may be a pipe: all else that is no regular file is refused without a byte being read, as nobody may ever
// write to it.
func readMain(name string) ([]byte, error) {
	if !givenOpen(name) {
		return readIncluded(name)
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readAll(f)
}

// givenOpen reports whether name stands for a descriptor of this process.
func givenOpen(name string) bool {
	folder, number := filepath.Split(name)
	_, err := strconv.ParseUint(number, 10, 16)
	return name == "/dev/stdin" || (folder == "/dev/fd/" || folder == "/proc/self/fd/") && err == nil
}

// readIncluded reads an included file. Whatever is no regular file, once links are followed, is refused without a byte
// being read: it might never end.
func readIncluded(name string) ([]byte, error) {
	if err := isRegular(os.Stat(name)); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0) // in case it has become a pipe
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if err := isRegular(f.Stat()); err != nil {
		return nil, err
	}
	return readAll(f)
}

func isRegular(info os.FileInfo, err error) error {
	if err == nil && !info.Mode().IsRegular() {
		return errNotRegular
	}
	return err
}

// readAll reads no more than a configuration may have.
func readAll(f *os.File) ([]byte, error) {
	src, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if len(src) > maxFile {
		return nil, errTooLarge
	}
	return src, err
}

// A globber finds the files of a pattern within limits.
type globber struct{ left int }

// glob is filepath.Glob that passes over hidden names and gives up when it has seen too much.
func glob(pattern string) ([]string, error) {
	if _, err := filepath.Match(pattern, ""); err != nil {
		return nil, err
	}
	g := globber{left: maxVisited}
	names, err := g.glob(pattern)
	slices.Sort(names)
	return names, err
}

func (g *globber) glob(pattern string) ([]string, error) {
	if !strings.ContainsAny(pattern, `*?[\`) {
		if _, err := os.Lstat(pattern); err != nil {
			return nil, nil
		}
		return []string{pattern}, nil
	}
	folder, last := filepath.Split(pattern)
	folders := []string{folder}
	if parent := strings.TrimRight(folder, "/"); parent != "" && strings.ContainsAny(parent, `*?[\`) {
		found, err := g.glob(parent)
		if err != nil {
			return nil, err
		}
		folders = found
	}
	var out []string
	for _, f := range folders {
		names, err := g.list(f, last)
		if err != nil {
			return nil, err
		}
		out = append(out, names...)
	}
	return out, nil
}

// list are the names in one folder that the pattern fits; there are none in what is no folder or cannot be read. As in
// a shell, hidden names, such as an editor's ".#shop.hcl", fit only a pattern that begins with a dot itself.
func (g *globber) list(folder, pattern string) ([]string, error) {
	if folder == "" {
		folder = "."
	}
	if g.left--; g.left < 0 {
		return nil, errManyNames
	}
	if info, err := os.Stat(folder); err != nil || !info.IsDir() {
		return nil, nil
	}
	f, err := os.Open(folder)
	if err != nil {
		return nil, nil
	}
	defer f.Close()
	names, err := f.Readdirnames(g.left + 1)
	if g.left -= len(names); g.left < 0 {
		return nil, errManyNames
	}
	if err != nil {
		return nil, nil
	}
	var out []string
	for _, name := range names {
		if fits, _ := filepath.Match(pattern, name); fits && (name[0] != '.' || pattern[0] == '.') {
			out = append(out, filepath.Join(folder, name))
		}
	}
	return out, nil
}
