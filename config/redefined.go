package config

import (
	"cmp"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// redefinitions are the attributes that stand twice, wherever they are. Each breaks the block that it is in, not the file.
type redefinitions struct {
	all    hcl.Diagnostics // in the order in which they were found
	within map[*hclsyntax.Body]hcl.Diagnostics
	told   map[*hcl.Diagnostic]bool
}

// keep puts them aside out of what the parser says of a body, and returns what else it says.
func (r *redefinitions) keep(body hcl.Body, diags hcl.Diagnostics) hcl.Diagnostics {
	return slices.DeleteFunc(diags, func(d *hcl.Diagnostic) bool {
		again := d.Summary == redefined && d.Subject != nil
		if again {
			r.all = append(r.all, d)
			r.place(body, d)
		}
		return again
	})
}

// place finds the innermost block that one stands in.
func (r *redefinitions) place(body hcl.Body, d *hcl.Diagnostic) {
	native, ok := body.(*hclsyntax.Body)
	if !ok {
		return
	}
	for inner := native; inner != nil; inner = blockAt(inner, d.Subject.Start.Byte) {
		native = inner
	}
	if r.within == nil {
		r.within, r.told = map[*hclsyntax.Body]hcl.Diagnostics{}, map[*hcl.Diagnostic]bool{}
	}
	r.within[native] = append(r.within[native], d)
}

// blockAt is the body of the block that holds a byte; nil: none does.
func blockAt(body *hclsyntax.Body, at int) *hclsyntax.Body {
	i, found := slices.BinarySearchFunc(body.Blocks, at, func(b *hclsyntax.Block, at int) int {
		return cmp.Compare(b.TypeRange.Start.Byte, at)
	})
	if !found {
		i--
	}
	if i < 0 || at >= body.Blocks[i].CloseBraceRange.End.Byte {
		return nil
	}
	return body.Blocks[i].Body
}

// rest are those that no block has told.
func (r *redefinitions) rest() hcl.Diagnostics {
	return slices.DeleteFunc(r.all, func(d *hcl.Diagnostic) bool { return r.told[d] })
}

// redefinedIn reports attributes that stand twice in a block itself.
func (r *reader) redefinedIn(n *node, body hcl.Body) {
	native, _ := body.(*hclsyntax.Body)
	for _, d := range r.redefined.within[native] {
		r.redefined.told[d] = true
		r.foreignIn(n, hcl.Diagnostics{d})
	}
}
