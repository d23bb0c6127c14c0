package requestid

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"weir"
)

const (
	uuid = "019a0000-0001-7fff-bfff-ffffffffffff"
	hex  = "ffffffffffffffffffffffffffffffff"
)

func at() time.Time { return time.UnixMilli(0x019a00000001) }

func exchange(trusted bool, lines ...string) *weir.Exchange {
	x := new(weir.Exchange)
	x.Reset(&weir.Conn{RemoteIP: "192.0.2.1", Trusted: trusted})
	for _, l := range lines {
		name, value, _ := strings.Cut(l, ": ")
		x.Request.Header.Add(name, value)
	}
	return x
}

func TestIDs(t *testing.T) {
	long := strings.Repeat("x", 129)
	for _, tt := range []struct {
		name       string
		cfg        Config
		trusted    bool
		in         []string
		id         string
		sent, back string // header lines
	}{
		{"made", Config{}, false, nil, uuid, "X-Request-ID: " + uuid, ""},
		{"made in hex", Config{Format: "hex"}, false, nil, hex, "X-Request-ID: " + hex, ""},
		{"a stranger's is replaced", Config{}, false, []string{"x-request-id: forged"}, uuid, "x-request-id: " + uuid, ""},
		{"a trusted proxy's is kept", Config{}, true, []string{"X-Request-Id: abc-1"}, "abc-1", "X-Request-Id: abc-1", ""},
		{"a second one goes", Config{}, true, []string{"X-Request-Id: abc-1", "X-Request-Id: abc-2"}, "abc-1", "X-Request-Id: abc-1", ""},
		{"anyone's", Config{Accept: "anyone"}, false, []string{"X-Request-Id: abc-1"}, "abc-1", "X-Request-Id: abc-1", ""},
		{"nobody's", Config{Accept: "never"}, true, []string{"X-Request-Id: abc-1"}, uuid, "X-Request-Id: " + uuid, ""},
		{"odd ones are replaced", Config{}, true, []string{"X-Request-Id: a b"}, uuid, "X-Request-Id: " + uuid, ""},
		{"long ones are replaced", Config{}, true, []string{"X-Request-Id: " + long}, uuid, "X-Request-Id: " + uuid, ""},
		{"hidden", Config{Hide: true}, true, []string{"X-Request-Id: abc-1"}, "abc-1", "", ""},
		{"another name", Config{Header: "X-Trace", Return: true}, false, []string{"x-trace: 1"}, uuid, "x-trace: " + uuid, "X-Trace: " + uuid},
		{"returned", Config{Return: true, Hide: true}, false, nil, uuid, "", "X-Request-ID: " + uuid},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.cfg.Now, tt.cfg.Random = at, func() uint64 { return ^uint64(0) }
			mw, err := New(tt.cfg)
			if err != nil {
				t.Fatal(err)
			}
			x := exchange(tt.trusted, tt.in...)
			sent := ""
			if err := mw(weir.HandlerFunc(func(x *weir.Exchange) error { sent = lines(&x.Request.Header); return nil })).ServeExchange(x); err != nil {
				t.Fatal(err)
			}
			if back := lines(&x.Response.Header); x.ID != tt.id || sent != tt.sent || back != tt.back {
				t.Errorf("id %q, sent %q, back %q; want %q, %q, %q", x.ID, sent, back, tt.id, tt.sent, tt.back)
			}
		})
	}
}

func lines(h *weir.Header) string {
	var out []string
	for _, f := range h.Fields() {
		out = append(out, f.Name+": "+f.Value)
	}
	return strings.Join(out, "|")
}

func TestFailuresCarryTheID(t *testing.T) {
	mw, err := New(Config{Return: true})
	if err != nil {
		t.Fatal(err)
	}
	x := exchange(false)
	if err := mw(weir.HandlerFunc(func(*weir.Exchange) error { return weir.Refuse(weir.CauseDenied, "test") })).ServeExchange(x); err != nil {
		t.Fatal(err)
	}
	if x.Response.Status != 403 || x.Response.Header.Get("X-Request-ID") != x.ID {
		t.Errorf("status %d, header %q, id %q", x.Response.Status, lines(&x.Response.Header), x.ID)
	}
}

func TestIDsDiffer(t *testing.T) {
	shape := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	mw, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	h := mw(weir.HandlerFunc(func(*weir.Exchange) error { return nil }))
	seen := map[string]bool{}
	for range 1000 {
		x := exchange(false)
		if err := h.ServeExchange(x); err != nil {
			t.Fatal(err)
		}
		if seen[x.ID] || !shape.MatchString(x.ID) {
			t.Fatalf("id %q is odd or came twice", x.ID)
		}
		seen[x.ID] = true
	}
}

func TestErrors(t *testing.T) {
	for _, tt := range []struct {
		cfg  Config
		want string
	}{
		{Config{Header: "a b"}, `field name "a b" holds a character`},
		{Config{Header: "Connection"}, `field "Connection" can't hold a request id: it concerns one connection only`},
		{Config{Accept: "me"}, `request ids are not accepted from "me"`},
		{Config{Format: "ulid"}, `format "ulid" of request ids is not known`},
	} {
		if _, err := New(tt.cfg); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: error %v, want %q", tt.cfg, err, tt.want)
		}
	}
}

func TestAllocations(t *testing.T) {
	mw, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	h := mw(weir.HandlerFunc(func(*weir.Exchange) error { return nil }))
	x := exchange(false)
	conn := x.Conn
	if n := testing.AllocsPerRun(100, func() {
		x.Reset(conn)
		if err := h.ServeExchange(x); err != nil {
			t.Fatal(err)
		}
	}); n > 1 { // the id itself
		t.Errorf("an exchange allocates %v times", n)
	}
}
