package route

import (
	"fmt"
	"strings"

	"weir"
)

// Servers differ in how they read a path: some take %2F and %5C for separators, some drop what follows a ";" in a
// segment. Where a request would lead to another route in that reading, and one that comes first there, that
// route's rules could be evaded by writing the path so. Such a request is refused.

// lenient returns path as such a server reads it, and whether that is another reading at all.
func lenient(path string) (string, bool) {
	if strings.IndexByte(path, ';') < 0 && !hasEscapedSeparator(path) {
		return "", false
	}
	var b strings.Builder
	b.Grow(len(path))
	for i := 0; i < len(path); i++ {
		switch {
		case path[i] == ';' || isEscape(path[i:], "3B"):
			for i+1 < len(path) && path[i+1] != '/' && !isEscape(path[i+1:], "2F") && !isEscape(path[i+1:], "5C") {
				i++
			}
		case isEscape(path[i:], "2F"), isEscape(path[i:], "5C"):
			b.WriteByte('/')
			i += 2
		default:
			b.WriteByte(path[i])
		}
	}
	other, ok := weir.Normalize(b.String())
	return mergeSlashes(other), ok
}

// isEscape reports whether s begins with the escape of these digits; in a normal path they are in upper case.
func isEscape(s, digits string) bool { return len(s) > 2 && s[0] == '%' && s[1:3] == digits }

func hasEscapedSeparator(path string) bool {
	for i := strings.IndexByte(path, '%'); i >= 0 && i+2 < len(path); {
		if p := path[i:]; isEscape(p, "2F") || isEscape(p, "5C") || isEscape(p, "3B") {
			return true
		}
		next := strings.IndexByte(path[i+1:], '%')
		if next < 0 {
			return false
		}
		i += 1 + next
	}
	return false
}

// evades returns the route that e's place is to be protected from: the one that a lenient server's reading of the path
// leads to, where it comes before e; else nil. It leaves x.Params as they are.
func (s *search) evades(h *hostEntry, e *entry) *entry {
	path, ok := lenient(s.x.Request.Path)
	if !ok || path == s.path {
		return nil
	}
	other := search{x: s.x, path: path, routes: s.routes}
	params := append([]weir.Param(nil), s.x.Params...)
	found := h.find(&other)
	s.x.Params = append(s.x.Params[:0], params...)
	if found == nil || found.target == e.target || found.compare(e) > 0 {
		return nil
	}
	return found
}

func noteEvades(h *hostEntry, e *entry) string {
	return fmt.Sprintf("site %q: some servers read the path as one of %s, whose rules it would evade", h.site.Name, e.spec.label())
}
