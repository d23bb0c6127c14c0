package cert

import (
	"errors"
	"path/filepath"
	"testing"
	"time"
)

// A clock that tests set.
type clock struct{ t time.Time }

func (c *clock) now() time.Time { return c.t }

func newTestLedger(t *testing.T, dir string, c *clock) *ledger {
	t.Helper()
	l, err := openLedger(dir, c.now)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestFailuresAreBounded(t *testing.T) {
	dir, c := t.TempDir(), &clock{time.Now()}
	first := c.t
	for i := range limitFailures.n {
		// A crash loop: each turn is another process.
		l := newTestLedger(t, dir, c)
		if err := errors.Join(l.order(intent{name: "a.example", forced: true}), l.validation("a.example")); err != nil {
			t.Fatalf("try %d: %v", i, err)
		}
		c.t = c.t.Add(time.Minute)
	}
	l := newTestLedger(t, dir, c)
	var d *deferral
	if err := l.order(intent{name: "a.example", forced: true}); !errors.As(err, &d) || !d.until.Equal(first.Add(time.Hour)) {
		t.Errorf("one more: %v", err)
	}
	if err := l.validation("a.example"); !errors.As(err, &d) {
		t.Errorf("one more validation: %v", err)
	}
	if err := l.order(intent{name: "b.example"}); err != nil {
		t.Errorf("another name: %v", err)
	}
	c.t = first.Add(time.Hour + time.Second)
	if err := l.order(intent{name: "a.example"}); err != nil {
		t.Errorf("an hour after the first: %v", err)
	}
}

func TestCertificatesAreBounded(t *testing.T) {
	c := &clock{time.Now()}
	l := newTestLedger(t, t.TempDir(), c)
	for range limitIssued.n {
		if err := errors.Join(l.order(intent{name: "a.example"}), l.validation("a.example"), l.issued("a.example")); err != nil {
			t.Fatal(err)
		}
		c.t = c.t.Add(time.Hour)
	}
	var d *deferral
	if err := l.order(intent{name: "a.example", life: 90 * 24 * time.Hour}); !errors.As(err, &d) {
		t.Errorf("a fifth in a week: %v", err)
	}
	for what, i := range map[string]intent{
		"by a person": {name: "a.example", forced: true},
		"short-lived": {name: "a.example", life: 24 * time.Hour},
	} {
		if err := l.order(i); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestOrdersAreBounded(t *testing.T) {
	c := &clock{time.Now()}
	l := newTestLedger(t, t.TempDir(), c)
	l.entries["other.example"] = &entry{}
	for range limitAllOrders.n {
		l.entries["other.example"].Orders = append(l.entries["other.example"].Orders, c.t)
	}
	var d *deferral
	if err := l.order(intent{name: "a.example", public: true}); !errors.As(err, &d) {
		t.Errorf("of a public CA: %v", err)
	}
	if err := l.order(intent{name: "a.example"}); err != nil {
		t.Errorf("of a private one: %v", err)
	}
	for range limitOrders.n - 1 {
		if err := l.order(intent{name: "a.example"}); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.order(intent{name: "a.example"}); !errors.As(err, &d) {
		t.Errorf("of one name: %v", err)
	}
}

func TestLedgerForgets(t *testing.T) {
	dir, c := t.TempDir(), &clock{time.Now()}
	l := newTestLedger(t, dir, c)
	if err := errors.Join(l.order(intent{name: "a.example"}), l.issued("a.example")); err != nil {
		t.Fatal(err)
	}
	c.t = c.t.Add(8 * 24 * time.Hour)
	if err := l.order(intent{name: "b.example"}); err != nil {
		t.Fatal(err)
	}
	if again := newTestLedger(t, dir, c); len(again.entries) != 1 {
		t.Errorf("%d names", len(again.entries))
	}
	// A clock that was ahead does not lock a name out.
	c.t = c.t.Add(-30 * 24 * time.Hour)
	for range limitOrders.n {
		if err := l.order(intent{name: "b.example"}); err != nil {
			t.Error(err)
		}
	}
}

func TestBrokenLedgerIsAnError(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "ledger.json"), []byte(`{"a.example":`))
	if _, err := openLedger(dir, time.Now); err == nil {
		t.Error("a broken ledger is taken for an empty one")
	}
	if _, err := NewManager(dir, Config{}, nil); err == nil {
		t.Error("a manager without a ledger")
	}
}

// What cannot be written down is not asked.
func TestLedgerThatCannotBeWritten(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "file")
	writeFile(t, dir, nil)
	l := &ledger{file: filepath.Join(dir, "ledger.json"), now: time.Now, locks: newLocks(t.TempDir()), entries: map[string]*entry{}}
	if l.order(intent{name: "a.example"}) == nil || l.validation("a.example") == nil {
		t.Error("no error")
	}
}

func TestProcessesShareALedger(t *testing.T) {
	dir, c := t.TempDir(), &clock{time.Now()}
	a, b := newTestLedger(t, dir, c), newTestLedger(t, dir, c)
	for range limitFailures.n / 2 {
		for _, l := range []*ledger{a, b} {
			if err := errors.Join(l.order(intent{name: "a.example"}), l.validation("a.example")); err != nil {
				t.Fatal(err)
			}
		}
	}
	var d *deferral
	for _, l := range []*ledger{a, b} {
		if err := l.validation("a.example"); !errors.As(err, &d) || d.Error() == "" {
			t.Errorf("one more: %v", err)
		}
	}
}
