package route

import "fmt"

// checkTree reports routes of a tree that match alike, and routes that another one hides.
func (b *builder) checkTree(s *site, t *tree) {
	type kind struct{ shape, conditions string }
	seen := map[kind]*entry{}
	for i := range t.entries {
		e := &t.entries[i]
		k := kind{e.pattern.shape, e.cond.key()}
		if first, ok := seen[k]; ok {
			b.reportAlike(s, first, e)
			continue
		}
		seen[k] = e
		if by := hider(t.entries[:i], e); by != nil {
			b.reportHidden(s, e, by)
		}
	}
}

// hider returns the entry among those before e that takes every request that e would. They are sorted:
// only a regular expression can cover a pattern of another shape that comes later.
func hider(before []entry, e *entry) *entry {
	for i := range before {
		f := &before[i]
		if f.pattern.shape != e.pattern.shape && !(f.pattern.re != nil && f.pattern.matchesAll()) {
			continue
		}
		if e.cond.implies(f.cond) {
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
	for _, t := range s.trees {
		for i := range t.entries {
			e := &t.entries[i]
			if by := s.hiddenBefore(t, e); by != nil {
				b.reportHidden(s, e, by)
			}
		}
	}
}

// hiddenBefore returns an entry of a tree before t that hides e, if there is one on every host of t.
func (s *site) hiddenBefore(t *tree, e *entry) (by *entry) {
	for _, h := range s.hosts {
		found, within := earlier(h.trees(), t, e)
		if within && found == nil {
			return nil
		}
		if within {
			by = found
		}
	}
	return by
}

// earlier looks for an entry that hides e in the trees before t; within says whether t is among trees.
func earlier(trees []*tree, t *tree, e *entry) (by *entry, within bool) {
	for _, before := range trees {
		if before == t {
			return by, true
		}
		for i := range before.entries {
			f := &before.entries[i]
			if by == nil && f.pattern.covers(e.pattern) && e.cond.implies(f.cond) {
				by = f
			}
		}
	}
	return nil, false
}

func (b *builder) reportAlike(s *site, first, second *entry) {
	b.report(second.written, Problem{
		Severity: Error, Site: s.Name, Route: second.spec.label(), Pos: second.spec.Pos, Other: first.spec.Pos,
		Text: fmt.Sprintf("%s matches the same requests as %s%s: give one of them another path or a condition",
			second.spec.label(), first.spec.label(), at(first.spec.Pos)),
	})
}

func (b *builder) reportHidden(s *site, e, by *entry) {
	b.report(e.written, Problem{
		Severity: Warning, Site: s.Name, Route: e.spec.label(), Pos: e.spec.Pos, Other: by.spec.Pos,
		Text: fmt.Sprintf("%s can never match: %s%s takes every request that it would",
			e.spec.label(), by.spec.label(), at(by.spec.Pos)),
	})
}
