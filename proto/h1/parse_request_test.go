package h1

import (
	"strings"
	"testing"

	"weir"
)

// request parses a whole head with the default limits.
func request(head string) (*weir.Request, framing, *weir.Fault) {
	var r weir.Request
	var f framing
	lim := Limits{}.orDefaults()
	fault := parseRequest(head, mapOf(head), &lim, &r, &f)
	return &r, f, fault
}

// lines joins field lines, each ended by CRLF, below a request line and a Host.
func get(fields ...string) string {
	return "GET / HTTP/1.1\r\nHost: a\r\n" + strings.Join(append(fields, ""), "\r\n") + "\r\n"
}

func post(fields ...string) string {
	return "POST / HTTP/1.1\r\nHost: a\r\n" + strings.Join(append(fields, ""), "\r\n") + "\r\n"
}

// A refusalCase is a head and the cause for which it is refused; CauseNone: it is not.
type refusalCase struct {
	head  string
	cause weir.Cause
}

func checkRefusals(t *testing.T, cases []refusalCase) {
	t.Helper()
	for _, c := range cases {
		_, _, fault := request(c.head)
		switch {
		case fault == nil && c.cause != weir.CauseNone:
			t.Errorf("%q is accepted, want %s", c.head, c.cause)
		case fault != nil && fault.Cause != c.cause:
			t.Errorf("%q is refused for %s (%v), want %q", c.head, fault.Cause, fault, c.cause)
		case fault != nil && fault.Side != weir.SideClient:
			t.Errorf("%q is refused as the doing of %s", c.head, fault.Side)
		}
	}
}

func TestRequestLineForms(t *testing.T) {
	for _, c := range []struct{ line, host, method, authority, path, query string }{
		{"GET / HTTP/1.1", "a", "GET", "a", "/", ""},
		{"GET /a/b?c=d&e HTTP/1.1", "a:80", "GET", "a:80", "/a/b", "c=d&e"},
		{"GET /?a?b HTTP/1.1", "a", "GET", "a", "/", "a?b"},
		{"GET //x//y HTTP/1.1", "a", "GET", "a", "//x//y", ""},
		{"GET /%00%2e%2E HTTP/1.1", "a", "GET", "a", "/%00%2e%2E", ""},
		{"GET /a|b^`{}\"<> HTTP/1.1", "a", "GET", "a", "/a|b^`{}\"<>", ""},
		{"GET /caf\xc3\xa9 HTTP/1.1", "a", "GET", "a", "/caf\xc3\xa9", ""},
		{"OPTIONS * HTTP/1.1", "a", "OPTIONS", "a", "*", ""},
		{"OPTIONS http://a HTTP/1.1", "a", "OPTIONS", "a", "*", ""},
		{"OPTIONS http://a/ HTTP/1.1", "a", "OPTIONS", "a", "/", ""},
		{"OPTIONS http://a?b HTTP/1.1", "a", "OPTIONS", "a", "/", "b"},
		{"GET http://a HTTP/1.1", "a", "GET", "a", "/", ""},
		{"GET http://a?b HTTP/1.1", "a", "GET", "a", "/", "b"},
		{"GET HTTP://A.Example:8080/x?y HTTP/1.1", "a.example:8080", "GET", "A.Example:8080", "/x", "y"},
		{"GET https://[2001:db8::1]:443/ HTTP/1.1", "[2001:db8::1]:443", "GET", "[2001:db8::1]:443", "/", ""},
		{"get / HTTP/1.1", "a", "get", "a", "/", ""},
		{"M-SEARCH / HTTP/1.1", "a", "M-SEARCH", "a", "/", ""},
		{"!#$%&'*+-.^_`|~ / HTTP/1.1", "a", "!#$%&'*+-.^_`|~", "a", "/", ""},
		{"GET / HTTP/1.0", "a", "GET", "a", "/", ""},
	} {
		r, _, fault := request(c.line + "\r\nHost: " + c.host + "\r\n\r\n")
		if fault != nil {
			t.Errorf("%q: %v", c.line, fault)
			continue
		}
		if r.Method != c.method || r.Authority != c.authority || r.Path != c.path || r.Query != c.query || r.RawPath != c.path {
			t.Errorf("%q: %s, %q, %q, %q", c.line, r.Method, r.Authority, r.Path, r.Query)
		}
		if !strings.HasSuffix(c.line, r.Protocol) {
			t.Errorf("%q: protocol %q", c.line, r.Protocol)
		}
	}
}

func TestRequestLineRefused(t *testing.T) {
	const line, version, host, method = weir.CauseRequestLine, weir.CauseRequestVersion, weir.CauseRequestHost, weir.CauseMethodRefused
	cases := []refusalCase{}
	for _, c := range []refusalCase{
		{"", line},
		{"GET", line},
		{"GET /", line},
		{"GET / ", line},
		{"GET  / HTTP/1.1", line},
		{"GET /  HTTP/1.1", line},
		{" GET / HTTP/1.1", line},
		{"GET / HTTP/1.1 ", line},
		{"GET\t/ HTTP/1.1", line},
		{"GET /\tHTTP/1.1", line},
		{"GET\x0b/\x0bHTTP/1.1", line},
		{"GET / x HTTP/1.1", line},
		{"GET /a b HTTP/1.1", line},
		{"G(T / HTTP/1.1", line},
		{"G\xc3\xa9T / HTTP/1.1", line},
		{"GET: / HTTP/1.1", line},
		{"\x00GET / HTTP/1.1", line},
		{"GET /\x00 HTTP/1.1", line},
		{"GET /\x7f HTTP/1.1", line},
		{"GET /\r HTTP/1.1", line},
		{"\rGET / HTTP/1.1", line},
		{"GET / HTTP/1.1\r", line},
		{"GET /#a HTTP/1.1", line},
		{"GET /a\\b HTTP/1.1", line},
		{"GET a HTTP/1.1", line},
		{"GET * HTTP/1.1", line},
		{"OPTIONS *x HTTP/1.1", line},
		{"GET ?a HTTP/1.1", line},
		{"GET a:80 HTTP/1.1", line},
		{"GET ftp://a/ HTTP/1.1", line},
		{"GET http:/a HTTP/1.1", line},
		{"GET http:a HTTP/1.1", line},
		{"GET javascript:alert(1) HTTP/1.1", line},
		{"GET http:// HTTP/1.1", host},
		{"GET http:/// HTTP/1.1", host},
		{"GET http://u@a/ HTTP/1.1", host},
		{"GET http://a@b/ HTTP/1.1", host},
		{"GET http://b/ HTTP/1.1", host},
		{"GET http://a:80/ HTTP/1.1", host},
		{"GET http://a:x/ HTTP/1.1", host},
		{"GET http://a%2eb/ HTTP/1.1", host},
		{"GET / http/1.1", line},
		{"GET / HTTP/1.1.1", line},
		{"GET / HTTP/11", line},
		{"GET / HTTP/1,1", line},
		{"GET / HTTP/1.", line},
		{"GET / HTTP/.1", line},
		{"GET / HTTP/x.1", line},
		{"GET / HTTP/01.1", line},
		{"GET / HTTPS/1.1", line},
		{"GET / ICY/1.1", line},
		{"GET / HTTP/0.9", version},
		{"GET / HTTP/1.2", weir.CauseNone},
		{"GET / HTTP/1.9", weir.CauseNone},
		{"GET / HTTP/1.10", line},
		{"GET / HTTP/2.0", version},
		{"PRI * HTTP/2.0", version},
		{"CONNECT a:443 HTTP/1.1", method},
		{"CONNECT / HTTP/1.1", method},
		{"TRACE / HTTP/1.1", method},
	} {
		cases = append(cases, refusalCase{c.head + "\r\nHost: a\r\n\r\n", c.cause})
	}
	cases = append(cases,
		refusalCase{"GET / HTTP/1.1\nHost: a\r\n\r\n", line},
		refusalCase{"\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", line},
		refusalCase{"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", line},
	)
	checkRefusals(t, cases)
}

func TestRequestHost(t *testing.T) {
	const bad = weir.CauseRequestHost
	cases := []refusalCase{
		{"GET / HTTP/1.1\r\n\r\n", bad},
		{"GET http://a/ HTTP/1.1\r\n\r\n", bad},
		{"GET / HTTP/1.0\r\n\r\n", weir.CauseNone},
		{"GET / HTTP/1.0\r\nHost:\r\n\r\n", weir.CauseNone},
		{"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", bad},
		{"GET / HTTP/1.1\r\nHost: a\r\nhOST: b\r\n\r\n", bad},
		{"GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n", bad},
		{"GET / HTTP/1.1\r\nHost:\r\nHost: a\r\n\r\n", bad},
		{"GET http://a/ HTTP/1.1\r\nHost:\r\n\r\n", bad},
		{"GET / HTTP/1.1\r\nHost : a\r\n\r\n", weir.CauseRequestHeader},
		{"GET / HTTP/1.1\r\n Host: a\r\n\r\n", weir.CauseRequestHeader},
		{"GET / HTTP/1.1\r\nX: y\r\n Host: a\r\n\r\n", weir.CauseRequestHeader},
	}
	for host, cause := range map[string]weir.Cause{
		"": bad, "a": 0, "A-b_c.d": 0, "a.": 0, "127.0.0.1:8080": 0, "a:": 0, "a:0": 0, "a:65535": 0,
		"[::1]": 0, "[::1]:80": 0, "[::ffff:1.2.3.4]:1": 0, strings.Repeat("a", 255): 0, strings.Repeat("a", 256): bad,
		"a,b": bad, "a,": bad, ",a": bad, "a;b": bad, "a=b": bad, "a~b": bad, "*": bad, "a!": bad, "$a": bad, "a&b": bad, "a'": bad, "(a)": bad, "a+b": bad,
		"a:65536": bad, "a:123456": bad, "a:-1": bad, "a:+1": bad, "a:80:80": bad, "a: 80": bad, ":80": bad, ":": bad,
		"a b": bad, "a\tb": bad, "a/b": bad, "a/": bad, "a?b": bad, "a#b": bad, "u@a": bad, "u:p@a": bad, "a\\b": bad,
		"a%2fb": bad, "a%00": bad, "<a>": bad, "a\"": bad, "a|b": bad, "a^": bad, "\xc3\xa9": bad, "a\xe2\x80\xae": bad,
		"[::1": bad, "::1": bad, "[]": bad, "[:]": bad, "[::1]x": bad, "[::1]:x": bad, "[fe80::1%25eth0]": bad, "[v1.a]": bad,
		"a]": bad, "a[": bad, "[a": bad, "[::1]]": bad, "http://a": bad,
	} {
		cases = append(cases, refusalCase{"GET / HTTP/1.1\r\nHost: " + host + "\r\n\r\n", cause})
	}
	checkRefusals(t, cases)
}

// Content-Length and Transfer-Encoding, with what is known of ways to make two parsers disagree on them.
func TestRequestFramingRefused(t *testing.T) {
	const bad, header = weir.CauseRequestFraming, weir.CauseRequestHeader
	cases := []refusalCase{
		{"POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", bad},
		{"POST / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n", bad},
	}
	for _, c := range []refusalCase{
		{"Content-Length: 5\r\nTransfer-Encoding: chunked", bad},
		{"Transfer-Encoding: chunked\r\nContent-Length: 5", bad},
		{"Transfer-Encoding: chunked\r\nContent-Length: 0", bad},
		{"Transfer-Encoding: identity\r\nContent-Length: 5", bad},
		{"Content-Length: 5\r\nContent-Length: 5", bad},
		{"Content-Length: 5\r\nContent-Length: 6", bad},
		{"Content-Length: 5\r\ncontent-length: 6", bad},
		{"Content-Length: 0\r\nContent-Length: 6", bad},
		{"Content-Length: 6\r\nContent-Length:", bad},
		{"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", bad},
		{"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity", bad},
		{"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked", bad},
		{"Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked", bad},
		{"Transfer-Encoding:\r\nTransfer-Encoding: chunked", bad},
		{"Transfer-Encoding: chunked\r\nTransfer-encoding: x", bad},
		{"Transfer-Encoding: chunked\r\n : x", header},
		{"Transfer-Encoding:\r\n chunked", header},
		{"Transfer-Encoding:\n chunked", header},
		{"Transfer-Encoding\r\n: chunked", header},
		{"Transfer-Encoding : chunked", header},
		{"Transfer-Encoding\t: chunked", header},
		{"Transfer-Encoding\x0b: chunked", header},
		{"Transfer-Encoding\x00: chunked", header},
		{"Transfer-Encoding\xa0: chunked", header},
		{" Transfer-Encoding: chunked", header},
		{"\tTransfer-Encoding: chunked", header},
		{"X: y\rTransfer-Encoding: chunked", header},
		{"X: y\nTransfer-Encoding: chunked", header},
		{"X: y\r\n\rTransfer-Encoding: chunked", header},
		{"Content-Length : 5", header},
		{"Content-Length\x00: 5", header},
		{"Content-Length: 5\x00", header},
		{"Content-Length: 5\n", header},
		{"Content-Length: 5\r", header},
		{"Content-Length: \x0b5", header},
		{"Content-Length: \x0c5", header},
		{"Content-Length: 5\x7f", header},
		{"Transfer-Encoding: \x0bchunked", header},
		{"Transfer-Encoding: chunked\x00", header},
	} {
		cases = append(cases, refusalCase{post(c.head), c.cause})
	}
	for _, coding := range []string{
		"", "identity", "gzip", "x", "chunked, chunked", "chunked,chunked", "gzip, chunked", "chunked, gzip", "chunked, identity",
		"identity, chunked", "chunked,", ",chunked", ", chunked", "chunked;q=1", "chunked; a", "\"chunked\"", "'chunked'", "xchunked",
		"chunkedx", "chunked x", "x chunked", "chunke", "chunk", "chun\xe2\x84\xaaed", "chunked\xa0", "\xa0chunked", "\x85chunked",
		"chunked\xc2\x85", "nothing, chunked", "cow", "CHUNKED\xff", "c hunked",
	} {
		cases = append(cases, refusalCase{post("Transfer-Encoding: " + coding), bad})
	}
	for _, length := range []string{
		"", "+5", "-5", "-0", "+0", "5,5", "5, 5", "5,6", ",5", "5,", "5;", "0x5", "0X5", "5h", "5 5", "5\t5", "5.0", "5e0", "\"5\"", "'5'",
		"5_0", "1_000", "05", "00", "0005", "\xd9\xa5", "\xa05", "5\xa0", "five", "NaN", "inf", "0b1", "0o5",
		"9223372036854775808", "18446744073709551616", "18446744073709551621", "99999999999999999999999999",
	} {
		cases = append(cases, refusalCase{post("Content-Length: " + length), bad})
	}
	checkRefusals(t, cases)
}

func TestRequestFraming(t *testing.T) {
	for _, c := range []struct {
		head    string
		length  int64
		chunked bool
		close   bool
	}{
		{get(), -1, false, false},
		{get("Content-Length: 0"), 0, false, false},
		{post("Content-Length: 5"), 5, false, false},
		{post("Content-Length: \t 5 \t"), 5, false, false},
		{post("CONTENT-LENGTH:5"), 5, false, false},
		{post("Content-Length: 999999999999999999"), 999999999999999999, false, false},
		{post("Transfer-Encoding: chunked"), -1, true, false},
		{post("transfer-encoding:\tChUnKeD \t"), -1, true, false},
		{post("Content_Length: 5"), -1, false, false},
		{post("X-Content-Length: 5"), -1, false, false},
		{get("Connection: close"), -1, false, true},
		{get("Connection: x, CLOSE ,y"), -1, false, true},
		{get("Connection: keep-alive\r\nConnection: close"), -1, false, true},
		{get("Connection: close, keep-alive"), -1, false, true},
		{get("Connection: keep-alive"), -1, false, false},
		{get("Connection: closed"), -1, false, false},
		{get("Connection: ,, ,"), -1, false, false},
		{get("Proxy-Connection: close"), -1, false, false},
		{"GET / HTTP/1.0\r\n\r\n", -1, false, true},
		{"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", -1, false, false},
		{"GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", -1, false, true},
		{"GET / HTTP/1.0\r\nProxy-Connection: keep-alive\r\n\r\n", -1, false, true},
		{"POST / HTTP/1.0\r\nContent-Length: 3\r\n\r\n", 3, false, true},
	} {
		_, f, fault := request(c.head)
		if fault != nil {
			t.Errorf("%q: %v", c.head, fault)
		} else if f.Length != c.length || f.Chunked != c.chunked || f.Close != c.close {
			t.Errorf("%q: length %d, chunked %v, close %v", c.head, f.Length, f.Chunked, f.Close)
		}
	}
}

func TestRequestExpect(t *testing.T) {
	const refused = weir.CauseExpectation
	checkRefusals(t, []refusalCase{
		{post("Expect: 200-ok", "Content-Length: 1"), refused},
		{post("Expect: 100-continue, x", "Content-Length: 1"), refused},
		{post("Expect: y 100-continue", "Content-Length: 1"), refused},
		{post("Expect: 100-continue=1", "Content-Length: 1"), refused},
		{post("Expect: x", "Expect: 100-continue", "Content-Length: 1"), refused},
		{post("Expect: 100-continue", "Expect: x", "Content-Length: 1"), refused},
		{get("Expect: x"), refused},
		{"POST / HTTP/1.0\r\nExpect: x\r\nContent-Length: 1\r\n\r\n", weir.CauseNone},
	})
	for _, c := range []struct {
		head string
		want bool
	}{
		{post("Expect: 100-continue", "Content-Length: 1"), true},
		{post("expect: 100-Continue", "Transfer-Encoding: chunked"), true},
		{post("Expect: 100-continue", "Expect: 100-continue", "Content-Length: 1"), true},
		{post("Expect: 100-continue", "Content-Length: 0"), false},
		{get("Expect: 100-continue"), false},
		{post("Expect:", "Content-Length: 1"), false},
		{"POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n", false},
	} {
		if r, _, fault := request(c.head); fault != nil || r.Expect != c.want {
			t.Errorf("%q: expect %v, %v", c.head, r.Expect, fault)
		}
	}
}

func TestRequestUpgrade(t *testing.T) {
	for _, c := range []struct {
		head string
		want string
	}{
		{get("Connection: Upgrade", "Upgrade: websocket"), "websocket"},
		{get("Upgrade: websocket", "Connection: keep-alive, upgrade"), "websocket"},
		{get("Connection: Upgrade", "Upgrade: foo/2, websocket"), "foo/2"},
		{get("Connection: Upgrade", "Upgrade: websocket", "Upgrade: foo"), "websocket"},
		{post("Connection: Upgrade", "Upgrade: websocket", "Content-Length: 0"), ""},
		{post("Connection: Upgrade", "Upgrade: tcp", "Content-Length: 0"), "tcp"},
		{get("Upgrade: websocket"), ""},
		{get("Connection: Upgrade"), ""},
		{get("Connection: Upgrade", "Upgrade:"), ""},
		{get("Connection: Upgrade", "Upgrade: ,websocket"), ""},
		{post("Connection: Upgrade", "Upgrade: websocket", "Content-Length: 4"), ""},
		{post("Connection: Upgrade", "Upgrade: websocket", "Transfer-Encoding: chunked"), ""},
		{"GET / HTTP/1.0\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", ""},
		// A server that would switch to HTTP itself could be spoken to past weir's rules.
		{get("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__"), ""},
		{get("Connection: Upgrade", "Upgrade: H2C"), ""},
		{get("Connection: Upgrade", "Upgrade: h2"), ""},
		{get("Connection: Upgrade", "Upgrade: HTTP/2.0"), ""},
		{get("Connection: Upgrade", "Upgrade: TLS/1.2"), ""},
	} {
		r, _, fault := request(c.head)
		if fault != nil || r.Upgrade != c.want {
			t.Errorf("%q: upgrade %q, %v; want %q", c.head, r.Upgrade, fault, c.want)
		}
		for _, name := range []string{"Upgrade", "Connection", "HTTP2-Settings"} {
			if _, ok := r.Header.Lookup(name); ok {
				t.Errorf("%q: %s is passed on", c.head, name)
			}
		}
	}
	checkRefusals(t, []refusalCase{
		{get("Connection: Upgrade", "Upgrade: web socket"), weir.CauseRequestHeader},
		{get("Connection: Upgrade", "Upgrade: \"websocket\""), weir.CauseRequestHeader},
		{get("Connection: Upgrade", "Upgrade: \xc5\xbf"), weir.CauseRequestHeader},
	})
}
