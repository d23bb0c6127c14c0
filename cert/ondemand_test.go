package cert

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
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
