// Package leak has tests say which goroutines they leave behind. It is for tests alone.
package leak

import (
	"testing"
	"time"

	"go.uber.org/goleak"
)

// patience is how long goroutines that are about to end may take. goleak itself waits 0.4 s, which on a busy machine
// is less than some need to run at all.
const patience = 20 * time.Second

// None reports an error of t if goroutines run that others does not excuse, and that do not end soon. others is what
// goleak.IgnoreCurrent said at the test's begin.
func None(t testing.TB, others goleak.Option) {
	t.Helper()
	err := goleak.Find(others)
	for end := time.Now().Add(patience); err != nil && time.Now().Before(end); {
		err = goleak.Find(others)
	}
	if err != nil {
		t.Error(err)
	}
}
