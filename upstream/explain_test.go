package upstream

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"weir"
)

func TestExplain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, ill := newWorld(), newWard()
		list := servers(append(three, "10.0.0.4:80")...)
		list[3].Backup = true
		ill.set(well, list[1].Address, list[2].Address, list[3].Address)
		key, _ := weir.ParseTemplate("{path}")
		c := Config{Servers: list, Health: &Health{}, Queue: Queue{PerServer: 1}, Balance: "hash", HashBy: key}
		p := newPoolWith(t, w, c, Deps{Dial: ill.dial}, nil)
		synctest.Wait()
		time.Sleep(0)
		busy := p.members[1].begin()
		e := p.Explain(newExchange("GET"))
		if e.Upstream != "shop" || e.Balance != "hash" || e.Key != "/" || e.Queue {
			t.Errorf("explanation is %+v", e)
		}
		want := []struct{ address, reason string }{
			{three[2], "where the key belongs"},
			{"10.0.0.4:80", "if those before it fail"},
			{three[1], "at its limit of 1 exchanges at a time"},
			{three[0], "down since 2000-01-01T00:00:00Z: connection refused"},
		}
		for i, s := range e.Servers {
			if s.Address != want[i].address || s.Reason != want[i].reason || s.Asked != (i < 2) {
				t.Errorf("server %d is %+v, want %v", i, s, want[i])
			}
		}
		busy.end()
		if n := w.asked(three[2]); n != 0 {
			t.Errorf("%d requests were sent", n)
		}
	})
}

// Why a server has failed is told of the last one in service, too, which is never taken out.
func TestExplainTheFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.do = func(*weir.Endpoint, *weir.Exchange) error { return weir.Refuse(weir.CauseUpstreamTLSExpired, "dial") }
		p := newPool(t, w, Config{Servers: servers(three[0])}, nil)
		if err := p.ServeExchange(newExchange("GET")); err == nil {
			t.Fatal("no error")
		}
		time.Sleep(time.Minute)
		const want = "the only server in service; failed last at 2000-01-01T00:00:00Z: upstream.tls_expired"
		if got := p.Explain(newExchange("GET")).Servers[0].Reason; got != want {
			t.Errorf("reason %q, want %q", got, want)
		}
	})
}

func TestExplainTheFirst(t *testing.T) {
	for _, balance := range Balances() {
		p := newPool(t, newWorld(), Config{Servers: servers(three...), Balance: balance, Sticky: &Sticky{}}, nil)
		x := newExchange("GET")
		e := p.Explain(x)
		if len(e.Servers) != 3 || !e.Servers[0].Asked || e.Servers[0].Reason == e.Servers[1].Reason || strings.Contains(e.Servers[0].Reason, "cookie") {
			t.Errorf("%s: %+v", balance, e.Servers)
		}
		x.Request.Header.Add("Cookie", cookieOf(p.members[2]))
		if e := p.Explain(x); e.Servers[0].Address != three[2] || e.Servers[0].Reason != "named by the client's cookie" {
			t.Errorf("%s with a cookie: %+v", balance, e.Servers)
		}
	}
}
