package weir

import (
	"crypto/tls"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"weir/internal/clock"
)

// anExchange is one that has gone all the way.
func anExchange() *Exchange {
	conn := &Conn{
		Listener: "https", Remote: netip.MustParseAddrPort("192.0.2.7:40123"), RemoteIP: "192.0.2.7",
		TLS: &tls.ConnectionState{Version: tls.VersionTLS13, ServerName: "shop.example"},
	}
	x := &Exchange{}
	x.Reset(conn)
	x.Timing = Timing{Start: int64(time.Second), End: int64(3*time.Second + 45*time.Millisecond + 999*time.Microsecond)}
	x.ID, x.Attempts, x.BytesIn, x.BytesOut = "id-1", 2, 12, 34567
	x.Params = []Param{{"id", "77"}, {"*", "a/b"}}
	x.Route = &Route{Site: "shop", Name: "/users/{id}/*", Upstream: "api"}
	x.Endpoint = &Endpoint{Upstream: "canary", Name: "10.0.0.11:8080"}
	r := &x.Request
	r.Method, r.Scheme, r.Protocol = "POST", "https", "HTTP/1.1"
	r.Authority, r.Path, r.RawPath = "Shop.Example:8443", "/users/77/~b", "/users/77/%7eb"
	r.Query = "q=red+shoes&x=1&bad=a%0d%0ab&odd=%zz&na%6De=v&empty=&%"
	r.Header.Add("X-Api-Key", "k1")
	r.Header.Add("X-Api-Key", "k2")
	r.Header.Add("User-Agent", "curl")
	r.Header.Add("Cookie", "a=1; s=\"two\"")
	r.Header.Add("Cookie", "t=3")
	x.Response.Status = 503
	x.Response.Header.Add("Content-Type", "text/html")
	x.Fault = &Fault{Cause: CauseQueueFull}
	return x
}

func parse(t testing.TB, text string, params ...string) *Template {
	t.Helper()
	tmpl, err := ParseTemplate(text, params...)
	if err != nil {
		t.Fatal(err)
	}
	return tmpl
}

func TestTemplate(t *testing.T) {
	x := anExchange()
	for _, c := range []struct{ text, want string }{
		{"", ""},
		{"plain } text", "plain } text"},
		{"{{a} }} {{{{", "{a} }} {{"},
		{"{{{method}}", "{POST}"},
		{"{client.ip}:{client.port} {client.net} {conn.ip} {listener}", "192.0.2.7:40123 192.0.2.0/24 192.0.2.7 https"},
		{"{method} {scheme}://{host}{uri}", "POST https://shop.example/users/77/~b?" + x.Request.Query},
		{"{authority} {port} {path} {raw_path}", "Shop.Example:8443 8443 /users/77/~b /users/77/%7eb"},
		{"{query}", x.Request.Query},
		{"{query.q}|{query.x}|{query.none}|{query.name}|{query.empty}", "red shoes|1||v|"},
		{"{query.odd}", "%zz"},
		{"{protocol} {tls.version} {tls.server_name}", "HTTP/1.1 TLS 1.3 shop.example"},
		{"{header.x-api-key} {header.user-agent} {header.X-None}.", "k1 curl ."},
		{"{cookie.a}{cookie.s}{cookie.t}{cookie.A}", "1two3"},
		{"{request.id} {site} {route} {upstream} {server} {attempts}", "id-1 shop /users/{id}/* canary 10.0.0.11:8080 2"},
		{"{status} {response.header.content-type} {cause} {outcome}", "503 text/html upstream.queue_full upstream.queue_full"},
		{"{duration} {bytes_in} {bytes_out}", "2.045 12 34567"},
		{"/{id}/{*}?{{", "/77/a/b?{"},
	} {
		tmpl := parse(t, c.text, "id", "*")
		if got := tmpl.String(x); got != c.want {
			t.Errorf("%q gives %q, want %q", c.text, got, c.want)
		}
		if got := string(tmpl.Append([]byte("> "), x)); got != "> "+c.want {
			t.Errorf("%q appends %q, want %q", c.text, got, "> "+c.want)
		}
		if tmpl.Text() != c.text {
			t.Errorf("%q says that it is written %q", c.text, tmpl.Text())
		}
	}
}

func TestTemplateTime(t *testing.T) {
	x := anExchange()
	x.Timing.Start = clock.Now()
	got, err := time.Parse(time.RFC3339, parse(t, "{time}").String(x))
	if err != nil || time.Since(got).Abs() > time.Minute {
		t.Errorf("{time} is %v, %v", got, err)
	}
}

func TestTemplateDurationSoFar(t *testing.T) {
	x := anExchange()
	x.Timing = Timing{Start: clock.Now() - int64(90*time.Second)}
	if got := parse(t, "{duration}").String(x); !strings.HasPrefix(got, "90.") || len(got) != 6 {
		t.Errorf("{duration} of an exchange that runs for 90 s is %q", got)
	}
}

// What is not there is empty, and nothing is dereferenced that is not there.
func TestTemplateOfNothing(t *testing.T) {
	x := &Exchange{}
	x.Reset(&Conn{})
	for _, p := range Placeholders() {
		got := parse(t, "{"+strings.Replace(p.Name, "NAME", "x", 1)+"}").String(x)
		switch p.Name {
		case "attempts", "bytes_in", "bytes_out":
			if got != "0" {
				t.Errorf("{%s} is %q", p.Name, got)
			}
		case "port", "outcome", "duration", "time":
		default:
			if got != "" {
				t.Errorf("{%s} is %q", p.Name, got)
			}
		}
	}
	if got := parse(t, "{port} {outcome}").String(x); got != "80 ok" {
		t.Errorf("{port} {outcome} is %q", got)
	}
}

func TestTemplateUpstreamOfRoute(t *testing.T) {
	x := anExchange()
	x.Endpoint, x.Fault = nil, nil
	if got := parse(t, "{upstream} {server} {outcome} {cause}").String(x); got != "api  ok " {
		t.Errorf("got %q", got)
	}
}

func TestTemplateHost(t *testing.T) {
	x := anExchange()
	for _, c := range []struct{ authority, scheme, want string }{
		{"example.com", "http", "example.com 80"},
		{"example.com:", "https", "example.com 443"},
		{"EXAMPLE.com:81", "http", "example.com 81"},
		{"[::1]:8080", "http", "[::1] 8080"},
		{"[2001:DB8::1]", "https", "[2001:db8::1] 443"},
		{"", "http", " 80"},
	} {
		x.Request.Authority, x.Request.Scheme = c.authority, c.scheme
		if got := parse(t, "{host} {port}").String(x); got != c.want {
			t.Errorf("%q gives %q, want %q", c.authority, got, c.want)
		}
	}
}

func TestTemplateClientNet(t *testing.T) {
	x := anExchange()
	for _, c := range []struct{ client, want string }{
		{"10.1.2.3", "10.1.2.0/24 "},
		{"::ffff:10.1.2.3", "10.1.2.0/24 "},
		{"2001:db8:1:2:3::4", "2001:db8:1:2::/64 "},
		{"fe80::1%eth0", "fe80::/64 "},
		{"192.0.2.7", "192.0.2.0/24 40123"},
	} {
		x.Client = netip.MustParseAddr(c.client)
		if got := parse(t, "{client.net} {client.port}").String(x); got != c.want {
			t.Errorf("%s gives %q, want %q", c.client, got, c.want)
		}
	}
}

// A client must not bring a line break into a header field or a log line.
func TestTemplateLetsNoControlIn(t *testing.T) {
	x := anExchange()
	for _, raw := range []string{"a%0d%0aSet-Cookie:+x", "%00", "%0A", "%7f", "%1b%5b0m", "%09"} {
		x.Request.Query = "v=" + raw
		if got := parse(t, "{query.v}").String(x); got != raw {
			t.Errorf("{query.v} of %q is %q", raw, got)
		}
		if got := string(parse(t, "a {query.v}").Append(nil, x)); got != "a "+raw {
			t.Errorf("a {query.v} of %q is %q", raw, got)
		}
	}
	x.Conn.TLS.ServerName = "a\r\nX-Evil: 1"
	if got := parse(t, "{tls.server_name}").String(x); got != "" {
		t.Errorf("{tls.server_name} is %q", got)
	}
}

func TestTemplateErrors(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"{hots}", `placeholder "{hots}" is not known, did you mean "{host}"?`},
		{"a {Client.IP}", `placeholder "{Client.IP}" is not known, did you mean "{client.ip}"?`},
		{"{heder.x-key}", `placeholder "{heder.x-key}" is not known, did you mean "{header.x-key}"?`},
		{"{response.heder.x}", `placeholder "{response.heder.x}" is not known, did you mean "{response.header.x}"?`},
		{"{colur}", `placeholder "{colur}" is not known, did you mean "{colour}"?`},
		{"{*}", `placeholder "{*}" is not known (a brace itself is written "{{")`},
		{`{"a": 1}`, `placeholder "{\"a\": 1}" is not known (a brace itself is written "{{")`},
		{"{}", `placeholder "{}" is not known (a brace itself is written "{{")`},
		{"x {host", `placeholder "{host" has no end (a brace itself is written "{{")`},
		{"{header.}", `placeholder "{header}" lacks a name: write "{header.NAME}"`},
		{"{header}", `placeholder "{header}" lacks a name: write "{header.NAME}"`},
		{"{cookie.a b}", `placeholder "{cookie.a b}": a name holds no blanks and no braces`},
		{"{header.Host}", `placeholder "{header.Host}" is always empty: the host is no field here, write "{host}" or "{authority}"`},
		{"{header.te}", `placeholder "{header.te}" is always empty: it concerns one connection only`},
		{"{env.HOME}", `placeholder "{env.HOME}" is not known: write ${env("HOME")}, which is filled in when the file is read`},
	} {
		_, err := ParseTemplate(c.text, "colour")
		if err == nil || err.Error() != c.want {
			t.Errorf("%q: %v\nwant %s", c.text, err, c.want)
		}
	}
}

func TestTemplateAppendEscaped(t *testing.T) {
	x := anExchange()
	var names []string
	escape := func(dst []byte, name, value string) []byte {
		names = append(names, name)
		return append(append(append(dst, '<'), value...), '>')
	}
	got := parse(t, "<{method}{status}{query.q}{id}", "id").AppendEscaped([]byte("before "), x, escape)
	if want := "before <<POST><503><red shoes><77>"; string(got) != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got := strings.Join(names, " "); got != "method status query.q id" {
		t.Errorf("escape is told of %s", got)
	}
}

func TestTemplateAppendWith(t *testing.T) {
	bracket := func(dst []byte, from int) []byte {
		value := string(dst[from:])
		return append(append(append(dst[:from], '<'), value...), '>')
	}
	got := parse(t, "<{method}{status} and {query.q}{id}", "id").AppendWith([]byte("before "), anExchange(), bracket)
	if want := "before <<POST><503> and <red shoes><77>"; string(got) != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestTemplateConstant(t *testing.T) {
	for _, c := range []struct{ text, want string }{{"", ""}, {"a}b", "a}b"}, {"{{x} y", "{x} y"}} {
		if got, ok := parse(t, c.text).Constant(); !ok || got != c.want {
			t.Errorf("%q is the constant %q, %v", c.text, got, ok)
		}
	}
	for _, text := range []string{"{host}", "a{host}", "{query.x}{path}"} {
		if got, ok := parse(t, text).Constant(); ok || got != "" {
			t.Errorf("%q is the constant %q", text, got)
		}
	}
}

func TestTemplateNames(t *testing.T) {
	got := strings.Join(parse(t, "{host}/{id}{{x}{header.x-y}{host}{*}", "id", "*").Names(), " ")
	if want := "host id header.x-y *"; got != want {
		t.Errorf("Names: %q, want %q", got, want)
	}
	if names := parse(t, "{{x}").Names(); len(names) != 0 {
		t.Errorf("Names of a constant: %q", names)
	}
}

// A pattern's name does not take the place of what has a meaning already.
func TestTemplateParamDoesNotShadow(t *testing.T) {
	x := anExchange()
	x.Params = []Param{{"host", "evil"}}
	if got := parse(t, "{host}", "host").String(x); got != "shop.example" {
		t.Errorf("{host} is %q", got)
	}
}

func TestPlaceholders(t *testing.T) {
	source, err := os.ReadFile("template.go")
	if err != nil {
		t.Fatal(err)
	}
	doc, _, _ := strings.Cut(string(source), "type Template struct")
	seen := map[string]bool{}
	for _, p := range Placeholders() {
		if seen[p.Name] || p.Meaning == "" {
			t.Errorf("{%s} stands there twice or without a meaning", p.Name)
		}
		seen[p.Name] = true
		if !strings.Contains(doc, "{"+p.Name+"}") {
			t.Errorf("{%s} is not in the documentation of Template", p.Name)
		}
	}
}

func TestTemplateDoesNotAllocate(t *testing.T) {
	x := anExchange()
	x.Scratch = make([]byte, 0, 1024)
	all := strings.Builder{}
	for _, p := range Placeholders() {
		all.WriteString("{" + strings.Replace(p.Name, "NAME", "q", 1) + "} ")
	}
	tmpl, buf := parse(t, all.String()), make([]byte, 0, 4096)
	if n := testing.AllocsPerRun(100, func() { buf = tmpl.Append(buf[:0], x) }); n != 0 {
		t.Errorf("Append of all placeholders allocates %v times", n)
	}
	for _, text := range []string{
		"constant", "", "{client.ip}", "{path}", "{header.x-api-key}", "{header.user-agent}", "{cookie.t}",
		"{query.x}", "{id}", "{route}", "{outcome}", "{tls.version}",
	} {
		tmpl := parse(t, text, "id")
		if n := testing.AllocsPerRun(100, func() { _ = tmpl.String(x) }); n != 0 {
			t.Errorf("%q allocates %v times", text, n)
		}
	}
	tmpl = parse(t, "{method} {path}")
	if n := testing.AllocsPerRun(100, func() { _ = tmpl.String(x) }); n != 1 {
		t.Errorf("String of two placeholders allocates %v times, want 1", n)
	}
}

func FuzzTemplate(f *testing.F) {
	for _, seed := range []string{"{host}", "{{{path}}", "{query.a}{", "}{header.a}", "{id}{*}", "{{{{{method}"} {
		f.Add(seed, "a=%0d&b=+%41")
	}
	f.Fuzz(func(t *testing.T, text, query string) {
		tmpl, err := ParseTemplate(text, "id", "*")
		if err != nil || hasControl(query) {
			return
		}
		x := anExchange()
		x.Request.Query = query
		x.Timing.End = x.Timing.Start
		got := tmpl.String(x)
		if appended := string(tmpl.Append([]byte("-"), x)); appended != "-"+got {
			t.Fatalf("%q: String %q, Append %q", text, got, appended)
		}
		if constant, ok := tmpl.Constant(); ok && constant != got {
			t.Fatalf("%q: Constant %q, String %q", text, constant, got)
		}
		if !hasControl(text) && hasControl(got) {
			t.Fatalf("%q and query %q make %q", text, query, got)
		}
		if escaped := parse(t, strings.ReplaceAll(text, "{", "{{")); escaped.String(x) != text {
			t.Fatalf("%q escaped gives %q", text, escaped.String(x))
		}
	})
}

func BenchmarkTemplate(b *testing.B) {
	x, buf := anExchange(), make([]byte, 0, 256)
	tmpl := parse(b, "{client.ip} {method} {host}{uri} {status} {duration}")
	b.ReportAllocs()
	for b.Loop() {
		buf = tmpl.Append(buf[:0], x)
	}
}

func TestTemplateErrorsAreToldAtOnce(t *testing.T) {
	_, err := ParseTemplate("{hots} {id} {pth} {", "id")
	want := `placeholder "{hots}" is not known, did you mean "{host}"?
placeholder "{pth}" is not known, did you mean "{path}"?
placeholder "{" has no end (a brace itself is written "{{")`
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
