package https

import (
	"crypto/tls"
	"testing"
	"time"

	"weir"
)

func TestHTTPS(t *testing.T) {
	ok := weir.HandlerFunc(func(x *weir.Exchange) error {
		x.Response.Text(200, "ok")
		return nil
	})
	port := func(n int) func() int { return func() int { return n } }
	for _, c := range []struct {
		name                       string
		cfg                        Config
		scheme, method, host, path string
		status                     int
		location, hsts             string
	}{
		{"sent on", Config{Port: port(443)}, "http", "GET", "a.example", "/x%20y", 301, "https://a.example/x%20y?q=1", ""},
		{"another port", Config{Port: port(8443)}, "http", "HEAD", "a.example:8080", "/", 301, "https://a.example:8443/?q=1", ""},
		{"method kept", Config{Port: port(443)}, "http", "POST", "[::1]:80", "/", 308, "https://[::1]/?q=1", ""},
		{"encrypted", Config{Port: port(443), HSTS: time.Hour}, "https", "GET", "a.example", "/", 200, "", "max-age=3600"},
		{"left alone", Config{HSTS: time.Hour}, "http", "GET", "a.example", "/", 200, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var x weir.Exchange
			x.Request = weir.Request{Method: c.method, Scheme: c.scheme, Authority: c.host, Path: "/", RawPath: c.path, Query: "q=1"}
			if err := New(c.cfg)(ok).ServeExchange(&x); err != nil {
				t.Fatal(err)
			}
			h := &x.Response.Header
			location := h.Get("Location")
			hsts := h.Get("Strict-Transport-Security")
			if x.Response.Status != c.status || location != c.location || hsts != c.hsts {
				t.Errorf("%d %q %q, want %d %q %q", x.Response.Status, location, hsts, c.status, c.location, c.hsts)
			}
		})
	}
	only := New(Config{Covers: func(c *weir.Conn) bool { return c.TLS != nil && c.TLS.ServerName == "a.example" }})(ok)
	for name, want := range map[string]weir.Cause{"a.example": weir.CauseNone, "b.example": weir.CauseMisdirected, "": weir.CauseMisdirected} {
		x := weir.Exchange{Conn: &weir.Conn{TLS: &tls.ConnectionState{ServerName: name}}}
		x.Request = weir.Request{Method: "GET", Scheme: "https", Authority: "a.example", Path: "/", RawPath: "/"}
		got := weir.CauseNone
		if err := only.ServeExchange(&x); err != nil {
			got = weir.AsFault(err).Cause
		}
		if got != want {
			t.Errorf("agreed on for %q: %v, want %v", name, got, want)
		}
	}
	plain := weir.Exchange{Conn: &weir.Conn{}}
	plain.Request = weir.Request{Method: "GET", Scheme: "http", Authority: "a.example", Path: "/", RawPath: "/"}
	if err := only.ServeExchange(&plain); weir.AsFault(err).Cause != weir.CauseMisdirected {
		t.Errorf("unencrypted: %v", err)
	}
	known := New(Config{Port: port(443), Knows: func(host string) bool { return host == "a.example" }})(ok)
	plain.Request.Authority = "a.example:80"
	if err := known.ServeExchange(&plain); err != nil || plain.Response.Status != 301 {
		t.Errorf("a host with a certificate: %d, %v", plain.Response.Status, err)
	}
	plain.Request.Authority = "b.example"
	if err := known.ServeExchange(&plain); weir.AsFault(err).Cause != weir.CauseNoSite {
		t.Errorf("a host that gets no certificate: %v", err)
	}
	if New(Config{}) != nil {
		t.Error("a middleware that does nothing")
	}
	var x weir.Exchange
	x.Request = weir.Request{Method: "GET", Scheme: "http", RawPath: "/"}
	if err := New(Config{Port: port(443)})(ok).ServeExchange(&x); weir.AsFault(err).Cause != weir.CauseRequestHost {
		t.Errorf("without a host: %v", err)
	}
}

// What weir answers because something failed comes from the site, too.
func TestHTTPSFailure(t *testing.T) {
	failing := New(Config{HSTS: time.Hour})(weir.HandlerFunc(func(*weir.Exchange) error { return weir.Refuse(weir.CauseNoRoute, "test") }))
	x := weir.Exchange{Conn: &weir.Conn{}}
	x.Request = weir.Request{Method: "GET", Scheme: "https", Authority: "a.example", Path: "/", RawPath: "/"}
	if err := failing.ServeExchange(&x); err != nil || x.Response.Status != 404 || x.Fault == nil || x.Response.Header.Get("Strict-Transport-Security") != "max-age=3600" {
		t.Errorf("failed: %v, %d, %v", err, x.Response.Status, x.Response.Header)
	}
}
