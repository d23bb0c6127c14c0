package cert

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/libdns/libdns"
)

var record = []libdns.Record{libdns.TXT{Name: "_acme-challenge.a", Text: "value", TTL: time.Minute}}

func TestUpdatesAreSigned(t *testing.T) {
	z := newZone(t)
	good := RFC2136{Server: z.address, KeyName: "Weir-Key", Secret: zoneSecret}
	if _, err := good.AppendRecords(t.Context(), "weir.test.", record); err != nil || z.texts() != 1 {
		t.Errorf("%v, %d records", err, z.texts())
	}
	for what, p := range map[string]RFC2136{
		"unsigned":     {Server: z.address},
		"wrong secret": {Server: z.address, KeyName: "weir-key", Secret: "d3Jvbmc="},
	} {
		if _, err := p.DeleteRecords(t.Context(), "weir.test.", record); err == nil || z.texts() != 1 {
			t.Errorf("%s: %v", what, err)
		}
	}
	good.Zone = "weir.test"
	if _, err := good.DeleteRecords(t.Context(), "weir.test.", record); err != nil || z.texts() != 0 {
		t.Errorf("%v, %d records", err, z.texts())
	}
	if _, err := good.AppendRecords(t.Context(), "weir.test.", []libdns.Record{libdns.Address{Name: "x"}}); err == nil {
		t.Error("set a record that is none of its business")
	}
	for _, p := range []RFC2136{{}, {Server: "x"}, {Server: "x:53", Algorithm: "md5"}, {Server: "x:53", KeyName: "k"}} {
		if p.Check() == nil {
			t.Errorf("%+v is possible", p)
		}
	}
	if err := good.Check(); err != nil {
		t.Error(err)
	}
}

func TestACMEDNS(t *testing.T) {
	var got map[string]string
	status := http.StatusOK
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/update" || r.Header.Get("X-Api-User") != "user" || r.Header.Get("X-Api-Key") != "secret" {
			status = http.StatusUnauthorized
		}
		json.NewDecoder(r.Body).Decode(&got)
		w.WriteHeader(status)
	}))
	defer server.Close()
	defer http.DefaultClient.CloseIdleConnections()
	p := ACMEDNS{Server: server.URL, Username: "user", Password: "secret", Subdomain: "sub"}
	if err := p.Check(); err != nil {
		t.Error(err)
	}
	if _, err := p.AppendRecords(t.Context(), "zone.", record); err != nil || got["txt"] != "value" || got["subdomain"] != "sub" {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := p.DeleteRecords(t.Context(), "zone.", record); err != nil {
		t.Error(err)
	}
	p.Password = "wrong"
	if _, err := p.AppendRecords(t.Context(), "zone.", record); err == nil || strings.Contains(err.Error(), "wrong") {
		t.Errorf("got %v", err)
	}
	for _, p := range []ACMEDNS{{}, {Server: "x"}, {Server: "https://x"}} {
		if p.Check() == nil {
			t.Errorf("%+v is possible", p)
		}
	}
}

// A hook that hangs does not hang weir.
func TestHooksEnd(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	begun := time.Now()
	_, err := Exec{Program: "sh", Args: []string{"-c", "sleep 3 & wait"}}.AppendRecords(ctx, "weir.test.", record)
	if err == nil || time.Since(begun) > 10*time.Second {
		t.Errorf("%v after %v", err, time.Since(begun))
	}
}

// A hook that leaves something running has done its work.
func TestHooksLeaveOthers(t *testing.T) {
	t.Parallel()
	hook := Exec{Program: "sh", Args: []string{"-c", "sleep 3 &"}}
	if _, err := hook.AppendRecords(t.Context(), "weir.test.", record); err != nil {
		t.Error(err)
	}
	if _, err := (Exec{Program: "sh", Args: []string{"-c", "sleep 3 & exit 1"}}).AppendRecords(t.Context(), "weir.test.", record); err == nil {
		t.Error("a hook that failed is taken for one that has done its work")
	}
}

func TestRegistrationByEmail(t *testing.T) {
	answer := `{"success":true,"eab_kid":"id","eab_hmac_key":"key"}`
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.FormValue("email") != "ops@weir.test" {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		w.Write([]byte(answer))
	}))
	defer server.Close()
	eab, err := registerByEmail(t.Context(), server.Client(), server.URL, "ops@weir.test")
	if err != nil || *eab != (EAB{"id", "key"}) {
		t.Errorf("%v, %v", eab, err)
	}
	for _, email := range []string{"", "other@weir.test"} {
		if _, err := registerByEmail(t.Context(), server.Client(), server.URL, email); err == nil {
			t.Errorf("%q is given an account", email)
		}
	}
	answer = `{"success":false}`
	if _, err := registerByEmail(t.Context(), server.Client(), server.URL, "ops@weir.test"); err == nil {
		t.Error("a refusal is an account")
	}
}
