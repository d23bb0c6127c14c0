package rewrite

import (
	"fmt"
	"strings"

	"weir"
	"weir/internal/syntax"
)

// ServeExchange implements weir.Handler.
func (r *rewrite) ServeExchange(x *weir.Exchange) error {
	q := &x.Request
	if q.Path == "*" {
		return r.next.ServeExchange(x)
	}
	path, query, empty := q.Path, q.Query, q.EmptyQuery
	stripped, err := r.apply(x)
	if err == nil {
		if stripped && r.prefix {
			r.tell(x)
		}
		err = r.next.ServeExchange(x)
	}
	q.Path, q.Query, q.EmptyQuery = path, query, empty
	if err == nil && r.location {
		r.restore(x, stripped)
	}
	return err
}

// apply rewrites x's path and query, and reports whether the prefix was there to be stripped.
func (r *rewrite) apply(x *weir.Exchange) (stripped bool, err error) {
	q, came := &x.Request, x.Request.Path
	if r.strip != "" {
		q.Path, stripped = cutPrefix(q.Path, r.strip)
	}
	if r.regex != nil {
		q.Path = r.regex.ReplaceAllString(q.Path, r.replace)
	}
	if r.path != nil {
		r.fill(x)
	}
	if r.add != "" {
		q.Path = r.add + q.Path
	}
	if q.Path == came {
		return stripped, nil
	}
	made := oneSlash(q.Path)
	path, ok := weir.Normalize(made)
	if !ok || strings.Count(path, "/") != strings.Count(made, "/") { // ".." would leave what stands before it
		return stripped, weir.Refuse(weir.CauseRequestPath, fmt.Sprintf("rewrite: path %q made of %q", q.Path, came))
	}
	q.Path = path
	return stripped, nil
}

// fill sets path and query to what the templates say; both see what was there before.
func (r *rewrite) fill(x *weir.Exchange) {
	out := r.path.AppendEscaped(x.Scratch[:0], x, syntax.PathValue)
	end := len(out)
	if r.query != nil {
		out = r.query.AppendEscaped(out, x, r.queryValue)
		x.Request.Query, x.Request.EmptyQuery = strings.Trim(string(out[end:]), "&"), false
	}
	x.Scratch = out
	x.Request.Path = string(out[:end])
}

// cutPrefix takes prefix, whole segments, off path. Runs of slashes count as one, as they do for routes.
func cutPrefix(path, prefix string) (string, bool) {
	rest := path
	for i := 0; i < len(prefix); i++ {
		if rest == "" || rest[0] != prefix[i] {
			return path, false
		}
		rest = rest[1:]
		for prefix[i] == '/' && rest != "" && rest[0] == '/' {
			rest = rest[1:]
		}
	}
	switch {
	case rest == "":
		return "/", true
	case rest[0] != '/':
		return path, false
	}
	return oneSlash(rest), true
}

// oneSlash returns path with one slash at its beginning: two would begin a host for some.
func oneSlash(path string) string {
	for strings.HasPrefix(path, "//") {
		path = path[1:]
	}
	return path
}

// tell adds what was stripped to X-Forwarded-Prefix. One that the configuration has set stays.
func (r *rewrite) tell(x *weir.Exchange) {
	h := &x.Request.Header
	before, has := h.LookupKnown(weir.FieldXForwardedPrefix)
	switch {
	case !has:
		h.AddField(weir.Field{Name: weir.FieldXForwardedPrefix.String(), Value: r.strip, ID: weir.FieldXForwardedPrefix, Wire: true})
	case x.Conn.Trusted:
		h.SetKnown(weir.FieldXForwardedPrefix, strings.TrimSuffix(before, "/")+r.strip)
	}
}
