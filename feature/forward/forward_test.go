package forward

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"weir"
)

var trustedNets = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}

func trusted(a netip.Addr) bool {
	return slices.ContainsFunc(trustedNets, func(p netip.Prefix) bool { return p.Contains(a) })
}

// exchange is a request from a peer; lines are "Name: value".
func exchange(peer string, lines ...string) *weir.Exchange {
	addr := netip.MustParseAddr(peer)
	x := new(weir.Exchange)
	x.Reset(&weir.Conn{Remote: netip.AddrPortFrom(addr, 40000), RemoteIP: addr.String(), Trusted: trusted(addr)})
	x.Request.Method, x.Request.Path, x.Request.RawPath = "GET", "/", "/"
	x.Request.Scheme, x.Request.Authority, x.Request.Protocol = "http", "shop.test", "HTTP/1.1"
	for _, l := range lines {
		name, value, _ := strings.Cut(l, ": ")
		x.Request.Header.Add(name, value)
	}
	return x
}

// A seen request is what the server got.
type seen struct {
	host   string
	fields []string
}

func (s *seen) ServeExchange(x *weir.Exchange) error {
	s.host, s.fields = x.Request.Authority, nil
	for _, f := range x.Request.Header.Fields() {
		s.fields = append(s.fields, f.Name+": "+f.Value)
	}
	slices.Sort(s.fields)
	x.Response.Text(200, "ok")
	return nil
}

func chain(t testing.TB, b BelieveConfig, c Config, end weir.Handler) weir.Handler {
	t.Helper()
	mw, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	if b.Trusted == nil {
		b.Trusted = trusted
	}
	h, err := NewBelieve(b, mw(end))
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestBelieveAndWrite(t *testing.T) {
	for _, tt := range []struct {
		name   string
		peer   string
		in     []string
		client string
		scheme string // "": http
		mode   Mode
		note   string
		want   []string // sorted
	}{
		{
			name: "a plain request", peer: "192.0.2.1", client: "192.0.2.1",
			in:   []string{"Accept: */*"},
			want: []string{"Accept: */*", "X-Forwarded-For: 192.0.2.1", "X-Forwarded-Host: shop.test", "X-Forwarded-Proto: http"},
		},
		{
			name: "a stranger is believed nothing", peer: "192.0.2.1", client: "192.0.2.1",
			in: []string{
				"X-Forwarded-For: 10.0.0.1", "X-Forwarded-Proto: https", "X-Forwarded-Host: evil.test", "X-Forwarded-Prefix: /x", "x-real-ip: 1.1.1.1",
				"X-Forwarded-Port: 1", "X-Forwarded-User: root", "X_Forwarded_For: 1.1.1.1", "X_REAL_IP: 1.1.1.1", "Forwarded: for=1.1.1.1", "X-Forward: kept",
				"proxy: http://evil.test", "Transfer_Encoding: chunked", "content_length: 5", "HOST_: evil.test", "Proxy_Authorization: x", "My_Host: kept",
			},
			want: []string{"My_Host: kept", "X-Forward: kept", "X-Forwarded-For: 192.0.2.1", "X-Forwarded-Host: shop.test", "X-Forwarded-Proto: http"},
		},
		{
			name: "a trusted proxy is believed", peer: "10.0.0.1", client: "192.0.2.7", scheme: "https",
			in:   []string{"X-Forwarded-For: 192.0.2.7", "X-Forwarded-Proto: https", "X-Forwarded-Host: www.test", "X-Forwarded-Prefix: /app", "X-Forwarded-Port: 8443", "X-Real-IP: 9.9.9.9", "X_Forwarded_For: 8.8.8.8"},
			want: []string{"X-Forwarded-For: 192.0.2.7, 10.0.0.1", "X-Forwarded-Host: www.test", "X-Forwarded-Port: 8443", "X-Forwarded-Prefix: /app", "X-Forwarded-Proto: https", "X-Real-IP: 192.0.2.7"},
		},
		{
			name: "what the client wrote itself is cut off", peer: "10.0.0.1", client: "192.0.2.7",
			in:   []string{"X-Forwarded-For: 127.0.0.1, 192.0.2.7", "X-Forwarded-For: 10.0.0.2"},
			want: []string{"X-Forwarded-For: 192.0.2.7, 10.0.0.2, 10.0.0.1", "X-Forwarded-Host: shop.test", "X-Forwarded-Proto: http"},
		},
		{
			name: "a walk over trusted ones alone ends at the first", peer: "10.0.0.1", client: "10.0.0.9",
			in:   []string{"X-Forwarded-For: 10.0.0.9,10.0.0.2"},
			want: []string{"X-Forwarded-For: 10.0.0.9,10.0.0.2, 10.0.0.1", "X-Forwarded-Host: shop.test", "X-Forwarded-Proto: http"},
		},
		{
			name: "what no server is to see from a trusted proxy either", peer: "10.0.0.1", client: "10.0.0.1",
			in:   []string{"Proxy: http://evil.test", "Transfer_Encoding: chunked", "Keep_Alive: x"},
			want: []string{"X-Forwarded-For: 10.0.0.1", "X-Forwarded-Host: shop.test", "X-Forwarded-Proto: http"},
		},
		{
			name: "what is no address ends the walk", peer: "10.0.0.1", note: noteFor, scheme: "https",
			in:   []string{"X-Forwarded-For: 192.0.2.7, bogus, 10.0.0.2", "X-Forwarded-Proto: https, http", "X-Real-IP: 10.0.0.2"},
			want: []string{"X-Forwarded-For: unknown, 10.0.0.2, 10.0.0.1", "X-Forwarded-Host: shop.test", "X-Forwarded-Proto: https"},
		},
		{
			name: "a client that the proxy does not know", peer: "10.0.0.1", note: noteFor, mode: Both,
			in: []string{"X-Forwarded-For: unknown"},
			want: []string{
				"Forwarded: for=unknown;host=shop.test;proto=http, for=10.0.0.1;host=shop.test;proto=http",
				"X-Forwarded-For: unknown, 10.0.0.1", "X-Forwarded-Host: shop.test", "X-Forwarded-Proto: http",
			},
		},
		{
			name: "an address of one link", peer: "10.0.0.1", note: noteFor,
			in:   []string{"X-Forwarded-For: 10.0.0.9%eth0"},
			want: []string{"X-Forwarded-For: unknown, 10.0.0.1", "X-Forwarded-Host: shop.test", "X-Forwarded-Proto: http"},
		},
		{
			name: "a list of nothing", peer: "10.0.0.1", client: "10.0.0.1",
			in:   []string{"X-Forwarded-For: , "},
			want: []string{"X-Forwarded-For: 10.0.0.1", "X-Forwarded-Host: shop.test", "X-Forwarded-Proto: http"},
		},
		{
			name: "nothing but nonsense", peer: "10.0.0.1", note: noteFor,
			in:   []string{"X-Forwarded-For: <script>", "X-Forwarded-Proto: gopher", "X-Forwarded-Host: a b", "X-Forwarded-Prefix: //evil", "X-Forwarded-Port: 99999"},
			want: []string{"X-Forwarded-For: unknown, 10.0.0.1", "X-Forwarded-Host: shop.test", "X-Forwarded-Proto: http"},
		},
		{
			name: "a port and IPv6 in its long form", peer: "fd00::1", client: "2001:db8::1",
			in:   []string{"X-Forwarded-For: [2001:db8:0:0::1]:443"},
			want: []string{"X-Forwarded-For: [2001:db8:0:0::1]:443, fd00::1", "X-Forwarded-Host: shop.test", "X-Forwarded-Proto: http"},
		},
		{
			name: "the scheme of the hop that saw the client", peer: "10.0.0.1", client: "192.0.2.7", scheme: "https",
			in:   []string{"X-Forwarded-For: 192.0.2.7, 10.0.0.2", "X-Forwarded-Proto: https, http"},
			want: []string{"X-Forwarded-For: 192.0.2.7, 10.0.0.2, 10.0.0.1", "X-Forwarded-Host: shop.test", "X-Forwarded-Proto: https"},
		},
		{
			name: "Forwarded from a trusted proxy", peer: "10.0.0.1", client: "192.0.2.7", scheme: "https",
			in:   []string{`Forwarded: for=6.6.6.6, for="192.0.2.7:4711";proto=https;host=www.test, for=10.0.0.2`},
			want: []string{"X-Forwarded-For: 192.0.2.7, 10.0.0.1", "X-Forwarded-Host: www.test", "X-Forwarded-Proto: https"},
		},
		{
			name: "X-Forwarded-For counts before Forwarded", peer: "10.0.0.1", client: "192.0.2.7",
			in:   []string{"Forwarded: for=6.6.6.6", "X-Forwarded-For: 192.0.2.7"},
			want: []string{"X-Forwarded-For: 192.0.2.7, 10.0.0.1", "X-Forwarded-Host: shop.test", "X-Forwarded-Proto: http"},
		},
		{
			name: "Forwarded is written", peer: "2001:db8::5", client: "2001:db8::5", mode: RFC7239,
			want: []string{`Forwarded: for="[2001:db8::5]";host=shop.test;proto=http`},
		},
		{
			name: "Forwarded is continued", peer: "10.0.0.1", client: "192.0.2.7", mode: RFC7239, scheme: "https",
			in:   []string{`Forwarded: for="bad, for=192.0.2.7;proto=https`},
			want: []string{"Forwarded: for=192.0.2.7;proto=https, for=10.0.0.1;host=shop.test;proto=http"},
		},
		{
			name: "one family becomes the other", peer: "10.0.0.1", client: "192.0.2.7", mode: RFC7239, scheme: "https",
			in:   []string{"X-Forwarded-For: 192.0.2.7", "X-Forwarded-Proto: https", "X-Forwarded-Host: www.test:8443"},
			want: []string{`Forwarded: for=192.0.2.7;host="www.test:8443";proto=https, for=10.0.0.1;host=shop.test;proto=http`},
		},
		{
			name: "both", peer: "192.0.2.1", client: "192.0.2.1", mode: Both,
			want: []string{"Forwarded: for=192.0.2.1;host=shop.test;proto=http", "X-Forwarded-For: 192.0.2.1", "X-Forwarded-Host: shop.test", "X-Forwarded-Proto: http"},
		},
		{
			name: "off", peer: "192.0.2.1", client: "192.0.2.1", mode: Off,
			in: []string{"X-Forwarded-For: 1.1.1.1"},
		},
		{
			name: "a hidden client", peer: "10.0.0.1", mode: RFC7239, scheme: "https", note: noteHidden,
			in:   []string{"Forwarded: for=1.1.1.1, for=_hidden;proto=https"},
			want: []string{"Forwarded: for=_hidden;proto=https, for=10.0.0.1;host=shop.test;proto=http"},
		},
		{
			name: "a hidden client behind two proxies", peer: "10.0.0.1", scheme: "https", note: noteHidden,
			in:   []string{"Forwarded: for=1.1.1.1, for=unknown;proto=https, for=10.0.0.2"},
			want: []string{"X-Forwarded-For: unknown, 10.0.0.1", "X-Forwarded-Host: shop.test", "X-Forwarded-Proto: https"},
		},
		{
			name: "a malformed element", peer: "10.0.0.1", mode: RFC7239, note: noteForwarded,
			in:   []string{"Forwarded: for=1.1.1.1, for=, for=10.0.0.2"},
			want: []string{"Forwarded: for=unknown, for=10.0.0.2, for=10.0.0.1;host=shop.test;proto=http"},
		},
		{
			name: "a proxy that says nothing of the client", peer: "10.0.0.1", client: "10.0.0.1", mode: RFC7239, scheme: "https",
			in:   []string{"Forwarded: for=1.1.1.1, proto=https"},
			want: []string{"Forwarded: proto=https, for=10.0.0.1;host=shop.test;proto=http"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var s seen
			x := exchange(tt.peer, tt.in...)
			if err := chain(t, BelieveConfig{}, Config{Mode: tt.mode}, &s).ServeExchange(x); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(s.fields, tt.want) {
				t.Errorf("the server got\n%s\nwant\n%s", strings.Join(s.fields, "\n"), strings.Join(tt.want, "\n"))
			}
			client, _ := netip.ParseAddr(tt.client) // "": unknown
			if x.ClientIP != tt.client || x.Client != client {
				t.Errorf("client %s (%v), want %s", x.ClientIP, x.Client, tt.client)
			}
			if want := tt.scheme; x.Request.Scheme != want && (want != "" || x.Request.Scheme != "http") {
				t.Errorf("scheme %q, want %q", x.Request.Scheme, want)
			}
			if x.Note != tt.note {
				t.Errorf("note %q, want %q", x.Note, tt.note)
			}
		})
	}
}

func TestBelieveFields(t *testing.T) {
	for _, tt := range []struct {
		fields Mode
		client string
	}{
		{XForwarded, "192.0.2.7"}, {Both, "192.0.2.7"}, {RFC7239, "192.0.2.8"}, {Off, "10.0.0.1"},
	} {
		x := exchange("10.0.0.1", "X-Forwarded-For: 192.0.2.7", "Forwarded: for=192.0.2.8")
		if err := chain(t, BelieveConfig{Fields: tt.fields}, Config{}, new(seen)).ServeExchange(x); err != nil {
			t.Fatal(err)
		}
		if x.ClientIP != tt.client {
			t.Errorf("%s: client %s, want %s", tt.fields, x.ClientIP, tt.client)
		}
	}
}

func TestBelieveHostRoutes(t *testing.T) {
	for _, tt := range []struct {
		peer    string
		believe bool
		want    string
	}{
		{"10.0.0.1", true, "www.test"}, {"10.0.0.1", false, "shop.test"}, {"192.0.2.1", true, "shop.test"},
	} {
		var s seen
		x := exchange(tt.peer, "X-Forwarded-Host: www.test")
		if err := chain(t, BelieveConfig{Host: tt.believe}, Config{}, &s).ServeExchange(x); err != nil {
			t.Fatal(err)
		}
		if s.host != tt.want {
			t.Errorf("%+v: host %q", tt, s.host)
		}
	}
}

func TestConfiguredFieldsStay(t *testing.T) {
	var s seen
	mw, err := New(Config{Port: true})
	if err != nil {
		t.Fatal(err)
	}
	x := exchange("192.0.2.1", "X-Forwarded-For: 203.0.113.1", "X-Forwarded-Proto: https", "X-Forwarded-Host: set.test")
	x.Request.Scheme = "https"
	if err := mw(&s).ServeExchange(x); err != nil {
		t.Fatal(err)
	}
	want := []string{"X-Forwarded-For: 203.0.113.1", "X-Forwarded-Host: set.test", "X-Forwarded-Port: 443", "X-Forwarded-Proto: https"}
	if !slices.Equal(s.fields, want) {
		t.Errorf("got %q, want %q", s.fields, want)
	}
}

func TestVia(t *testing.T) {
	const me = "r4nd0mname"
	for _, tt := range []struct {
		via      []string
		protocol string
		want     string
		loop     bool
	}{
		{nil, "HTTP/1.1", "Via: 1.1 " + me, false},
		{nil, "HTTP/1.0", "Via: 1.0 " + me, false},
		{nil, "HTTP/2", "Via: 2.0 " + me, false},
		{[]string{"Via: 1.1 other"}, "HTTP/1.1", "Via: 1.1 other|Via: 1.1 " + me, false},
		{[]string{"Via: 1.1 " + me + ", 1.1 " + me}, "HTTP/1.1", "Via: 1.1 " + me + "|Via: 1.1 " + me + ", 1.1 " + me, false},
		{[]string{"Via: 1.1 " + me + ", 1.1 x", "Via: 1.1 " + me + ", 1.1 " + me}, "HTTP/1.1", "", true},
	} {
		var s seen
		x := exchange("192.0.2.1", tt.via...)
		x.Request.Protocol = tt.protocol
		err := chain(t, BelieveConfig{}, Config{Mode: Off, Pseudonym: me, Loops: 2}, &s).ServeExchange(x)
		var f *weir.Fault
		if looped := errors.As(err, &f) && f.Cause == weir.CauseLoop && f.StatusCode() == 508; looped != tt.loop {
			t.Errorf("%q: error %v", tt.via, err)
		}
		if got := strings.Join(s.fields, "|"); got != tt.want {
			t.Errorf("%q: got %q, want %q", tt.via, got, tt.want)
		}
	}
}

func TestLoopEnds(t *testing.T) {
	var h weir.Handler
	asked := 0
	again := weir.HandlerFunc(func(x *weir.Exchange) error { asked++; return h.ServeExchange(x) })
	h = chain(t, BelieveConfig{}, Config{Pseudonym: "r4nd0mname"}, again)
	err := h.ServeExchange(exchange("192.0.2.1"))
	if weir.AsFault(err).Cause != weir.CauseLoop || asked != 4 {
		t.Errorf("after %d rounds: %v", asked, err)
	}
}

func TestHost(t *testing.T) {
	for _, tt := range []struct{ host, want string }{{"", "shop.test"}, {"pass", "shop.test"}, {"app.internal:8080", "app.internal:8080"}} {
		var s seen
		x := exchange("192.0.2.1")
		if err := chain(t, BelieveConfig{}, Config{Host: tt.host}, &s).ServeExchange(x); err != nil {
			t.Fatal(err)
		}
		if s.host != tt.want || !slices.Contains(s.fields, "X-Forwarded-Host: shop.test") {
			t.Errorf("host %q: the server got %q, %q", tt.host, s.host, s.fields)
		}
		if x.Request.Authority != "shop.test" {
			t.Errorf("host %q: the log would tell %q", tt.host, x.Request.Authority)
		}
	}
}

type fakeTransport struct{ seen }

func (f *fakeTransport) RoundTrip(x *weir.Exchange) error { return f.ServeExchange(x) }
func (*fakeTransport) Idle() int                          { return 7 }
func (*fakeTransport) Close()                             {}

func TestWithHost(t *testing.T) {
	for _, tt := range []struct {
		own, upstream string
		rule          weir.HostRule
		want          string
	}{
		{"10.0.0.1:80", "", weir.HostAsUpstream, "shop.test"},
		{"10.0.0.1:80", "pass", weir.HostAsUpstream, "shop.test"},
		{"10.0.0.1:80", "server", weir.HostAsUpstream, "10.0.0.1:80"},
		{"unix:/run/a.sock", "server", weir.HostAsUpstream, "localhost"},
		{"10.0.0.1:80", "[::1]:8080", weir.HostAsUpstream, "[::1]:8080"},
		{"10.0.0.1:80", "{client.ip}.test", weir.HostAsUpstream, "192.0.2.1.test"},
		{"10.0.0.1:80", "app.internal", weir.HostAsRoute, "shop.test"},
		{"10.0.0.1:80", "app.internal", weir.HostAsServer, "10.0.0.1:80"},
		{"10.0.0.1:80", "", weir.HostAsServer, "10.0.0.1:80"},
	} {
		var f fakeTransport
		tr, err := WithHost(&f, tt.own, tt.upstream)
		if err != nil {
			t.Fatal(err)
		}
		x := exchange("192.0.2.1")
		x.Route = &weir.Route{Host: tt.rule}
		if err := tr.RoundTrip(x); err != nil || f.host != tt.want || x.Request.Authority != "shop.test" || tr.Idle() != 7 {
			t.Errorf("%+v: error %v, host %q, then %q", tt, err, f.host, x.Request.Authority)
		}
		x.Route = nil
		if err := tr.RoundTrip(x); err != nil {
			t.Errorf("without a route: %v", err)
		}
	}
}

func TestHostOfPlaceholders(t *testing.T) {
	for host, want := range map[string]weir.Cause{"a": weir.CauseNone, "a/b": weir.CauseRequestHost, "": weir.CauseRequestHost, "a b": weir.CauseRequestHost} {
		x := exchange("192.0.2.1", "X-Tenant: "+host)
		got := weir.CauseNone
		if err := chain(t, BelieveConfig{}, Config{Host: "{header.x-tenant}"}, new(seen)).ServeExchange(x); err != nil {
			got = weir.AsFault(err).Cause
		}
		if got != want {
			t.Errorf("host %q: cause %q, want %q", host, got, want)
		}
	}
}

func TestLocationOfAnotherHost(t *testing.T) {
	for _, tt := range []struct{ location, want string }{
		{"http://app.internal:8080/login?a", "https://shop.test/login?a"},
		{"HTTPS://APP.internal:8080", "https://shop.test"},
		{"http://app.internal:8080.evil.test/", "http://app.internal:8080.evil.test/"},
		{"http://app.internal:80801/", "http://app.internal:80801/"},
		{"http://id.test/", "http://id.test/"},
		{"/login", "/login"},
		{"ftp://app.internal:8080/", "ftp://app.internal:8080/"},
	} {
		end := weir.HandlerFunc(func(x *weir.Exchange) error {
			x.Response.Header.Add("Location", tt.location)
			return nil
		})
		x := exchange("192.0.2.1")
		x.Request.Scheme = "https"
		if err := chain(t, BelieveConfig{}, Config{Host: "app.internal:8080"}, end).ServeExchange(x); err != nil {
			t.Fatal(err)
		}
		if got := x.Response.Header.Get("Location"); got != tt.want {
			t.Errorf("%s becomes %s, want %s", tt.location, got, tt.want)
		}
	}
}

func TestConfigErrors(t *testing.T) {
	for _, tt := range []struct {
		cfg  Config
		want string
	}{
		{Config{Mode: 9}, "forward mode 9 is not known"},
		{Config{Pseudonym: "short"}, `pseudonym "short" is too short`},
		{Config{Pseudonym: "with a space"}, `pseudonym "with a space" is too short or no token`},
		{Config{Pseudonym: "r4nd0mname", Loops: -1}, "loops -1 is negative"},
	} {
		if _, err := New(tt.cfg); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: error %v, want %q", tt.cfg, err, tt.want)
		}
	}
	for _, host := range []string{"a b", "{nothing}", "a/b"} {
		if _, err := WithHost(new(fakeTransport), "", host); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("host %q", host)) {
			t.Errorf("host %q: error %v", host, err)
		}
		if _, err := New(Config{Host: host}); err == nil {
			t.Errorf("host %q is accepted", host)
		}
	}
	if _, err := ParseMode("nginx"); err == nil || !strings.Contains(err.Error(), `"nginx"`) {
		t.Errorf("mode nginx: error %v", err)
	}
	for m := XForwarded; m <= Off; m++ {
		if got, err := ParseMode(m.String()); got != m || err != nil {
			t.Errorf("mode %s reads as %s, %v", m, got, err)
		}
	}
}

// A plain request costs nothing but the room in its header.
func TestAllocations(t *testing.T) {
	end := weir.HandlerFunc(func(*weir.Exchange) error { return nil })
	h := chain(t, BelieveConfig{}, Config{Pseudonym: "r4nd0mname"}, end)
	x := exchange("192.0.2.1", "Accept: */*", "User-Agent: x")
	conn := x.Conn
	allocs := testing.AllocsPerRun(100, func() {
		x.Reset(conn)
		x.Request.Scheme, x.Request.Authority, x.Request.Protocol = "http", "shop.test", "HTTP/1.1"
		x.Request.Header.AddKnown(weir.FieldAccept, "*/*")
		if err := h.ServeExchange(x); err != nil {
			t.Fatal(err)
		}
	})
	if allocs != 0 {
		t.Errorf("a plain request allocates %v times", allocs)
	}
	allocs = testing.AllocsPerRun(100, func() {
		x.Reset(conn)
		x.Conn = &weir.Conn{Trusted: true, RemoteIP: "10.0.0.1", Remote: conn.Remote}
		x.Request.Scheme, x.Request.Authority, x.Request.Protocol = "http", "shop.test", "HTTP/1.1"
		x.Request.Header.AddKnown(weir.FieldXForwardedFor, "192.0.2.9")
		if err := h.ServeExchange(x); err != nil {
			t.Fatal(err)
		}
	})
	if allocs > 2 { // the connection above, and the longer list
		t.Errorf("a request of a trusted proxy allocates %v times", allocs)
	}
}

func BenchmarkPlain(b *testing.B) {
	h := chain(b, BelieveConfig{}, Config{Pseudonym: "r4nd0mname"}, weir.HandlerFunc(func(*weir.Exchange) error { return nil }))
	x := exchange("192.0.2.1")
	conn := x.Conn
	fields := []weir.Field{
		{Name: "User-Agent", Value: "curl/8", ID: weir.FieldUserAgent, Wire: true},
		{Name: "Accept", Value: "*/*", ID: weir.FieldAccept, Wire: true},
		{Name: "Accept-Encoding", Value: "gzip", ID: weir.FieldAcceptEncoding, Wire: true},
		{Name: "Accept-Language", Value: "de", Wire: true},
		{Name: "Cookie", Value: "a=b", ID: weir.FieldCookie, Wire: true},
		{Name: "X-Custom", Value: "1", Wire: true},
	}
	b.ReportAllocs()
	for b.Loop() {
		x.Reset(conn)
		x.Request.Scheme, x.Request.Authority, x.Request.Protocol = "http", "shop.test", "HTTP/1.1"
		for i := range fields {
			x.Request.Header.AddField(fields[i])
		}
		if err := h.ServeExchange(x); err != nil {
			b.Fatal(err)
		}
	}
}
