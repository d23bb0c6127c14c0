package upstream

import (
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"weir"
)

// A doorway holds exchanges up until they are let go.
type doorway struct {
	inside, most atomic.Int64
	out          chan struct{}
	mu           sync.Mutex // protects order
	order        []string   // request ids as they came in
}

func (d *doorway) serve(_ *weir.Endpoint, x *weir.Exchange) error {
	n := d.inside.Add(1)
	for m := d.most.Load(); n > m && !d.most.CompareAndSwap(m, n); m = d.most.Load() {
	}
	d.mu.Lock()
	d.order = append(d.order, x.ID)
	d.mu.Unlock()
	<-d.out
	d.inside.Add(-1)
	x.Response.Status = 200
	return nil
}

func queuePool(t *testing.T, q Queue, list []Server, prev *Pool) (*Pool, *doorway, *world) {
	w, d := newWorld(), &doorway{out: make(chan struct{})}
	w.do = d.serve
	return newPool(t, w, Config{Servers: list, Queue: q}, prev), d, w
}

// start begins a request in its own goroutine, and waits until it is in or in the queue.
func start(p *Pool, id string, s *fakeStream, done chan<- *weir.Exchange) {
	go func() {
		x := newExchange("GET")
		x.ID = id
		weir.Serve(p, x, s, weir.Observers(nil))
		done <- x
	}()
	synctest.Wait()
}

func TestQueueIsFirstInFirstOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, d, _ := queuePool(t, Queue{PerServer: 1, Length: 10}, servers(three[:2]...), nil)
		done := make(chan *weir.Exchange, 10)
		want := []string{"a", "b", "c", "d", "e", "f"}
		for _, id := range want {
			start(p, id, new(fakeStream), done)
		}
		if q := p.Status().Queue; q.Waiting != 4 || q.Length != 10 {
			t.Errorf("queue is %+v", *q)
		}
		for range want {
			d.out <- struct{}{}
			synctest.Wait()
		}
		for range want {
			if x := <-done; x.Response.Status != 200 {
				t.Errorf("%s: status %d", x.ID, x.Response.Status)
			}
		}
		if !slices.Equal(d.order, want) || d.most.Load() != 2 {
			t.Errorf("served %v, at most %d at a time", d.order, d.most.Load())
		}
		if q := p.Status().Queue; q.Waiting != 0 {
			t.Errorf("%d wait in the end", q.Waiting)
		}
	})
}

func TestQueueRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, d, _ := queuePool(t, Queue{PerServer: 1, Length: 1, Timeout: 3 * time.Second}, servers(three[0]), nil)
		done := make(chan *weir.Exchange, 10)
		start(p, "served", new(fakeStream), done)
		start(p, "late", new(fakeStream), done)
		start(p, "surplus", new(fakeStream), done)
		x := <-done
		if x.ID != "surplus" || x.Fault.Cause != weir.CauseQueueFull || x.Response.Status != 503 || x.Response.Header.Get("Retry-After") != "3" {
			t.Errorf("%s: %d, %v", x.ID, x.Response.Status, x.Fault)
		}
		time.Sleep(3 * time.Second)
		x = <-done
		if x.ID != "late" || x.Fault.Cause != weir.CauseQueueTimeout || x.Response.Status != 503 {
			t.Errorf("%s: %d, %v", x.ID, x.Response.Status, x.Fault)
		}
		d.out <- struct{}{}
		<-done
	})
}

func TestQueueForgetsClientsThatLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, d, _ := queuePool(t, Queue{PerServer: 1, Length: 1}, servers(three[0]), nil)
		done := make(chan *weir.Exchange, 10)
		start(p, "served", new(fakeStream), done)
		s := new(fakeStream)
		start(p, "impatient", s, done)
		s.goAway()
		x := <-done
		if x.ID != "impatient" || x.Fault.Cause != weir.CauseClientGone {
			t.Errorf("%s: %v", x.ID, x.Fault)
		}
		start(p, "next", new(fakeStream), done)
		d.out <- struct{}{}
		d.out <- struct{}{}
		<-done
		<-done
		if want := []string{"served", "next"}; !slices.Equal(d.order, want) {
			t.Errorf("served %v", d.order)
		}
	})
}

// Those who wait when the last server goes are told at once.
func TestQueueWithoutServers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, d, ill := newWorld(), &doorway{out: make(chan struct{})}, newWard()
		ill.set(well, three[0])
		w.do = d.serve
		p := newPoolWith(t, w, Config{
			Servers: servers(three[0]), Health: &Health{Interval: time.Second, Fall: 1},
			Queue: Queue{PerServer: 1, Length: 10, Timeout: time.Hour},
		}, Deps{Dial: ill.dial}, nil)
		done := make(chan *weir.Exchange, 10)
		start(p, "served", new(fakeStream), done)
		start(p, "waiting", new(fakeStream), done)
		ill.set("", three[0])
		time.Sleep(2 * time.Second)
		x := <-done
		if x.ID != "waiting" || x.Fault.Cause != weir.CauseNoHealthyServer {
			t.Errorf("%s: %v", x.ID, x.Fault)
		}
		d.out <- struct{}{}
		<-done
	})
}

// The queue survives a reload, and what the new configuration allows is handed out at once.
func TestQueueOverReload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first, d, _ := queuePool(t, Queue{PerServer: 1, Length: 10, Timeout: time.Hour}, servers(three[0]), nil)
		done := make(chan *weir.Exchange, 10)
		for _, id := range []string{"a", "b", "c", "d"} {
			start(first, id, new(fakeStream), done)
		}
		second, _, _ := queuePool(t, Queue{PerServer: 2, Length: 10}, servers(three[0]), first)
		synctest.Wait()
		if n, q := d.inside.Load(), second.Status().Queue.Waiting; n != 2 || q != 2 {
			t.Errorf("after the limit was raised %d are in and %d wait", n, q)
		}
		third, _, _ := queuePool(t, Queue{}, servers(three[0]), second)
		synctest.Wait()
		if n := d.inside.Load(); n != 4 || third.Status().Queue != nil {
			t.Errorf("after the limit was lifted %d are in", n)
		}
		for range 4 {
			d.out <- struct{}{}
			<-done
		}
	})
}

func TestLimitOfOneServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		list := servers(three[:2]...)
		list[0].MaxRequests = 1
		p, d, w := queuePool(t, Queue{PerServer: 3}, list, nil)
		done := make(chan *weir.Exchange, 10)
		for range 5 {
			start(p, "", new(fakeStream), done)
		}
		if x := <-done; x.Fault.Cause != weir.CauseQueueFull {
			t.Errorf("the fifth: %v", x.Fault)
		}
		if a, b := w.asked(three[0]), w.asked(three[1]); a != 1 || b != 3 {
			t.Errorf("servers have %d and %d", a, b)
		}
		for range 4 {
			d.out <- struct{}{}
			<-done
		}
	})
}

// A client with a sticky cookie waits for its own server.
func TestStickyClientsWaitForTheirServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, d := newWorld(), &doorway{out: make(chan struct{})}
		w.do = func(ep *weir.Endpoint, x *weir.Exchange) error { return d.serve(ep, x) }
		p := newPool(t, w, Config{Servers: servers(three[:2]...), Sticky: &Sticky{}, Queue: Queue{PerServer: 1, Length: 9, Timeout: time.Hour}}, nil)
		done := make(chan *weir.Exchange, 10)
		start(p, "a", new(fakeStream), done)
		start(p, "b", new(fakeStream), done)
		loyal := func(id string, s *server) {
			go func() {
				x := newExchange("GET")
				x.ID = id
				x.Request.Header.Add("Cookie", cookieOf(s))
				done <- askWith(p, x)
			}()
			synctest.Wait()
		}
		for _, id := range []string{"0", "0", "1"} {
			loyal(id, p.members[id[0]-'0'])
		}
		for range 5 {
			d.out <- struct{}{}
			synctest.Wait()
		}
		for range 5 {
			x := <-done
			if i := int(x.ID[0] - '0'); i < 2 && x.Endpoint != p.members[i].ep {
				t.Errorf("a client of server %d was served by %s", i, x.Endpoint.Name)
			}
		}
	})
}

// It waits even where another server is idle, but not for ever.
func TestStickyClientsGiveUpInTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, d := newWorld(), &doorway{out: make(chan struct{})}
		w.do = d.serve
		p := newPool(t, w, Config{Servers: servers(three[:2]...), Sticky: &Sticky{}, Queue: Queue{PerServer: 1, Length: 9, Timeout: time.Second}}, nil)
		done := make(chan *weir.Exchange, 2)
		for range 2 {
			go func() {
				x := newExchange("GET")
				x.Request.Header.Add("Cookie", cookieOf(p.members[0]))
				done <- askWith(p, x)
			}()
		}
		synctest.Wait()
		if n := d.inside.Load(); n != 1 || p.Status().Queue.Waiting != 1 {
			t.Errorf("%d are in, %d wait", n, p.Status().Queue.Waiting)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if n := d.inside.Load(); n != 2 {
			t.Errorf("after a second %d are in", n)
		}
		for range 2 {
			d.out <- struct{}{}
			<-done
		}
	})
}

// Under three times the load that fits, nobody is lost and no limit is broken.
func TestQueueUnderLoad(t *testing.T) {
	w := newWorld()
	var inside [2]atomic.Int64
	var over atomic.Int64
	w.do = func(ep *weir.Endpoint, x *weir.Exchange) error {
		n := &inside[0]
		if ep.Address == three[1] {
			n = &inside[1]
		}
		if n.Add(1) > 2 {
			over.Add(1)
		}
		time.Sleep(0)
		n.Add(-1)
		x.Response.Status = 200
		return nil
	}
	p := newPool(t, w, Config{Servers: servers(three[:2]...), Queue: Queue{PerServer: 2, Length: 100, Timeout: 20 * time.Second}}, nil)
	var wg sync.WaitGroup
	for range 12 {
		wg.Go(func() {
			x, s := newExchange("GET"), new(fakeStream)
			for range 500 {
				x.Reset(&weir.Conn{})
				if weir.Serve(p, x, s, weir.Observers(nil)); x.Fault != nil {
					t.Error(x.Fault)
				}
			}
		})
	}
	wg.Wait()
	if over.Load() != 0 || p.mem.queue.waiting.Load() != 0 {
		t.Errorf("%d times over the limit, %d wait in the end", over.Load(), p.mem.queue.waiting.Load())
	}
}
