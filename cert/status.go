package cert

import (
	"crypto/x509"
	"maps"
	"slices"
	"strings"
	"time"
)

// Status is what there is to say of a certificate, for lists and pages. It is safe to show: it has no secrets.
type Status struct {
	Names   []string  `json:"names"`
	Kind    string    `json:"kind"`              // "acme", "internal", "files"
	Demand  bool      `json:"demand,omitempty"`  // a client brought the name, not the configuration
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
	s := Status{Names: []string{r.name}, Kind: "acme", Demand: !r.wanted, Failed: r.failed}
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

// Status is that of the pair. Its problem is why the files cannot be read anew, else the warning at now.
func (f *Files) Status(now time.Time) Status {
	leaf := f.Leaf()
	s := Status{
		Names: namesIn(leaf), Kind: "files", Issuer: issuerOf(&bundle{pair: f.current.Load()}), Serial: leaf.SerialNumber.Text(16),
		File: f.certificate, From: leaf.NotBefore, Until: leaf.NotAfter, Problem: f.Warning(now),
	}
	if p := f.problem.Load(); p != nil {
		s.Step, s.Problem = stepRead, oneLine(*p)
	}
	return s
}

// stepRead is at what a certificate from files fails.
const stepRead = "reading its files"

// namesIn are the names that a certificate is valid for; there may be none.
func namesIn(leaf *x509.Certificate) []string {
	names := slices.Clone(leaf.DNSNames)
	for _, ip := range leaf.IPAddresses {
		names = append(names, ip.String())
	}
	return names
}

// Status lists the certificates of these names; one that nobody has asked for yet is not made and has no dates. Without
// names it lists those that are in force.
func (a *Authority) Status(names ...string) []Status {
	a.mu.RLock()
	defer a.mu.RUnlock()
	if len(names) == 0 {
		names = slices.Collect(maps.Keys(a.leaves))
	}
	list := make([]Status, 0, len(names))
	for _, raw := range names {
		if name, err := normalName(raw); err == nil {
			list = append(list, a.status(name))
		}
	}
	slices.SortFunc(list, func(a, b Status) int { return strings.Compare(a.Names[0], b.Names[0]) })
	return list
}

// status is that of one name. mu is held.
func (a *Authority) status(name string) Status {
	s := Status{Names: []string{name}, Kind: "internal", Issuer: a.root.Subject.CommonName}
	if c := a.leaves[name]; c != nil {
		s.Serial, s.From, s.Until = c.Leaf.SerialNumber.Text(16), c.Leaf.NotBefore, c.Leaf.NotAfter
		s.Renewal = c.Leaf.NotAfter.Add(-leafRenewal)
	}
	return s
}
