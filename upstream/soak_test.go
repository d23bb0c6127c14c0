package upstream

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"weir"
)

// A town is five machines of which at most two are dead at a time, and a name for some of them.
type town struct {
	*ward
	*book
	dead [5]atomic.Bool
	laps [8]atomic.Int64 // requests that each client has ended
}

func machine(i int) string { return fmt.Sprintf("10.0.0.%d:80", i+1) }

func (v *town) carry(ep *weir.Endpoint, x *weir.Exchange) error {
	for i := range v.dead {
		if ep.Address == machine(i) && v.dead[i].Load() {
			return fault(weir.CauseUpstreamConnect, weir.RetryAlways)
		}
	}
	runtime.Gosched()
	x.Response.Status = 200
	return nil
}

// shake kills one machine after the other and revives the one before the last, and changes who stands behind
// the name, until done is closed. After each step it waits until the pool has noticed and no request of before is
// under way any more: one that outlives several steps may well meet nobody but the dead.
func (v *town) shake(done <-chan struct{}, current *atomic.Pointer[Pool]) {
	for n := 0; ; n++ {
		i := n % len(v.dead)
		back := (i + len(v.dead) - 2) % len(v.dead)
		v.ward.set(well, machine(back))
		v.dead[back].Store(false)
		v.ward.set("", machine(i))
		v.dead[i].Store(true)
		v.book.set("some", fmt.Sprintf("10.0.0.%d", 4+n%2), "10.0.0.3")
		named := machine(3 + n%2)
		laps := v.progress()
		for !v.noticed(current.Load(), named) || !v.passed(laps) {
			select {
			case <-done:
				return
			case <-time.After(100 * time.Microsecond):
			}
		}
	}
}

// progress returns how far each client is.
func (v *town) progress() (laps [8]int64) {
	for i := range v.laps {
		laps[i] = v.laps[i].Load()
	}
	return laps
}

// passed reports whether every client has ended a request that it began after laps.
func (v *town) passed(laps [8]int64) bool {
	for i := range v.laps {
		if v.laps[i].Load() < laps[i]+2 {
			return false
		}
	}
	return true
}

// noticed reports whether p is at work, knows which machines are dead, by checks (a server that is ejected may have been
// found dead by them, too), and has the machine that the name has got.
func (v *town) noticed(p *Pool, named string) bool {
	p.mem.mu.Lock()
	defer p.mem.mu.Unlock()
	if p.mem.current != p {
		return false
	}
	found := false
	for _, s := range p.members {
		found = found || s.ep.Address == named
		for i := range v.dead {
			h := &s.cond.health
			if s.ep.Address == machine(i) && (!h.known || h.down != v.dead[i].Load()) {
				return false
			}
		}
	}
	return found
}

// picture tells what p takes the machines for, and what they are.
func (v *town) picture(p *Pool) string {
	p.mem.mu.Lock()
	defer p.mem.mu.Unlock()
	out := fmt.Sprintf("%s, current %v, panic %v", p.cfg.Balance, p.mem.current == p, p.mem.set.Load().panic)
	for _, s := range p.mem.set.Load().members {
		h := &s.cond.health
		out += fmt.Sprintf("; %s of %s: known %v, down %v, ejected %v, active %d/%d", s.ep.Address, s.ep.Name, h.known, h.down, s.cond.eject.out, s.ep.Active.Load(), s.limit.Load())
	}
	for i := range v.dead {
		if v.dead[i].Load() {
			out += "; dead: " + machine(i)
		}
	}
	return out
}

// Under load, with servers killed and revived, names that change and a reload every moment, no request
// is lost, and in the end nothing is left behind.
func TestSoak(t *testing.T) {
	before := runtime.NumGoroutine()
	v := &town{ward: newWard(), book: newBook()}
	v.book.ttl = time.Millisecond
	v.book.set("some", "10.0.0.3")
	for i := range v.dead {
		v.ward.set(well, machine(i))
	}
	w := newWorld()
	w.do = v.carry
	config := func(i int) Config {
		c := Config{
			Name: "shop", Transport: w.transport, Balance: Balances()[i%len(Balances())],
			Servers: servers(machine(0), machine(1), machine(2), "some:80"),
			Health:  &Health{Interval: time.Millisecond, Rise: 1, Fall: 1},
			Queue:   Queue{PerServer: 3, Length: 100, Timeout: time.Minute},
			Retry:   Retry{Attempts: 6, Budget: -1},
			Refresh: Refresh{Min: time.Millisecond, Max: time.Millisecond},

			SlowStart: 5 * time.Millisecond,
		}
		if i%2 == 0 {
			// Nobody waits for an ejected server, so that those must have room for all.
			c.Outlier = &Outlier{Errors: 2, Eject: time.Millisecond}
			c.Queue.PerServer = 8
		}
		c.Servers[i%4].Weight = i % 3
		if i%5 == 0 {
			c.Sticky = &Sticky{}
		}
		return c
	}
	deps := Deps{Dial: v.ward.dial, Resolver: v.book}
	var current atomic.Pointer[Pool]
	reload := func(i int) {
		p, err := New(config(i), deps, current.Load())
		if err != nil {
			t.Error(err)
			return
		}
		p.Start()
		current.Store(p)
	}
	reload(0)
	done := make(chan struct{})
	var helpers, clients sync.WaitGroup
	helpers.Go(func() { v.shake(done, &current) })
	helpers.Go(func() {
		for i := 1; ; i++ {
			select {
			case <-done:
				return
			case <-time.After(time.Millisecond):
				reload(i)
				current.Load().Status()
				current.Load().Explain(newExchange("GET"))
			}
		}
	})
	var lost, asked atomic.Int64
	end := time.Now().Add(700 * time.Millisecond)
	for c := range v.laps {
		clients.Go(func() {
			x, s := newExchange("GET"), new(fakeStream)
			for time.Now().Before(end) {
				x.Reset(&weir.Conn{RemoteIP: fmt.Sprint(rand.Uint32())})
				x.Request.Method = "GET"
				asked.Add(1)
				v.laps[c].Add(1)
				if weir.Serve(current.Load(), x, s, weir.Observers(nil)); x.Fault != nil {
					if lost.Add(1) < 10 {
						t.Logf("after %d attempts: %v: %s", x.Attempts, x.Fault, v.picture(current.Load()))
					}
				}
			}
		})
	}
	clients.Wait()
	close(done)
	helpers.Wait()
	p := current.Load()
	if lost.Load() > 0 {
		t.Errorf("%d of %d requests were lost", lost.Load(), asked.Load())
	}
	if n := p.mem.queue.waiting.Load(); n != 0 {
		t.Errorf("%d wait in the end", n)
	}
	for _, s := range p.Status().Servers {
		if s.Active != 0 {
			t.Errorf("%s has %d exchanges under way in the end", s.Address, s.Active)
		}
	}
	p.Close()
	for deadline := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > before && time.Now().Before(deadline); {
		runtime.Gosched()
	}
	if n := runtime.NumGoroutine(); n > before {
		t.Errorf("%d goroutines, %d before", n, before)
	}
	t.Logf("%d requests, %d transports", asked.Load(), w.count())
}
