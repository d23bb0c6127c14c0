package weirtest

import (
	"strings"

	"weir/weirtest/dialect"
)

// A verdict is what has to become of a request.
type verdict int

const (
	refused verdict = iota // nothing of it reaches the origin, and the client has no answer of the origin's
	once                   // the origin sees one request, and the client has its answer
	broken                 // the origin sees no whole request, and the client has no answer of the origin's
	atMost                 // the origin may see the request without its surplus, the client has no answer of the origin's
)

// An attack is a request that is known to become two, or another one, behind proxies that turn HTTP/2 or HTTP/3 into
// HTTP/1.1. Wherever it has "evil" or "smuggled", the origin must not see that as a field's name, or a target.
type attack struct {
	name string
	want verdict

	instead map[string]string // values of pseudo fields; "-": it is left out
	first   []string          // names and values before the pseudo fields
	fields  []string          // ... and behind them
	body    []string          // pieces of content; nil: none
	trailer []string
	whole   bool // END_STREAM comes with the head, whatever body says

	sees   []string // what stands in the origin's request
	unseen []string // what does not, in lower case
}

// head is the section of fields that an attack at path begins with.
func (a *attack) head(host, path string) (head []dialect.Field) {
	add := func(list []string) {
		for i := 0; i < len(list); i += 2 {
			head = append(head, dialect.Field{Name: list[i], Value: list[i+1]})
		}
	}
	add(a.first)
	method := "GET"
	if a.body != nil {
		method = "POST"
	}
	for _, f := range []dialect.Field{{Name: ":method", Value: method}, {Name: ":scheme", Value: "https"}, {Name: ":authority", Value: host}, {Name: ":path", Value: path}} {
		v, other := a.instead[f.Name]
		if other {
			f.Value = strings.ReplaceAll(strings.ReplaceAll(v, "HOST", host), "PATH", path)
		}
		if v != "-" {
			head = append(head, f)
		}
	}
	if v, ok := a.instead[":protocol"]; ok {
		head = append(head, dialect.Field{Name: ":protocol", Value: v})
	}
	add(a.fields)
	return head
}

// second is a request that must never become one.
const second = "GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"

// attacks are all of them.
func attacks() (all []attack) {
	all = append(all, fieldAttacks()...)
	all = append(all, byteAttacks()...)
	all = append(all, connectionAttacks()...)
	all = append(all, lengthAttacks...)
	all = append(all, targetAttacks...)
	all = append(all, authorityAttacks...)
	all = append(all, trailerAttacks...)
	all = append(all, upgradeAttacks...)
	return append(all, harmless...)
}

// fieldAttacks put a second field, or a second request, into names and values, by everything that any parser has been
// known to take for the end of a line.
func fieldAttacks() (all []attack) {
	ends := []struct{ name, bytes string }{
		{"CRLF", "\r\n"},
		{"LF", "\n"},
		{"CR", "\r"},
		{"NUL", "\x00"},
		{"CR NUL LF", "\r\x00\n"},
		{"vertical tab", "\v"},
		{"form feed", "\f"},
		{"DEL", "\x7f"},
		{"LF SP", "\n "},
		{"CRLF CRLF", "\r\n\r\n"},
	}
	for _, e := range ends {
		for _, name := range []string{"x-a", "user-agent", "cookie", "x-forwarded-for", "sec-websocket-protocol", "content-type", "referer", "authorization"} {
			all = append(all, attack{name: e.name + " in the value of " + name, fields: []string{name, "a" + e.bytes + "evil: 1"}})
		}
		all = append(
			all,
			attack{name: e.name + " in a name", fields: []string{"x-a: b" + e.bytes + "evil", "1"}},
			attack{name: e.name + " in a name without colon", fields: []string{"x-a" + e.bytes + "evil", "1"}},
			attack{name: e.name + " before a name", fields: []string{e.bytes + "evil", "1"}},
			attack{name: e.name + " behind a name", fields: []string{"transfer-encoding" + e.bytes, "chunked"}, body: []string{"0\r\n\r\n" + second}},
			attack{name: e.name + " before a value", fields: []string{"x-a", e.bytes + "evil: 1"}},
			attack{name: e.name + " behind a value", fields: []string{"x-a", "b" + e.bytes}},
			attack{name: e.name + " and a coding", fields: []string{"x-a", "b" + e.bytes + "transfer-encoding: chunked"}, body: []string{"0\r\n\r\n" + second}},
			attack{name: e.name + " and a length", fields: []string{"x-a", "b" + e.bytes + "content-length: 0"}, body: []string{second}},
			attack{name: e.name + " and a request", fields: []string{"x-a", "b\r\n" + e.bytes + second}},
			attack{name: e.name + " in a cookie's crumb", fields: []string{"cookie", "a=1", "cookie", "b" + e.bytes + "evil: 1"}},
			attack{name: e.name + " in te", fields: []string{"te", "trailers" + e.bytes + "evil: 1"}},
			attack{name: e.name + " in host", fields: []string{"host", "localhost" + e.bytes + "evil: 1"}},
			attack{name: e.name + " in expect", fields: []string{"expect", "100-continue" + e.bytes + "evil: 1"}, body: []string{"a"}},
			attack{name: e.name + " in content-length", fields: []string{"content-length", "1" + e.bytes}, body: []string{"a"}},
			attack{name: e.name + " in :method", instead: map[string]string{":method": "GET /smuggled HTTP/1.1" + e.bytes + "evil: 1"}},
			attack{name: e.name + " behind :method", instead: map[string]string{":method": "GET" + e.bytes}},
			attack{name: e.name + " in :path", instead: map[string]string{":path": "PATH HTTP/1.1" + e.bytes + "evil: 1"}},
			attack{name: e.name + " in the query", instead: map[string]string{":path": "PATH?a" + e.bytes + "evil: 1"}},
			attack{name: e.name + " in :scheme", instead: map[string]string{":scheme": "https" + e.bytes + "evil: 1"}},
			attack{name: e.name + " in :authority", instead: map[string]string{":authority": "HOST" + e.bytes + "evil: 1"}},
			attack{name: e.name + " in :protocol", instead: map[string]string{":method": "CONNECT", ":protocol": "websocket" + e.bytes + "evil: 1"}},
			attack{name: e.name + " in a pseudo field's name", fields: []string{":path" + e.bytes + "evil", "1"}},
			attack{name: e.name + " in a trailer's name", want: broken, body: []string{"a"}, trailer: []string{"x-a" + e.bytes + "evil", "1"}},
			attack{name: e.name + " in a trailer's value", want: broken, body: []string{"a"}, trailer: []string{"x-a", "b" + e.bytes + "evil: 1"}},
		)
	}
	return all
}

// byteAttacks put each byte that may not stand in a name into one, and what looks like a name's byte to some.
func byteAttacks() (all []attack) {
	for c := range 256 {
		b := string([]byte{byte(c)})
		if strings.Contains("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz", b) {
			continue
		}
		all = append(
			all,
			attack{name: "name with " + quoteByte(c), fields: []string{"x" + b + "a", "b"}},
			attack{name: "coding with " + quoteByte(c) + " behind it", fields: []string{"transfer-encoding" + b, "chunked"}, body: []string{"0\r\n\r\n" + second}},
			attack{name: "length with " + quoteByte(c) + " before it", fields: []string{b + "content-length", "0"}, body: []string{second}},
		)
		if c < ' ' && c != '\t' || c == 0x7f {
			all = append(all, attack{name: "value with " + quoteByte(c), fields: []string{"x-a", "a" + b + "b"}})
		}
	}
	for name, n := range map[string]string{
		"long s": "tran\u017ffer-encoding", "Kelvin sign": "cookie\u212a", "no-break space": "transfer-encoding\u00a0", "next line": "transfer-encoding\u0085",
		"upper case": "Transfer-Encoding", "one upper case": "content-lengtH", "empty": "", "colon alone": ":", "two colons": "::path", "colon at the end": "x-a:",
		"colon in the middle": "transfer-encoding: x", "unknown pseudo field": ":evil", "an answer's pseudo field": ":status", "space at the end": "content-length ",
		"space before": " content-length", "tab at the end": "content-length\t", "quotes": `"content-length"`, "parenthesis": "content-length(", "at": "content@length",
	} {
		all = append(all, attack{name: "name: " + name, fields: []string{n, "chunked"}, body: []string{"0\r\n\r\n" + second}})
	}
	for name, v := range map[string]string{"space before": " chunked", "space behind": "chunked ", "tab before": "\tb", "tab behind": "b\t", "space alone": " "} {
		all = append(all, attack{name: "value: " + name, fields: []string{"x-a", v}})
	}
	return all
}

func quoteByte(c int) string {
	const digits = "0123456789abcdef"
	return "0x" + string([]byte{digits[c>>4], digits[c&15]})
}

// connectionAttacks are fields that concern a connection of HTTP/1, in every spelling of their values.
func connectionAttacks() (all []attack) {
	for _, f := range [][]string{
		{"connection", "close"},
		{"connection", "keep-alive"},
		{"connection", ""},
		{"connection", "content-length"},
		{"connection", "host, x-forwarded-for"},
		{"connection", "upgrade, http2-settings", "upgrade", "h2c", "http2-settings", "AAMAAABkAARAAAAAAAIAAAAA"},
		{"keep-alive", "timeout=5"},
		{"proxy-connection", "keep-alive"},
		{"upgrade", "h2c"},
		{"upgrade", "websocket"},
		{"upgrade", "websocket", "connection", "upgrade"},
		{"upgrade", ""},
		{"te", "gzip"},
		{"te", "chunked"},
		{"te", "trailers, chunked"},
		{"te", "trailers;q=0.5"},
		{"transfer-encoding", "chunked"},
		{"transfer-encoding", "identity"},
		{"transfer-encoding", ""},
		{"transfer-encoding", "Chunked"},
		{"transfer-encoding", "xchunked"},
		{"transfer-encoding", "chunked, chunked"},
		{"transfer-encoding", "gzip, chunked"},
		{"transfer-encoding", "chunked\x00"},
		{"transfer-encoding", "\"chunked\""},
		{"transfer-encoding", "chun\u212aed"},
		{"transfer-encoding", "identity", "transfer-encoding", "chunked"},
		{"transfer-encoding", "chunked", "content-length", "5"},
		{"content-length", "5", "transfer-encoding", "chunked"},
	} {
		name := strings.Join(f, " ")
		all = append(
			all,
			attack{name: "connection's field: " + name, fields: f},
			attack{name: "connection's field with content: " + name, fields: f, body: []string{"0\r\n\r\n", second}},
		)
	}
	return all
}

// lengthAttacks are lengths that contradict the content, or that readers differ about.
var lengthAttacks = []attack{
	{name: "length 0 with content", want: atMost, fields: []string{"content-length", "0"}, body: []string{second}},
	{name: "length too short", want: broken, fields: []string{"content-length", "3"}, body: []string{"abc" + second}},
	{name: "length too short, in pieces", want: atMost, fields: []string{"content-length", "3"}, body: []string{"abc", second}},
	{name: "length too short by one", want: atMost, fields: []string{"content-length", "2"}, body: []string{"a", "bc"}},
	{name: "length too long", want: broken, fields: []string{"content-length", "100"}, body: []string{"abc"}},
	{name: "length too long by one", want: broken, fields: []string{"content-length", "4"}, body: []string{"abc"}},
	{name: "length without content", want: broken, fields: []string{"content-length", "42"}},
	{name: "length without content of GET that smuggles", want: broken, instead: map[string]string{":method": "GET"}, fields: []string{"content-length", "10"}, whole: true},
	{name: "length without content of HEAD", want: broken, instead: map[string]string{":method": "HEAD"}, fields: []string{"content-length", "10"}, whole: true},
	{name: "length and trailer alone", want: broken, fields: []string{"content-length", "5"}, body: []string{""}, trailer: []string{"x-a", "b"}},
	{name: "two lengths alike", fields: []string{"content-length", "3", "content-length", "3"}, body: []string{"abc"}},
	{name: "two lengths that differ", fields: []string{"content-length", "3", "content-length", "0"}, body: []string{"abc"}},
	{name: "two lengths that differ, the other way round", fields: []string{"content-length", "0", "content-length", "3"}, body: []string{"abc"}},
	{name: "list of lengths", fields: []string{"content-length", "3, 3"}, body: []string{"abc"}},
	{name: "list of lengths that differ", fields: []string{"content-length", "3,0"}, body: []string{"abc"}},
	{name: "list that ends empty", fields: []string{"content-length", "3,"}, body: []string{"abc"}},
	{name: "list that begins empty", fields: []string{"content-length", ",3"}, body: []string{"abc"}},
	{name: "length +3", fields: []string{"content-length", "+3"}, body: []string{"abc"}},
	{name: "length -3", fields: []string{"content-length", "-3"}, body: []string{"abc"}},
	{name: "length -0", fields: []string{"content-length", "-0"}},
	{name: "length 03", fields: []string{"content-length", "03"}, body: []string{"abc"}},
	{name: "length 0x3", fields: []string{"content-length", "0x3"}, body: []string{"abc"}},
	{name: "length 3.0", fields: []string{"content-length", "3.0"}, body: []string{"abc"}},
	{name: "length 3e0", fields: []string{"content-length", "3e0"}, body: []string{"abc"}},
	{name: "length 3 a", fields: []string{"content-length", "3 a"}, body: []string{"abc"}},
	{name: "length 3;a", fields: []string{"content-length", "3;a"}, body: []string{"abc"}},
	{name: "length 3_0", fields: []string{"content-length", "3_0"}, body: []string{"abc"}},
	{name: "length in Arabic digits", fields: []string{"content-length", "\u0663"}, body: []string{"abc"}},
	{name: "length in wide digits", fields: []string{"content-length", "\uff13"}, body: []string{"abc"}},
	{name: "empty length", fields: []string{"content-length", ""}, body: []string{"abc"}},
	{name: "word for a length", fields: []string{"content-length", "error"}, body: []string{"abc"}},
	{name: "length beyond 64 bits", fields: []string{"content-length", "18446744073709551619"}, body: []string{"abc"}},
	{name: "length beyond 32 bits", want: broken, fields: []string{"content-length", "4294967299"}, body: []string{"abc"}},
	{name: "length with underscore", want: once, fields: []string{"content_length", "0"}, body: []string{second}, unseen: []string{"content_length"}},
	{name: "coding with underscore", want: once, fields: []string{"transfer_encoding", "chunked"}, body: []string{"0\r\n\r\n" + second}, unseen: []string{"transfer_encoding"}},
	{name: "length of no content", want: once, fields: []string{"content-length", "0"}, whole: true},
	{name: "content that looks like chunks", want: once, fields: []string{"content-length", "5"}, body: []string{"0\r\n\r\n"}, sees: []string{"\r\nContent-Length: 5\r\n", "\r\n\r\n0\r\n\r\n"}},
	{name: "content that looks like chunks, without a length", want: once, body: []string{"0\r\n\r\n" + second}, sees: []string{"Transfer-Encoding: chunked"}},
	{name: "content that is a request", want: once, fields: []string{"content-length", "43"}, body: []string{second}},
	{name: "empty pieces between", want: once, body: []string{"a", "", "", "b"}, sees: []string{"\r\n\r\nab"}},
	{name: "one empty piece", want: once, body: []string{""}},
	{name: "content of GET", want: once, instead: map[string]string{":method": "GET"}, body: []string{second}},
	{name: "content of HEAD", want: once, instead: map[string]string{":method": "HEAD"}, body: []string{second}},
	{name: "content of OPTIONS", want: once, instead: map[string]string{":method": "OPTIONS"}, body: []string{second}},
}

// targetAttacks are request lines that would not be one, or another.
var targetAttacks = []attack{
	{name: "space in :path", instead: map[string]string{":path": "PATH HTTP/1.1"}},
	{name: "space in the query", instead: map[string]string{":path": "PATH?a b"}},
	{name: "tab in :path", instead: map[string]string{":path": "PATH\ta"}},
	{name: "space before :path", instead: map[string]string{":path": " PATH"}},
	{name: "space behind :path", instead: map[string]string{":path": "PATH "}},
	{name: "request in :path", instead: map[string]string{":path": "PATH HTTP/1.1\r\nHost: localhost\r\n\r\n" + second}},
	{name: "fragment", instead: map[string]string{":path": "PATH#a"}},
	{name: "fragment in the query", instead: map[string]string{":path": "PATH?a#b"}},
	{name: "empty :path", instead: map[string]string{":path": ""}},
	{name: "relative :path", instead: map[string]string{":path": "smuggled"}},
	{name: "query alone", instead: map[string]string{":path": "?smuggled"}},
	{name: "absolute :path", instead: map[string]string{":path": "http://smuggled/"}},
	{name: "absolute :path over TLS", instead: map[string]string{":path": "https://HOST/smuggled"}},
	{name: "authority for :path", instead: map[string]string{":path": "smuggled:80"}},
	{name: "at for :path", instead: map[string]string{":path": "@smuggled/"}},
	{name: "colon for :path", instead: map[string]string{":path": ":80/smuggled"}},
	{name: "star of GET", instead: map[string]string{":path": "*"}},
	{name: "star and more", instead: map[string]string{":method": "OPTIONS", ":path": "*/smuggled"}},
	{name: "backslash", instead: map[string]string{":path": `\smuggled`}},
	{name: "backslash behind a slash", instead: map[string]string{":path": `/\smuggled`}},
	{name: "no :path", instead: map[string]string{":path": "-"}},
	{name: "two of :path", fields: nil, first: []string{":path", "/smuggled"}},
	{name: "two of :path alike", first: []string{":path", "/x"}, instead: map[string]string{":path": "/x"}},
	{name: "two of :method", first: []string{":method", "POST"}},
	{name: "two of :method alike", first: []string{":method", "GET"}},
	{name: "two of :scheme", first: []string{":scheme", "http"}},
	{name: "two of :authority", first: []string{":authority", "evil.test"}},
	{name: "no :method", instead: map[string]string{":method": "-"}},
	{name: "empty :method", instead: map[string]string{":method": ""}},
	{name: "space in :method", instead: map[string]string{":method": "GET /smuggled"}},
	{name: "space behind :method", instead: map[string]string{":method": "GET "}},
	{name: "space before :method", instead: map[string]string{":method": " GET"}},
	{name: "line for :method", instead: map[string]string{":method": "GET /smuggled HTTP/1.1"}},
	{name: "colon in :method", instead: map[string]string{":method": "evil: 1"}},
	{name: "slash in :method", instead: map[string]string{":method": "GET/"}},
	{name: "method beyond ASCII", instead: map[string]string{":method": "G\xc9T"}},
	{name: "no :scheme", instead: map[string]string{":scheme": "-"}},
	{name: "empty :scheme", instead: map[string]string{":scheme": ""}},
	{name: "other :scheme", instead: map[string]string{":scheme": "ftp"}},
	{name: "scheme that is a URL", instead: map[string]string{":scheme": "https://evil.test/smuggled?"}},
	{name: "scheme with colon", instead: map[string]string{":scheme": "https:"}},
	{name: "scheme with space", instead: map[string]string{":scheme": "https x"}},
	{name: ":path behind a field", instead: map[string]string{":path": "-"}, fields: []string{"x-a", "b", ":path", "/smuggled"}},
	{name: ":path again behind a field", fields: []string{"x-a", "b", ":path", "/smuggled"}},
	{name: ":method again behind a field", fields: []string{"x-a", "b", ":method", "POST"}},
	{name: ":authority again behind a field", fields: []string{"x-a", "b", ":authority", "evil.test"}},
	{name: ":status", fields: []string{":status", "200"}},
	{name: "field before", first: []string{"x-a", "b"}},
	{name: "CONNECT", instead: map[string]string{":method": "CONNECT", ":scheme": "-", ":path": "-"}},
	{name: "CONNECT with :path", instead: map[string]string{":method": "CONNECT"}},
	{name: "TRACE", instead: map[string]string{":method": "TRACE"}},
	{name: "PRI", instead: map[string]string{":method": "PRI", ":path": "*"}},
	{name: "dots out of the root", instead: map[string]string{":path": "/../smuggled"}},
	{name: "encoded NUL", instead: map[string]string{":path": "PATH%00"}},
	{name: "encoded dots out of the root", instead: map[string]string{":path": "/%2e%2e/smuggled"}},
	{name: "half an escape", instead: map[string]string{":path": "PATH%0"}},
	{name: "encoded CRLF", want: once, instead: map[string]string{":path": "PATH?a%20HTTP/1.1%0d%0aevil:%201"}, sees: []string{"?a%20HTTP/1.1%0d%0aevil:%201 HTTP/1.1"}},
	{name: "own method", want: once, instead: map[string]string{":method": "PURGE"}, sees: []string{"PURGE /"}},
	{name: "method in lower case", want: once, instead: map[string]string{":method": "purge"}, sees: []string{"purge /"}},
	{name: "http over TLS", want: once, instead: map[string]string{":scheme": "http"}, sees: []string{"X-Forwarded-Proto: https"}},
}

// authorityAttacks lead a request to another host than it was routed by.
var authorityAttacks = []attack{
	{name: "host that differs", fields: []string{"host", "evil.test"}},
	{name: "host that differs in its port", fields: []string{"host", "localhost:1"}},
	{name: "host beside an empty :authority", instead: map[string]string{":authority": ""}, fields: []string{"host", "localhost"}},
	{name: "two of host", fields: []string{"host", "localhost", "host", "localhost"}},
	{name: "two of host that differ", fields: []string{"host", "localhost", "host", "evil.test"}},
	{name: "two of host alone", instead: map[string]string{":authority": "-"}, fields: []string{"host", "localhost", "host", "localhost"}},
	{name: "list of hosts", instead: map[string]string{":authority": "-"}, fields: []string{"host", "localhost, evil.test"}},
	{name: "neither", instead: map[string]string{":authority": "-"}},
	{name: "empty host", instead: map[string]string{":authority": "-"}, fields: []string{"host", ""}},
	{name: "empty :authority", instead: map[string]string{":authority": ""}},
	{name: "user in :authority", instead: map[string]string{":authority": "evil@HOST"}},
	{name: "path in :authority", instead: map[string]string{":authority": "HOST/smuggled"}},
	{name: "query in :authority", instead: map[string]string{":authority": "HOST?smuggled"}},
	{name: "fragment in :authority", instead: map[string]string{":authority": "HOST#smuggled"}},
	{name: "space in :authority", instead: map[string]string{":authority": "HOST evil"}},
	{name: "space behind :authority", instead: map[string]string{":authority": "HOST "}},
	{name: "comma in :authority", instead: map[string]string{":authority": "HOST,evil.test"}},
	{name: "scheme in :authority", instead: map[string]string{":authority": "https://HOST"}},
	{name: "odd port", instead: map[string]string{":authority": "localhost:80x"}},
	{name: "huge port", instead: map[string]string{":authority": "localhost:99999999"}},
	{name: "two ports", instead: map[string]string{":authority": "localhost:80:80"}},
	{name: "half an IPv6 address", instead: map[string]string{":authority": "[::1"}},
	{name: "text behind an IPv6 address", instead: map[string]string{":authority": "[::1]evil"}},
	{name: "escape in :authority", instead: map[string]string{":authority": "localhost%0d%0aevil"}},
	{name: "host alone", want: once, instead: map[string]string{":authority": "-"}, fields: []string{"host", "localhost"}, sees: []string{"Host: localhost\r\n"}},
	{name: "host again", want: once, instead: map[string]string{":authority": "localhost"}, fields: []string{"host", "LOCALHOST"}},
	{name: "forwarded host", want: once, fields: []string{"x-forwarded-host", "evil.test"}, unseen: []string{"evil.test"}},
	{name: "forwarded host with underscores", want: once, fields: []string{"x_forwarded_host", "evil.test"}, unseen: []string{"evil.test"}},
	{name: "Forwarded", want: once, fields: []string{"forwarded", "host=evil.test"}, unseen: []string{"evil.test"}},
}

// trailerAttacks bring behind the content what belongs before it.
var trailerAttacks = []attack{
	{name: "trailer: pseudo field", want: broken, body: []string{"a"}, trailer: []string{":path", "/smuggled"}},
	{name: "trailer: status", want: broken, body: []string{"a"}, trailer: []string{":status", "200"}},
	{name: "trailer: upper case", want: broken, body: []string{"a"}, trailer: []string{"Evil", "1"}},
	{name: "trailer: empty name", want: broken, body: []string{"a"}, trailer: []string{"", "1"}},
	{name: "trailer: coding", want: broken, body: []string{"a"}, trailer: []string{"transfer-encoding", "chunked"}},
	{name: "trailer: connection", want: broken, body: []string{"a"}, trailer: []string{"connection", "close"}},
	{name: "trailer: length", want: once, body: []string{"a"}, trailer: []string{"content-length", "0"}, unseen: []string{"content-length"}},
	{name: "trailer: length with underscore", want: once, body: []string{"a"}, trailer: []string{"content_length", "0"}, unseen: []string{"content_length"}},
	{name: "trailer: host", want: once, body: []string{"a"}, trailer: []string{"host", "evil.test"}, unseen: []string{"evil.test"}},
	{name: "trailer: cookie", want: once, body: []string{"a"}, trailer: []string{"cookie", "evil=1"}, unseen: []string{"evil=1"}},
	{name: "trailer: authorization", want: once, body: []string{"a"}, trailer: []string{"authorization", "evil"}, unseen: []string{"\r\nauthorization"}},
	{name: "trailer: forwarded", want: once, body: []string{"a"}, trailer: []string{"x-forwarded-for", "6.6.6.6"}, unseen: []string{"6.6.6.6"}},
	{name: "trailer: te", want: once, body: []string{"a"}, trailer: []string{"te", "trailers"}, unseen: []string{"\r\nte:"}},
	{name: "trailer behind a length", want: once, fields: []string{"content-length", "1"}, body: []string{"a"}, trailer: []string{"x-a", "b"}},
	{name: "trailer", want: once, body: []string{"a"}, trailer: []string{"x-a", "b"}, sees: []string{"\r\n\r\na"}},
}

// upgradeAttacks get a connection to the origin that is the client's own.
var upgradeAttacks = []attack{
	{name: "no 101 for a WebSocket", want: once, instead: map[string]string{":method": "CONNECT", ":protocol": "websocket"}, fields: []string{"sec-websocket-version", "13"}, body: []string{second}},
	{name: "426 for a WebSocket", want: once, instead: map[string]string{":method": "CONNECT", ":protocol": "websocket", ":path": "/426"}, fields: []string{"sec-websocket-version", "1337"}, body: []string{second}},
	{name: "WebSocket with a length", instead: map[string]string{":method": "CONNECT", ":protocol": "websocket"}, fields: []string{"sec-websocket-version", "13", "content-length", "43"}, body: []string{second}},
	{name: "WebSocket that expects", instead: map[string]string{":method": "CONNECT", ":protocol": "websocket"}, fields: []string{"sec-websocket-version", "13", "expect", "100-continue"}, body: []string{second}},
	{name: "h2c by extended CONNECT", instead: map[string]string{":method": "CONNECT", ":protocol": "h2c"}, body: []string{second}},
	{name: "TCP by extended CONNECT", instead: map[string]string{":method": "CONNECT", ":protocol": "connect-tcp"}, body: []string{second}},
	{name: "UDP by extended CONNECT", instead: map[string]string{":method": "CONNECT", ":protocol": "connect-udp"}, body: []string{second}},
	{name: "list of protocols", instead: map[string]string{":method": "CONNECT", ":protocol": "websocket, h2c"}, body: []string{second}},
	{name: "empty protocol", instead: map[string]string{":method": "CONNECT", ":protocol": ""}, body: []string{second}},
	{name: "protocol of GET", instead: map[string]string{":protocol": "websocket"}},
	{name: "protocol of POST", instead: map[string]string{":protocol": "websocket"}, body: []string{second}},
	{name: "settings of HTTP/2", want: once, fields: []string{"http2-settings", "AAMAAABkAARAAAAAAAIAAAAA"}, unseen: []string{"http2-settings"}},
	{name: "WebSocket's fields without it", want: once, fields: []string{"sec-websocket-version", "13", "sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="}, body: []string{second}, unseen: []string{"upgrade:"}},
	{name: "expectation that is unknown", fields: []string{"expect", "evil"}, body: []string{second}},
	{name: "expectation that is twisted", fields: []string{"expect", "y 100-continue"}, body: []string{second}},
	{name: "two expectations", fields: []string{"expect", "100-continue", "expect", "evil"}, body: []string{second}},
	{name: "expectation without content", want: once, fields: []string{"expect", "100-continue"}, unseen: []string{"expect:"}},
	{name: "expectation and a length of none", want: once, fields: []string{"expect", "100-continue", "content-length", "0"}, whole: true, unseen: []string{"expect:"}},
	{name: "expectation", want: once, fields: []string{"expect", "100-continue"}, body: []string{second}},
	{name: "expectation answered at once", want: once, instead: map[string]string{":path": "/early"}, fields: []string{"expect", "100-continue", "content-length", "43"}, body: []string{second}},
	{name: "content answered at once", want: once, instead: map[string]string{":path": "/early"}, fields: []string{"content-length", "43"}, body: []string{second}},
}

// harmless shows that the table's base is not refused for itself, and how what comes in pieces is put together.
var harmless = []attack{
	{name: "GET", want: once, sees: []string{"GET /"}},
	{name: "POST", want: once, body: []string{"abc"}, sees: []string{"Transfer-Encoding: chunked", "\r\n\r\nabc"}},
	{name: "cookie's crumbs", want: once, fields: []string{"cookie", "a=1", "x-a", "b", "cookie", "b=2", "cookie", "c=3"}, sees: []string{"ookie: a=1; b=2; c=3\r\n"}},
	{name: "crumbs that are no crumbs", want: once, fields: []string{"cookie", "a=1;", "cookie", "evil: 1"}, sees: []string{"ookie: a=1;; evil: 1\r\n"}},
	{name: "te", want: once, fields: []string{"te", "trailers"}},
	{name: "empty value", want: once, fields: []string{"x-a", ""}},
	{name: "colon before a value", want: once, fields: []string{"x-a", ": evil"}, sees: []string{": : evil\r\n"}},
	{name: "bytes beyond ASCII", want: once, fields: []string{"x-a", "\xe4\xff"}, sees: []string{": \xe4\xff\r\n"}},
	{name: "secrets for proxies", want: once, fields: []string{"proxy-authorization", "Basic ZXZpbA=="}, unseen: []string{"proxy-authorization"}},
}
