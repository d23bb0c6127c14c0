package cert

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// Only a verdict of the rule is remembered: a name that nobody could be asked about is asked about again, and it is logged,
// not for each name.
func TestRuleThatCannotBeAsked(t *testing.T) {
	m, log := newQuiet(t, t.TempDir(), Config{})
	answer, asked := fmt.Errorf("rule.test %w: connection refused", ErrNotAsked), 0
	source, err := m.OnDemand(OnDemand{Allow: func(context.Context, string) error {
		asked++
		return answer
	}})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a.example", "a.example", "b.example"} {
		if _, err := source.(*demandSource).record(t.Context(), name); err == nil || errors.Is(err, ErrNoName) || !errors.Is(err, ErrNotAsked) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := strings.Count(log.String(), "names without a certificate on demand"); asked != 3 || n != 1 {
		t.Errorf("asked %d times, logged %d times: %s", asked, n, log.String())
	}
	answer = errors.New("nobody's")
	for range 2 {
		if _, err := source.(*demandSource).record(t.Context(), "a.example"); !errors.Is(err, ErrNoName) {
			t.Error(err)
		}
	}
	if asked != 4 {
		t.Errorf("asked %d times: a verdict is not remembered", asked)
	}
}

// A name with a certificate keeps it where nobody can be asked before its renewal, and loses it to a verdict alone.
func TestRuleThatCannotBeAskedBeforeRenewal(t *testing.T) {
	m, _ := newQuiet(t, t.TempDir(), Config{})
	for _, tt := range []struct {
		name   string
		answer error
		cert   bool
		kept   bool
	}{
		{"a.example", fmt.Errorf("rule.test %w: connection refused", ErrNotAsked), true, true},
		{"b.example", fmt.Errorf("rule.test %w: connection refused", ErrNotAsked), false, false},
		{"c.example", errors.New("nobody's"), true, false},
	} {
		r := &managed{name: tt.name, busy: true, allow: func(context.Context, string) error { return tt.answer }}
		if tt.cert {
			leaf := &x509.Certificate{NotBefore: time.Now().Add(-80 * time.Hour), NotAfter: time.Now().Add(time.Hour)}
			r.current.Store(&bundle{pair: &tls.Certificate{Leaf: leaf}})
		}
		m.mu.Lock()
		m.names[tt.name] = r
		m.working++
		r.expect()
		m.mu.Unlock()
		m.work(r)
		m.mu.Lock()
		if kept := m.names[tt.name] == r; kept != tt.kept || kept && !r.due.After(time.Now()) {
			t.Errorf("%s: kept %v, due %v", tt.name, kept, r.due)
		}
		delete(m.names, tt.name)
		m.mu.Unlock()
	}
}

// Who is asked may stand behind a proxy: what fails there is no verdict.
func TestRuleThatFails(t *testing.T) {
	status := http.StatusBadGateway
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
	defer s.Close()
	r, err := NewRule(nil, s.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := r.Allow(t.Context(), "a.example"); !errors.Is(err, ErrNotAsked) || !strings.Contains(err.Error(), "status 502") {
		t.Error(err)
	}
	status = http.StatusNotFound
	if err := r.Allow(t.Context(), "a.example"); err == nil || errors.Is(err, ErrNotAsked) {
		t.Error(err)
	}
}
