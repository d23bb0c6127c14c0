// Package errors answers failures with pages: by status or class of statuses, as they are written, and as
// application/problem+json (RFC 9457) to clients that prefer JSON.
//
// A page takes the place of weir's own answer to a failure, of a fixed answer of the configuration that has no
// body, and of a server's answer where Config.Upstream says so. The status stays, and so do the fields that do not describe
// the content, such as Retry-After. Where no page has the status, the answer stays what it is.
package errors

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"weir"
	"weir/internal/bounded"
	"weir/internal/syntax"
)

// A Page is what failures of some statuses are answered with.
//
// Its text may hold placeholders: those of weir.Placeholders that take no name, and {status.text}, "Not Found".
// Values are escaped as the content type needs it: for JSON and scripts as pieces of strings, in text/plain not
// at all, elsewhere for HTML. What else stands between braces stays as it is, because
// style sheets and scripts are full of braces.
type Page struct {
	Status string // "404", "5xx"; one for a status goes before one for its class
	File   string // read once, by Config.Read; at most 1 MB
	Body   string // instead of File
	Type   string // content type; "": by File's extension (.html, .txt, .json, .xml), text/html without one
}

// Config is what New makes a middleware of.
type Config struct {
	Pages    []Page
	Upstream bool                              // answers of servers are replaced as well
	Read     func(name string) ([]byte, error) // nil: from the disk, up to 1 MB; its errors name the file
}

const maxPage = 1 << 20

// PageErrors are what New refuses: all pages that are wrong, in their order.
type PageErrors []PageError

// A PageError is what is wrong with one page.
type PageError struct {
	Index  int // in Config.Pages
	Status string
	Err    error
}

// Error implements error.
func (e PageError) Error() string { return fmt.Sprintf("page %q: %v", e.Status, e.Err) }

// Unwrap returns what is wrong without the page.
func (e PageError) Unwrap() error { return e.Err }

// Error implements error.
func (e PageErrors) Error() string {
	texts := make([]string, len(e))
	for i := range e {
		texts[i] = e[i].Error()
	}
	return strings.Join(texts, "\n")
}

// pages holds a page for each status from 400 to 599.
type pages [200]*page

func (p *pages) of(status int) *page {
	if status < 400 || status > 599 {
		return nil
	}
	return p[status-400]
}

// New returns the middleware, for weir.PhaseObserve. Its errors are PageErrors.
func New(cfg Config) (weir.Middleware, error) {
	if cfg.Read == nil {
		cfg.Read = func(name string) ([]byte, error) { return bounded.ReadFile(name, maxPage) }
	}
	var exact, class pages
	var wrong PageErrors
	for i := range cfg.Pages {
		if err := cfg.add(&cfg.Pages[i], &exact, &class); err != nil {
			wrong = append(wrong, PageError{i, cfg.Pages[i].Status, err})
		}
	}
	if wrong != nil {
		return nil, wrong
	}
	for i, p := range exact {
		if p != nil {
			class[i] = p
		}
	}
	return func(next weir.Handler) weir.Handler { return &handler{next, &class, cfg.Upstream} }, nil
}

// add makes a page and puts it to those for one status, or to those for a class.
func (cfg *Config) add(p *Page, exact, class *pages) error {
	low, high, err := statuses(p.Status)
	if err != nil {
		return err
	}
	made, err := newPage(p, cfg.Read)
	if err != nil {
		return err
	}
	to := exact
	if low != high {
		to = class
	}
	if to.of(low) != nil {
		return errors.New("there are two of them")
	}
	for s := low; s <= high; s++ {
		to[s-400] = made
	}
	return nil
}

// statuses reads "404" or "5xx".
func statuses(s string) (low, high int, err error) {
	if s == "4xx" || s == "5xx" {
		low = int(s[0]-'0') * 100
		return low, low + 99, nil
	}
	if len(s) == 3 && (s[0] == '4' || s[0] == '5') && syntax.IsPort(s) {
		low = int(s[0]-'0')*100 + int(s[1]-'0')*10 + int(s[2]-'0')
		return low, low, nil
	}
	return 0, 0, errors.New(`it is for no status: write one from "400" to "599", "4xx" or "5xx"`)
}

// newPage reads a page.
func newPage(p *Page, read func(string) ([]byte, error)) (*page, error) {
	text, kind := p.Body, p.Type
	if p.File != "" {
		if p.Body != "" {
			return nil, fmt.Errorf("it has both a file, %q, and a body", p.File)
		}
		b, err := read(p.File)
		if err != nil {
			return nil, err
		}
		text = string(b)
	}
	if len(text) > maxPage {
		return nil, fmt.Errorf("it has %d bytes, %d are allowed", len(text), maxPage)
	}
	if text == "" {
		return nil, fmt.Errorf("it is empty")
	}
	if kind == "" {
		var err error
		if kind, err = typeOf(p.File); err != nil {
			return nil, err
		}
	}
	if !syntax.IsValue(kind) || !strings.Contains(kind, "/") {
		return nil, fmt.Errorf("type %q is no content type, such as \"text/html\"", kind)
	}
	return compile(text, kind), nil
}

func typeOf(file string) (string, error) {
	switch strings.ToLower(path.Ext(file)) {
	case ".html", ".htm":
		return "text/html; charset=utf-8", nil
	case ".txt":
		return "text/plain; charset=utf-8", nil
	case ".json":
		return "application/json", nil
	case ".xml":
		return "application/xml", nil
	case "":
		return "text/html; charset=utf-8", nil
	}
	return "", fmt.Errorf("the name of file %q tells no content type: write a type", file)
}
