package config

import (
	"testing"
	"time"
)

func TestDurations(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"500ms": 500 * time.Millisecond, "10s": 10 * time.Second, "1m30s": 90 * time.Second, "2h": 2 * time.Hour,
		"7d": 7 * 24 * time.Hour, "1d12h": 36 * time.Hour, "1.5s": 1500 * time.Millisecond, "0s": 0,
	} {
		if got, ok := parseDuration(text); !ok || got != want {
			t.Errorf("%q: %v, %v", text, got, ok)
		}
	}
	for _, text := range []string{
		"", "0", "10", "s", "-1s", "+1s", "1", "1 s", "1sd", "d", "1d-1s", "99999999999d", "9999999h9999999h", "1d2", "ms", "1w", "1e3s",
		"106751d106751d", "65535d2000000h",
	} {
		if got, ok := parseDuration(text); ok {
			t.Errorf("%q is %v", text, got)
		}
	}
}

func TestSizes(t *testing.T) {
	for text, want := range map[string]int64{
		"0B": 0, "1B": 1, "10KB": 10000, "10MB": 1e7, "1GB": 1e9, "2TB": 2e12, "8KiB": 8192, "1.5MiB": 3 << 19, "1GiB": 1 << 30, "1TiB": 1 << 40, "10 MB": 1e7,
	} {
		if got, ok := parseSize(text); !ok || got != want {
			t.Errorf("%q: %v, %v", text, got, ok)
		}
	}
	for _, text := range []string{"", "10", "KB", "-1KB", "1kb", "1K", "1.5B", "1..5KB", "99999999999TB", "1e3KB", "NaNB", "1KB/s"} {
		if got, ok := parseSize(text); ok {
			t.Errorf("%q is %v", text, got)
		}
	}
}

func TestStatuses(t *testing.T) {
	for text, want := range map[string]StatusRange{"200": {200, 200}, "5xx": {500, 599}, "401-403": {401, 403}} {
		if got, ok := parseStatuses(text); !ok || got != want {
			t.Errorf("%q: %v, %v", text, got, ok)
		}
	}
	for _, text := range []string{"", "99", "600", "6xx", "0xx", "xx", "5x", "403-401", "200-", "-200", "2xx-3xx", "200-700"} {
		if got, ok := parseStatuses(text); ok {
			t.Errorf("%q is %v", text, got)
		}
	}
}

func TestAddresses(t *testing.T) {
	for _, text := range []string{"10.0.0.1:80", "[::1]:80", "name:80", "a.b.c:65535", "unix:/run/app.sock"} {
		if complaint, _ := checkAddress(text); complaint != "" {
			t.Errorf("%q %s", text, complaint)
		}
	}
	for text, want := range map[string]string{
		"":                "is not an address",
		"10.0.0.1":        `did you mean "10.0.0.1:80"?`,
		"::1":             `write "host:port"; IPv6 addresses stand in brackets`,
		"8080":            `did you mean "127.0.0.1:8080"?`,
		":8080":           `did you mean "127.0.0.1:8080"?`,
		"name:0":          "has no valid port",
		"name:http":       "has no valid port",
		"a b:80":          "names no host",
		"http://name:80/": `write "name:80"`,
		"https://name":    `write "name:443" and a tls block beside it`,
		"http://name/a/b": `write "name:80"; a rewrite block of the route changes the path`,
		"ftp://name":      "is a URL, not an address",
		"unix:app.sock":   "does not name a socket by its whole path",
	} {
		complaint, hint := checkAddress(text)
		if complaint == "" || complaint != want && hint != want {
			t.Errorf("%q: %q, %q", text, complaint, hint)
		}
	}
}

func TestTargets(t *testing.T) {
	for text, want := range map[string]string{
		"http://127.0.0.1:3000": "127.0.0.1:3000", "http://127.0.0.1:3000/": "127.0.0.1:3000", "http://name": "name:80",
		"http://[::1]": "[::1]:80", "http://[::1]:81": "[::1]:81", "https://name/": "name:443", "h2c://name": "name:80", "127.0.0.1:3000": "127.0.0.1:3000", "unix:/a": "unix:/a",
	} {
		if got, complaint, _ := parseTarget(text); complaint != "" || got.address != want {
			t.Errorf("%q: %v %s", text, got, complaint)
		}
	}
}

func TestIsSyslog(t *testing.T) {
	for to, want := range map[string]bool{
		"syslog://log.example": true, "syslog://10.0.0.1:1514": true, "syslog+tcp://[2001:db8::1]:601": true, "syslog:///run/its.sock": true,
		"syslog:": false, "syslog://": false, "syslog:///": false, "syslog:host": false, "syslog://:514": false, "syslog://h:0": false,
		"syslog://h:99999": false, "syslog+tcp://h:x": false, "syslog+tcp:///run/its.sock": false, "syslog+tls://h": false, "kafka://h": false,
	} {
		if got := isSyslog(to); got != want {
			t.Errorf("%q: %v", to, got)
		}
	}
}
