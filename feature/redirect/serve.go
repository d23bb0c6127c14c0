package redirect

import (
	"bytes"
	"fmt"

	"weir"
	"weir/internal/syntax"
)

// ServeExchange implements weir.Handler.
func (r *redirect) ServeExchange(x *weir.Exchange) error {
	location, err := r.location(x)
	if err != nil {
		return err
	}
	x.Response.Discard()
	x.Response.Status = r.statusFor(x.Request.Method)
	x.Response.Header.AddKnown(weir.FieldLocation, location)
	return nil
}

func (r *redirect) statusFor(method string) int {
	switch {
	case r.status != 0:
		return r.status
	case method == "GET" || method == "HEAD":
		return 301
	}
	return 308
}

// location returns where x is sent.
func (r *redirect) location(x *weir.Exchange) (string, error) {
	out := x.Scratch[:0]
	if r.authority != nil {
		out = append(r.scheme.Append(out, x), "://"...)
		from := len(out)
		out = r.authority.Append(out, x)
		if host := string(out[from:]); !syntax.IsAuthority(host) {
			return "", weir.Refuse(weir.CauseRequestHost, fmt.Sprintf("redirect: host %q", host))
		}
	}
	out = r.appendPath(out, x)
	switch {
	case r.query != nil:
		out = r.query.AppendEscaped(append(out, '?'), x, r.queryValue)
	case r.keepQuery && x.Request.HasQuery():
		out = syntax.AppendWholeQuery(append(out, '?'), x.Request.Query)
	}
	if r.fragment != nil {
		out = r.fragment.AppendEscaped(append(out, '#'), x, escapeFragment)
	}
	x.Scratch = out
	return string(out), nil
}

// appendPath appends the path, which begins with one slash if no host stands before it.
func (r *redirect) appendPath(out []byte, x *weir.Exchange) []byte {
	from := len(out)
	out = r.path.AppendEscaped(out, x, syntax.PathValue)
	if r.authority != nil {
		return out
	}
	path := out[from:]
	rest := bytes.TrimLeft(path, "/")
	out = append(out[:from], '/')
	return append(out, rest...)
}

func escapeFragment(dst []byte, _, value string) []byte { return syntax.AppendQueryPiece(dst, value) }
