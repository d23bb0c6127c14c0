package rewrite

import (
	"strings"

	"weir"
)

// restore makes Location of the answer what the client would have to ask for. A target on another host stays,
// and so does one that the client can't reach through this rewrite.
func (r *rewrite) restore(x *weir.Exchange, stripped bool) {
	h := &x.Response.Header
	location := h.Known(weir.FieldLocation)
	base, path := splitLocation(location)
	if path == "" || base != "" && !r.ours(base, x) {
		return
	}
	outer, ok := r.outer(path, stripped)
	if ok && outer != path {
		h.SetKnown(weir.FieldLocation, base+outer)
	}
}

// outer returns the path by which the client reaches what the server calls path.
func (r *rewrite) outer(path string, stripped bool) (string, bool) {
	end := strings.IndexAny(path, "?#")
	if end < 0 {
		end = len(path)
	}
	inner, rest := path[:end], path[end:]
	if r.add != "" {
		if r.regex != nil || r.path != nil {
			return "", false // nobody knows the way back
		}
		var under bool
		if inner, under = cutPrefix(inner, r.add); !under {
			return "", false
		}
	}
	if !stripped {
		return inner + rest, true
	}
	if r.prefix && r.add == "" {
		// The server was told of the prefix, and may have used it.
		if _, has := cutPrefix(inner, r.strip); has {
			return path, true
		}
	}
	return r.strip + inner + rest, true
}

// splitLocation splits a Location before its path: "http://host" and "/path". Of one that is neither an
// absolute path nor an absolute URL the path is "".
func splitLocation(s string) (base, path string) {
	if strings.HasPrefix(s, "/") {
		if strings.HasPrefix(s, "//") {
			return "", ""
		}
		return "", s
	}
	scheme, after, found := strings.Cut(s, "://")
	if !found || !weir.EqualFold(scheme, "http") && !weir.EqualFold(scheme, "https") {
		return "", ""
	}
	end := strings.IndexAny(after, "/?#")
	if end < 0 || after[end] != '/' {
		return "", ""
	}
	return s[:len(s)-len(after)+end], after[end:]
}

// ours reports whether base, "http://host", is the host that the client has asked. A port that goes without
// saying makes no difference.
func (r *rewrite) ours(base string, x *weir.Exchange) bool {
	scheme, authority, _ := strings.Cut(base, "://")
	return weir.EqualFold(bare(authority, scheme), bare(x.Request.Authority, x.Request.Scheme))
}

func bare(authority, scheme string) string {
	if weir.EqualFold(scheme, "https") {
		return strings.TrimSuffix(authority, ":443")
	}
	return strings.TrimSuffix(authority, ":80")
}
