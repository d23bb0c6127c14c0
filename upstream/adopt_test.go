package upstream

import (
	"fmt"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"weir"
)

func TestServersAreAdopted(t *testing.T) {
	w := newWorld()
	first := newPool(t, w, Config{Servers: servers(three[:2]...)}, nil)
	kept := w.at(three[0])
	next := newPool(t, w, Config{Servers: servers(three[0], three[2])}, first)
	if w.count() != 3 {
		t.Errorf("%d transports were made for three servers", w.count())
	}
	if kept.closed.Load() || !w.at(three[1]).closed.Load() {
		t.Errorf("closed: the one that stays %v, the one that leaves %v", kept.closed.Load(), w.at(three[1]).closed.Load())
	}
	if next.members[0] != first.members[0] {
		t.Error("an unchanged server is another one")
	}
	if x := ask(first); x.Response.Status != 200 {
		t.Errorf("the old pool answers %d", x.Response.Status)
	}
	next.Close()
	if open := w.open(); len(open) > 0 {
		t.Errorf("%v are open after the end", open)
	}
}

func TestNewWithoutStartChangesNothing(t *testing.T) {
	w := newWorld()
	p := newPool(t, w, Config{Servers: servers(three[0])}, nil)
	c := Config{Name: "shop", Transport: w.transport, Servers: servers(three[:2]...)}
	c.Servers[0].Weight = 7
	unwanted, err := New(c, Deps{}, p)
	if err != nil {
		t.Fatal(err)
	}
	unwanted.Close()
	unwanted.Start()
	if w.at(three[0]).closed.Load() || !w.at(three[1]).closed.Load() {
		t.Error("the wrong transport is closed")
	}
	again := newPool(t, w, Config{Servers: servers(three[0])}, p)
	if again.members[0] != p.members[0] {
		t.Error("the pool lost its server to one that never started")
	}
}

// A change of weight keeps the connections, the counters and the condition.
func TestChangedServersKeepTheirCondition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, ill := newWorld(), newWard()
		ill.set(well, three[1:]...)
		h := &Health{Interval: time.Second}
		first := newPoolWith(t, w, Config{Servers: servers(three...), Health: h}, Deps{Dial: ill.dial}, nil)
		synctest.Wait()
		since := state(first, three[0]).Since
		under := first.members[1].begin()
		list := servers(three...)
		list[0].Weight, list[1].Weight = 5, 5
		time.Sleep(10 * time.Second)
		next := newPoolWith(t, w, Config{Servers: list, Health: h}, Deps{Dial: ill.dial}, first)
		if w.count() != 3 {
			t.Errorf("%d transports were made", w.count())
		}
		if s := state(next, three[0]); s.State != "down" || s.Reason != "connection refused" || s.Since != since || s.Weight != 5 {
			t.Errorf("the server that was down: %+v", s)
		}
		if s := state(next, three[1]); s.Active != 1 {
			t.Errorf("%d exchanges under way, want the one of before", s.Active)
		}
		late := first.members[1].begin()
		if n := state(next, three[1]).Active; n != 2 || late != next.members[1] {
			t.Errorf("an exchange begun by the old pool counts elsewhere: %d", n)
		}
		under.end()
		late.end()
		if n := state(next, three[1]).Active; n != 0 {
			t.Errorf("%d exchanges under way in the end", n)
		}
	})
}

func TestChangedTransportsAreReplaced(t *testing.T) {
	w := newWorld()
	first := newPool(t, w, Config{Servers: servers(three[0])}, nil)
	old := w.at(three[0])
	newPool(t, w, Config{Servers: servers(three[0]), TransportKey: "connect=1s"}, first)
	if w.count() != 2 || !old.closed.Load() || w.at(three[0]).closed.Load() {
		t.Errorf("%d made, old closed %v, new closed %v", w.count(), old.closed.Load(), w.at(three[0]).closed.Load())
	}
}

// Checks go on where they were: a reload neither skips one nor makes one more.
func TestChecksGoOnOverReloads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ill := newWard()
		ill.set(well, three[0])
		var p *Pool
		for range 100 {
			p = newPoolWith(t, newWorld(), Config{Servers: servers(three[0]), Health: &Health{Interval: 10 * time.Second}}, Deps{Dial: ill.dial}, p)
			time.Sleep(time.Second)
			synctest.Wait()
		}
		if n := len(ill.dialled(three[0])); n < 9 || n > 12 {
			t.Errorf("%d checks in 100 s at an interval of 10 s", n)
		}
		newPoolWith(t, newWorld(), Config{Servers: servers(three[0]), Health: &Health{Interval: 9 * time.Second}}, Deps{Dial: ill.dial}, p)
		before := len(ill.dialled(three[0]))
		synctest.Wait()
		if n := len(ill.dialled(three[0])) - before; n > 1 {
			t.Errorf("%d checks at once after a change of the checks", n)
		}
	})
}

// What has been learnt of a server between New and Start holds, also where that server has left and come back meanwhile.
func TestStartGoesByTheLatest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ill, b := newWard(), newBook()
		const moving, other = "10.0.0.4:80", "10.0.0.5:80"
		b.ttl = time.Second
		b.set("some", "10.0.0.4")
		c := Config{
			Name: "shop", Transport: newWorld().transport, Servers: servers("some:80"),
			Health: &Health{Interval: time.Second}, Refresh: Refresh{Min: time.Second, Max: time.Second},
		}
		deps := Deps{Dial: ill.dial, Resolver: b}
		first := newPoolWith(t, newWorld(), c, deps, nil)
		time.Sleep(time.Minute)
		next, err := New(c, deps, first)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(next.Close)
		if s := state(next, moving).State; s != "down" {
			t.Fatal(s)
		}
		ill.set(well, other)
		b.set("some", "10.0.0.5")
		time.Sleep(time.Minute)
		ill.set(well, moving)
		b.set("some", "10.0.0.4")
		time.Sleep(time.Minute)
		next.Start()
		next.mem.mu.Lock()
		defer next.mem.mu.Unlock()
		if h := next.members[0].cond.health; h.down {
			t.Errorf("the server that came back is down: %s", h.reason)
		}
	})
}

func TestHealthOutlivesItsConfiguration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ill, w := newWard(), newWorld()
		c := Config{Servers: servers(three[0]), Health: &Health{Path: "/a"}}
		first := newPoolWith(t, w, c, Deps{Dial: ill.dial}, nil)
		synctest.Wait()
		c.Health = &Health{Path: "/b"}
		ill.set("...", three[0])
		second := newPoolWith(t, w, c, Deps{Dial: ill.dial}, first)
		if s := state(second, three[0]); s.State != "down" {
			t.Errorf("before the first of the new checks: %+v", s)
		}
		c.Health = nil
		if s := state(newPoolWith(t, w, c, Deps{Dial: ill.dial}, second), three[0]); s.State != "up" || s.Reason != "" {
			t.Errorf("without checks: %+v", s)
		}
	})
}

func TestEjectionsGoOnOverReloads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.do = func(ep *weir.Endpoint, x *weir.Exchange) error {
			x.Response.Status = 500
			return nil
		}
		c := Config{Servers: servers(three...), Outlier: &Outlier{Errors: 1, Eject: 10 * time.Second}}
		first := newPool(t, w, c, nil)
		ask(first)
		time.Sleep(6 * time.Second)
		second := newPool(t, w, c, first)
		ejected := func(p *Pool) bool { return slices.Contains(states(p), "ejected") }
		if !ejected(second) {
			t.Error("the ejection is forgotten")
		}
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if ejected(second) {
			t.Error("the ejection does not end")
		}
		ask(second)
		c.Outlier = nil
		if ejected(newPool(t, w, c, second)) {
			t.Error("the ejection outlives its configuration")
		}
	})
}

func TestServersThatJoinStartSlowly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		c := Config{Servers: servers(three[:2]...), SlowStart: 10 * time.Second}
		first := newPool(t, w, c, nil)
		c.Servers = servers(three...)
		second := newPool(t, w, c, first)
		if a, b := state(second, three[0]).SlowStart, state(second, three[2]).SlowStart; a != 1000 || b != rampFloor {
			t.Errorf("shares are %d and %d", a, b)
		}
		time.Sleep(5 * time.Second)
		c.Servers[2].Weight = 2
		third := newPool(t, w, c, second)
		if b := state(third, three[2]).SlowStart; b < 480 || b > 520 {
			t.Errorf("half-way its share is %d", b)
		}
		time.Sleep(6 * time.Second)
		if b := state(third, three[2]).SlowStart; b != 1000 {
			t.Errorf("in the end its share is %d", b)
		}
	})
}

func TestThousandReloads(t *testing.T) {
	ill, w := newWard(), newWorld()
	ill.set(well, three...)
	var p *Pool
	config := func(i int) Config {
		c := Config{
			Name: "shop", Transport: w.transport, Servers: servers(three...), SlowStart: time.Minute,
			Health: &Health{Interval: time.Millisecond}, Outlier: &Outlier{}, Balance: Balances()[i%len(Balances())],
		}
		c.Servers[i%3].Weight = i%5 + 1
		c.Servers = append(c.Servers, Server{Address: fmt.Sprintf("10.0.1.%d:80", i%7)})
		return c
	}
	before := runtime.NumGoroutine()
	for i := range 1000 {
		next, err := New(config(i), Deps{Dial: ill.dial}, p)
		if err != nil {
			t.Fatal(err)
		}
		if i%10 == 3 {
			next.Close()
			continue
		}
		next.Start()
		p = next
		ask(p)
	}
	if w.count() > 3+1000 {
		t.Errorf("%d transports were made", w.count())
	}
	p.Close()
	if open := w.open(); len(open) > 0 {
		t.Errorf("%v are open after the end", open)
	}
	for deadline := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > before && time.Now().Before(deadline); {
		runtime.Gosched()
	}
	if n := runtime.NumGoroutine(); n > before {
		t.Errorf("%d goroutines, %d before", n, before)
	}
	if p.prev != nil || p.mem.current != p {
		t.Error("the last pool holds on to the one before")
	}
}

// A check that is broken off because its pool ends says nothing of the server.
func TestBrokenOffChecksDoNotCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ill := newWard()
		ill.set(well, three[0])
		c := Config{Servers: servers(three[0]), Health: &Health{Interval: time.Second, Timeout: 900 * time.Millisecond, Fall: 1}}
		p := newPoolWith(t, newWorld(), c, Deps{Dial: ill.dial}, nil)
		synctest.Wait()
		ill.set("...", three[0])
		time.Sleep(1200 * time.Millisecond)
		p.cancel()
		synctest.Wait()
		if s := state(p, three[0]); s.State != "up" {
			t.Errorf("the server is %+v", s)
		}
	})
}

// From the moment a pool has taken over, the one before has no say in who is asked.
func TestOldPoolsAreSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, ill := newWorld(), newWard()
		ill.set("...", three...)
		c := Config{Servers: servers(three[:2]...), Health: &Health{Timeout: time.Second}}
		first := newPoolWith(t, w, c, Deps{Dial: ill.dial}, nil)
		synctest.Wait()
		c.Name, c.Transport, c.Servers = "shop", w.transport, servers(three...)
		next, err := New(c, Deps{Dial: ill.dial}, first)
		if err != nil {
			t.Fatal(err)
		}
		next.begin()
		time.Sleep(500 * time.Millisecond)
		first.mem.mu.Lock()
		for _, ch := range next.checks {
			ch.stop()
		}
		first.mem.mu.Unlock()
		time.Sleep(time.Second)
		synctest.Wait()
		if got := len(first.mem.set.Load().servers); got != 3 {
			t.Errorf("%d servers are asked, want the three of the new pool", got)
		}
		first.Close()
		next.Close()
	})
}
