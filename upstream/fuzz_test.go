package upstream

import (
	"net/netip"
	"strings"
	"testing"
)

// An address that is taken is one that can be dialled or resolved, and is taken again as it was understood.
func FuzzTarget(f *testing.F) {
	for _, s := range []string{"10.0.0.1:80", "[::1]:80", "app:80", "app.example.com.:8080", "unix:/run/a.sock", ":80", "a:0", "a:+80", "a..b:1", "::1:80", "[fe80::1%eth0]:80"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		target, err := parseTarget(s)
		if err != nil {
			return
		}
		switch {
		case strings.HasPrefix(s, "unix:"):
		case target.host == "":
			if _, err := netip.ParseAddrPort(target.text); err != nil {
				t.Errorf("%q is taken as an address: %v", s, err)
			}
		case target.port == 0 || strings.ContainsAny(target.host, " /:[]\r\n"):
			t.Errorf("%q is taken as %q, port %d", s, target.host, target.port)
		}
	})
}

// Whatever a server answers to a check, the check ends with a judgement.
func FuzzCheckAnswer(f *testing.F) {
	f.Add(well, "ok")
	f.Add("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", "ok")
	f.Add("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\nok", "ok")
	f.Add("HTTP/1.1 103 x\r\n\r\nHTTP/1.0 204\r\n\r\n", "")
	f.Add("HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nok", "ok")
	f.Fuzz(func(t *testing.T, answer, match string) {
		h := (&Health{Match: match}).orDefaults()
		if err := h.read(strings.NewReader(answer)); err == nil && !strings.HasPrefix(answer, "HTTP/1.") {
			t.Errorf("%q is well", answer)
		}
	})
}

// A cookie that is found stands in the field as a pair.
func FuzzCookie(f *testing.F) {
	f.Add("a=b; weir=0011223344556677; c=d", "weir")
	f.Add("weir", "weir")
	f.Add(";;=;weir==", "weir")
	f.Fuzz(func(t *testing.T, field, name string) {
		if v, ok := cookie(field, name); ok && !strings.Contains(field, name+"="+v) {
			t.Errorf("%q of %q is %q", name, field, v)
		}
	})
}
