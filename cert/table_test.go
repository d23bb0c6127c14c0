package cert

import (
	"crypto/tls"
	"errors"
	"net"
	"os"
	"testing"
)

func named(n string) fixed {
	return fixed{&tls.Certificate{Certificate: [][]byte{[]byte(n)}}}
}

type localConn struct {
	net.Conn
	local net.Addr
}

func (c localConn) LocalAddr() net.Addr { return c.local }

func TestTableFindsNames(t *testing.T) {
	table := newTable(t,
		Entry{Names: []string{"shop.example", "WWW.shop.example."}, Source: named("shop")},
		Entry{Names: []string{"*.shop.example"}, Source: named("wild")},
		Entry{Names: []string{"192.0.2.1", "2001:db8::1"}, Source: named("address")},
	)
	for name, want := range map[string]string{
		"shop.example":         "shop",
		"SHOP.Example":         "shop",
		"www.shop.example":     "shop",
		"api.shop.example":     "wild",
		"API.SHOP.EXAMPLE":     "wild",
		"a.b.shop.example":     "",
		".shop.example":        "",
		"*.shop.example":       "wild",
		"xshop.example":        "",
		"example":              "",
		"":                     "",
		"shop.example.evil.tk": "",
	} {
		got, err := table.Certificate(&tls.ClientHelloInfo{ServerName: name})
		if want == "" {
			if got != nil || !errors.Is(err, ErrNoName) {
				t.Errorf("%q: %v and %v, want ErrNoName", name, got, err)
			}
			continue
		}
		if err != nil || string(got.Certificate[0]) != want {
			t.Errorf("%q: %v and %v, want %s", name, got, err, want)
		}
	}
	for local, want := range map[string]bool{"192.0.2.1": true, "::ffff:192.0.2.1": true, "2001:db8::1": true, "192.0.2.2": false} {
		c := localConn{local: &net.TCPAddr{IP: net.ParseIP(local), Port: 443}}
		if got, _ := table.Certificate(&tls.ClientHelloInfo{Conn: c}); (got != nil) != want {
			t.Errorf("without a name at %s: %v, want one: %v", local, got, want)
		}
	}
	if !table.Has("x.shop.example") || table.Has("x.example") {
		t.Error("Has and Certificate disagree")
	}
}

func TestTableDefault(t *testing.T) {
	table := newTable(t, Entry{Names: []string{"a.example"}, Source: named("a")}, Entry{Source: named("default"), Default: true})
	for name, want := range map[string]string{"a.example": "a", "b.example": "default", "": "default"} {
		if got, err := table.Certificate(&tls.ClientHelloInfo{ServerName: name}); err != nil || string(got.Certificate[0]) != want {
			t.Errorf("%q: %v, %v", name, got, err)
		}
	}
}

func TestTableRefuses(t *testing.T) {
	s := named("x")
	for what, entries := range map[string][]Entry{
		"twice":          {{Names: []string{"a.example"}, Source: s}, {Names: []string{"A.example."}, Source: s}},
		"two defaults":   {{Source: s, Default: true}, {Source: s, Default: true}},
		"no source":      {{Names: []string{"a.example"}}},
		"inner wildcard": {{Names: []string{"a.*.example"}, Source: s}},
		"bare wildcard":  {{Names: []string{"*"}, Source: s}},
		"space":          {{Names: []string{"a b.example"}, Source: s}},
		"empty":          {{Names: []string{""}, Source: s}},
		"empty label":    {{Names: []string{"a..example"}, Source: s}},
		"policy":         {{Names: []string{"a.example"}, Source: s, Policy: &Policy{Verify: Require}}},
		"zone":           {{Names: []string{"fe80::1%eth0"}, Source: s}},
	} {
		if _, err := NewTable(entries); err == nil {
			t.Errorf("%s: no error", what)
		}
	}
}

func FuzzName(f *testing.F) {
	for _, s := range []string{"a.example", "*.A.example.", "::1", "xn--bcher-kva.example", "-a", "a..b", "*.*.x", "192.0.2.1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, err := normalName(s)
		if err != nil {
			return
		}
		if again, err := normalName(n); err != nil || again != n {
			t.Errorf("%q becomes %q, and that %q, %v", s, n, again, err)
		}
	})
}

func FuzzBundle(f *testing.F) {
	leaf := newCA(f).leaf(f, nil, "a.example")
	dir := f.TempDir()
	certificate, key := write(f, dir, leaf)
	file := dir + "/b.pem"
	chain, _ := os.ReadFile(certificate)
	secret, _ := os.ReadFile(key)
	if _, err := writeBundle(file, chain, secret, note{CA: "x"}); err != nil {
		f.Fatal(err)
	}
	whole, _ := os.ReadFile(file)
	f.Add(whole)
	f.Add(chain)
	f.Add([]byte("-----BEGIN WEIR NOTE-----\n-----END WEIR NOTE-----\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if b, err := parseBundle(text); err == nil && (b.pair == nil || b.pair.Leaf == nil) {
			t.Error("a bundle of nothing")
		}
	})
}
