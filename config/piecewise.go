package config

import (
	"bytes"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// inPieces reads a file piece by piece, which comes to the same as reading it whole where nothing is wrong with it: what
// the parser makes of a text takes some eighty times the memory of the text. A site is parsed when its turn comes, so
// that no more than one is in memory like that.
//
// It reports whether that can be done. A site with which something is wrong is found later: see parseSite.
func (l *loader) inPieces(name string, src []byte) ([]item, bool) {
	var out []item
	seen := map[string]bool{} // attributes
	for _, p := range l.pieces(src) {
		if p.name == "site" {
			start := p.start()
			out = append(out, item{name: p.name, at: hcl.Range{Filename: name, Start: start, End: start}, piece: p})
			continue
		}
		items, ok := l.parsePiece(name, src, p)
		if !ok {
			return nil, false
		}
		for _, it := range items {
			if it.expr != nil && seen[it.name] {
				return nil, false
			}
			seen[it.name] = it.expr != nil
		}
		out = append(out, items...)
	}
	return out, true
}

// parseSite parses a site that inPieces has left for later. It reports whether that was wrong, as there is anything to
// say of the piece, or anything else in it.
func (l *loader) parseSite(it item) (site item, odd bool) {
	items, ok := l.parsePiece(it.at.Filename, l.sources[it.at.Filename], it.piece)
	if !ok || len(items) != 1 || items[0].expr != nil || items[0].name != it.name {
		return it, true
	}
	return items[0], false
}

// parsePiece returns what stands in a piece, if there is nothing to say of it.
func (l *loader) parsePiece(name string, src []byte, p piece) ([]item, bool) {
	text := src[p.from:p.to]
	if mayBeDeep(text) && nativeDepth(name, text, p.start()).HasErrors() {
		return nil, false
	}
	f, diags := hclsyntax.ParseConfig(text, name, p.start())
	if len(diags) > 0 {
		return nil, false
	}
	return l.items(f.Body, l.schema), true
}

// mayBeDeep reports whether there are as many signs in a text as it takes to be nested too deep. Most pieces have so few
// that nobody has to look what they mean.
func mayBeDeep(src []byte) bool {
	n := 0
	for _, sign := range []byte("{[(\"<])%*/+-=!>&|?:") {
		n += bytes.Count(src, []byte{sign})
	}
	return n > maxDepth
}
