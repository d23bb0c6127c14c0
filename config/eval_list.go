package config

import (
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"unicode"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"weir/route"
)

// An element reads one element of a list.
type element[T any] func(n *node, a *attr, w written, at hcl.Range) (T, bool)

// list reads a list; a value by itself is a list of one. Each element has its own place where the list is
// written out.
func list[T any](r *reader, n *node, a *attr, e hcl.Expression, one element[T]) ([]T, bool) {
	out, ok := []T{}, true
	take := func(v cty.Value, at hcl.Range) {
		w, fine := r.written(n, a, v, at)
		if fine {
			var t T
			if t, fine = one(n, a, w, at); fine {
				out = append(out, t)
			}
		}
		ok = ok && fine
	}
	if exprs, diags := hcl.ExprList(e); !diags.HasErrors() {
		for _, e := range exprs {
			v, fine := r.cty(n, a, e)
			if ok = ok && fine; fine {
				take(v, e.Range())
			}
		}
		return out, ok
	}
	v, fine := r.cty(n, a, e)
	if !fine {
		return nil, false
	}
	if bare, marks := v.Unmark(); bare.CanIterateElements() && !bare.Type().IsObjectType() && !bare.Type().IsMapType() {
		for _, v := range bare.AsValueSlice() {
			take(v.WithMarks(marks), e.Range())
		}
		return out, ok
	}
	take(v, e.Range())
	return out, ok
}

func (r *reader) oneText(n *node, a *attr, w written, at hcl.Range) (string, bool) {
	if w.typ != cty.String {
		r.report(at, in(n, a.name+" must be "+article(a.kind)+", "+quote(w.text)+" is "+typeName(w.typ)), a.kind.doc().write, "")
		return "", false
	}
	if a.kind == clients {
		return r.client(n, a, w, at)
	}
	return w.text, r.isAllowed(n, a, w, at)
}

// A host is one of a site, and where it is written.
type host struct {
	name string
	at   hcl.Range
}

func (r *reader) oneHost(n *node, a *attr, w written, at hcl.Range) (host, bool) {
	name, ok := r.oneText(n, a, w, at)
	if ok && !w.secret {
		if err := route.CheckHost(name); err != nil {
			r.report(at, in(n, err.Error()), "", "")
			ok = false
		}
	}
	return host{name, at}, ok
}

// client reads a network, or the name of a file of networks, which is made absolute.
func (r *reader) client(n *node, a *attr, w written, at hcl.Range) (string, bool) {
	p, complaint := parseNetwork(w.text)
	switch {
	case complaint == "":
		return p.String(), true
	case strings.Trim(strings.ToLower(w.text), "0123456789abcdef.:/") == "" && strings.ContainsAny(w.text, "0123456789"):
		r.report(at, in(n, a.name+": "+w.shown()+" "+complaint), a.kind.doc().write, "")
		return "", false
	}
	if _, err := os.Stat(r.absolute(w.text, at)); errors.Is(err, fs.ErrNotExist) && !strings.Contains(w.text, "/") {
		r.report(at, in(n, a.name+": "+w.shown()+" is no address, and there is no such file"),
			a.kind.doc().write+"; names of hosts are not looked up, and files are relative to the folder of the configuration file", loopbackHint(w.text))
		return "", false
	}
	return r.file(n, a, w.text, at)
}

// loopbackHint is for the one name of which everybody knows the addresses.
func loopbackHint(name string) string {
	if strings.EqualFold(name, "localhost") {
		return `did you mean "127.0.0.1", "::1"?`
	}
	return ""
}

// file makes the name of a file absolute and sees whether it is there.
func (r *reader) file(n *node, a *attr, name string, at hcl.Range) (string, bool) {
	path := r.absolute(name, at)
	if err := readable(path); err != nil {
		r.report(at, in(n, a.name+": "+quote(name)+" "+reason(err)), "files are relative to the folder of the configuration file", "")
		return "", false
	}
	if !slices.Contains(r.files, path) {
		r.files = append(r.files, path)
	}
	return path, true
}

// readable says why a file cannot be read. One that is no regular file might never end.
func readable(path string) error {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return err
	case info.IsDir():
		return errFolder
	case !info.Mode().IsRegular():
		return errSpecial
	}
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // in case it has become a pipe
	if err != nil {
		return err
	}
	return f.Close()
}

var (
	errFolder  = errors.New("it is a folder")
	errSpecial = errors.New("it is no regular file")
)

// absolute resolves a name against the folder of the file in which it is written.
func (r *reader) absolute(name string, at hcl.Range) string {
	if !filepath.IsAbs(name) {
		name = filepath.Join(filepath.Dir(at.Filename), name)
	}
	if abs, err := filepath.Abs(name); err == nil {
		return abs
	}
	return name
}

func (r *reader) oneNetwork(n *node, a *attr, w written, at hcl.Range) (netip.Prefix, bool) {
	if slices.Contains(a.laterOf, w.text) {
		r.report(at, in(n, a.name+" "+quote(w.text)+" is not available yet"), a.kind.doc().write, "")
		return netip.Prefix{}, false
	}
	p, complaint := parseNetwork(w.text)
	if complaint != "" {
		r.report(at, in(n, a.name+": "+w.shown()+" "+complaint), a.kind.doc().write, loopbackHint(w.text))
	}
	return p, complaint == ""
}

func (r *reader) oneStatus(n *node, a *attr, w written, at hcl.Range) (StatusRange, bool) {
	s, ok := parseStatuses(w.text)
	if !ok {
		r.report(at, in(n, a.name+": "+w.shown()+" is no status"), a.kind.doc().write, "")
	}
	return s, ok
}

// fields reads names and templates, or names and texts, in the order in which they are written.
func (r *reader) fields(n *node, a *attr, e hcl.Expression) ([]Field, bool) {
	out, ok := []Field{}, true
	fine := r.entries(n, a, e, func(name string, v cty.Value, key, at hcl.Range) {
		b := *a
		b.name = a.name + " " + quote(name)
		b.kind = map[kind]kind{fields: template, pairs: text, matchers: text}[a.kind]
		w, good := r.written(n, &b, v, at)
		if good {
			w.secret = w.secret || r.secretName(name)
			_, good = r.check(n, &b, w, at)
		}
		if good && strings.ContainsFunc(w.text, unicode.IsControl) {
			r.report(at, in(n, b.name+": "+w.shown()+" holds a control character, such as the end of a line"), "", "")
			good = false
		}
		if good && slices.ContainsFunc(out, func(f Field) bool { return f.Name == name }) {
			r.report(key, in(n, b.name+" stands there twice"), "", "")
			good = false
		}
		ok = ok && good
		out = append(out, Field{name, w.text})
	})
	return out, ok && fine
}

// entries calls each for every name and value of an object.
func (r *reader) entries(n *node, a *attr, e hcl.Expression, each func(name string, v cty.Value, key, at hcl.Range)) bool {
	pairs, diags := hcl.ExprMap(e)
	if diags.HasErrors() {
		return r.computedEntries(n, a, e, each)
	}
	ok := true
	for _, p := range pairs {
		key, fine := r.key(n, a, p.Key)
		if fine {
			var v cty.Value
			if v, fine = r.cty(n, a, p.Value); fine {
				each(key, v, p.Key.Range(), p.Value.Range())
			}
		}
		ok = ok && fine
	}
	return ok
}

// key reads the name of an entry.
func (r *reader) key(n *node, a *attr, e hcl.Expression) (string, bool) {
	v, diags := e.Value(r.context)
	if diags.HasErrors() {
		r.foreign(diags)
		return "", false
	}
	v, _ = v.Unmark()
	if v.Type() != cty.String || v.IsNull() || !v.IsKnown() {
		r.report(e.Range(), in(n, a.name+": a name must be text"), a.kind.doc().write, "")
		return "", false
	}
	return v.AsString(), true
}

// computedEntries are those of an object that is the value of an expression.
func (r *reader) computedEntries(n *node, a *attr, e hcl.Expression, each func(name string, v cty.Value, key, at hcl.Range)) bool {
	v, ok := r.cty(n, a, e)
	if !ok {
		return false
	}
	bare, marks := v.Unmark()
	if bare.IsNull() || !bare.IsKnown() || !bare.CanIterateElements() || !bare.Type().IsObjectType() && !bare.Type().IsMapType() {
		r.report(e.Range(), in(n, a.name+" must be "+article(a.kind)+", not "+typeName(bare.Type())), a.kind.doc().write, "")
		return false
	}
	for it := bare.ElementIterator(); it.Next(); {
		k, v := it.Element()
		k, _ = k.Unmark()
		each(k.AsString(), v.WithMarks(marks), e.Range(), e.Range())
	}
	return true
}

// weights reads upstreams and their shares.
func (r *reader) weights(n *node, a *attr, e hcl.Expression) ([]Weighted, bool) {
	out, ok, total := []Weighted{}, true, 0
	fine := r.entries(n, a, e, func(name string, v cty.Value, key, at hcl.Range) {
		kind, label, dotted := strings.Cut(name, ".")
		if !dotted {
			kind, label = a.of, name
		}
		if kind != a.of {
			r.report(key, in(n, a.name+" must name an "+a.of+", not "+quote(name)), a.kind.doc().write, "")
			ok = false
			return
		}
		w, good := r.written(n, a, v, at)
		weight, err := strconv.Atoi(w.text)
		if good && (err != nil || weight < 0 || weight > 1e6) {
			r.report(at, in(n, a.name+": "+w.shown()+" is not a weight"), "a weight is a whole number from 0 to 1000000", "")
			good = false
		}
		ok = r.resolve(n, a, kind, label, key) != nil && good && ok
		out, total = append(out, Weighted{label, weight}), total+weight
	})
	if ok && fine && total == 0 {
		r.report(e.Range(), in(n, a.name+": there is no weight above 0"), a.kind.doc().write, "")
		return nil, false
	}
	return out, ok && fine
}
