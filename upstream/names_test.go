package upstream

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"weir"
)

// A book is a resolver that says what it is told to.
type book struct {
	mu       sync.Mutex // protects the rest
	addrs    map[string][]netip.Addr
	services map[string][]Service
	ttl      time.Duration
	delay    time.Duration
	looks    int
}

func newBook() *book {
	return &book{addrs: map[string][]netip.Addr{}, services: map[string][]Service{}, ttl: 30 * time.Second}
}

func (b *book) set(name string, list ...string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.addrs[name] = addrs(list...)
}

func (b *book) look() (time.Duration, int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.looks++
	return b.delay, b.looks
}

func (b *book) Addresses(ctx context.Context, host string) ([]netip.Addr, time.Duration, error) {
	delay, _ := b.look()
	if delay > 0 {
		select {
		case <-time.After(delay):
		case <-ctx.Done():
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.addrs[host]) == 0 {
		return nil, 0, errors.New("no such name")
	}
	return b.addrs[host], b.ttl, nil
}

func (b *book) Services(_ context.Context, name string) ([]Service, time.Duration, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.services[name]) == 0 {
		return nil, 0, errors.New("no such service")
	}
	return b.services[name], b.ttl, nil
}

func addresses(p *Pool) (out []string) {
	for _, s := range p.Status().Servers {
		out = append(out, s.Address)
	}
	return out
}

func TestNamesAreResolvedByTTL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, b := newWorld(), newBook()
		b.set("app", "10.0.0.1", "10.0.0.2", "fd00::1")
		p := newPoolWith(t, w, Config{Servers: servers("app:80")}, Deps{Resolver: b}, nil)
		synctest.Wait()
		if got := addresses(p); !slices.Equal(got, three[:2]) {
			t.Errorf("servers are %v", got)
		}
		if x := ask(p); x.Endpoint.Name != "app:80" || x.Response.Status != 200 {
			t.Errorf("%v answered %d", x.Endpoint, x.Response.Status)
		}
		b.set("app", "10.0.0.3", "10.0.0.2")
		time.Sleep(29 * time.Second)
		if got := addresses(p); !slices.Equal(got, three[:2]) {
			t.Errorf("before the time is over servers are %v", got)
		}
		kept, left := w.at(three[1]), w.at(three[0])
		time.Sleep(2 * time.Second)
		if got := addresses(p); !slices.Equal(got, three[1:]) {
			t.Errorf("after the time is over servers are %v", got)
		}
		if kept != w.at(three[1]) || kept.closed.Load() || !left.closed.Load() || w.count() != 3 {
			t.Errorf("kept: same %v, closed %v; left: closed %v; %d made", kept == w.at(three[1]), kept.closed.Load(), left.closed.Load(), w.count())
		}
	})
}

func TestLastGoodAnswerIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBook()
		b.set("app", "10.0.0.1")
		p := newPoolWith(t, newWorld(), Config{Servers: servers("app:80")}, Deps{Resolver: b}, nil)
		synctest.Wait()
		b.set("app")
		time.Sleep(time.Hour)
		if got := addresses(p); !slices.Equal(got, three[:1]) {
			t.Errorf("servers are %v", got)
		}
		if n := p.Status().Names[0]; n.Error != "no such name" || n.Servers != 1 || time.Since(n.Resolved) < 59*time.Minute {
			t.Errorf("the name is %+v", n)
		}
		b.set("app", "10.0.0.2")
		time.Sleep(6 * time.Second)
		if got := addresses(p); !slices.Equal(got, three[1:2]) {
			t.Errorf("servers are %v", got)
		}
	})
}

func TestRequestsWaitForTheFirstAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBook()
		b.delay = time.Second
		b.set("app", "10.0.0.1")
		p := newPoolWith(t, newWorld(), Config{Servers: servers("app:80")}, Deps{Resolver: b}, nil)
		begun := time.Now()
		if x := ask(p); x.Response.Status != 200 || time.Since(begun) != time.Second {
			t.Errorf("status %d after %v: %v", x.Response.Status, time.Since(begun), x.Fault)
		}
	})
}

func TestRequestsDoNotWaitForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPoolWith(t, newWorld(), Config{Servers: servers("app:80"), FirstLookup: 3 * time.Second}, Deps{Resolver: newBook()}, nil)
		begun := time.Now()
		x := ask(p)
		if x.Response.Status != 503 || x.Fault.Cause != weir.CauseNoServer || time.Since(begun).Round(time.Millisecond) != 3*time.Second {
			t.Errorf("status %d after %v: %v", x.Response.Status, time.Since(begun), x.Fault)
		}
		begun = time.Now()
		if x := ask(p); x.Response.Status != 503 || time.Since(begun) != 0 {
			t.Errorf("later: status %d after %v", x.Response.Status, time.Since(begun))
		}
	})
}

func TestClientsLeaveWhileNamesAreResolved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPoolWith(t, newWorld(), Config{Servers: servers("app:80")}, Deps{Resolver: newBook()}, nil)
		s, done := new(fakeStream), make(chan *weir.Exchange, 1)
		begun := time.Now()
		start(p, "", s, done)
		s.goAway()
		<-done
		if time.Since(begun) > 100*time.Millisecond {
			t.Errorf("the request waited %v", time.Since(begun))
		}
	})
}

func TestServiceRecords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, b := newWorld(), newBook()
		b.services["_http._tcp.api"] = []Service{
			{"b", addrs("10.0.0.2"), 80, 10, 3},
			{"a", addrs("10.0.0.1"), 80, 10, 0},
			{"c", addrs("10.0.0.3"), 80, 20, 5},
		}
		p := newPoolWith(t, w, Config{Discover: &Discover{"_http._tcp.api"}}, Deps{Resolver: b}, nil)
		synctest.Wait()
		if got := counts(w, 40, p); !slices.Equal(got, []int{10, 30, 0}) {
			t.Errorf("40 requests went to %v", got)
		}
		if s := state(p, three[2]); !s.Backup || s.Name != "c:80" {
			t.Errorf("the one of lower priority is %+v", s)
		}
		b.mu.Lock()
		b.services["_http._tcp.api"] = b.services["_http._tcp.api"][2:]
		b.mu.Unlock()
		time.Sleep(31 * time.Second)
		if s := p.Status().Servers; len(s) != 1 || s[0].Backup {
			t.Errorf("servers are %+v", s)
		}
		if w.count() != 3 {
			t.Errorf("%d transports were made", w.count())
		}
	})
}

// A reload takes over what is known of names, and does not ask again before it is time.
func TestNamesAreAdopted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, b := newWorld(), newBook()
		b.set("app", "10.0.0.1")
		c := Config{Servers: servers("app:80", three[1])}
		p := newPoolWith(t, w, c, Deps{Resolver: b}, nil)
		synctest.Wait()
		for range 20 {
			c.Servers[1].Weight++
			p = newPoolWith(t, w, c, Deps{Resolver: b}, p)
			if x := ask(p); x.Response.Status != 200 {
				t.Fatalf("status %d", x.Response.Status)
			}
		}
		synctest.Wait()
		if b.looks != 1 || w.count() != 2 {
			t.Errorf("%d look-ups, %d transports", b.looks, w.count())
		}
		if got := addresses(p); !slices.Equal(got, three[:2]) {
			t.Errorf("servers are %v", got)
		}
	})
}

// Servers that appear under a name are checked, those that vanish no longer.
func TestNamesAndChecks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, ill := newBook(), newWard()
		b.set("app", "10.0.0.1")
		ill.set(well, three...)
		p := newPoolWith(t, newWorld(), Config{Servers: servers("app:80"), Health: &Health{Interval: time.Second}}, Deps{Resolver: b, Dial: ill.dial}, nil)
		time.Sleep(10 * time.Second)
		if s := state(p, three[0]); s.State != "up" {
			t.Errorf("server is %+v", s)
		}
		b.set("app", "10.0.0.2")
		time.Sleep(25 * time.Second)
		before := len(ill.dialled(three[0]))
		time.Sleep(10 * time.Second)
		if n := len(ill.dialled(three[0])); n != before {
			t.Error("a server that has left is checked")
		}
		if s := state(p, three[1]); s.State != "up" {
			t.Errorf("server is %+v", s)
		}
	})
}
