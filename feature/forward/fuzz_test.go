package forward

import (
	"strings"
	"testing"

	"weir"
	"weir/internal/syntax"
)

// FuzzFor: whatever a list holds, its client is the last address that is not trusted, or trusted ones alone
// are to the right of what stopped the walk; and what goes on begins with the client.
func FuzzFor(f *testing.F) {
	for _, s := range []string{"192.0.2.1", "1.1.1.1, 10.0.0.1", ",, ,10.0.0.1,", "[::1]:80", "[fd00::1%eth0]", "a, 10.0.0.1:_x", "::ffff:10.0.0.1", "1.1.1.1:"} {
		f.Add(s)
	}
	b := &believer{trusted: trusted}
	f.Fuzz(func(t *testing.T, list string) {
		w := b.walk(list)
		if w.taken == 0 {
			return
		}
		if !strings.HasPrefix(list[w.from:], w.text) {
			t.Fatalf("%q: %q does not stand at %d", list, w.text, w.from)
		}
		members := 0
		for m := range strings.SplitSeq(list[w.from:], ",") {
			m = strings.Trim(m, " \t")
			if m == "" {
				continue
			}
			a, ok := parseNode(m)
			if members++; !ok || members > 1 && !trusted(a) {
				t.Fatalf("%q: member %q is believed", list, m)
			}
		}
		if members != w.taken {
			t.Fatalf("%q: %d members believed, %d counted", list, members, w.taken)
		}
	})
}

// FuzzForwarded: nothing to the left of an element that a trusted proxy has appended can change what it says.
func FuzzForwarded(f *testing.F) {
	for _, s := range []string{"for=1.1.1.1", `for="`, `for="a\"`, `a\`, `for="[::1]:80";proto=https`, "for=1.1.1.1;for=2.2.2.2", `"\\\"`, "for=unknown"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, left string) {
		x := exchange("10.0.0.1", "Forwarded: "+left+", for=192.0.2.7;proto=https;host=www.test")
		b := &believer{next: new(seen), trusted: trusted}
		if err := b.ServeExchange(x); err != nil {
			t.Fatal(err)
		}
		if x.ClientIP != "192.0.2.7" || x.Request.Scheme != "https" || x.Request.Header.Known(weir.FieldXForwardedHost) != "www.test" {
			t.Fatalf("left of it %q: client %s, scheme %s", left, x.ClientIP, x.Request.Scheme)
		}
		if got := x.Request.Header.Known(weir.FieldForwarded); got != "for=192.0.2.7;proto=https;host=www.test" {
			t.Fatalf("left of it %q: %q goes on", left, got)
		}
	})
}

// FuzzForwardedAlone: what is taken from any Forwarded is fit to be used.
func FuzzForwardedAlone(f *testing.F) {
	for _, s := range []string{"for=1.1.1.1", `for="[2001:db8::1]";host="a:80";proto=wss`, `for=_x, for=10.0.0.2`, `for=10.0.0.2;host=a b`, "host=\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, value string) {
		x := exchange("10.0.0.1", "Forwarded: "+value)
		b := &believer{next: new(seen), trusted: trusted, host: true}
		if err := b.ServeExchange(x); err != nil {
			t.Fatal(err)
		}
		client := ""
		if x.Client.IsValid() {
			client = x.Client.String()
		}
		if x.ClientIP != client || !syntax.IsAuthority(x.Request.Authority) || schemeOf(x.Request.Scheme) != x.Request.Scheme {
			t.Fatalf("%q: client %q, host %q, scheme %q", value, x.ClientIP, x.Request.Authority, x.Request.Scheme)
		}
	})
}

// FuzzVia: a request ends in a loop refusal exactly when the name stands in it too often.
func FuzzVia(f *testing.F) {
	f.Add("1.1 other", 2)
	f.Add("1.1 r4nd0mname", 0)
	f.Fuzz(func(t *testing.T, others string, times int) {
		const me = "r4nd0mname"
		if strings.Contains(others, me) || times < 0 || times > 10 {
			return
		}
		x := exchange("192.0.2.1", "Via: "+others)
		for range times {
			x.Request.Header.Add("Via", "1.1 "+me)
		}
		n, err := newNaming(me, 3)
		if err != nil {
			t.Fatal(err)
		}
		if err := n.sign(x, true); (err != nil) != (times > 3) {
			t.Fatalf("%d times: %v", times, err)
		}
	})
}
