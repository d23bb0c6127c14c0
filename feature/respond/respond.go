// Package respond answers by itself: a status, fields and a text.
//
// What placeholders bring into the text is escaped as its content type needs it, so that a client can't write
// into the page of another: in JSON and scripts as a piece of a string, in text/plain not at all, and in all
// else for HTML and XML. The text around them is the configuration's own and stays as it is. An answer of 400
// and more without a body is left to the pages of feature/errors.
package respond

import (
	"bytes"
	"fmt"
	"sync"

	"weir"
	"weir/internal/syntax"
)

// A Pair is a name and the template of its value.
type Pair struct{ Name, Value string }

// Config is what New makes a handler of.
type Config struct {
	Status      int      // 200 to 599; 0: 200. From 500 on the exchange's cause is route.fixed
	Body        string   // template; values are escaped for ContentType
	ContentType string   // "": text/plain; charset=utf-8 where there is a body
	Header      []Pair   // a value that comes out empty is not sent
	Params      []string // names that a template may use besides weir.Placeholders: those of the route's pattern
}

type respond struct {
	status int
	fault  *weir.Fault // nil: the status is no failure
	fixed  []weir.Field
	fields []field
	body   *weir.Template // nil: text, or none
	escape func(dst []byte, name, value string) []byte
	text   []byte
	bodies sync.Pool // of *fixedBody
}

// A field is one whose value depends on the exchange.
type field struct {
	name  string
	id    weir.FieldID
	value *weir.Template
}

// New returns the handler.
func New(cfg Config) (weir.Handler, error) {
	r := &respond{status: cfg.Status}
	switch {
	case r.status == 0:
		r.status = 200
	case r.status < 200 || r.status > 599:
		return nil, fmt.Errorf("status %d of a fixed answer: write one from 200 to 599", cfg.Status)
	case cfg.Body != "" && (r.status == 204 || r.status == 205 || r.status == 304):
		return nil, fmt.Errorf("status %d of a fixed answer goes without a body", cfg.Status)
	}
	if r.status >= 500 {
		r.fault = &weir.Fault{Op: "respond", Cause: weir.CauseFixed, Status: r.status}
	}
	if err := r.setBody(&cfg); err != nil {
		return nil, err
	}
	for _, p := range cfg.Header {
		if err := r.addField(p, cfg.Params); err != nil {
			return nil, err
		}
	}
	return r, nil
}

func (r *respond) setBody(cfg *Config) error {
	body, err := weir.ParseTemplate(cfg.Body, cfg.Params...)
	if err != nil {
		return fmt.Errorf("body of a fixed answer: %w", err)
	}
	if text, constant := body.Constant(); constant {
		r.text = []byte(text)
	} else {
		r.body = body
	}
	kind := cfg.ContentType
	if kind == "" && cfg.Body != "" {
		kind = "text/plain; charset=utf-8"
	}
	if !syntax.IsValue(kind) {
		return fmt.Errorf("content type %q holds a control character", kind)
	}
	r.escape = syntax.TextEscape(kind)
	if kind != "" {
		r.fixed = append(r.fixed, wired("Content-Type", kind))
	}
	return nil
}

func (r *respond) addField(p Pair, params []string) error {
	id := weir.Identify(p.Name)
	switch reason := id.Reserved(); {
	case !syntax.IsToken(p.Name):
		return fmt.Errorf("field name %q holds a character that no field name may", p.Name)
	case reason != "":
		return fmt.Errorf("field %q can't be set: %s", p.Name, reason)
	case id == weir.FieldContentType:
		return fmt.Errorf("field %q can't be set: the content type has a setting of its own", p.Name)
	case !syntax.IsValue(p.Value):
		return fmt.Errorf("field %q: the value %q holds a control character", p.Name, p.Value)
	}
	t, err := weir.ParseTemplate(p.Value, params...)
	if err != nil {
		return fmt.Errorf("field %q: %w", p.Name, err)
	}
	if text, constant := t.Constant(); !constant {
		r.fields = append(r.fields, field{p.Name, id, t})
	} else if text != "" {
		r.fixed = append(r.fixed, wired(p.Name, text))
	}
	return nil
}

// wired is a field that has been found fit to stand in a head.
func wired(name, value string) weir.Field {
	return weir.Field{Name: name, Value: value, ID: weir.Identify(name), Wire: true}
}

// ServeExchange implements weir.Handler.
func (r *respond) ServeExchange(x *weir.Exchange) error {
	x.Response.Discard()
	x.Response.Status, x.Fault = r.status, r.fault
	h := &x.Response.Header
	for i := range r.fixed {
		h.AddField(r.fixed[i])
	}
	for i := range r.fields {
		f := &r.fields[i]
		if v := f.value.String(x); v != "" && syntax.IsValue(v) {
			h.AddField(weir.Field{Name: f.name, Value: v, ID: f.id})
		}
	}
	switch {
	case r.body != nil:
		x.Scratch = r.body.AppendEscaped(x.Scratch[:0], x, r.escape)
		x.Response.Body = weir.NewBody(string(x.Scratch))
	case len(r.text) > 0:
		x.Response.Body = r.newBody(x)
	}
	return nil
}

// A fixedBody reads a text that many exchanges share. It is used again when its exchange is over, and not
// when it is closed, which may happen more than once.
type fixedBody struct {
	bytes.Reader
	r *respond
}

func (r *respond) newBody(x *weir.Exchange) *fixedBody {
	b, ok := r.bodies.Get().(*fixedBody)
	if !ok {
		b = &fixedBody{r: r}
	}
	b.Reset(r.text)
	x.AtEnd(b)
	return b
}

func (b *fixedBody) Close() error          { return nil }
func (b *fixedBody) Len() int64            { return int64(len(b.r.text)) }
func (b *fixedBody) Trailer() *weir.Header { return nil }

// EndExchange implements weir.Ender.
func (b *fixedBody) EndExchange(*weir.Exchange) { b.r.bodies.Put(b) }
