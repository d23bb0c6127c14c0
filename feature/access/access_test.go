package access

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"weir"
)

func read(name string) ([]byte, error) {
	if name != "lists/partners.txt" {
		return nil, errors.New("no such file")
	}
	return []byte("# partners\n203.0.113.0/24\n2001:db8:1::/48\n"), nil
}

func exchange(client string) *weir.Exchange {
	x := new(weir.Exchange)
	if client != "" {
		x.Client = netip.MustParseAddr(client)
	}
	x.ClientIP = client
	return x
}

func TestAccess(t *testing.T) {
	for _, tt := range []struct {
		name        string
		allow, deny string
		in, out     string // addresses
	}{
		{"nothing said", "", "", "1.2.3.4 ::1", ""},
		{"allow", "10.0.0.0/8 ::1", "", "10.1.2.3 ::1 ::ffff:10.1.2.3", "11.0.0.1 ::2"},
		{"deny", "", "10.0.0.0/8 2001:db8::/32", "11.0.0.1 ::1", "10.1.2.3 2001:db8::1 ::ffff:10.0.0.1"},
		{"the narrowest decides", "10.1.0.0/16 10.2.0.1 192.0.2.0/24", "10.0.0.0/8 10.1.1.0/24", "10.1.2.3 10.2.0.1 192.0.2.1", "10.2.0.2 10.1.1.9 8.8.8.8"},
		{"all but one", "0.0.0.0/0 ::/0", "192.0.2.66", "1.2.3.4 ::1", "192.0.2.66"},
		{"a file", "lists/partners.txt", "203.0.113.7", "203.0.113.1 2001:db8:1::9", "203.0.113.7 2001:db8:2::9"},
	} {
		mw, err := New(Config{Allow: strings.Fields(tt.allow), Deny: strings.Fields(tt.deny), Read: read})
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		asked := 0
		h := mw(weir.HandlerFunc(func(*weir.Exchange) error { asked++; return nil }))
		for _, a := range strings.Fields(tt.in) {
			asked = 0
			if err := h.ServeExchange(exchange(a)); err != nil || asked != 1 {
				t.Errorf("%s: %s is kept out: %v", tt.name, a, err)
			}
		}
		for _, a := range strings.Fields(tt.out) {
			asked = 0
			err := h.ServeExchange(exchange(a))
			if f := weir.AsFault(err); err == nil || asked != 0 || f.Cause != weir.CauseDenied || f.StatusCode() != 403 {
				t.Errorf("%s: %s is let in (%v)", tt.name, a, err)
			}
		}
	}
}

func TestWhy(t *testing.T) {
	mw, err := New(Config{Allow: []string{"10.0.0.0/8"}, Deny: []string{"lists/partners.txt"}, Read: read})
	if err != nil {
		t.Fatal(err)
	}
	h := mw(weir.HandlerFunc(func(*weir.Exchange) error { return nil }))
	for client, want := range map[string]string{
		"203.0.113.5": `access: client "203.0.113.5": lists/partners.txt:2: access.denied`,
		"8.8.8.8":     `access: client "8.8.8.8": no network of allow holds it: access.denied`,
		"":            `access: client "": no network of allow holds it: access.denied`,
	} {
		if err := h.ServeExchange(exchange(client)); err == nil || err.Error() != want {
			t.Errorf("client %q: %v, want %s", client, err, want)
		}
	}
}

func TestErrors(t *testing.T) {
	for _, tt := range []struct {
		allow, deny []string
		want        string
	}{
		{[]string{"10.0.0.1/8"}, nil, `allow: network "10.0.0.1/8" has bits behind its length`},
		{nil, []string{"none.txt"}, `deny: list of networks "none.txt": no such file`},
		{[]string{"203.0.113.0/24"}, []string{"lists/partners.txt"}, `network "203.0.113.0/24" is both allowed (203.0.113.0/24) and denied (lists/partners.txt:2)`},
	} {
		if _, err := New(Config{Allow: tt.allow, Deny: tt.deny, Read: read}); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("allow %q, deny %q: error %v, want %q", tt.allow, tt.deny, err, tt.want)
		}
	}
}

func TestAllocations(t *testing.T) {
	mw, err := New(Config{Allow: []string{"10.0.0.0/8", "2001:db8::/32"}})
	if err != nil {
		t.Fatal(err)
	}
	h := mw(weir.HandlerFunc(func(*weir.Exchange) error { return nil }))
	x := exchange("10.1.2.3")
	if n := testing.AllocsPerRun(100, func() {
		if err := h.ServeExchange(x); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("a client that is let in costs %v allocations", n)
	}
}
