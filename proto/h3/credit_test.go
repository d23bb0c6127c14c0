package h3

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// freed counts how many times it has been given free.
type freed struct{ atomic.Int64 }

func (f *freed) ReleaseStreamCredit() { f.Add(1) }

// A client is owed streams for a moment, and never more than it can do without.
func TestCredit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n freed
		after := func(want int64, what string) {
			t.Helper()
			synctest.Wait()
			if got := n.Swap(0); got != want {
				t.Errorf("%d are free after %s, not %d", got, what, want)
			}
		}
		c := &credit{most: 8}
		for range 4 {
			c.owe(&n, 0)
		}
		after(0, "four that are owed")
		c.owe(&n, 0)
		after(1, "one too many")
		c.pay()
		after(4, "a payment")
		c.owe(&n, 3)
		c.owe(&n, 3)
		after(1, "a second one of a busy client")
		time.Sleep(owedFor - 1)
		after(0, "less than the time")
		time.Sleep(1 * time.Nanosecond)
		after(1, "the time")
		time.Sleep(time.Hour)
		c.owe(&n, 0)
		time.Sleep(owedFor)
		after(1, "the time once more")
		c.owe(&n, 0)
		c.close()
		time.Sleep(owedFor)
		after(0, "the end of the connection")
		c.owe(&n, 0)
		after(1, "one behind the end")
		few := &credit{most: 1}
		few.owe(&n, 0)
		after(1, "the only one")
	})
}
