package h1

import (
	"bufio"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"weir"
)

// FuzzRequest checks that a head that is accepted
//   - is within the limits,
//   - is read by the reference, and by net/http where that accepts it, with the same framing, host and fields,
//   - says the same when it is written anew and read again.
func FuzzRequest(f *testing.F) {
	for _, head := range []string{
		get(), post("Content-Length: 5"), post("Transfer-Encoding: chunked", "TE: trailers"), get("Connection: close, foo", "Foo: x"),
		get("Connection: Upgrade", "Upgrade: websocket"), post("Expect: 100-continue", "Content-Length: 1"),
		"GET http://a:80/b?c HTTP/1.1\r\nHost: A:80\r\n\r\n", "OPTIONS * HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
		"OPTIONS http://a HTTP/1.1\r\nHost: a\r\n\r\n", "GET / HTTP/1.1\r\nHost: [::1]:8\r\nA:\t b \xff\t\r\n\r\n",
	} {
		f.Add(head)
	}
	lim := Limits{Line: 200, Head: 1000, Fields: 8, Trailer: 100}
	f.Fuzz(func(t *testing.T, head string) {
		n := headEnd([]byte(head), 0)
		if grown := growing(head); grown != n {
			t.Fatalf("the head ends at %d, and byte by byte at %d", n, grown)
		}
		if n < 0 {
			return
		}
		head = head[:n]
		var r weir.Request
		var fr framing
		fault := parseRequest(head, nil, &lim, &r, &fr)
		sameByMap(t, head, &lim, &r, &fr, fault)
		if fault != nil {
			if fault.Side != weir.SideClient || fault.StatusCode() < 400 || fault.StatusCode() >= 600 || fault.Err == nil {
				t.Fatalf("%+v", fault)
			}
			return
		}
		checkLimits(t, head, &lim, r.Header.Len())
		ref, ok := readStrictly(head, refRequest)
		if !ok || ref.length != fr.Length || ref.chunks != fr.Chunked {
			t.Fatalf("length %d, chunked %v; the reference: %+v, %v", fr.Length, fr.Chunked, ref, ok)
		}
		checkPassedOn(t, &r.Header, ref.fields)
		checkNetHTTP(t, head, &r, &fr)
		checkWrittenAnew(t, &r, &fr)
	})
}

// growing returns what headEnd says as the input comes byte by byte.
func growing(s string) int {
	buf := []byte(s)
	for n := range buf {
		if end := headEnd(buf[:n+1], n); end >= 0 {
			return end
		}
	}
	return -1
}

func checkLimits(t *testing.T, head string, lim *Limits, fields int) {
	t.Helper()
	if line := strings.IndexByte(head, '\r'); line > lim.Line || fields > lim.Fields {
		t.Fatalf("a line of %d bytes and %d fields are accepted", line, fields)
	}
}

// checkPassedOn makes sure that h has nothing but fields of the message, in order, and none of the
// connection's own.
func checkPassedOn(t *testing.T, h *weir.Header, sent [][2]string) {
	t.Helper()
	for _, f := range h.Fields() {
		i := slices.Index(sent, [2]string{f.Name, f.Value})
		if i < 0 || connectionField[f.ID] || f.ID != weir.Identify(f.Name) {
			t.Fatalf("%+v is passed on; sent was %q", f, sent)
		}
		sent = sent[i+1:]
	}
}

// checkNetHTTP compares with net/http, which is laxer and often refuses more, but must not read another length.
func checkNetHTTP(t *testing.T, head string, r *weir.Request, fr *framing) {
	t.Helper()
	other, err := http.ReadRequest(bufio.NewReader(strings.NewReader(head)))
	if err != nil {
		return
	}
	length := max(fr.Length, 0)
	if fr.Chunked {
		length = -1
	}
	if other.ContentLength != length || slices.Equal(other.TransferEncoding, []string{"chunked"}) != fr.Chunked {
		t.Fatalf("net/http: length %d, codings %q; weir: %d, %v", other.ContentLength, other.TransferEncoding, fr.Length, fr.Chunked)
	}
	if other.Method != r.Method || !strings.EqualFold(other.Host, r.Authority) {
		t.Fatalf("net/http: %s %q; weir: %s %q", other.Method, other.Host, r.Method, r.Authority)
	}
}

// framedBody is a body of which only the length matters.
type framedBody struct {
	weir.Body
	n int64
}

func (b framedBody) Len() int64 { return b.n }

func checkWrittenAnew(t *testing.T, r *weir.Request, fr *framing) {
	t.Helper()
	if r.Authority == "" {
		return // HTTP/1.0 without a host
	}
	if fr.Chunked || fr.Length > 0 {
		r.Body = framedBody{n: fr.Length}
	}
	head := string(appendRequestHead(nil, r))
	again, f, fault := request(head)
	if fault != nil {
		t.Fatalf("written anew %q: %v", head, fault)
	}
	same := again.Method == r.Method && again.Path == r.Path && again.Query == r.Query && again.Authority == r.Authority &&
		again.Upgrade == r.Upgrade && again.Expect == r.Expect && f.Chunked == fr.Chunked && max(f.Length, 0) == max(fr.Length, 0)
	if !same || !slices.Equal(names(&again.Header), names(&r.Header)) || f.Close {
		t.Fatalf("written anew %q: %+v, was %+v", head, again, r)
	}
}

// FuzzResponse does for answers what FuzzRequest does for requests.
func FuzzResponse(f *testing.F) {
	for _, head := range []string{
		answer200(), answer200("Content-Length: 5"), answer200("Transfer-Encoding: chunked", "Trailer: a"), answer200("Connection: close, a", "A: b"),
		"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 204\r\n\r\n", "HTTP/1.1 304 \r\nContent-Length: 5\r\n\r\n",
		"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n", "HTTP/1.1 100 Continue\r\n\r\n",
	} {
		f.Add(head, false)
		f.Add(head, true)
	}
	lim := Limits{Line: 200, Head: 1000, Fields: 8, Trailer: 100}
	f.Fuzz(func(t *testing.T, head string, isHead bool) {
		n := headEnd([]byte(head), 0)
		if n < 0 {
			return
		}
		head = head[:n]
		method := "GET"
		if isHead {
			method = "HEAD"
		}
		var r weir.Response
		var fr framing
		fault := parseResponse(head, nil, &lim, method, &r, &fr)
		sameAnswerByMap(t, head, &lim, method, &r, &fr, fault)
		if fault != nil {
			if fault.Side != weir.SideUpstream || fault.StatusCode() != 502 || fault.Retry != weir.RetryNever {
				t.Fatalf("%+v", fault)
			}
			return
		}
		ref, ok := readStrictly(head, refStatus)
		if !isHead && (r.Status < 200 || r.Status == 204 || r.Status == 304) {
			ref.length, ref.chunks = 0, false
		}
		if !ok || ref.length != fr.Length || ref.chunks != fr.Chunked {
			t.Fatalf("length %d, chunked %v; the reference: %+v, %v", fr.Length, fr.Chunked, ref, ok)
		}
		if r.Status < 100 || r.Status > 999 || r.Header.Len() > lim.Fields {
			t.Fatalf("status %d, %d fields", r.Status, r.Header.Len())
		}
		checkPassedOn(t, &r.Header, ref.fields)
		checkNetHTTPAnswer(t, head, method, r.Status, &fr)
		again, _, fault := response(method, string(appendResponseHead(nil, r.Status, &r.Header))+"\r\n")
		if fault != nil || again.Status != r.Status || !slices.Equal(names(&again.Header), names(&r.Header)) {
			t.Fatalf("written anew: %+v, %v; was %+v", again, fault, r)
		}
	})
}

func checkNetHTTPAnswer(t *testing.T, head, method string, status int, fr *framing) {
	t.Helper()
	other, err := http.ReadResponse(bufio.NewReader(strings.NewReader(head)), &http.Request{Method: method})
	if err != nil || status < 200 || status == 204 || status == 304 || method == "HEAD" {
		return
	}
	length := fr.Length
	if fr.Chunked {
		length = -1
	}
	if other.ContentLength != length || slices.Equal(other.TransferEncoding, []string{"chunked"}) != fr.Chunked {
		t.Fatalf("net/http: length %d, codings %q; weir: %d, %v", other.ContentLength, other.TransferEncoding, fr.Length, fr.Chunked)
	}
}

// FuzzChunks checks that a chunked body comes out the same in whatever pieces it arrives and is taken, and
// as the reference reads it.
func FuzzChunks(f *testing.F) {
	for _, wire := range []string{
		"0\r\n\r\n", "5\r\nhello\r\n0\r\n\r\nrest", "a;b=\"c\"\r\n0123456789\r\n0\r\nA: b\r\n\r\n", "5\r\nhello\r\n000;x\r\n\r\n", "1\nx", "0\r\n\n",
		"FFFFFFFFFFFFFFF\r\nx", "0\r\nA: b\r\nContent-Length: 5\r\n\r\n",
	} {
		f.Add(wire, uint8(1), uint8(1))
		f.Add(wire, uint8(200), uint8(3))
	}
	f.Fuzz(func(t *testing.T, wire string, step, most uint8) {
		if len(wire) > maxExtensions {
			return
		}
		whole := decode(wire, len(wire)+1, len(wire)+1)
		parts := decode(wire, int(step)+1, int(most)+1)
		if whole.body != parts.body || whole.done != parts.done || (whole.fault == nil) != (parts.fault == nil) || !slices.Equal(whole.trailer, parts.trailer) {
			t.Fatalf("whole %+v, in parts %+v", whole, parts)
		}
		joined := gathered(wire, int(step)+1, int(most)+1)
		if whole.body != joined.body || whole.done != joined.done || (whole.fault == nil) != (joined.fault == nil) || !slices.Equal(whole.trailer, joined.trailer) {
			t.Fatalf("whole %+v, gathered %+v", whole, joined)
		}
		body, rest, ok := dechunkStrictly(wire)
		switch {
		case whole.fault != nil && whole.fault.Cause != weir.CauseRequestBody:
			t.Fatalf("%+v", whole.fault)
		case whole.done && (!ok || body != whole.body || len(rest) != whole.rest || parts.rest != whole.rest):
			t.Fatalf("%+v; the reference: %q, %q, %v", whole, body, rest, ok)
		case ok && !whole.done && whole.fault == nil:
			t.Fatalf("%+v is not done; the reference: %q, %q", whole, body, rest)
		case whole.done:
			checkNetHTTPChunks(t, wire, body)
		}
	})
}

func checkNetHTTPChunks(t *testing.T, wire, body string) {
	t.Helper()
	m, err := http.ReadResponse(bufio.NewReader(strings.NewReader(answer200("Transfer-Encoding: chunked")+wire)), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(m.Body); err == nil && string(got) != body {
		t.Fatalf("net/http reads %q, weir %q", got, body)
	}
}

// FuzzConnection checks what a Connection field and the lists like it lead to: nothing that it names comes
// through, and everything else does.
func FuzzConnection(f *testing.F) {
	for _, value := range []string{
		"close", "keep-alive, foo", "Upgrade, HTTP2-Settings", "TE , foo", ",,", "x-real-ip", "cookie", "a,b,c,d,e,f,g,h,i", "\t foo \t,", "clo\xc5\xbfe",
	} {
		f.Add(value, "foo")
	}
	f.Fuzz(func(t *testing.T, value, name string) {
		if strings.ContainsAny(value, "\r\n") || name == "" || !all(name, classToken) {
			return
		}
		r, fr, fault := request(get(name+": 1", "Kept: 2", "Connection: "+value))
		if fault != nil {
			return
		}
		named := map[string]bool{}
		for option := range strings.SplitSeq(value, ",") {
			named[strings.ToLower(strings.Trim(option, " \t"))] = true
		}
		if fr.connection.close != named["close"] || fr.connection.upgrade != named["upgrade"] || fr.connection.te != named["te"] {
			t.Fatalf("%+v", fr.connection)
		}
		for _, field := range r.Header.Fields() {
			if named[strings.ToLower(field.Name)] && !isOption(field.Name) && !isEndToEnd(field.Name) {
				t.Fatalf("%q is passed on", field.Name)
			}
		}
		if _, ok := r.Header.Lookup("Kept"); !ok && !named["kept"] {
			t.Fatal("Kept is gone")
		}
	})
}

// isOption reports whether a name in Connection is an option of the connection and not a field.
func isOption(name string) bool {
	return weir.EqualFold(name, "close") || weir.EqualFold(name, "keep-alive") || weir.EqualFold(name, "upgrade") || weir.EqualFold(name, "te")
}

// FuzzLists checks the readers of single values against plain ones.
func FuzzLists(f *testing.F) {
	for _, value := range []string{"trailers", "gzip;q=0, Trailers", "a.example:80", "[::1]:443", "00012", "999999999999999999", "websocket/13"} {
		f.Add(value)
	}
	f.Fuzz(func(t *testing.T, value string) {
		want := false
		for item := range strings.SplitSeq(value, ",") {
			item = strings.Trim(item, " \t")
			want = want || len(item) == len("trailers") && strings.EqualFold(latin(item), "trailers")
		}
		if got := hasToken(value, "trailers"); got != want {
			t.Errorf("hasToken = %v, want %v", got, want)
		}
		if n, ok := parseLength(value); ok != refLength.MatchString(value) || n < 0 {
			t.Errorf("parseLength = %d, %v", n, ok)
		}
		if value != "" && validHost(value) {
			checkHost(t, value)
		}
		wantVisible := !strings.ContainsFunc(latin(value), func(r rune) bool { return r <= ' ' || r == 0x7f })
		if got := visible(value); got != wantVisible {
			t.Errorf("visible = %v, want %v", got, wantVisible)
		}
		wantClean := !strings.ContainsFunc(latin(value), func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f })
		if got := clean(value); got != wantClean {
			t.Errorf("clean = %v, want %v", got, wantClean)
		}
	})
}

// checkHost makes sure that an accepted authority can't be taken for anything else.
func checkHost(t *testing.T, s string) {
	t.Helper()
	if strings.ContainsAny(s, "@/?#\\ \t%<>\"^`{|}~!$&'()*+,;=") || strings.ContainsFunc(latin(s), func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		t.Errorf("validHost(%q)", s)
	}
	r := weir.Request{Authority: s}
	if host := r.Host(); host == "" || strings.ContainsAny(host, "[]") || s[0] != '[' && strings.Contains(host, ":") {
		t.Errorf("host of %q: %q", s, host)
	}
}
