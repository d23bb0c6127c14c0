package upstream

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"weir"
)

func cookieOf(s *server) string { return fmt.Sprintf("weir_shop=%016x", s.digest) }

func TestStickyCookie(t *testing.T) {
	w := newWorld()
	secret := Deps{Secret: []byte("hidden")}
	c := Config{Servers: servers(three...), Sticky: &Sticky{TTL: time.Hour, Secure: true, HTTPOnly: true, SameSite: "Lax"}}
	p := newPoolWith(t, w, c, secret, nil)
	x := ask(p)
	set := x.Response.Header.Get("Set-Cookie")
	value, attributes, _ := strings.Cut(set, "; ")
	if attributes != "Path=/; Max-Age=3600; Secure; HttpOnly; SameSite=Lax" {
		t.Errorf("the cookie is %q", set)
	}
	if host, _, _ := strings.Cut(x.Endpoint.Name, ":"); strings.Contains(set, host) {
		t.Errorf("the cookie %q tells the address", set)
	}
	// A pool of another process, and one more server in it.
	c.Servers = servers(append([]string{"10.0.0.9:80"}, three...)...)
	p = newPoolWith(t, w, c, secret, nil)
	for range 10 {
		again := newExchange("GET")
		again.Request.Header.Add("Cookie", "a=b; weir_shopping=1; "+value+" ; c=d")
		askWith(p, again)
		if again.Endpoint.Name != x.Endpoint.Name {
			t.Errorf("the client of %s went to %s", x.Endpoint.Name, again.Endpoint.Name)
		}
		if again.Response.Header.HasKnown(weir.FieldSetCookie) {
			t.Error("the cookie is set again")
		}
	}
	if serverDigest([]byte("other"), "shop", three[0]) == serverDigest(secret.Secret, "shop", three[0]) {
		t.Error("the digest does not depend on the secret")
	}
}

func TestStickyCookiesOfNobody(t *testing.T) {
	p := newPool(t, newWorld(), Config{Servers: servers(three...), Sticky: &Sticky{}}, nil)
	for _, v := range []string{"", "weir_shop=", "weir_shop=zzzzzzzzzzzzzzzz", "weir_shop=0000000000000000", "weir_shop=00112233445566778", "weir_shop=0011223344556677"} {
		x := newExchange("GET")
		x.Request.Header.Add("Cookie", v)
		if askWith(p, x); x.Response.Status != 200 || !x.Response.Header.HasKnown(weir.FieldSetCookie) {
			t.Errorf("%q: status %d, cookie %q", v, x.Response.Status, x.Response.Header.Get("Set-Cookie"))
		}
	}
}

// A client whose server fails moves to another one and stays there.
func TestStickyClientsMoveOn(t *testing.T) {
	w := newWorld()
	w.do = func(ep *weir.Endpoint, x *weir.Exchange) error {
		if ep.Address == three[0] {
			return fault(weir.CauseUpstreamConnect, weir.RetryAlways)
		}
		x.Response.Status = 200
		return nil
	}
	p := newPool(t, w, Config{Servers: servers(three...), Sticky: &Sticky{}}, nil)
	x := newExchange("GET")
	x.Request.Header.Add("Cookie", cookieOf(p.members[0]))
	askWith(p, x)
	i := slices.IndexFunc(p.members, func(s *server) bool { return s.ep == x.Endpoint })
	if want := cookieOf(p.members[i]) + "; Path=/"; x.Response.Status != 200 || x.Response.Header.Get("Set-Cookie") != want {
		t.Errorf("status %d, cookie %q, want %q", x.Response.Status, x.Response.Header.Get("Set-Cookie"), want)
	}
}

func TestStickyDoesNotAllocate(t *testing.T) {
	for _, balance := range Balances() {
		p := newPool(t, newWorld(), Config{Servers: servers(three...), Sticky: &Sticky{}, Balance: balance, Outlier: &Outlier{}, Queue: Queue{PerServer: 10}}, nil)
		x, s, conn := newExchange("GET"), new(fakeStream), &weir.Conn{RemoteIP: "10.1.1.1"}
		value := cookieOf(p.members[1])
		allocs := testing.AllocsPerRun(1000, func() {
			x.Reset(conn)
			x.Request.Header.AddKnown(weir.FieldCookie, value)
			weir.Serve(p, x, s, weir.Observers(nil))
		})
		if allocs != 0 {
			t.Errorf("%s: %v allocations per exchange", balance, allocs)
		}
	}
}
