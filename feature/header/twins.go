package header

import (
	"strings"

	"weir"
)

// twins match fields of a request whose names differ from those of names and prefixes in "_" for "-" alone. Servers
// by way of CGI and its like (PHP, WSGI) take X_User and X-User for the same, HTTP_X_USER: what is said of the one
// must hold for the other, or else a client gets round it. Fields that weir knows are nobody's twin.
type twins struct {
	names, prefixes []string // those with "-" or "_" in them
	underscores     bool     // one of them has a "_", so that a name with none may be its twin
}

// newTwins returns what matches the twins of all that f removes and sets.
func newTwins(f Fields) twins {
	var t twins
	for _, name := range f.Remove {
		if prefix, wild := strings.CutSuffix(name, "*"); wild {
			t.add(&t.prefixes, prefix)
		} else {
			t.add(&t.names, name)
		}
	}
	for _, p := range f.Set {
		t.add(&t.names, p.Name)
	}
	return t
}

func (t *twins) add(to *[]string, name string) {
	if strings.ContainsAny(name, "-_") {
		*to = append(*to, name)
	}
	t.underscores = t.underscores || strings.Contains(name, "_")
}

func (t *twins) removeFrom(h *weir.Header) {
	fields := h.Fields()
	for i := range fields {
		if t.match(&fields[i]) {
			h.DelFunc(t.match)
			return
		}
	}
}

func (t *twins) match(f *weir.Field) bool {
	if f.ID != weir.FieldOther || !t.underscores && strings.IndexByte(f.Name, '_') < 0 {
		return false
	}
	for _, name := range t.names {
		if isTwin(f.Name, name) {
			return true
		}
	}
	for _, p := range t.prefixes {
		if len(f.Name) >= len(p) && isTwin(f.Name[:len(p)], p) {
			return true
		}
	}
	return false
}

// isTwin reports whether a and b differ, but only in "-" and "_".
func isTwin(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	differ := false
	for i := range len(a) {
		switch c, d := a[i], b[i]; {
		case isDash(c) && isDash(d):
			differ = differ || c != d
		case !weir.EqualFold(a[i:i+1], b[i:i+1]):
			return false
		}
	}
	return differ
}

func isDash(c byte) bool { return c == '-' || c == '_' }

// hasTwin reports whether h has a twin of name.
func hasTwin(h *weir.Header, name string) bool {
	fields := h.Fields()
	for i := range fields {
		if f := &fields[i]; f.ID == weir.FieldOther && isTwin(f.Name, name) {
			return true
		}
	}
	return false
}
