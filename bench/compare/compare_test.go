package main

import (
	"strings"
	"testing"
)

func TestBuiltForH3(t *testing.T) {
	for _, tt := range []struct {
		told string
		want bool
	}{
		{"nginx version: nginx/1.22.1\nconfigure arguments: --with-http_ssl_module --with-http_v2_module", false},
		{"nginx version: nginx/1.30.6\nconfigure arguments: --with-http_v2_module --with-http_v3_module --with-threads", true},
		{"Feature list : +PTHREAD_EMULATION -QUIC -QUIC_OPENSSL_COMPAT +RT", false},
		{"Feature list : +PTHREAD_EMULATION +QUIC -QUIC_OPENSSL_COMPAT +RT", true},
		{"  OPTIONS = USE_OPENSSL=1 USE_LUA=1 USE_QUIC=1 USE_PROMEX=1", true},
		{"", false},
	} {
		if got := builtForH3(tt.told); got != tt.want {
			t.Errorf("%v of %q", got, tt.told)
		}
	}
}

// Who does not speak HTTP/3 is not asked for it, and the goal is then neither held nor missed.
func TestVerdict(t *testing.T) {
	w := work{name: "h3", h3: true, cost: perRequest, goal: 1}
	if w.concerns(&proxy{name: "nginx"}) || !w.concerns(&proxy{name: "nginx", h3: nginxH3}) {
		t.Error("the work concerns the wrong proxies")
	}
	cost := func(micros float64) []measurement { return []measurement{{CPUMicros: micros}} }
	for _, tt := range []struct {
		by   map[string][]measurement
		want string
	}{
		{map[string][]measurement{"weir": cost(20)}, "not comparable"},
		{map[string][]measurement{"weir": cost(20), "nginx": cost(25), "haproxy": cost(40)}, "weir / nginx: **0.80**, at most 1.00: holds"},
		{map[string][]measurement{"weir": cost(20), "nginx": cost(25), "haproxy": cost(10)}, "weir / haproxy: **2.00**, at most 1.00: does not hold"},
		{map[string][]measurement{"nginx": cost(25)}, ""},
	} {
		if got := verdict(w, tt.by); !strings.Contains(got, tt.want) || (tt.want == "") != (got == "") {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
}
