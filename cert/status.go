package cert

import (
	"slices"
	"strings"
	"time"
)

// Status is what there is to say of a certificate, for lists and pages. It is safe to show: it has no secrets.
type Status struct {
	Names   []string  `json:"names"`
	Kind    string    `json:"kind"`              // "acme", "internal", "files"
	Issuer  string    `json:"issuer,omitempty"`  // who signed it
	Serial  string    `json:"serial,omitempty"`  // hexadecimal
	File    string    `json:"file,omitempty"`    // where it is kept
	From    time.Time `json:"from,omitzero"`     // valid from
	Until   time.Time `json:"until,omitzero"`    // valid until; zero: there is no certificate
	Renewal time.Time `json:"renewal,omitzero"`  // when it is to be replaced
	Again   time.Time `json:"again,omitzero"`    // the next attempt, where the last one failed
	Failed  int       `json:"failed,omitempty"`  // attempts in a row
	Step    string    `json:"step,omitempty"`    // at which the last one failed
	Problem string    `json:"problem,omitempty"` // why, in plain words
}

// Status lists the names that are managed, in order.
func (m *Manager) Status() []Status {
	m.mu.RLock()
	defer m.mu.RUnlock()
	list := make([]Status, 0, len(m.names))
	for _, r := range m.names {
		list = append(list, m.status(r))
	}
	slices.SortFunc(list, func(a, b Status) int { return strings.Compare(a.Names[0], b.Names[0]) })
	return list
}

// status is that of one name. mu is held.
func (m *Manager) status(r *managed) Status {
	s := Status{Names: []string{r.name}, Kind: "acme", Failed: r.failed}
	if b := r.current.Load(); b != nil {
		leaf := b.pair.Leaf
		s.Issuer, s.Serial, s.File = issuerOf(b), leaf.SerialNumber.Text(16), bundleFile(m.dir, r.name)
		s.From, s.Until, s.Renewal = leaf.NotBefore, leaf.NotAfter, renewAt(b)
	}
	if r.problem != nil {
		s.Step, s.Problem, s.Again = firstStep(r.problem), oneLine(r.problem), r.due
	}
	return s
}

func oneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }

// Status is that of the pair, with the warning at now as its problem.
func (f *Files) Status(now time.Time) Status {
	leaf := f.Leaf()
	s := Status{
		Names: leaf.DNSNames, Kind: "files", Issuer: issuerOf(&bundle{pair: f.current.Load()}), Serial: leaf.SerialNumber.Text(16),
		File: f.certificate, From: leaf.NotBefore, Until: leaf.NotAfter, Problem: f.Warning(now),
	}
	for _, ip := range leaf.IPAddresses {
		s.Names = append(s.Names, ip.String())
	}
	return s
}

// Status lists the certificates that are in force, in order; those of names that nobody asked for yet are not made.
func (a *Authority) Status() []Status {
	a.mu.RLock()
	defer a.mu.RUnlock()
	list := make([]Status, 0, len(a.leaves))
	for name, c := range a.leaves {
		list = append(list, Status{
			Names: []string{name}, Kind: "internal", Issuer: a.root.Subject.CommonName, Serial: c.Leaf.SerialNumber.Text(16),
			From: c.Leaf.NotBefore, Until: c.Leaf.NotAfter, Renewal: c.Leaf.NotAfter.Add(-leafRenewal),
		})
	}
	slices.SortFunc(list, func(a, b Status) int { return strings.Compare(a.Names[0], b.Names[0]) })
	return list
}
