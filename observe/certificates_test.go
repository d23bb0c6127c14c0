package observe

import (
	"strings"
	"testing"
	"time"
)

func TestCertificateStates(t *testing.T) {
	now := time.Unix(1795247139, 0)
	later, earlier := now.Add(time.Hour), now.Add(-time.Hour)
	for _, tt := range []struct {
		c    CertificateStatus
		want CertificateState
	}{
		{CertificateStatus{Kind: "acme"}, CertificatePending},
		{CertificateStatus{Kind: "acme", Problem: "x"}, CertificateMissing},
		{CertificateStatus{Kind: "acme", Until: later}, CertificateOK},
		{CertificateStatus{Kind: "acme", Until: later, Problem: "x"}, CertificateDoubtful},
		{CertificateStatus{Kind: "files", Until: earlier, Problem: "x"}, CertificateExpired},
		{CertificateStatus{Kind: "internal"}, CertificateUnasked},
		{CertificateStatus{Kind: "internal", Until: earlier}, CertificateUnasked},
		{CertificateStatus{Kind: "internal", Until: later}, CertificateOK},
	} {
		if got := tt.c.StateAt(now); got != tt.want {
			t.Errorf("%+v is %s, want %s", tt.c, got, tt.want)
		}
	}
}

func TestWorstFirst(t *testing.T) {
	now := time.Unix(1795247139, 0)
	list := []CertificateStatus{
		{Names: []string{"fine"}, State: CertificateOK, Until: now.Add(2 * time.Hour)},
		{Names: []string{"soon"}, State: CertificateOK, Until: now.Add(time.Hour)},
		{Names: []string{"unasked"}, State: CertificateUnasked},
		{File: "/nameless.pem", State: CertificateExpired},
		{Names: []string{"missing"}, State: CertificateMissing},
		{Names: []string{"lost"}, State: CertificateMissing},
	}
	WorstFirst(list)
	var names []string
	for i := range list {
		names = append(names, list[i].Name())
	}
	if got := strings.Join(names, " "); got != "lost missing /nameless.pem soon fine unasked" {
		t.Error(got)
	}
}

func TestTLSIsExposed(t *testing.T) {
	at := time.Unix(1795247139, 0)
	var h HandshakeStatus
	for _, c := range []HandshakeCount{
		{Version: "1.2", Count: 1}, {Version: "1.3", Count: 4}, {Version: "1.3", Resumed: true, Count: 2}, {Failure: "unknown_name", Count: 3},
	} {
		h.Add(c)
	}
	if h.Succeeded != 7 || h.Resumed != 2 || h.Failed != 3 {
		t.Errorf("%+v", h)
	}
	got := expose(t, NewMetrics(1), Status{
		Listeners: []ListenerStatus{{Name: "https", Address: ":443", Strangers: 5, Handshakes: h}},
		Certificates: []CertificateStatus{
			{Names: []string{"a.example", "b.example"}, Kind: "acme", State: CertificateDoubtful, Until: at, Renewal: at.Add(-time.Hour), Failed: 2},
			{Names: []string{"c.example"}, Kind: "acme", State: CertificateMissing, Failed: 1},
			{Names: []string{"c.example"}, Kind: "acme", State: CertificateMissing, Failed: 7},
			{Names: []string{"d.internal"}, Kind: "internal", State: CertificateUnasked},
			{Names: []string{"anybody.example"}, Kind: "acme", State: CertificateOK, OnDemand: true, Until: at},
		},
		ACME: ACMEStatus{Issued: 8, Failed: 9},
	})
	wantSamples(t, got, map[string]float64{
		"weir_listener_strangers_total|https|:443":                       5,
		"weir_listener_handshakes_total|https|:443|1.2|no":               1,
		"weir_listener_handshakes_total|https|:443|1.3|no":               4,
		"weir_listener_handshakes_total|https|:443|1.3|yes":              2,
		"weir_listener_handshake_failures_total|https|:443|unknown_name": 3,
		"weir_certificate_not_after_timestamp_seconds|a.example|acme":    1795247139,
		"weir_certificate_renewal_timestamp_seconds|a.example|acme":      1795243539,
		"weir_certificate_failed_attempts|a.example|acme":                2,
		"weir_certificate_not_after_timestamp_seconds|c.example|acme":    0,
		"weir_certificate_failed_attempts|c.example|acme":                1,
		"weir_certificates|missing":                                      2,
		"weir_certificates|ok":                                           1,
		"weir_acme_attempts_total|success":                               8,
		"weir_acme_attempts_total|failure":                               9,
	})
	for k := range got {
		if strings.Contains(k, "anybody") || strings.Contains(k, "d.internal") {
			t.Errorf("there is a series %s", k)
		}
	}
}
