package fcgi

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"

	"weir"
	"weir/internal/syntax"
)

// A script is what of a path names the program and what it is given as PATH_INFO.
type script struct {
	name string // SCRIPT_NAME: below the root, decoded
	info string // PATH_INFO: decoded; "" or begins with "/"
	path string // the whole path in its normal form, not decoded
}

// A scripts finds the script for a path.
type scripts struct {
	root   string // absolute, without a slash at its end
	index  string
	suffix string
	remote bool // the root is another machine's
}

// find returns the script for the path of a request; false: the path can't be one. See the package's comment for the
// rules. Whether it exists is not looked at, but to choose among index files.
func (s *scripts) find(path string) (script, bool) {
	path, ok := weir.Normalize(path)
	if !ok {
		return script{}, false
	}
	name, info := s.split(path)
	if name == "" {
		return s.front(path)
	}
	sc := script{path: path}
	if sc.name, ok = decodeName(name); !ok {
		return script{}, false
	}
	sc.info, ok = decode(info)
	return sc, ok
}

// split cuts the path behind its first segment that ends with the suffix and has something before it.
func (s *scripts) split(path string) (name, info string) {
	for from := 0; from < len(path); {
		end := len(path)
		if n := strings.IndexByte(path[from+1:], '/'); n >= 0 {
			end = from + 1 + n
		}
		if segment := path[from+1 : end]; len(segment) > len(s.suffix) && strings.HasSuffix(segment, s.suffix) {
			return path[:end], path[end:]
		}
		from = end
	}
	return "", ""
}

// front returns the script of a path that names none: the index of a directory, or else that of the root.
func (s *scripts) front(path string) (script, bool) {
	if strings.HasSuffix(path, "/") {
		name, ok := decodeName(path + s.index)
		if !ok {
			return script{}, false
		}
		if sc := (script{name: name, path: path}); s.remote || s.exists(sc) {
			return sc, true
		}
	}
	return script{name: "/" + s.index, path: path}, true
}

// file returns SCRIPT_FILENAME.
func (s *scripts) file(sc script) string { return s.root + sc.name }

// exists reports whether the script is a file.
func (s *scripts) exists(sc script) bool {
	there, _ := isFile(s.file(sc))
	return there
}

// look is exists that tells why nobody can know: the root is not there, or may not be looked into.
func (s *scripts) look(sc script) (bool, error) {
	there, err := isFile(s.file(sc))
	if there || err != nil {
		return there, err
	}
	if info, err := os.Stat(s.root + "/"); err != nil || !info.IsDir() {
		return false, fmt.Errorf("the folder of the scripts is not there: %s", s.root)
	}
	return false, nil
}

// isFile reports whether there is a regular file of that name, or why it cannot tell.
func isFile(name string) (bool, error) {
	info, err := os.Stat(name)
	switch {
	case err == nil:
		return info.Mode().IsRegular(), nil
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR), errors.Is(err, syscall.ENAMETOOLONG):
		return false, nil
	}
	return false, err
}

// decodeName returns the name of a script as a file system has it, doubled slashes made one. No escape may stand for
// a separator: a rule that was made for a folder would not have seen it.
func decodeName(escaped string) (string, bool) {
	out := make([]byte, 0, len(escaped))
	for i := 0; i < len(escaped); i++ {
		c := escaped[i]
		if c == '/' && i > 0 && escaped[i-1] == '/' {
			continue
		}
		if c == '%' {
			c = unescape(escaped[i:])
			i += 2
			if c == '/' || c == '\\' || isControl(c) {
				return "", false
			}
		}
		out = append(out, c)
	}
	return string(out), true
}

// decode returns a path of normal form without escapes; false: it would hold a control character.
func decode(escaped string) (string, bool) {
	if strings.IndexByte(escaped, '%') < 0 {
		return escaped, true
	}
	out := make([]byte, 0, len(escaped))
	for i := 0; i < len(escaped); i++ {
		c := escaped[i]
		if c == '%' {
			if c = unescape(escaped[i:]); isControl(c) {
				return "", false
			}
			i += 2
		}
		out = append(out, c)
	}
	return string(out), true
}

// unescape returns the byte that the escape at the beginning of s stands for; a normal path has whole ones only.
func unescape(s string) byte { return syntax.Unhex(s[1])<<4 | syntax.Unhex(s[2]) }

func isControl(c byte) bool { return c < ' ' || c == 0x7f }
