package cert

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"weir/internal/bounded"
)

// A limit is how often something may be asked of CAs in a time.
type limit struct {
	n    int
	span time.Duration
	what string
}

// The limits stay below those of the public CAs, so that a defect, a crash loop or a lost disk of somebody else's
// making never uses up what the CA grants.
var (
	limitOrders    = limit{20, time.Hour, "orders for the name"}
	limitFailures  = limit{4, time.Hour, "failed validations of the name"}
	limitIssued    = limit{4, 7 * 24 * time.Hour, "certificates for the name"}
	limitAllOrders = limit{200, 3 * time.Hour, "orders in all"}
)

// maxLedger bounds the file of a ledger.
const maxLedger = 64 << 20

// A ledger counts what was asked of CAs, on disk, before it is asked. It outlives restarts and crashes, and processes
// that share a folder share it.
type ledger struct {
	file  string
	now   func() time.Time
	locks *locks

	mu      sync.Mutex // protects the rest, and is held while the file is read and written
	entries map[string]*entry
	text    []byte // of the file as it was read or written last
}

// An entry has the times of what happened for a name, in order.
type entry struct {
	Orders   []time.Time `json:"orders,omitempty"`
	Failures []time.Time `json:"failures,omitempty"` // validations that were begun and did not succeed
	Issued   []time.Time `json:"issued,omitempty"`
}

// ledgerWait bounds the wait for another process that writes the ledger.
const ledgerWait = 10 * time.Second

// openLedger reads the ledger of a folder. One that cannot be read is an error: to begin anew would forget what a
// CA remembers.
func openLedger(dir string, now func() time.Time) (*ledger, error) {
	l := &ledger{file: filepath.Join(dir, "ledger.json"), now: now, locks: newLocks(filepath.Join(dir, "locks")), entries: map[string]*entry{}}
	return l, l.read()
}

// read takes over what another process wrote. mu is held, or nobody else knows l.
func (l *ledger) read() error {
	text, err := bounded.ReadFile(l.file, maxLedger)
	if errors.Is(err, fs.ErrNotExist) || err == nil && bytes.Equal(text, l.text) {
		return nil
	}
	entries := map[string]*entry{}
	if err == nil {
		err = json.Unmarshal(text, &entries)
	}
	if err != nil {
		return fmt.Errorf("the ledger of orders at CAs: %q: %w", l.file, err)
	}
	l.entries, l.text = entries, text
	return nil
}

// change reads, has f change something, and writes.
func (l *ledger) change(f func() error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), ledgerWait)
	defer cancel()
	if err := l.locks.lock(ctx, "ledger"); err != nil {
		return err
	}
	defer l.locks.unlock("ledger")
	if err := l.read(); err != nil {
		return err
	}
	if err := f(); err != nil {
		return err
	}
	return l.write()
}

// A deferral says until when no CA is asked, and why.
type deferral struct {
	until time.Time
	why   string
}

// Error is for people.
func (d *deferral) Error() string {
	return fmt.Sprintf("no CA is asked before %s: %s", d.until.UTC().Format(time.DateTime), d.why)
}

// An intent is what an order is for.
type intent struct {
	name   string
	forced bool          // a person asked for it: the number of certificates is no limit, that of failures is
	public bool          // a CA is asked that counts the orders of all names
	life   time.Duration // of the certificate before; 0: there was none
}

// order notes an order that is about to be made, or says with a *deferral that it has to wait.
func (l *ledger) order(i intent) error {
	return l.change(func() error {
		l.prune()
		e := l.entry(i.name)
		checks := []error{l.room(limitFailures, e.Failures), l.room(limitOrders, e.Orders)}
		if i.public {
			checks = append(checks, l.room(limitAllOrders, l.allOrders()))
		}
		if !i.forced {
			checks = append(checks, l.room(i.certificates(), e.Issued))
		}
		for _, err := range checks {
			if err != nil {
				return err
			}
		}
		e.Orders = append(e.Orders, l.now())
		return nil
	})
}

// certificates is the limit on them: more where they are short-lived.
func (i intent) certificates() limit {
	limit := limitIssued
	if i.life > 0 {
		limit.n += int(3 * limit.span / i.life)
	}
	return limit
}

// validation notes that a CA is about to look at a name. Until it succeeded it counts as failed.
func (l *ledger) validation(name string) error {
	return l.change(func() error {
		e := l.entry(name)
		if err := l.room(limitFailures, e.Failures); err != nil {
			return err
		}
		e.Failures = append(e.Failures, l.now())
		return nil
	})
}

// issued notes a certificate.
func (l *ledger) issued(name string) error {
	return l.change(func() error {
		e := l.entry(name)
		e.Failures = nil
		e.Issued = append(e.Issued, l.now())
		return nil
	})
}

func (l *ledger) entry(name string) *entry {
	e := l.entries[name]
	if e == nil {
		e = &entry{}
		l.entries[name] = e
	}
	return e
}

// room reports with a *deferral that the limit is reached. mu is held.
func (l *ledger) room(limit limit, times []time.Time) error {
	from := l.now().Add(-limit.span)
	recent := 0
	for _, t := range times {
		if t.After(from) {
			recent++
		}
	}
	if recent < limit.n {
		return nil
	}
	until := times[len(times)-limit.n].Add(limit.span)
	return &deferral{until, fmt.Sprintf("%d %s in the last %v are as many as weir allows itself", recent, limit.what, limit.span)}
}

// allOrders are the times of all orders, in order. mu is held.
func (l *ledger) allOrders() []time.Time {
	var all []time.Time
	for _, e := range l.entries {
		all = append(all, e.Orders...)
	}
	slices.SortFunc(all, time.Time.Compare)
	return all
}

// prune forgets what no limit looks at any more. Times of the future, written before the clock was set back, go too:
// they would defer everything until then. mu is held.
func (l *ledger) prune() {
	now := l.now()
	keep := func(times []time.Time, span time.Duration) []time.Time {
		return slices.DeleteFunc(times, func(t time.Time) bool { return now.Sub(t) > span || t.After(now.Add(time.Minute)) })
	}
	for name, e := range l.entries {
		e.Orders = keep(e.Orders, limitAllOrders.span)
		e.Failures = keep(e.Failures, limitFailures.span)
		e.Issued = keep(e.Issued, limitIssued.span)
		if len(e.Orders)+len(e.Failures)+len(e.Issued) == 0 {
			delete(l.entries, name)
		}
	}
}

func (l *ledger) write() error {
	text, err := json.Marshal(l.entries)
	if err != nil {
		return err
	}
	if err := replace(l.file, text); err != nil {
		return err
	}
	l.text = text
	return nil
}
