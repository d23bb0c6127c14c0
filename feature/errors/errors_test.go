package errors

import (
	"encoding/json"
	"io"
	"io/fs"
	"strings"
	"testing"

	"weir"
)

var files = map[string]string{
	"404.html":   "<style>p{color:red}</style><h1>{status} {status.text}</h1><p>{path} {nothing} {request.id}",
	"sorry.json": `{"error":"{path}","status":{status}}`,
	"plain.txt":  "sorry: {path}",
	"page.php":   "x",
	"empty.html": "",
	"huge.html":  strings.Repeat("x", maxPage+1),
}

func read(name string) ([]byte, error) {
	text, ok := files[name]
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return []byte(text), nil
}

func exchange(lines ...string) *weir.Exchange {
	x := new(weir.Exchange)
	x.Reset(&weir.Conn{RemoteIP: "192.0.2.1"})
	x.Request.Method, x.Request.Path, x.ID = "GET", `/<a>&"`, "id-1"
	for _, l := range lines {
		name, value, _ := strings.Cut(l, ": ")
		x.Request.Header.Add(name, value)
	}
	return x
}

// fails is a handler whose server can't be reached.
func fails(cause weir.Cause, retryAfter int) weir.Handler {
	return weir.HandlerFunc(func(*weir.Exchange) error {
		return &weir.Fault{Op: "test", Cause: cause, RetryAfter: retryAfter}
	})
}

// answers is a server that answers.
func answers(status int, body *tracked, lines ...string) weir.Handler {
	return weir.HandlerFunc(func(x *weir.Exchange) error {
		x.Endpoint = &weir.Endpoint{}
		x.Response.Status, x.Response.Body = status, body
		for _, l := range lines {
			name, value, _ := strings.Cut(l, ": ")
			x.Response.Header.Add(name, value)
		}
		return nil
	})
}

// fixed is a fixed answer without a body.
func fixed(status int, failure bool, lines ...string) weir.Handler {
	return weir.HandlerFunc(func(x *weir.Exchange) error {
		x.Response.Status = status
		if failure {
			x.Fault = &weir.Fault{Cause: weir.CauseFixed, Status: status}
		}
		for _, l := range lines {
			name, value, _ := strings.Cut(l, ": ")
			x.Response.Header.Add(name, value)
		}
		return nil
	})
}

// answersNothing is a server that answers with a head alone.
func answersNothing(status int) weir.Handler {
	return weir.HandlerFunc(func(x *weir.Exchange) error {
		x.Endpoint, x.Response.Status = &weir.Endpoint{}, status
		return nil
	})
}

type tracked struct {
	*strings.Reader
	n      int64
	closed bool
}

func (b *tracked) Close() error          { b.closed = true; return nil }
func (b *tracked) Len() int64            { return b.n }
func (b *tracked) Trailer() *weir.Header { return nil }

func newBody(s string) *tracked { return &tracked{Reader: strings.NewReader(s), n: int64(len(s))} }

func answer(x *weir.Exchange) (header, body string) {
	var lines []string
	for _, f := range x.Response.Header.Fields() {
		lines = append(lines, f.Name+": "+f.Value)
	}
	if x.Response.Body != nil {
		b, err := io.ReadAll(x.Response.Body)
		if err != nil {
			return "", err.Error()
		}
		body = string(b)
	}
	return strings.Join(lines, "|"), body
}

const plain = "Content-Type: text/plain; charset=utf-8"

func TestPages(t *testing.T) {
	set := []Page{
		{Status: "404", File: "404.html"},
		{Status: "5xx", Body: "<b>{status}</b>"},
		{Status: "503", File: "plain.txt"},
		{Status: "403", File: "sorry.json"},
	}
	for _, tt := range []struct {
		name         string
		end          weir.Handler
		upstream     bool
		status       int
		header, body string
	}{
		{
			"an exact status", fails(weir.CauseNoRoute, 0), false, 404, "Vary: Accept|Content-Type: text/html; charset=utf-8",
			"<style>p{color:red}</style><h1>404 Not Found</h1><p>/&lt;a&gt;&amp;&#34; {nothing} id-1",
		},
		{"a class", fails(weir.CauseUpstreamReset, 0), false, 502, "Vary: Accept|Content-Type: text/html; charset=utf-8", "<b>502</b>"},
		{"a status before its class", fails(weir.CauseQueueFull, 7), false, 503, "Retry-After: 7|Vary: Accept|Content-Type: text/plain; charset=utf-8", `sorry: /<a>&"`},
		{"JSON", fails(weir.CauseDenied, 0), false, 403, "Content-Type: application/json", `{"error":"/\u003Ca\u003E\u0026\"","status":403}`},
		{"no page", fails(weir.CauseMethodRefused, 0), false, 405, plain, "405 Method Not Allowed\n"},
		{"a server's answer stays", answers(404, newBody("its own"), plain), false, 404, plain, "its own"},
		{
			"a server's answer is replaced", answers(500, newBody("its own"), "Content-Type: a/b", "Content-Encoding: gzip", "ETag: x", "content-language: de", "Set-Cookie: a=b", "Retry-After: 1"), true,
			500, "Set-Cookie: a=b|Retry-After: 1|Vary: Accept|Content-Type: text/html; charset=utf-8", "<b>500</b>",
		},
		{"a good answer stays", answers(200, newBody("fine"), plain), true, 200, plain, "fine"},
		{
			"a fixed answer stays", weir.HandlerFunc(func(x *weir.Exchange) error {
				x.Response.Text(503, "closed today")
				x.Fault = &weir.Fault{Cause: weir.CauseFixed}
				return nil
			}), true, 503, plain, "closed today",
		},
		{"a fixed failure without a body", fixed(503, true, "Retry-After: 60", "Content-Type: a/b"), false, 503, "Retry-After: 60|Vary: Accept|Content-Type: text/plain; charset=utf-8", `sorry: /<a>&"`},
		{"a fixed refusal without a body", fixed(403, false), false, 403, "Content-Type: application/json", `{"error":"/\u003Ca\u003E\u0026\"","status":403}`},
		{"a fixed answer without a body that no page is for", fixed(410, false), false, 410, "", ""},
		{"a good fixed answer without a body", fixed(204, false), false, 204, "", ""},
		{"a server's answer without a body stays", answersNothing(404), false, 404, "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			mw, err := New(Config{Pages: set, Upstream: tt.upstream, Read: read})
			if err != nil {
				t.Fatal(err)
			}
			x := exchange()
			if err := mw(tt.end).ServeExchange(x); err != nil {
				t.Fatal(err)
			}
			header, body := answer(x)
			if x.Response.Status != tt.status || header != tt.header || body != tt.body {
				t.Errorf("got %d\n%s\n%s\nwant %d\n%s\n%s", x.Response.Status, header, body, tt.status, tt.header, tt.body)
			}
		})
	}
}

func TestFaultIsKept(t *testing.T) {
	mw, err := New(Config{Pages: []Page{{Status: "5xx", Body: "x"}}})
	if err != nil {
		t.Fatal(err)
	}
	x := exchange()
	if err := mw(fails(weir.CauseUpstreamConnect, 0)).ServeExchange(x); err != nil || x.Fault == nil || x.Fault.Cause != weir.CauseUpstreamConnect {
		t.Errorf("error %v, fault %v", err, x.Fault)
	}
}

func TestServersBodyIsClosed(t *testing.T) {
	mw, err := New(Config{Pages: []Page{{Status: "5xx", Body: "x"}}, Upstream: true})
	if err != nil {
		t.Fatal(err)
	}
	small, long, endless := newBody("its own"), newBody(strings.Repeat("x", maxDrain+1)), newBody("its own")
	endless.n = -1
	for _, tt := range []struct {
		name string
		body *tracked
		read bool
	}{{"small", small, true}, {"long", long, false}, {"of unknown length", endless, false}} {
		if err := mw(answers(500, tt.body)).ServeExchange(exchange()); err != nil {
			t.Fatal(err)
		}
		if !tt.body.closed || (tt.body.Reader.Len() == 0) != tt.read {
			t.Errorf("%s: closed %v, %d bytes left", tt.name, tt.body.closed, tt.body.Reader.Len())
		}
	}
}

func TestNegotiation(t *testing.T) {
	mw, err := New(Config{Pages: []Page{{Status: "404", File: "404.html"}}, Read: read})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		accept string
		json   bool
	}{
		{"", false},
		{"*/*", false},
		{"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", false},
		{"application/json", true},
		{"application/problem+json", true},
		{"Application/JSON; charset=utf-8", true},
		{"application/json, text/plain, */*", true},
		{"application/json;q=0.9, text/html", false},
		{"application/json, text/html;q=0.9", true},
		{"text/html, application/json", false},
		{"text/*, application/json", true},
		{"application/json;q=0", false},
		{"application/*", false},
		{"application/json;q=0.5, */*", false},
		{"image/png", false},
		{";;,/,q=,application/json;q=x", true},
	} {
		x := exchange()
		if tt.accept != "" {
			x.Request.Header.Add("Accept", tt.accept)
		}
		if err := mw(fails(weir.CauseNoRoute, 0)).ServeExchange(x); err != nil {
			t.Fatal(err)
		}
		header, body := answer(x)
		if got := strings.Contains(header, "application/problem+json"); got != tt.json {
			t.Errorf("Accept %q: %s", tt.accept, header)
		}
		if tt.json {
			var p struct {
				Type, Title string
				Status      int
				ID          string `json:"request_id"`
			}
			if err := json.Unmarshal([]byte(body), &p); err != nil || p.Type != "about:blank" || p.Title != "Not Found" || p.Status != 404 || p.ID != "id-1" {
				t.Errorf("%s (%v)", body, err)
			}
		}
	}
}

func TestErrors(t *testing.T) {
	for _, tt := range []struct {
		pages []Page
		want  string
	}{
		{[]Page{{Status: "200", Body: "x"}}, `page "200": it is for no status: write one from "400" to "599", "4xx" or "5xx"`},
		{[]Page{{Status: "4XX", Body: "x"}}, "it is for no status"},
		{[]Page{{Status: "", Body: "x"}}, "it is for no status"},
		{[]Page{{Status: "40", Body: "x"}}, "it is for no status"},
		{[]Page{{Status: "404", File: "none.html"}}, `page "404": open none.html: file does not exist`},
		{[]Page{{Status: "404", File: "page.php"}}, `the name of file "page.php" tells no content type`},
		{[]Page{{Status: "404", File: "empty.html"}}, "it is empty"},
		{[]Page{{Status: "404"}}, "it is empty"},
		{[]Page{{Status: "404", File: "huge.html"}}, "it has 1048577 bytes, 1048576 are allowed"},
		{[]Page{{Status: "404", File: "404.html", Body: "x"}}, `it has both a file, "404.html", and a body`},
		{[]Page{{Status: "404", Body: "x", Type: "html"}}, `type "html" is no content type`},
		{[]Page{{Status: "4xx", Body: "x"}, {Status: "404", Body: "x"}, {Status: "4xx", Body: "x"}}, `page "4xx": there are two of them`},
		{[]Page{{Status: "404", Body: "x"}, {Status: "404", Body: "x"}}, `page "404": there are two of them`},
		{[]Page{{Status: "404"}, {Status: "405", Body: "x"}, {Status: "5xx", File: "huge.html"}}, "page \"404\": it is empty\npage \"5xx\": it has"},
	} {
		if _, err := New(Config{Pages: tt.pages, Read: read}); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: error %v, want %q", tt.pages, err, tt.want)
		}
	}
}

// FuzzPage: what clients write stays text.
func FuzzPage(f *testing.F) {
	for _, s := range []string{"<script>", `"><x y='`, "\\", "\x00\x1f", "\xff", "&lt;", "{status}"} {
		f.Add(s)
	}
	html, js := compile("<p title='{path}'>{path}", "text/html"), compile(`{"p":"{path}"}`, "application/json")
	f.Fuzz(func(t *testing.T, s string) {
		x := exchange()
		x.Request.Path = s
		if got := html.render(x); strings.Count(got, "<") != 1 || strings.Count(got, "'") != 2 || strings.Count(got, ">") != 1 {
			t.Fatalf("%q breaks out: %s", s, got)
		}
		var v map[string]string
		if got := js.render(x); json.Unmarshal([]byte(got), &v) != nil || len(v) != 1 || v["p"] != strings.ToValidUTF8(s, "\ufffd") && !strings.Contains(v["p"], "\ufffd") {
			t.Fatalf("%q becomes %s", s, got)
		}
	})
}
