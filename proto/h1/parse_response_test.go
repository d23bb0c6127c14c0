package h1

import (
	"slices"
	"strings"
	"testing"

	"weir"
)

// response parses the head of an answer to a request with that method, with the default limits.
func response(method, head string) (*weir.Response, framing, *weir.Fault) {
	var r weir.Response
	var f framing
	lim := Limits{}.orDefaults()
	fault := parseResponse(head, mapOf(head), &lim, method, &r, &f)
	return &r, f, fault
}

func answer200(fields ...string) string {
	return "HTTP/1.1 200 OK\r\n" + strings.Join(append(fields, ""), "\r\n") + "\r\n"
}

func TestStatusLine(t *testing.T) {
	for _, c := range []struct {
		line   string
		status int // 0: refused
	}{
		{"HTTP/1.1 200 OK", 200},
		{"HTTP/1.1 200 ", 200},
		{"HTTP/1.1 200", 200},
		{"HTTP/1.0 404 Not Found", 404},
		{"HTTP/1.1 299 caf\xc3\xa9\t(x)", 299},
		{"HTTP/1.1 200  two", 200},
		{"HTTP/1.1 100 Continue", 100},
		{"HTTP/1.1 599 x", 599},
		{"HTTP/1.1 999 x", 999},
		{"HTTP/1.1 000 x", 0},
		{"HTTP/1.1 099 x", 0},
		{"HTTP/1.1 20 OK", 0},
		{"HTTP/1.1 2000 OK", 0},
		{"HTTP/1.1 200OK", 0},
		{"HTTP/1.1 2x0 OK", 0},
		{"HTTP/1.1 -20 OK", 0},
		{"HTTP/1.1 +20 OK", 0},
		{"HTTP/1.1  200 OK", 0},
		{"HTTP/1.1\t200 OK", 0},
		{"HTTP/1.1 200\tOK", 0},
		{" HTTP/1.1 200 OK", 0},
		{"HTTP/1.1 200 a\x00b", 0},
		{"HTTP/1.1 200 a\rb", 0},
		{"HTTP/1.1 200 a\x7f", 0},
		{"HTTP/1.1 200 OK\r", 0},
		{"HTTP/1.2 200 OK", 0},
		{"HTTP/2.0 200 OK", 0},
		{"HTTP/0.9 200 OK", 0},
		{"http/1.1 200 OK", 0},
		{"HTTP/1.1", 0},
		{"HTTP/1.1 ", 0},
		{"ICY 200 OK", 0},
		{"", 0},
		{"<html>", 0},
	} {
		r, _, fault := response("GET", c.line+"\r\n\r\n")
		switch {
		case c.status == 0 && (fault == nil || fault.Cause != weir.CauseUpstreamHeader || fault.Side != weir.SideUpstream || fault.StatusCode() != 502):
			t.Errorf("%q: status %d, %v; want it refused", c.line, r.Status, fault)
		case c.status != 0 && (fault != nil || r.Status != c.status):
			t.Errorf("%q: status %d, %v", c.line, r.Status, fault)
		}
	}
}

func TestResponseRefused(t *testing.T) {
	const head, framing = weir.CauseUpstreamHeader, weir.CauseUpstreamFraming
	for _, c := range []struct {
		head  string
		cause weir.Cause
	}{
		{"HTTP/1.1 200 OK\nA: b\r\n\r\n", head},
		{"HTTP/1.1 200 OK\r\nA: b\n\r\n", head},
		{"HTTP/1.1 200 OK\r\nA: b\n\n", head},
		{answer200("A : b"), head},
		{answer200("A: b", " folded"), head},
		{answer200("A: b", "\tfolded"), head},
		{answer200(" A: b"), head},
		{answer200("A: b\rc"), head},
		{answer200("A: b\x00"), head},
		{answer200("A"), head},
		{answer200(": b"), head},
		{answer200(strings.Repeat("a: b\r\n", 100) + "c: d"), head},
		{answer200("Content-Length: 1", "Transfer-Encoding: chunked"), framing},
		{answer200("Transfer-Encoding: chunked", "Content-Length: 1"), framing},
		{answer200("Content-Length: 1", "Content-Length: 1"), framing},
		{answer200("Content-Length: 1", "Content-Length: 2"), framing},
		{answer200("Content-Length: 1, 1"), framing},
		{answer200("Content-Length:"), framing},
		{answer200("Content-Length: -1"), framing},
		{answer200("Content-Length: +1"), framing},
		{answer200("Content-Length: 0x1"), framing},
		{answer200("Content-Length: 18446744073709551617"), framing},
		{answer200("Transfer-Encoding: gzip, chunked"), framing},
		{answer200("Transfer-Encoding: chunked, chunked"), framing},
		{answer200("Transfer-Encoding: identity"), framing},
		{answer200("Transfer-Encoding: chunked", "Transfer-Encoding: chunked"), framing},
		{answer200("Transfer-Encoding: chun\xe2\x84\xaaed"), framing},
		{answer200("Transfer-Encoding: chunked;a"), framing},
		{"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", framing},
		{"HTTP/1.1 204 No Content\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", framing},
		{"HTTP/1.1 304 Not Modified\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", framing},
		{"HTTP/1.1 100 Continue\r\nContent-Length: x\r\n\r\n", framing},
	} {
		r, _, fault := response("GET", c.head)
		if fault == nil || fault.Cause != c.cause || fault.Side != weir.SideUpstream || fault.StatusCode() != 502 || fault.Retry != weir.RetryNever {
			t.Errorf("%.100q: %d, %+v; want %s", c.head, r.Status, fault, c.cause)
		}
	}
}

func TestResponseFraming(t *testing.T) {
	for _, c := range []struct {
		method, head string
		length       int64
		chunked      bool
		close        bool
	}{
		{"GET", answer200("Content-Length: 5"), 5, false, false},
		{"GET", answer200("Content-Length: 0005"), 5, false, false},
		{"GET", answer200("Content-Length: 0"), 0, false, false},
		{"GET", answer200("Transfer-Encoding: Chunked"), -1, true, false},
		{"GET", answer200(), -1, false, false},
		{"GET", answer200("Content-Length: 5", "Connection: close"), 5, false, true},
		{"GET", answer200("Content-Length: 5", "Connection: keep-alive"), 5, false, false},
		{"GET", "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n", 5, false, true},
		{"GET", "HTTP/1.0 200 OK\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\n", 5, false, false},
		{"GET", "HTTP/1.0 200 OK\r\nContent-Length: 5\r\nConnection: keep-alive, close\r\n\r\n", 5, false, true},
		{"GET", "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", 0, false, false},
		{"GET", "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n", 0, false, false},
		{"GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", 0, false, false},
		{"GET", "HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n", 0, false, false},
		{"GET", "HTTP/1.1 103 Early Hints\r\nContent-Length: 5\r\n\r\n", 0, false, false},
		{"HEAD", answer200("Content-Length: 5"), 5, false, false},
		{"HEAD", answer200("Transfer-Encoding: chunked"), -1, true, false},
		{"HEAD", answer200(), -1, false, false},
	} {
		_, f, fault := response(c.method, c.head)
		if fault != nil || f.Length != c.length || f.Chunked != c.chunked || f.Close != c.close {
			t.Errorf("%s %q: length %d, chunked %v, close %v, %v", c.method, c.head, f.Length, f.Chunked, f.Close, fault)
		}
	}
}

func TestResponseFields(t *testing.T) {
	r, f, fault := response("GET", answer200(
		"Server: x", "Connection: close, Foo, X-Hop", "Foo: 1", "Keep-Alive: timeout=5", "Proxy-Connection: close", "X-Hop: 1",
		"Set-Cookie: a=b", "Set-Cookie: c=d", "Content-Length: 2", "Trailer: T", "Proxy-Authenticate: Basic", "X-Stays: 1",
	))
	if fault != nil {
		t.Fatal(fault)
	}
	want := []string{"Server=x", "Set-Cookie=a=b", "Set-Cookie=c=d", "Trailer=T", "Proxy-Authenticate=Basic", "X-Stays=1"}
	if got := names(&r.Header); !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if !f.Close || f.Length != 2 {
		t.Errorf("close %v, length %d", f.Close, f.Length)
	}
}

func TestResponseUpgrade(t *testing.T) {
	_, f, fault := response("GET", "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: WebSocket\r\n\r\n")
	if fault != nil || f.Upgrade != "WebSocket" {
		t.Errorf("upgrade %q, %v", f.Upgrade, fault)
	}
	if _, f, _ := response("GET", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"); f.Upgrade != "" {
		t.Errorf("without Connection: upgrade %q", f.Upgrade)
	}
}

func TestResponseHeadIsWrittenAnew(t *testing.T) {
	var h weir.Header
	h.Add("A", "b")
	h.Add("Evil", "a\r\nSet-Cookie: x")
	h.Add("Evil", "a\nSet-Cookie: x")
	h.Add("Evil\r\nX", "y")
	h.Add("Transfer-Encoding", "chunked")
	h.Add("Content-Length", "9")
	for status, line := range map[int]string{200: "HTTP/1.1 200 OK", 404: "HTTP/1.1 404 Not Found", 299: "HTTP/1.1 299 ", 999: "HTTP/1.1 999 "} {
		if got, want := string(appendResponseHead(nil, status, &h)), line+"\r\nA: b\r\n"; got != want {
			t.Errorf("got  %q\nwant %q", got, want)
		}
	}
}
