package h1

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"weir"
)

func TestFieldLinesRefused(t *testing.T) {
	const bad = weir.CauseRequestHeader
	cases := []refusalCase{}
	for _, line := range []string{
		":", ": x", "X", "X y", "X y: z", "X : y", "X\t: y", "X\r: y", " X: y", "\tX: y", "X: y\r\n z", "X: y\r\n\tz", "X: y\r\n \r\nZ: a",
		"X: y\rz", "X: y\nz", "X: y\n", "X: y\r", "X: y\r\r", "X:\n", "X\n", "X: y\r\n\rZ: a", "X: y\n\rZ: a",
		"X\x00: y", "X: \x00", "X: y\x00z", "X: \x01", "X: \x08", "X: \x0b", "X: \x0c", "X: \x1b[0m", "X: \x1f", "X: \x7f",
		"X\x7f: y", "X\x80: y", "\xc3\xa9: y", "\xef\xbb\xbfX: y", "X(y): z", "X[]: y", "X{}: y", "X/y: z", "X\\y: z", "X=y: z", "X@y: z",
		"X;y: z", "X,y: z", "X<y: z", "X?y: z", "\"X\": y",
		// A control byte wherever it may stand within the words that are looked at together.
		"X: \x00aaaaaaa", "X: a\x00aaaaaa", "X: aaaaaaa\x00", "X: aaaaaaaa\x00", "X: \t\x7f      ", "X: \xff\x00\xff\xff\xff\xff\xff\xff\xff",
		"X: \x80\x1f\x80\x80\x80\x80\x80\x80", "X: aaaaaaaaaaaaaaa\x0a", "X: \x20\x19\x20\x20\x20\x20\x20\x20",
	} {
		cases = append(cases, refusalCase{"GET / HTTP/1.1\r\nHost: a\r\n" + line + "\r\n\r\n", bad})
		cases = append(cases, refusalCase{"GET / HTTP/1.1\r\nHost: a\r\n" + line + "\r\nY: z\r\n\r\n", bad})
	}
	checkRefusals(t, cases)
}

// Every byte, at every place of a name and a value: it is accepted exactly where RFC 9110 allows it.
func TestFieldBytes(t *testing.T) {
	const token = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	for c := range 256 {
		for at := range 20 {
			name := []byte("aaaaaaaaaaaaaaaaaaaaaaa")
			name[at] = byte(c)
			_, _, fault := request(get(string(name) + ": x"))
			if want := strings.IndexByte(token, byte(c)) >= 0 || c == ':' && at > 0; (fault == nil) != want {
				t.Fatalf("byte %#02x at %d of a name: %v", c, at, fault)
			}
			_, _, fault = request(get("X: " + string(name)))
			if want := c >= ' ' && c != 0x7f || c == '\t'; (fault == nil) != want {
				t.Fatalf("byte %#02x at %d of a value: %v", c, at, fault)
			}
		}
	}
}

func TestFieldValues(t *testing.T) {
	for _, c := range []struct{ line, name, value string }{
		{"X:y", "X", "y"},
		{"X: y", "X", "y"},
		{"X: \t y \t ", "X", "y"},
		{"X:", "X", ""},
		{"X: \t ", "X", ""},
		{"X: a: b", "X", "a: b"},
		{"X: a \t b", "X", "a \t b"},
		{"x_y.z: \"\xe2\x82\xac\xff\"", "x_y.z", "\"\xe2\x82\xac\xff\""},
		{"Transfer_Encoding: chunked", "Transfer_Encoding", "chunked"},
	} {
		r, _, fault := request(get(c.line))
		if fault != nil || r.Header.Len() != 1 {
			t.Errorf("%q: %d fields, %v", c.line, r.Header.Len(), fault)
			continue
		}
		if f := r.Header.At(0); f.Name != c.name || f.Value != c.value || !f.Wire {
			t.Errorf("%q: %+v", c.line, *f)
		}
	}
}

func names(h *weir.Header) []string {
	var out []string
	for _, f := range h.Fields() {
		out = append(out, f.Name+"="+f.Value)
	}
	return out
}

// What concerns one connection only does not come through, and neither does what Connection names.
func TestHopByHopFieldsAreTaken(t *testing.T) {
	r, f, fault := request(get(
		"Keep-Alive: timeout=5", "Proxy-Connection: keep-alive", "TE: gzip;q=0.5, trailers", "Connection: close, Foo", "Foo: 1", "fOO: 2",
		"Upgrade: x", "HTTP2-Settings: AAM", "Proxy-Authorization: Basic eDp5", "Expect: 100-continue", "Content-Length: 0",
		"Trailer: Foo", "Connection: BAR", "Bar: 3", "Food: 4", "Connection: Keep-Alive, TE, Content-Length, Host",
	))
	if fault != nil {
		t.Fatal(fault)
	}
	if got := names(&r.Header); !slices.Equal(got, []string{"Trailer=Foo", "Food=4"}) {
		t.Errorf("passed on: %q", got)
	}
	if !r.TETrailers || !f.Close || f.Length != 0 || r.Authority != "a" {
		t.Errorf("te %v, close %v, length %d, authority %q", r.TETrailers, f.Close, f.Length, r.Authority)
	}
}

// A client must not have fields removed that others decide by.
func TestConnectionKeepsWhatIsForAll(t *testing.T) {
	for name, kept := range map[string]bool{
		"X-Forwarded-For": true, "x-forwarded-anything": true, "X-Real-IP": true, "Forwarded": true, "Authorization": true,
		"Cookie": true, "Via": true, "Range": true, "Cache-Control": true, "X-Hop": false, "foo": false, "Proxy-Authorization": false,
	} {
		r, _, fault := request(get(name+": 1", "Connection: close, "+name))
		if fault != nil {
			t.Fatal(fault)
		}
		if _, ok := r.Header.Lookup(name); ok != kept {
			t.Errorf("%s is there: %v", name, ok)
		}
	}
}

func TestConnectionNames(t *testing.T) {
	const bad = weir.CauseRequestHeader
	cases := []refusalCase{}
	for value, cause := range map[string]weir.Cause{
		"foo": 0, "": 0, "a,b,c,d,e,f,g,h": 0, "keep-alive": 0, "Transfer-Encoding": 0, "Host": 0, "\tfoo\t,bar": 0,
		strings.Repeat("a,", mostOptions): 0, strings.Repeat("a,", mostOptions+1): bad, "X-Anything": 0, "Cookie": 0,
		"foo bar": bad, "\"close\"": bad, "a;b": bad,
		"cloſe": bad, "\xc5\xbf": bad, "foo=1": bad,
	} {
		cases = append(cases, refusalCase{get("Connection: " + value), cause})
	}
	checkRefusals(t, cases)
}

func TestTE(t *testing.T) {
	for value, want := range map[string]bool{
		"trailers": true, "Trailers": true, "gzip, trailers": true, "trailers,deflate": true, "": false, "gzip": false, "trailersx": false,
		"trailers;q=0": false, "trailer": false, "trailer\xc5\xbf": false,
	} {
		if r, _, fault := request(get("TE: " + value)); fault != nil || r.TETrailers != want {
			t.Errorf("TE: %s: %v, %v", value, r.TETrailers, fault)
		}
	}
}

func TestFieldLimits(t *testing.T) {
	lim := Limits{Line: 40, Head: 200, Fields: 3}.orDefaults()
	for _, c := range []struct {
		head  string
		cause weir.Cause
	}{
		{get("a: 1", "b: 2"), weir.CauseNone},
		{get("a: 1", "b: 2", "c: 3"), weir.CauseRequestHeaderTooLarge},
		{"GET /" + strings.Repeat("x", 25) + " HTTP/1.1\r\nHost: a\r\n\r\n", weir.CauseNone},
		{"GET /" + strings.Repeat("x", 26) + " HTTP/1.1\r\nHost: a\r\n\r\n", weir.CauseNone},
		{"GET /" + strings.Repeat("x", 27) + " HTTP/1.1\r\nHost: a\r\n\r\n", weir.CauseRequestTooLong},
	} {
		var r weir.Request
		var f framing
		fault := parseRequest(c.head, nil, &lim, &r, &f)
		if (fault == nil) != (c.cause == 0) || fault != nil && fault.Cause != c.cause {
			t.Errorf("%q: %v, want %q", c.head, fault, c.cause)
		}
	}
}

func TestRefusalsHaveTheirStatus(t *testing.T) {
	for _, c := range []struct {
		head   string
		status int
	}{
		{"GET / HTTP/1.1\r\n\r\n", 400},
		{get("X : y"), 400},
		{post("Content-Length: 1", "Transfer-Encoding: chunked"), 400},
		{"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505},
		{"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", 405},
		{get("Expect: x"), 417},
		{"GET /" + strings.Repeat("x", 8<<10) + " HTTP/1.1\r\nHost: a\r\n\r\n", 414},
		{get(strings.Repeat("a: b\r\n", 100) + "c: d"), 431},
	} {
		if _, _, fault := request(c.head); fault == nil || fault.StatusCode() != c.status {
			t.Errorf("%.80q: %v, want %d", c.head, fault, c.status)
		}
	}
}

func TestHeadEnd(t *testing.T) {
	for _, c := range []struct {
		in   string
		want int
	}{
		{"", -1},
		{"\r\n", -1},
		{"a\r\nb: c\r\n", -1},
		{"a\r\nb: c\r\n\r", -1},
		{"a\r\nb: c\r\n\r\n", 11},
		{"a\r\nb: c\r\n\r\nrest", 11},
		{"a\nb\n\nrest", 5},
		{"a\nb\n\r\nrest", 6},
		{"a\r\n\nrest", 4},
		{"a\r\r\n\r\r\n", -1},
	} {
		if got := headEnd([]byte(c.in), 0); got != c.want {
			t.Errorf("headEnd(%q) = %d, want %d", c.in, got, c.want)
		}
		got := -1
		for n := 0; n < len(c.in) && got < 0; n++ {
			got = headEnd([]byte(c.in[:n+1]), n)
		}
		if got != c.want {
			t.Errorf("headEnd(%q) byte by byte = %d, want %d", c.in, got, c.want)
		}
	}
}

// What is sent to a server is written from what was understood, and can't be broken out of.
func TestRequestHeadIsWrittenAnew(t *testing.T) {
	r, _, fault := request("GET http://A:80/x?y HTTP/1.0\r\nhOST: a:80\r\nX:  y \r\nConnection: foo\r\nFoo: 1\r\nTE: trailers\r\nKeep-Alive: 1\r\n\r\n")
	if fault != nil {
		t.Fatal(fault)
	}
	r.Header.Add("Evil", "a\r\nInjected: yes")
	r.Header.Add("Ev il", "x")
	r.Header.Add("Evil:", "x")
	r.Header.Add("", "x")
	r.Header.Add("Nul", "\x00")
	r.Header.Add("Transfer-Encoding", "chunked")
	r.Header.Add("content-length", "7")
	r.Header.Add("Connection", "close")
	r.Header.Add("Fine", "a\tb\xff")
	got := string(appendRequestHead(nil, r))
	want := "GET /x?y HTTP/1.1\r\nHost: A:80\r\nX: y\r\nFine: a\tb\xff\r\nConnection: TE\r\nTE: trailers\r\n\r\n"
	if got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestRequestHeadFraming(t *testing.T) {
	for _, c := range []struct {
		method string
		body   weir.Body
		expect bool
		want   string
	}{
		{"GET", nil, false, ""},
		{"DELETE", nil, false, ""},
		{"POST", nil, false, "Content-Length: 0\r\n"},
		{"PUT", nil, true, "Content-Length: 0\r\n"},
		{"POST", weir.NewBody("abc"), false, "Content-Length: 3\r\n"},
		{"POST", weir.NewBody("abc"), true, "Content-Length: 3\r\nExpect: 100-continue\r\n"},
		{"GET", unknownLength{weir.NewBody("abc")}, false, "Transfer-Encoding: chunked\r\n"},
	} {
		r := weir.Request{Method: c.method, Path: "/", Authority: "a", Body: c.body, Expect: c.expect}
		want := fmt.Sprintf("%s / HTTP/1.1\r\nHost: a\r\n%s\r\n", c.method, c.want)
		if got := string(appendRequestHead(nil, &r)); got != want {
			t.Errorf("got  %q\nwant %q", got, want)
		}
	}
}

// unknownLength hides the length of a body.
type unknownLength struct{ weir.Body }

func (unknownLength) Len() int64 { return -1 }

// A field that a handler has changed goes out as changed, whatever stands around it.
func TestChangedFieldsAreWrittenAnew(t *testing.T) {
	for _, c := range []struct {
		change func(h *weir.Header)
		want   string
	}{
		{func(*weir.Header) {}, "A: 1\r\nCookie: 2\r\nB: 3\r\nC: 4\r\n"},
		{func(h *weir.Header) { h.Set("B", "x") }, "A: 1\r\nCookie: 2\r\nB: x\r\nC: 4\r\n"},
		{func(h *weir.Header) { h.SetKnown(weir.FieldCookie, "x") }, "A: 1\r\nCookie: x\r\nB: 3\r\nC: 4\r\n"},
		{func(h *weir.Header) { h.Set("B", "x\r\ny") }, "A: 1\r\nCookie: 2\r\nC: 4\r\n"},
		{func(h *weir.Header) { h.Del("Cookie") }, "A: 1\r\nB: 3\r\nC: 4\r\n"},
		{func(h *weir.Header) { h.Del("C"); h.Add("A", "5") }, "A: 1\r\nCookie: 2\r\nB: 3\r\nA: 5\r\n"},
		{func(h *weir.Header) { *h = h.Clone(); h.Del("A") }, "Cookie: 2\r\nB: 3\r\nC: 4\r\n"},
	} {
		r, _, fault := request("GET / HTTP/1.1\r\nA: 1\r\nCookie: 2\r\nHost: a\r\nConnection: D\r\nB:\t3\r\nD: y\r\nC: 4\r\n\r\n")
		if fault != nil {
			t.Fatal(fault)
		}
		c.change(&r.Header)
		if got, want := string(appendRequestHead(nil, r)), "GET / HTTP/1.1\r\nHost: a\r\n"+c.want+"\r\n"; got != want {
			t.Errorf("got  %q\nwant %q", got, want)
		}
	}
}

func TestAppendLength(t *testing.T) {
	for _, n := range []int64{0, 7, 9, 10, 99, 100, 1024, 1<<31 - 1, 1<<63 - 1} {
		if got, want := string(appendLength(nil, n)), strconv.FormatInt(n, 10); got != want {
			t.Errorf("%d is written %s", n, got)
		}
	}
}
