package route

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"weir"
)

func TestWhenErrors(t *testing.T) {
	const known = "known are request.method, request.scheme, request.host, request.path, request.header, request.query, request.cookie, client.ip"
	for _, c := range []struct{ text, want string }{
		// Names.
		{`client.countr == 'DE'`, `"client.countr" is not known, did you mean "client.ip"?`},
		{`client.country == 'DE'`, `"client.country" is not available yet`},
		{`client.net == '10.0.0.0/8'`, `"client.net" is not available: write cidr(client.ip, "10.0.0.0/8")`},
		{`response.status == 200`, `"response.status" is not available: a route is chosen before there is a response`},
		{`true && request.methd == 'GET'`, `"request.methd" is not known, did you mean "request.method"?`},
		{`request.headers['a'] == ''`, `"request.headers" is not known, did you mean "request.header"?`},
		{`heder('a') == ''`, `"heder" is not known, did you mean "header"?`},
		{`request.path.startWith('/a')`, `"startWith" is not known, did you mean "startsWith"?`},
		{`header.x == ''`, `"header" takes one name, as in header("name")`},
		{`cookie() == ''`, `"cookie" takes one name, as in cookie("name")`},
		{`zzz && true`, `"zzz" is not known; ` + known},
		{`request == 1`, `"request" is not known; ` + known},
		{`x-y == ''`, `"x" is not known; ` + known + "\n" + `when "x-y == ''": "y" is not known; ` + known},
		{`x == '' || x != ''`, `"x" is not known; ` + known},
		{`header('te') == header('host')`, `header "te" is not seen here: it concerns one connection only` + "\n" +
			`when "header('te') == header('host')": header "host" is not seen here: write request.host`},
		{`'é' == zzz`, `"zzz" is not known; ` + known},

		// Grammar.
		{`request.path ==`, `column 16: ends where a value should stand`},
		{`(request.path == ''`, `column 20: ends before the ")"`},
		{`true ? true`, `column 12: ends before the ":"`},
		{`request.method in ['GET'`, `column 25: ends before the "]"`},
		{`request.path == '' )`, `column 20: ")" does not fit here`},
		{`request.`, `column 9: "." does not fit here`},
		{`if true`, `column 1: "if" is reserved`},
		{`request.method = 'GET'`, `column 16: "=" is no operator: write "=="`},
		{`request.method === 'GET'`, `column 18: "=" is no operator: write "=="`},
		{`request.path =~ 'a'`, `column 14: "=~" is no operator: write request.path.matches("...")`},
		{`request.method <> 'GET'`, `column 17: ">" does not fit here`},
		{`true & false`, `column 6: "&" is no operator: write "&&"`},
		{`true | false`, `column 6: "|" is no operator: write "||"`},
		{`true and false`, `column 6: "and" is no operator: write "&&"`},
		{`true or false`, `column 6: "or" is no operator: write "||"`},
		{`not true`, `column 5: "not" is no operator: write "!"`},
		{`request.path matches 'a'`, `column 14: "matches" is no operator: write request.path.matches("...")`},
		{`$host == 'a'`, `column 1: names begin without "$": write "request.path"`},
		{`request.path # x`, `column 14: "#" does not fit here`},
		{`request.path == 'GET`, `column 17: the text lacks its closing '`},
		{`request.path == '\q'`, `column 17: the text has a "\" before a sign that needs none: write "\\" for a backslash, or r"..." for a regular expression`},
		{`request.path == “/a”`, `column 17: texts stand in straight quotes: '...' or "..."`},
		{"true &&\n  request.path == 1", `line 2, column 16: "==" does not take (string, int)`},

		// Types.
		{`request.path`, `gives a value of type string, not true or false`},
		{`request.method == 1`, `column 16: "==" does not take (string, int)`},
		{`!request.path`, `column 1: "!" does not take (string)`},
		{`request.path.startsWith(1)`, `column 24: "startsWith" does not take (int)`},
		{`request.path.endsWith()`, `column 22: "endsWith" lacks what it is to be applied to`},
		{`request.header[0] == ''`, `column 15: what stands in brackets does not fit: (map(string, string), int)`},
		{`request.path ? true : false`, `column 14: "? :" does not take (string, bool, bool)`},
		{`request.method in 'GET'`, `column 16: "in" looks for a value in a list: write request.method in ["GET", "HEAD"], or cidr(client.ip, "10.0.0.0/8")`},
		{`header(1) == ''`, `column 7: header, query and cookie take a name in quotes, as in header("x-api-key")`},
		{`request.header.a.b == ''`, `column 17: a value of type string has no parts with names`},

		// Values that stand there.
		{`request.path.matches('(')`, `regular expression: missing closing ) in "("`},
		{`header('Host') == 'a.test'`, `header "Host" is not seen here: write request.host`},
		{`has(request.header.te)`, `header "te" is not seen here: it concerns one connection only`},
		{`request.header['content-length'] == '1'`, `header "content-length" is not seen here: it tells where a message ends`},
		{`'upgrade' in request.header`, `header "upgrade" is not seen here: it concerns one connection only`},
		{`cidr(client.ip, '10.0.0.0/33')`, `"10.0.0.0/33" is no network: write it as in "10.0.0.0/8"`},
		{`cidr(client.ip, ['10.0.0.0/8', 'lan'])`, `"lan" is no network: write it as in "10.0.0.0/8"`},
		{`cidr('10.0.0.0/33').containsIP(client.ip)`, `column 6: "10.0.0.0/33" is no network: write it as in "10.0.0.0/8"`},
	} {
		_, err := (&expressions{}).compile(c.text)
		if err == nil {
			t.Errorf("%s is taken", c.text)
			continue
		}
		got := strings.TrimPrefix(strings.TrimPrefix(err.Error(), fmt.Sprintf("when %q", c.text)), ":")
		if strings.TrimSpace(got) != c.want {
			t.Errorf("%s\n got %s\nwant %s", c.text, got, c.want)
		}
	}
}

func whenExchange() *weir.Exchange {
	x := request("POST", "Shop.example.com.:8443", "/caf%C3%A9?a=1&a=2&empty=&sp=x+y")
	x.Request.Scheme = "https"
	x.Request.Header.Add("X-Api-Key", "k1")
	x.Request.Header.Add("x-api-key", "k2")
	x.Request.Header.Add("Cookie", `s="one"; t=2`)
	x.Client = netip.MustParseAddr("::ffff:10.1.2.3")
	return x
}

func TestWhen(t *testing.T) {
	for _, c := range []struct {
		text string
		want bool
	}{
		{`request.method == 'POST' && request.scheme == 'https'`, true},
		{`request.method in ['GET', 'HEAD']`, false},
		{`request.host == 'shop.example.com'`, true},
		{`request.host.endsWith('.example.com')`, true},
		{`request.path == '/caf%C3%A9'`, true},
		{`request.path.startsWith('/caf')`, true},
		{`request.path.contains('%C3')`, true},
		{`request.path.matches(r'^/[a-z]+%')`, true},
		{`request.path.matches('^/[0-9]')`, false},
		{`request.header['x-api-key'] == 'k1'`, true},
		{`header('X-API-KEY') == 'k1'`, true},
		{`header('x-none') == ''`, true},
		{`has(request.header.accept)`, false},
		{`'x-api-key' in request.header`, true},
		{`request.query.a == '1' && query('sp') == 'x y'`, true},
		{`'empty' in request.query && !('none' in request.query)`, true},
		{`query('host') == '' && cookie('te') == ''`, true},
		{`cookie('s') == 'one' && request.cookie.t == '2'`, true},
		{`request.header.exists(name, name.startsWith('x-'))`, true},
		{`size(request.query) == 3`, true},
		{`client.ip == '10.1.2.3'`, true},
		{`cidr(client.ip, '10.0.0.0/8')`, true},
		{`cidr(client.ip, '10.1.2.3')`, true},
		{`cidr(client.ip, '10.2.0.0/16')`, false},
		{`cidr(client.ip, '2001:db8::/32')`, false},
		{`cidr(client.ip, ['2001:db8::/32', '10.0.0.0/8'])`, true},
		{`cidr(client.ip, [])`, false},
		{`cidr(header('x-api-key'), '0.0.0.0/0')`, false},
		{`cidr('10.0.0.0/8').containsIP(client.ip)`, true},
		{`'no' == 'yes' ? true : request.method.lowerAscii() == 'post'`, true},

		// What ends in an error does not hold, and neither does its opposite.
		{`request.header['x-none'] == 'k1'`, false},
		{`!(request.header['x-none'] == 'k1')`, false},
		{`request.header['x-none'] == 'k1' || true`, true},
		{`int(header('x-api-key')) > 1`, false},
		{`cidr(client.ip, header('x-api-key'))`, false},
	} {
		w, err := (&expressions{}).compile(c.text)
		if err != nil {
			t.Error(err)
			continue
		}
		if got := w.find(whenExchange()); (got == fits) != c.want {
			t.Errorf("%s is %v, want %v; %s", c.text, got == fits, c.want, w.reason(whenExchange()))
		}
	}
}

func TestWhenWithoutClient(t *testing.T) {
	x := whenExchange()
	x.Client = netip.Addr{}
	for text, want := range map[string]finding{
		`client.ip == ''`:                  fits,
		`cidr(client.ip, ['::/0'])`:        differs,
		`!cidr(client.ip, '192.0.2.0/24')`: fits,
	} {
		w, err := (&expressions{}).compile(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := w.find(x); got != want {
			t.Errorf("%s: %v, want %v", text, got, want)
		}
	}
}

// The reason is logged: nothing of the request may stand in it.
func TestWhenReason(t *testing.T) {
	for text, want := range map[string]string{
		`request.method == 'GET'`:          `is false`,
		`request.header['x-none'] == 'k1'`: `can't be told: what it names in brackets is absent`,
		`int(header('x-api-key')) > 1`:     `can't be told: it ends in an error`,
	} {
		w, err := (&expressions{}).compile(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := w.reason(whenExchange()); got != fmt.Sprintf("when %q %s", text, want) {
			t.Errorf("%s: %s", text, got)
		}
	}
}

// A route that says no must not be escaped by a request that makes its condition dear.
func TestDearExpressionRefusesTheRequest(t *testing.T) {
	const dear = "request.query.all(a, request.query.all(b, request.query.all(c, a + b != c)))"
	r := build(t, Site{Name: "shop", Hosts: []string{"a.test"}, Routes: []Spec{
		{Pattern: "/*", When: dear, Target: to("denied")},
		{Pattern: "/*", Target: to("served")},
	}})
	few := request("GET", "a.test", "/?a=1&b=2")
	if target, err := r.Lookup(few); err != nil || target.Name != "denied" {
		t.Errorf("a few parameters lead to %v, %v", target, err)
	}
	var many strings.Builder
	for i := range 300 {
		fmt.Fprintf(&many, "p%d=1&", i)
	}
	x := request("GET", "a.test", "/?"+many.String())
	target, err := r.Lookup(x)
	if target != nil || x.Route != nil || weir.AsFault(err).Cause != weir.CauseExpression {
		t.Errorf("many parameters lead to %v, %v", target, err)
	}
	if want := fmt.Sprintf("site \"shop\": route \"/*\": when %q costs more than one request may", dear); x.Note != want {
		t.Errorf("note %q, want %q", x.Note, want)
	}
	if e := r.Explain(x); winner(e) != nil || len(e.Verdicts) != 2 || e.Note != x.Note {
		t.Errorf("explained as %+v", e)
	}
}

// Counting the cost takes as long as the evaluation itself, so that it is left out where it can't matter.
func TestCheapExpressionsAreNotCounted(t *testing.T) {
	for text, want := range map[string]bool{
		`request.method in ['GET', 'POST'] && header('x') != '1'`: false,
		`request.path.startsWith('/a') || client.ip == '::1'`:     false,
		`header('user-agent').matches('(?i)bot|crawler')`:         false,
		`cidr(client.ip, ['10.0.0.0/8', '192.0.2.0/24'])`:         false,
		`request.header.exists(n, n.startsWith('x-'))`:            true,
	} {
		e := &expressions{}
		if _, err := e.compile(text); err != nil {
			t.Fatal(err)
		}
		tree, _ := e.env.Compile(text)
		if counted := len(e.programOptions(tree)) > 1; counted != want {
			t.Errorf("%s: counted is %v", text, counted)
		}
	}
}

func BenchmarkWhen(b *testing.B) {
	for _, text := range []string{
		`request.path.startsWith('/a')`,
		`request.method in ['GET', 'POST'] && header('x') != '1'`,
		`cidr(client.ip, '10.0.0.0/8')`,
		`request.header.exists(n, n.startsWith('y-'))`,
	} {
		b.Run(text, func(b *testing.B) {
			w, err := (&expressions{}).compile(text)
			if err != nil {
				b.Fatal(err)
			}
			x := whenExchange()
			b.ReportAllocs()
			for b.Loop() {
				w.find(x)
			}
		})
	}
}

// FuzzWhen looks for expressions that break the compiler, its errors or the evaluation.
func FuzzWhen(f *testing.F) {
	for _, seed := range []string{
		"request.method == 'GET'", "header('x').matches('^a')", "cidr(client.ip, ['10.0.0.0/8'])", "a.b(", "\"é\" == z", "true ? 1 : '2' == 3",
		"request.query.exists(k, k == 'a')", "not true", "[1, 2", "request.header[0]", "x\n&& y =", "\x00", "'\\q'", "header", "size(1)",
		"false && header('x') == 'y'", "1 / 0 == 1 || request.path == '/'", "true || request.header['x'] == ''", "[request.path].all(p, p != '')",
	} {
		f.Add(seed)
	}
	e := &expressions{}
	f.Fuzz(func(t *testing.T, text string) {
		w, err := e.compile(text)
		if err != nil {
			for line := range strings.SplitSeq(err.Error(), "\n") {
				if !strings.HasPrefix(line, fmt.Sprintf("when %q", text)) {
					t.Fatalf("%q: %v", text, err)
				}
			}
			return
		}
		x := whenExchange()
		found := w.find(x)
		if found != fits && w.reason(x) == "" {
			t.Fatalf("%q does not hold, without a reason", text)
		}
		if w.fixed != depends && (found == fits) != (w.fixed == always) {
			t.Fatalf("%q is found %d, with the verdict %d", text, found, w.fixed)
		}
	})
}
