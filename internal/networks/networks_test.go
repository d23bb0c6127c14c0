package networks

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
)

func TestRead(t *testing.T) {
	files := map[string]string{
		"lists/partners.txt": "# partners\n192.0.2.0/24\n\n  2001:db8::1 # one\r\n",
		"bad.txt":            "10.0.0.0/8\n10.0.0.1/8\n",
		"empty":              "",
	}
	read := func(name string) ([]byte, error) {
		text, ok := files[name]
		if !ok {
			return nil, errors.New("no such file")
		}
		return []byte(text), nil
	}
	for _, tt := range []struct {
		list []string
		want string // or the error
	}{
		{[]string{"10.0.0.0/8", "::1", "1.2.3.4"}, "10.0.0.0/8=10.0.0.0/8 ::1/128=::1 1.2.3.4/32=1.2.3.4"},
		{[]string{"::ffff:1.2.3.4", "::ffff:10.0.0.0/104", "::/0"}, "1.2.3.4/32=::ffff:1.2.3.4 10.0.0.0/8=::ffff:10.0.0.0/104 ::/0=::/0"},
		{[]string{"lists/partners.txt"}, "192.0.2.0/24=lists/partners.txt:2 2001:db8::1/128=lists/partners.txt:4"},
		{[]string{"empty"}, ""},
		{[]string{"none.txt"}, `list of networks "none.txt": no such file`},
		{[]string{"bad.txt"}, `bad.txt:2: network "10.0.0.1/8" has bits behind its length: write "10.0.0.0/8", or "10.0.0.1" for that address alone`},
		{[]string{"10.0.0.0/33"}, `"10.0.0.0/33" is no network, such as "10.0.0.0/8"`},
		{[]string{"10.0.0"}, `"10.0.0" is no network and no address`},
		{[]string{"fe80::1%eth0"}, `"fe80::1%eth0" is no network and no address`},
		{[]string{"::/8"}, `::/8=::/8`},
		{[]string{"::ffff:0:0/90"}, `has bits behind`},
		{[]string{""}, `"" is no network and no address`},
	} {
		entries, err := Read(tt.list, read)
		var got []string
		for _, e := range entries {
			got = append(got, fmt.Sprintf("%s=%s", e.Prefix, e.Source))
		}
		text := strings.Join(got, " ")
		if err != nil {
			text = err.Error()
		}
		if text != tt.want && (err == nil || !strings.Contains(text, tt.want)) {
			t.Errorf("%q: %s, want %s", tt.list, text, tt.want)
		}
	}
}

// TestLookup compares the tables with a look at every network.
func TestLookup(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	addr := func() netip.Addr {
		if rnd.IntN(2) == 0 {
			return netip.AddrFrom4([4]byte{10, byte(rnd.IntN(3)), byte(rnd.IntN(3)), byte(rnd.IntN(256))})
		}
		return netip.AddrFrom16([16]byte{0x20, 1, byte(rnd.IntN(3)), 15: byte(rnd.IntN(256))})
	}
	var entries []Entry
	var table Table[int]
	value := map[netip.Prefix]int{}
	for i := range 200 {
		a := addr()
		p := netip.PrefixFrom(a, rnd.IntN(a.BitLen()+1)).Masked()
		entries = append(entries, Entry{Prefix: p})
		table.Set(p, i)
		value[p] = i
	}
	set := NewSet(entries[:100])
	for range 2000 {
		a := addr()
		best, in := netip.Prefix{}, false
		for i, e := range entries {
			if !e.Prefix.Contains(a) {
				continue
			}
			in = in || i < 100
			if !best.IsValid() || e.Prefix.Bits() > best.Bits() {
				best = e.Prefix
			}
		}
		if set.Contains(a) != in || a.Is4() && set.Contains(netip.AddrFrom16(a.As16())) != in {
			t.Fatalf("%s is in the set: %v, want %v", a, set.Contains(a), in)
		}
		got, ok := table.Lookup(a)
		if ok != best.IsValid() || ok && got != value[best] {
			t.Fatalf("%s belongs to %d (%v), want %d", a, got, ok, value[best])
		}
	}
	if _, ok := table.Lookup(netip.Addr{}); ok || set.Contains(netip.Addr{}) {
		t.Error("no address belongs to a network")
	}
}
