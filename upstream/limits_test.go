package upstream

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"weir"
)

// A request that has tried all others finds room at an ejected server, or waits for it where it is ejected no more, also while
// a reload changes which of the two is so.
func TestLimitsChangeUnderRequests(t *testing.T) {
	const clients = 8
	w := newWorld()
	w.do = func(ep *weir.Endpoint, x *weir.Exchange) error {
		if ep.Address == three[0] {
			return fault(weir.CauseUpstreamConnect, weir.RetryAlways)
		}
		runtime.Gosched()
		x.Response.Status = 200
		return nil
	}
	ejecting := Config{
		Name: "shop", Transport: w.transport, Servers: servers(three[:2]...), Retry: Retry{Attempts: 3, Budget: -1},
		Queue: Queue{PerServer: clients, Length: 100, Timeout: time.Minute}, Outlier: &Outlier{Errors: 1 << 30, Eject: time.Hour},
	}
	queueing := ejecting
	queueing.Outlier, queueing.Queue.PerServer = nil, 2
	var current atomic.Pointer[Pool]
	reload := func(c Config) *Pool {
		p, err := New(c, Deps{}, current.Load())
		if err != nil {
			t.Fatal(err)
		}
		p.Start()
		current.Store(p)
		return p
	}
	reload(queueing)
	var all sync.WaitGroup
	var over atomic.Bool
	var lost, asked atomic.Int64
	for range clients {
		all.Go(func() {
			x, s := newExchange("GET"), new(fakeStream)
			for !over.Load() {
				x.Reset(&weir.Conn{})
				x.Request.Method = "GET"
				asked.Add(1)
				if weir.Serve(current.Load(), x, s, weir.Observers(nil)); x.Fault != nil && lost.Add(1) < 10 {
					t.Errorf("after %d attempts: %v", x.Attempts, x.Fault)
				}
			}
		})
	}
	for range 2000 {
		p := reload(ejecting)
		p.change(func() { p.eject(p.members[1], "test", p.deps.Clock()) })
		runtime.Gosched()
		reload(queueing)
		runtime.Gosched()
	}
	over.Store(true)
	all.Wait()
	current.Load().Close()
	t.Logf("%d of %d requests were lost", lost.Load(), asked.Load())
}
