package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/json"
)

// Load reads the file and all that it includes. A name that ends in .json is read as JSON. The Config
// is nil where nothing of it can be used; where it is not and the diagnostics have errors, it can be
// started in part.
func Load(path string) (*Config, Diagnostics) {
	src, err := readMain(path)
	if err != nil {
		return nil, Diagnostics{{Pos: Pos{File: path}, Summary: "file " + reason(err)}}
	}
	return Parse(path, src)
}

// Parse is Load with the text of the main file at hand; includes are read relative to its name.
func Parse(name string, src []byte) (*Config, Diagnostics) {
	c, usable, said := parseAll(name, src)
	if !usable {
		return nil, said
	}
	return c, said
}

// Inspect is Load for those who look for errors: it also returns a Config of which nothing can be used, as far as it
// could be read. It is nil where that is not at all.
func Inspect(path string) (*Config, Diagnostics) {
	src, err := readMain(path)
	if err != nil {
		return nil, Diagnostics{{Pos: Pos{File: path}, Summary: "file " + reason(err)}}
	}
	c, _, said := parseAll(path, src)
	return c, said
}

// parseAll reads everything. It reports whether it can be used, at least in part.
func parseAll(name string, src []byte) (*Config, bool, Diagnostics) {
	l := newLoader()
	c, usable, said := l.parseAll(name, src)
	if !l.odd {
		return c, usable, said
	}
	l = newLoader()
	l.whole = true
	return l.parseAll(name, src)
}

func (l *loader) parseAll(name string, src []byte) (c *Config, usable bool, said Diagnostics) {
	name = filepath.Clean(name)
	ok := l.source(name, src)
	l.flush()
	if ok {
		l.usual()
		l.build(name)
	}
	l.foreign(l.redefined.rest())
	l.flush()
	said = l.said.sorted(l.config.Files)
	if !ok {
		return nil, false, said
	}
	l.config.Files = append(l.config.Files, l.files...)
	l.config.quoter = l.quoter
	return l.config, !l.fatal && len(l.config.Listeners) > 0, said
}

// reason is why a file cannot be read, in a few words.
func reason(err error) string {
	var path *fs.PathError
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "does not exist"
	case errors.Is(err, errNotRegular):
		return errNotRegular.Error()
	case errors.Is(err, errTooLarge):
		return errTooLarge.Error()
	case errors.As(err, &path):
		return "cannot be read: " + path.Err.Error()
	}
	return "cannot be read: " + err.Error()
}

// A loader brings the files together.
type loader struct {
	*reader
	config *Config
	said   Diagnostics
	open   []string // files that include one another at the moment
	tops   []item   // what stands at the top of the files
	root   *node

	included  int // files
	size      int // of these, in bytes
	policies  map[string]*node
	addresses map[string]bool         // for which there is an anonymous upstream
	withID    map[string]bool         // files of error pages that hold {request.id}
	withIDs   map[*Settings]*Settings // the same with ids, which something asks for
	fatal     bool                    // something is wrong without which nothing may be served
	partial   bool                    // something could not be parsed: nobody knows what it uses
	whole     bool                    // files are not read in pieces
	odd       bool                    // they have to be read whole: all is to be read again
	missing   Diagnostics             // why the site at hand cannot be served, though nothing is wrong with itself
}

func newLoader() *loader {
	schema := language()
	r := &reader{schema: schema, symbols: &symbols{}, quoter: newQuoter()}
	r.context = r.newContext()
	return &loader{
		reader: r, config: &Config{},
		root:     &node{schema: schema, attrs: map[string]setting{}, tried: map[string]bool{}},
		policies: map[string]*node{}, addresses: map[string]bool{}, withID: map[string]bool{}, withIDs: map[*Settings]*Settings{},
	}
}

// flush moves what was said of one part to all that was said.
func (l *loader) flush() Diagnostics {
	said := l.list
	l.list = nil
	l.said = append(l.said, said...)
	return said
}

// source reads the text of one file, and all that it includes. It reports whether it can be parsed.
func (l *loader) source(name string, src []byte) bool {
	l.sources[name] = src
	l.config.Files = append(l.config.Files, name)
	items, ok := l.parts(name, src)
	if !ok {
		return false
	}
	l.open = append(l.open, name)
	for _, it := range items {
		l.tops = append(l.tops, it)
		if it.name == "include" && it.expr != nil {
			l.include(it)
		}
	}
	l.open = l.open[:len(l.open)-1]
	return true
}

// parts is what stands at the top of one file, if that can be told.
func (l *loader) parts(name string, src []byte) ([]item, bool) {
	if refused := refuse(name, src); refused.HasErrors() {
		l.foreign(refused)
		return nil, false
	}
	if !isJSON(name) && !l.whole {
		if items, ok := l.inPieces(name, src); ok {
			return items, true
		}
	}
	if deep := tooDeepIn(name, src); deep.HasErrors() {
		l.foreign(deep)
		return nil, false
	}
	body, diags := parseText(name, src)
	before := len(l.redefined.all)
	diags = l.redefined.keep(body, diags)
	if !diags.HasErrors() {
		l.foreign(diags)
		return l.items(body, l.schema), true
	}
	if !isJSON(name) {
		l.redefined.all = l.redefined.all[:before] // found again
		if items, ok := l.salvage(name, src); ok {
			l.config.BrokenFiles = append(l.config.BrokenFiles, name)
			l.partial = true
			return items, true
		}
		l.redefined.all = l.redefined.all[:before]
		if len(l.open) > 0 { // a main file ends everything
			l.tops = append(l.tops, l.lost(name, src, diags)...)
		}
	}
	l.foreign(diags)
	return nil, false
}

func isJSON(name string) bool { return strings.EqualFold(filepath.Ext(name), ".json") }

// parse parses a text, unless that has to be refused.
func parse(name string, src []byte) (hcl.Body, hcl.Diagnostics) {
	if refused := refuse(name, src); refused.HasErrors() {
		return nil, refused
	}
	if deep := tooDeepIn(name, src); deep.HasErrors() {
		return nil, deep
	}
	return parseText(name, src)
}

func parseText(name string, src []byte) (hcl.Body, hcl.Diagnostics) {
	if isJSON(name) {
		f, diags := json.Parse(src, name)
		if f == nil {
			return nil, diags
		}
		return f.Body, diags
	}
	f, diags := hclsyntax.ParseConfig(src, name, hcl.InitialPos)
	if f == nil {
		return nil, diags
	}
	return f.Body, diags
}

// include reads the files that patterns name, those of one in the order of their names.
func (l *loader) include(it item) {
	patterns, _ := list(l.reader, l.root, l.schema.attr("include"), it.expr, l.oneText)
	for _, p := range patterns {
		l.includePattern(p, it.expr.Range())
	}
}

func (l *loader) includePattern(pattern string, at hcl.Range) {
	path := pattern
	if !filepath.IsAbs(path) {
		path = filepath.Join(filepath.Dir(at.Filename), path)
	}
	if !strings.ContainsAny(pattern, `*?[`) {
		l.includeFile(path, at)
		return
	}
	names, err := glob(path)
	if errors.Is(err, errManyNames) {
		l.report(at, "include: "+quote(pattern)+" "+err.Error(), "", "name the folders")
		return
	}
	if err != nil {
		l.report(at, "include: "+quote(pattern)+" is not a pattern", `"*" stands for any part of a name, "?" for one letter, "[a-z]" for one of these`, "")
		return
	}
	if folder := filepath.Dir(path); !slices.Contains(l.config.Folders, folder) {
		l.config.Folders = append(l.config.Folders, folder)
	}
	for _, name := range names {
		if _, known := l.sources[name]; !known && !isFolder(name) {
			l.includeFile(name, at)
		}
	}
}

func isFolder(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.IsDir()
}

// includeFile reads one file, which may be broken without harm to the others.
func (l *loader) includeFile(name string, at hcl.Range) {
	if slices.Contains(l.open, name) {
		l.report(at, "include: "+quote(name)+" includes itself", strings.Join(append(l.open[slices.Index(l.open, name):], name), " -> "), "")
		return
	}
	if _, known := l.sources[name]; known {
		return
	}
	if l.included++; l.included > maxIncludes {
		if l.included == maxIncludes+1 {
			l.report(at, fmt.Sprintf("include: more than %d files are included", maxIncludes), "", "")
		}
		return
	}
	before := len(l.list)
	src, err := readIncluded(name)
	if l.size += len(src); l.size > maxTotal {
		if l.size-len(src) <= maxTotal {
			l.report(at, fmt.Sprintf("include: %s is where all files together are larger than %d MiB", quote(name), maxTotal>>20), "", "")
		}
		return
	}
	if err != nil {
		l.report(at, "include: "+quote(name)+" "+reason(err), "names are relative to the folder of the file they are written in", "")
	}
	if err != nil || !l.source(name, src) {
		l.partial = true
		l.config.BrokenFiles = append(l.config.BrokenFiles, name)
		l.config.LostFiles = append(l.config.LostFiles, Broken{Name: name, Pos: posOf(at), Why: l.list[before:].errors()})
	}
}
