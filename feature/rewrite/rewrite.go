// Package rewrite changes the path and query that a server is asked for, and undoes it in the answer's
// Location. The exchange itself gets its path and query back when the answer is there: logs tell what the
// client asked for.
//
// What comes out is brought into the normal form of paths (weir.Normalize). It is refused where it has none,
// and where it holds a "..", so that no placeholder leads out of the folder it stands in. Slashes at its
// beginning become one.
package rewrite

import (
	"fmt"
	"regexp"
	"strings"

	"weir"
	"weir/internal/syntax"
)

// Config is what New makes a middleware of. The members are applied in their order.
type Config struct {
	StripPrefix string   // "/api": whole segments are taken off the path; a path without it stays as it is
	Regex       string   // RE2, searched in the path: every match is replaced by Replace
	Replace     string   // with $1 and ${name}
	To          string   // template of path and query: "/index.php?id={id}"; without a "?" the query stays
	AddPrefix   string   // "/v2"
	Params      []string // names that a template may use besides weir.Placeholders: those of the route's pattern
	// Prefix tells the server what was stripped, in X-Forwarded-Prefix.
	Prefix bool
	// Location puts a stripped prefix back into Location of the answers, and takes an added one out.
	Location bool
}

type rewrite struct {
	next       weir.Handler
	strip      string // without a slash at its end; "": nothing
	regex      *regexp.Regexp
	replace    string
	path       *weir.Template // nil: none
	query      *weir.Template // nil: the query stays
	queryValue func(dst []byte, name, value string) []byte
	add        string
	prefix     bool
	location   bool
}

// New returns the middleware, for weir.PhaseRewrite.
func New(cfg Config) (weir.Middleware, error) {
	r := rewrite{replace: cfg.Replace, prefix: cfg.Prefix, location: cfg.Location}
	var err error
	if r.strip, err = prefixOf("strip_prefix", cfg.StripPrefix); err != nil {
		return nil, err
	}
	if r.add, err = prefixOf("add_prefix", cfg.AddPrefix); err != nil {
		return nil, err
	}
	if err := r.setRegex(&cfg); err != nil {
		return nil, err
	}
	if err := r.setTo(&cfg); err != nil {
		return nil, err
	}
	return func(next weir.Handler) weir.Handler {
		mine := r
		mine.next = next
		return &mine
	}, nil
}

// prefixOf returns a prefix in its normal form, without a slash at its end.
func prefixOf(name, s string) (string, error) {
	if s == "" {
		return "", nil
	}
	p, ok := weir.Normalize(s)
	if !ok || strings.Contains(p, "//") {
		return "", fmt.Errorf("%s %q is no path, such as \"/api\"", name, s)
	}
	return strings.TrimSuffix(p, "/"), nil
}

func (r *rewrite) setRegex(cfg *Config) error {
	switch {
	case cfg.Regex == "" && cfg.Replace != "":
		return fmt.Errorf("rewrite: replace %q lacks a regular expression", cfg.Replace)
	case cfg.Regex == "":
		return nil
	case strings.ContainsAny(cfg.Replace, "?# \\") || !syntax.IsValue(cfg.Replace):
		return fmt.Errorf("rewrite: replace %q is more than a path: write queries into \"to\"", cfg.Replace)
	}
	var err error
	if r.regex, err = regexp.Compile(cfg.Regex); err != nil {
		return fmt.Errorf("rewrite: regular expression %q: %w", cfg.Regex, err)
	}
	return nil
}

func (r *rewrite) setTo(cfg *Config) error {
	if cfg.To == "" {
		return nil
	}
	if cfg.To[0] != '/' && cfg.To[0] != '{' {
		return fmt.Errorf("rewrite to %q: it does not begin with \"/\"", cfg.To)
	}
	if strings.ContainsAny(cfg.To, " #\\") || !syntax.IsValue(cfg.To) {
		return fmt.Errorf("rewrite to %q: a path and query hold no blanks, \"#\", backslashes or control characters", cfg.To)
	}
	path, query, mark := syntax.CutOutside(cfg.To, "?")
	if strings.Contains(path, "{uri}") {
		return fmt.Errorf("rewrite to %q: write {path}; the query stays where \"to\" has no \"?\"", cfg.To)
	}
	var err error
	if r.path, err = weir.ParseTemplate(path, cfg.Params...); err != nil {
		return fmt.Errorf("rewrite to %q: %w", cfg.To, err)
	}
	if mark == 0 {
		return nil
	}
	r.queryValue = syntax.QueryValue(cfg.Params)
	if r.query, err = weir.ParseTemplate(query, cfg.Params...); err != nil {
		return fmt.Errorf("rewrite to %q: %w", cfg.To, err)
	}
	return nil
}
