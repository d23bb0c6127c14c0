package admin

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"weir/observe"
)

func TestCertificates(t *testing.T) {
	s := newServer(t, Config{}, &fake{})
	got := decode[Certificates](t, do(t, s, "GET", "/certificates", "", nil))
	if len(got.Certificates) != 2 || got.Certificates[0].Name() != "shop.example.com" {
		t.Errorf("%+v", got)
	}
	if text := do(t, s, "GET", "/status", "", nil).Body.String(); !strings.Contains(text, `"problem": "the CA says <no>"`) || !strings.Contains(text, `"failed": 17`) {
		t.Error(text)
	}
	live := decode[Live](t, do(t, s, "GET", "/live", "", nil))
	if live.CertificatesSum != 2 || live.Certificates[0].State != observe.CertificateMissing {
		t.Errorf("%+v", live)
	}
}

func TestRenew(t *testing.T) {
	e := &fake{}
	s := newServer(t, Config{}, e)
	for _, tt := range []struct {
		method, body string
		status       int
		text         string // in the answer
		renewals     int64
	}{
		{"POST", `{"name": "shop.example.com"}`, 200, `"shop.example.com"`, 1},
		{"POST", `{"name": "bad.example.com"}`, 422, `"error": "Authority: ordering: it says no"`, 1},
		{"POST", `{"name": "unknown.example.com"}`, 404, `no certificate for the name`, 1},
		{"POST", `{"name": ""}`, 400, `which one?`, 0},
		{"POST", `{"names": "shop.example.com"}`, 400, `which one?`, 0},
		{"POST", ``, 400, `which one?`, 0},
		{"GET", ``, 405, ``, 0},
	} {
		before := e.renewals.Load()
		w := do(t, s, tt.method, "/certificates/renew", tt.body, nil)
		if n := e.renewals.Load() - before; w.Code != tt.status || !strings.Contains(w.Body.String(), tt.text) || n != tt.renewals {
			t.Errorf("%s %s: status %d, %d renewals, %s", tt.method, tt.body, w.Code, n, w.Body)
		}
	}
}

// TestRenewIsGuarded: neither a page of another website nor somebody without a password gets anything done or told.
func TestRenewIsGuarded(t *testing.T) {
	e := &fake{}
	s := newServer(t, Config{Listen: "127.0.0.1:0"}, e)
	for _, from := range [][2]string{{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "http://evil.example"}} {
		w := do(t, s, "POST", "/certificates/renew", `{"name": "shop.example.com"}`, func(r *http.Request) { r.Header.Set(from[0], from[1]) })
		if w.Code != 403 {
			t.Errorf("%v: status %d", from, w.Code)
		}
	}
	closed := newServer(t, Config{Users: htpasswd(t, "ann:secret")}, e)
	for _, r := range [][2]string{{"POST", "/certificates/renew"}, {"GET", "/certificates"}, {"GET", "/certificates/root"}} {
		if w := do(t, closed, r[0], r[1], `{"name": "shop.example.com"}`, nil); w.Code != 401 {
			t.Errorf("%v without a password: status %d", r, w.Code)
		}
	}
	if n := e.renewals.Load(); n != 0 {
		t.Errorf("%d renewals", n)
	}
}

// TestRenewOutlastsDeadlines has a renewal take longer than a request may usually be read.
func TestRenewOutlastsDeadlines(t *testing.T) {
	e := &fake{slow: make(chan struct{})}
	s := newServer(t, Config{Listen: "127.0.0.1:0"}, e)
	s.http.ReadTimeout, s.http.WriteTimeout = time.Second, time.Second
	serve(t, s)
	answered := make(chan int, 1)
	go func() {
		r, err := http.Post("http://"+s.Addr()+"/certificates/renew", "application/json", strings.NewReader(`{"name": "slow.example.com"}`))
		if err != nil {
			t.Error(err)
			answered <- 0
			return
		}
		defer r.Body.Close()
		var got Certificates
		if err := json.NewDecoder(r.Body).Decode(&got); err != nil || got.Error != "" {
			t.Errorf("%+v, %v", got, err)
		}
		answered <- r.StatusCode
	}()
	select {
	case code := <-answered:
		t.Fatalf("answered with %d before there was a certificate", code)
	case <-time.After(1500 * time.Millisecond):
		close(e.slow)
	}
	if code := <-answered; code != 200 {
		t.Errorf("status %d", code)
	}
}

func TestRoot(t *testing.T) {
	e := &fake{}
	s := newServer(t, Config{}, e)
	if w := do(t, s, "GET", "/certificates/root", "", nil); w.Code != 200 || !strings.HasPrefix(w.Body.String(), "-----BEGIN") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	e.broken = "there is none"
	if w := do(t, s, "GET", "/certificates/root", "", nil); w.Code != 404 || !strings.Contains(w.Body.String(), e.broken) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}
