package observe

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// A HandshakeStatus is how the TLS handshakes of a listener ended since it was opened. Those of HTTP/3 that failed are
// not among them.
type HandshakeStatus struct {
	Succeeded uint64           `json:"succeeded"`
	Resumed   uint64           `json:"resumed"` // of these, that went on from an earlier one
	Failed    uint64           `json:"failed"`
	Ways      []HandshakeCount `json:"ways,omitempty"`
}

// A HandshakeCount is how many handshakes ended one way.
type HandshakeCount struct {
	Version string `json:"version,omitempty"` // "1.2", "1.3"; "": they failed
	Resumed bool   `json:"resumed,omitempty"`
	Failure string `json:"failure,omitempty"` // in a word, such as "unknown_name"; "gone": the client went away
	Count   uint64 `json:"count"`
}

// Add counts one more way.
func (h *HandshakeStatus) Add(c HandshakeCount) {
	h.Ways = append(h.Ways, c)
	switch {
	case c.Failure != "":
		h.Failed += c.Count
		return
	case c.Resumed:
		h.Resumed += c.Count
	}
	h.Succeeded += c.Count
}

// A CertificateStatus is one certificate that clients are shown, or would be shown if there were one. It has nothing that
// is secret.
type CertificateStatus struct {
	Names    []string         `json:"names"` // one at least, but for files whose certificate names no host
	Kind     string           `json:"kind"`  // "acme", "internal", "files"
	State    CertificateState `json:"state"`
	OnDemand bool             `json:"on_demand,omitempty"`       // a client brought the name
	Issuer   string           `json:"issuer,omitempty"`          // who signed it
	Serial   string           `json:"serial,omitempty"`          // hexadecimal
	File     string           `json:"file,omitempty"`            // where it is kept
	From     time.Time        `json:"not_before,omitzero"`       // valid from
	Until    time.Time        `json:"not_after,omitzero"`        // valid until; zero: there is none
	Renewal  time.Time        `json:"renewal,omitzero"`          // when it is to be replaced
	Failed   int              `json:"failed_attempts,omitempty"` // in a row
	Step     string           `json:"step,omitempty"`            // at which the last attempt failed
	Problem  string           `json:"problem,omitempty"`         // why, in plain words
	Next     time.Time        `json:"next_attempt,omitzero"`     // after one that failed
}

// Name is what the certificate is called in lists: its first name, or its file where it has none.
func (c *CertificateStatus) Name() string {
	if len(c.Names) > 0 {
		return c.Names[0]
	}
	return c.File
}

// Has reports whether name is one of the certificate's: as it stands there, or covered by a wildcard.
func (c *CertificateStatus) Has(name string) bool {
	name = strings.TrimSuffix(strings.ToLower(name), ".")
	_, parent, _ := strings.Cut(name, ".")
	return slices.ContainsFunc(c.Names, func(n string) bool {
		n = strings.ToLower(n)
		return n == name || n == "*."+parent
	})
}

// A CertificateState says in a word how a certificate is.
type CertificateState string

// The states of a certificate, the worst first.
const (
	CertificateMissing  CertificateState = "missing" // there is none, and the last attempt failed
	CertificateExpired  CertificateState = "expired"
	CertificateDoubtful CertificateState = "doubtful" // valid, but its problem wants to be looked at
	CertificatePending  CertificateState = "pending"  // there is none, and it is being got
	CertificateOK       CertificateState = "ok"
	CertificateUnasked  CertificateState = "unasked" // of weir's own authority, which makes it when a client asks for it
)

var certificateStates = []CertificateState{
	CertificateMissing, CertificateExpired, CertificateDoubtful, CertificatePending, CertificateOK, CertificateUnasked,
}

// StateAt is the state at now, as all else in c makes it.
func (c *CertificateStatus) StateAt(now time.Time) CertificateState {
	switch {
	case c.Until.IsZero() && c.Problem != "":
		return CertificateMissing
	case c.Kind == "internal" && now.After(c.Until):
		return CertificateUnasked
	case c.Until.IsZero():
		return CertificatePending
	case now.After(c.Until):
		return CertificateExpired
	case c.Problem != "":
		return CertificateDoubtful
	}
	return CertificateOK
}

// WorstFirst puts certificates in the order in which somebody should look at them: by state, then by the time that is
// left.
func WorstFirst(list []CertificateStatus) {
	slices.SortStableFunc(list, func(a, b CertificateStatus) int {
		return cmp.Or(
			cmp.Compare(slices.Index(certificateStates, a.State), slices.Index(certificateStates, b.State)),
			a.Until.Compare(b.Until), cmp.Compare(a.Name(), b.Name()))
	})
}

// An ACMEStatus is how often certificates were asked for at public authorities since the start.
type ACMEStatus struct {
	Issued uint64 `json:"issued"`
	Failed uint64 `json:"failed"` // attempts
}
