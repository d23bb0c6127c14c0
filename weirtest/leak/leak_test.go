package leak

import (
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

// A failed is a test that notes whether an error was reported.
type failed struct {
	testing.TB
	errs int
}

func (f *failed) Error(...any) { f.errs++ }

// What ends late is no leak, and what stays is one.
func TestNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		others := goleak.IgnoreCurrent()
		f := &failed{TB: t}
		go time.Sleep(patience / 2)
		None(f, others)
		if f.errs != 0 {
			t.Error("what ends late is taken for a leak")
		}
		stay := make(chan struct{})
		go func() { <-stay }()
		None(f, others)
		if f.errs != 1 {
			t.Errorf("%d errors for a goroutine that stays", f.errs)
		}
		close(stay)
	})
}
