package route

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// checkTree reports routes of a tree that match alike, and routes that another one hides. The entries are
// sorted, so that those of one shape stand together. A pattern of another shape that comes later can be covered by
// a regular expression only, or be one.
func (b *builder) checkTree(s *site, t *tree) {
	var catchAlls []*entry
	seen := map[string]*entry{} // of one shape, by conditions
	for i, from := 0, 0; i < len(t.entries); i++ {
		e := &t.entries[i]
		if e.pattern.shape != t.entries[from].pattern.shape {
			from = i
			clear(seen)
		}
		key := e.cond.key()
		if first, ok := seen[key]; ok {
			b.reportAlike(s, first, e)
			continue
		}
		seen[key] = e
		alike := t.entries[max(from, i-maxHiders):i]
		by := hider(e, catchAlls, alike)
		if by == nil && e.pattern.prefix != "" {
			by = prefixHider(e, t.entries[:i])
		}
		if by != nil {
			b.reportHidden(s, e, by)
		} else if all := jointHiders(e, catchAlls, alike); all != nil {
			b.reportHidden(s, e, all...)
		}
		if len(catchAlls) < maxHiders && e.pattern.re != nil && e.pattern.matchesAll() {
			catchAlls = append(catchAlls, e)
		}
	}
}

// maxHiders bounds with how many routes a route is compared.
const maxHiders = 100

// hider returns an entry that takes every request that e would: one that matches every path, or one of e's
// own shape.
func hider(e *entry, catchAlls []*entry, alike []entry) *entry {
	for _, f := range catchAlls {
		if e.cond.implies(f.cond) {
			return f
		}
	}
	for i := range alike {
		if e.cond.implies(alike[i].cond) {
			return &alike[i]
		}
	}
	return nil
}

// jointHiders returns entries that take every request that e would between them, each those of some of e's methods; nil
// where they leave some.
func jointHiders(e *entry, catchAlls []*entry, alike []entry) (by []*entry) {
	if e.cond == nil || len(e.cond.methods) < 2 {
		return nil
	}
	left := slices.Clone(e.cond.accepted)
	take := func(f *entry) {
		if f.cond == nil || !e.cond.impliesRest(f.cond) {
			return
		}
		before := len(left)
		left = slices.DeleteFunc(left, func(m string) bool { return slices.Contains(f.cond.accepted, m) })
		if len(left) < before {
			by = append(by, f)
		}
	}
	for _, f := range catchAlls {
		take(f)
	}
	for i := range alike {
		take(&alike[i])
	}
	if len(left) > 0 {
		return nil
	}
	slices.SortFunc(by, func(f, g *entry) int { return cmp.Compare(f.written, g.written) })
	return by
}

// prefixHider returns an entry that takes every request that e would, a regular expression of which the literal
// beginning is known: it is one of those before e.
func prefixHider(e *entry, before []entry) *entry {
	for i := range before {
		if f := &before[i]; f.pattern.covers(e.pattern) && e.cond.implies(f.cond) {
			return f
		}
	}
	return nil
}

// checkHosted reports routes that can't be reached because on each of their hosts a route that names the
// host takes all that they would.
func (b *builder) checkHosted(s *site) {
	if len(s.trees) < 2 {
		return
	}
	before := s.treesBefore()
	for _, t := range s.trees {
		for i := range t.entries {
			e := &t.entries[i]
			if by := hiddenOnAll(e, before[t]); by != nil {
				b.reportHidden(s, e, by)
			}
		}
	}
}

// treesBefore returns for each tree, and for each host on which it is searched, the trees that are searched
// before it.
func (s *site) treesBefore() map[*tree][][]*tree {
	before := map[*tree][][]*tree{}
	for i := range s.hosts {
		trees := s.hosts[i].trees
		for j, t := range trees {
			before[t] = append(before[t], trees[:j])
		}
	}
	return before
}

// hiddenOnAll returns an entry that hides e, if there is one on every host.
func hiddenOnAll(e *entry, hosts [][]*tree) (by *entry) {
	for _, trees := range hosts {
		if by = hiderAmong(trees, e); by == nil {
			return nil
		}
	}
	return by
}

func hiderAmong(trees []*tree, e *entry) *entry {
	for _, t := range trees {
		for i := range t.entries {
			f := &t.entries[i]
			if f.pattern.covers(e.pattern) && e.cond.implies(f.cond) {
				return f
			}
		}
	}
	return nil
}

func (b *builder) reportAlike(s *site, first, second *entry) {
	b.report(int(second.written), Problem{
		Severity: Error, Site: s.Name, Route: second.spec.label(), Pos: second.spec.Pos, Other: first.spec.Pos,
		Text: fmt.Sprintf("%s matches the same requests as %s%s: give one of them another path or a condition",
			second.spec.label(), first.spec.label(), at(first.spec.Pos)),
	})
}

func (b *builder) reportHidden(s *site, e *entry, by ...*entry) {
	var names []string
	for _, f := range by {
		names = append(names, f.spec.label()+at(f.spec.Pos))
	}
	takes := "takes"
	if len(by) > 1 {
		takes = "together take"
	}
	b.report(int(e.written), Problem{
		Severity: Warning, Site: s.Name, Route: e.spec.label(), Pos: e.spec.Pos, Other: by[0].spec.Pos,
		Text: fmt.Sprintf("%s can never match: %s %s every request that it would", e.spec.label(), andList(names), takes),
	})
}

func andList(words []string) string {
	last := len(words) - 1
	if last < 1 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:last], ", ") + " and " + words[last]
}
