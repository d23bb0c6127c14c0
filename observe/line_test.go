package observe

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"weir"
)

func lineOf(t *testing.T, format string, x *weir.Exchange) string {
	t.Helper()
	line, err := newLine(format, testStamps())
	if err != nil {
		t.Fatal(err)
	}
	return string(line(nil, x))
}

func TestLines(t *testing.T) {
	for _, tt := range []struct {
		name, format string
		x            *weir.Exchange
		want         string
	}{
		{
			"json", "json", exchange(),
			`{"time":"2026-11-21T07:45:39.124456Z","client":"192.0.2.7","method":"GET","scheme":"http","host":"shop.example.com",` +
				`"path":"/shoes","query":"size=42","protocol":"HTTP/1.1","status":200,"outcome":"ok","bytes_in":0,"bytes_out":1024,` +
				`"duration":0.001500,"site":"shop","route":"/*","upstream":"shop","server":"10.0.0.11:8080","attempts":1,` +
				`"first_byte":0.001250,"id":"7f3a","agent":"Mozilla/5.0 (X11; Linux x86_64)","referer":"http://shop.example.com/"}`,
		},
		{
			"json, refused by the servers", "", failed(),
			`{"time":"2026-11-21T07:45:39.124456Z","client":"192.0.2.7","method":"GET","scheme":"http","host":"shop.example.com",` +
				`"path":"/shoes","query":"size=42","protocol":"HTTP/1.1","status":502,"outcome":"upstream.connect_refused","bytes_in":0,"bytes_out":16,` +
				`"duration":0.001500,"site":"shop","route":"/*","upstream":"shop","server":"10.0.0.11:8080","attempts":2,` +
				`"id":"7f3a","agent":"Mozilla/5.0 (X11; Linux x86_64)","referer":"http://shop.example.com/",` +
				`"error":"upstream \"shop\": dial 10.0.0.11:8080: connection refused"}`,
		},
		{
			"json, hostile", "json", lost(),
			`{"time":"2026-11-21T07:45:39.124456Z","client":"192.0.2.7","method":"GET","scheme":"http","host":"evil\u000d\u000a.example",` +
				`"path":"/a\"b\\c\u000a200 \u001b[2J\u009b31m\ufffdé","query":"x=\u0000","protocol":"HTTP/1.1","status":404,"outcome":"route.no_route",` +
				`"bytes_in":0,"bytes_out":14,"duration":0.001500,` +
				`"agent":"\" 200 - \"-\"\u000a192.0.2.99 - - [","note":"the nearest route is shop /shoes","error":"route: route.no_route"}`,
		},
		{
			"combined", "combined", exchange(),
			`192.0.2.7 - - [21/Nov/2026:08:45:39 +0100] "GET /shoes?size=42 HTTP/1.1" 200 1024 "http://shop.example.com/" "Mozilla/5.0 (X11; Linux x86_64)"`,
		},
		{
			"combined, hostile", "combined", lost(),
			`192.0.2.7 - - [21/Nov/2026:08:45:39 +0100] "GET /a\x22b\x5cc\x0a200 \x1b[2J\xc2\x9b31m\xff\xc3\xa9?x=\x00 HTTP/1.1" 404 14 "-" ` +
				`"\x22 200 - \x22-\x22\x0a192.0.2.99 - - ["`,
		},
		{"common", "common", failed(), `192.0.2.7 - - [21/Nov/2026:08:45:39 +0100] "GET /shoes?size=42 HTTP/1.1" 502 16`},
		{"template", "{client.ip} {method} {path} -> {status} {outcome}", exchange(), `192.0.2.7 GET /shoes -> 200 ok`},
		{
			"template, hostile", `"{header.User-Agent}" {host} {cookie.c}	"é" {raw_path}`, lost(),
			`"\x22 200 - \x22-\x22\x0a192.0.2.99 - - [" evil\x0d\x0a.example 	"é" /a\x22b\x5cc\x0a200 \x1b[2J\xc2\x9b31m\xffé`,
		},
		{"template, gRPC", "{status} {grpc.status}", called(), "200 5"},
		{"template, no gRPC", "{status} {grpc.status}", exchange(), "200 "},
		{"template, failed", "{status} {outcome}\tx\ny", failed(), "502 upstream.connect_refused\tx\\x0ay"},
	} {
		got := lineOf(t, tt.format, tt.x)
		if got != tt.want+"\n" {
			t.Errorf("%s:\n got %s\nwant %s", tt.name, got, tt.want)
		}
		if strings.Count(got, "\n") != 1 {
			t.Errorf("%s: more than one line", tt.name)
		}
	}
}

func TestUnknownFormat(t *testing.T) {
	_, err := NewAccessLog(LogConfig{Name: "access", To: "stdout", Format: "{client.ipp}"}, nil)
	if err == nil || !strings.Contains(err.Error(), `log "access": format "{client.ipp}":`) {
		t.Errorf("error is %v", err)
	}
}

// TestFieldsAreDocumented holds doc/access-log.md to what the JSON lines say, and the other way round.
func TestFieldsAreDocumented(t *testing.T) {
	page, err := os.ReadFile("../doc/access-log.md")
	if err != nil {
		t.Fatal(err)
	}
	x := failed()
	x.Timing.FirstByte = 2e6
	x.Note, x.CallStatus = "a note", "14"
	var fields map[string]any
	if err := json.Unmarshal([]byte(lineOf(t, "json", x)), &fields); err != nil {
		t.Fatal(err)
	}
	for name := range fields {
		if !strings.Contains(string(page), "\n| `"+name+"` |") {
			t.Errorf("doc/access-log.md lacks `%s`", name)
		}
	}
	if n := strings.Count(string(page), "\n| `"); n != len(fields) {
		t.Errorf("doc/access-log.md lists %d fields, a full line has %d", n, len(fields))
	}
}

// TestTimeIsCached: one second is formatted once, times out of order are right all the same.
func TestTimeIsCached(t *testing.T) {
	s := testStamps()
	now := s.at(5e9)
	if s.at(5e9+1) != now {
		t.Error("the same second is formatted twice")
	}
	if old := s.at(1e9); old.json != "2026-11-21T07:45:40" || s.last.Load() != now {
		t.Errorf("a long exchange's begin is %s, or took the place of the present", old.json)
	}
	if next := s.at(now.to); next == now || next.json != "2026-11-21T07:45:45" {
		t.Errorf("the next second is %s", next.json)
	}
}

func TestSeconds(t *testing.T) {
	for ns, want := range map[int64]string{0: "0.000000", -5: "0.000000", 999: "0.000000", 1000: "0.000001", 61e9 + 250e6: "61.250000"} {
		if got := string(appendSeconds(nil, ns)); got != want {
			t.Errorf("%d ns: %s, want %s", ns, got, want)
		}
	}
}

// FuzzEscape: whatever a client sends, a JSON line holds it (but what is not UTF-8) and is one line, and
// the other formats are printable.
func FuzzEscape(f *testing.F) {
	for _, s := range []string{"", "plain", "eight...", "ends in quote\"", "\x00\x1f ~\x7f\x80\u009f\u00a0\xff", "0123456\x80", "0123456\"", "ééééé", "\u2028", "a\u202eb\u2066\u200f\u061c", "\ufffd\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		b := appendJSON([]byte{'"'}, s)
		b = append(b, '"')
		var back string
		if err := json.Unmarshal(b, &back); err != nil {
			t.Fatalf("%q: %v", b, err)
		}
		if want := strings.ToValidUTF8(s, "\ufffd"); utf8.ValidString(s) && back != want {
			t.Fatalf("%q comes back as %q", s, back)
		}
		for _, r := range string(b) {
			if r < ' ' || r >= 0x7f && unprintable(r) {
				t.Fatalf("control character in %q", b)
			}
		}
		fit := string(fitValue([]byte(`const "`), len(`const "`)))
		if fit != `const "` {
			t.Fatalf("constant text becomes %q", fit)
		}
		value := string(fitValue([]byte(`const "`+s), len(`const "`)))[len(`const "`):]
		if !utf8.ValidString(value) || strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r == '"' || r >= 0x7f && unprintable(r) }) {
			t.Fatalf("%q is not fit to stand in a template", value)
		}
		for _, b := range [][]byte{appendQuoted(nil, s), appendBare(nil, s)} {
			if n := plain(strings.ReplaceAll(string(b), `\x`, "")); n != len(strings.ReplaceAll(string(b), `\x`, "")) {
				t.Fatalf("%q is not fit to stand in quotes", b)
			}
		}
	})
}

// TestPlain compares the eight-at-a-time search with the obvious one.
func TestPlain(t *testing.T) {
	for c := range 256 {
		for at := range 17 {
			b := []byte("abcdefghijklmnopq")
			b[at] = byte(c)
			want := len(b)
			if c < 0x20 || c > 0x7e || c == '"' || c == '\\' {
				want = at
			}
			if got := plain(string(b)); got != want {
				t.Fatalf("byte %#x at %d: %d, want %d", c, at, got, want)
			}
		}
	}
}

// called is a call of gRPC.
func called() *weir.Exchange {
	x := exchange()
	x.CallStatus = "5"
	return x
}
