package poll

import (
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// An onrush has connections accepted when their first bytes have come (TCP_DEFER_ACCEPT of tcp(7)), for as long as many
// come: each is then read at once, and most never are registered. A new connection with one request costs a quarter less
// that way. Who connects meanwhile and says nothing is accepted about a second later. While few come, all are accepted
// as they come.
type onrush struct {
	fd       int32 // of a TCP listener; below 0 there is none
	deferred atomic.Bool
	accepted atomic.Int32 // since
	since    atomic.Int64
}

// Many are a thousand in less than a second.
const (
	onrushCount   = 1000
	onrushTime    = time.Second
	onrushSeconds = 1 // who says nothing for so long is accepted; the least that the kernel knows
	onrushEnd     = 20 * time.Millisecond
)

// count notes that a connection was accepted at time now.
func (o *onrush) count(now int64) {
	if o.fd < 0 {
		return
	}
	n, since := o.accepted.Add(1), o.since.Load()
	late := now-since >= int64(onrushTime)
	if n < onrushCount && !late || !o.since.CompareAndSwap(since, now) {
		return
	}
	o.accepted.Store(0)
	if o.deferred.Swap(!late) == late {
		o.apply(!late)
	}
}

func (o *onrush) apply(deferred bool) {
	seconds := 0
	if deferred {
		seconds = onrushSeconds
	}
	setInt(o.fd, unix.IPPROTO_TCP, unix.TCP_DEFER_ACCEPT, seconds)
}

// end is for a listener that is about to be closed. To its client, a connection that waits for its first bytes is open
// already; it is accepted if they come within onrushEnd.
func (o *onrush) end() {
	if o.deferred.Swap(false) {
		o.apply(false)
		time.Sleep(onrushEnd)
	}
}
