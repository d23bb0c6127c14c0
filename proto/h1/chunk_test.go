package h1

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"weir"
)

// A decoded is what a chunked body was found to be.
type decoded struct {
	body    string
	rest    int // bytes behind the body
	done    bool
	fault   *weir.Fault
	trailer []string
}

// decode feeds wire to a decoder in pieces of at most step bytes, and takes at most most bytes of content
// at a time.
func decode(wire string, step, most int) decoded {
	lim := Limits{}.orDefaults()
	return decodeWithin(&lim, wire, step, most)
}

func decodeWithin(lim *Limits, wire string, step, most int) (out decoded) {
	var d chunkDecoder
	d.reset(lim)
	var body []byte
	buf := []byte(wire)
	for fed, at := 0, 0; at < len(buf) || fed < len(buf); {
		if at == fed {
			fed = min(fed+step, len(buf))
		}
		used, data, done, f := d.next(buf[at:fed], most)
		if len(data) > most || used > fed-at || used == 0 && !done && f == nil {
			panic(fmt.Sprintf("%q: used %d of %d, %d bytes of content", wire, used, fed-at, len(data)))
		}
		body = append(body, data...)
		at += used
		if done || f != nil {
			return decoded{string(body), len(buf) - at, done, f, names(&d.trailer)}
		}
	}
	return decoded{body: string(body), trailer: names(&d.trailer)}
}

// gathered decodes all of wire by gather, from a copy, in pieces of at most step bytes.
func gathered(wire string, step, most int) (out decoded) {
	lim := Limits{}.orDefaults()
	var d chunkDecoder
	d.reset(&lim)
	var body []byte
	for at := 0; at < len(wire); {
		buf := []byte(wire[at:min(at+step, len(wire))])
		used, data, done, f := d.gather(buf, most)
		if len(data) > most || len(data) > 0 && len(data) > used {
			panic(fmt.Sprintf("%q: used %d, %d bytes of content", wire, used, len(data)))
		}
		body = append(body, data...)
		at += used
		if done || f != nil {
			return decoded{string(body), len(wire) - at, done, f, names(&d.trailer)}
		}
	}
	return decoded{body: string(body), trailer: names(&d.trailer)}
}

// decodeEveryWay decodes in several rhythms, which must not matter.
func decodeEveryWay(t *testing.T, wire string) decoded {
	t.Helper()
	whole := decode(wire, len(wire)+1, 1<<20)
	for _, way := range [][2]int{{1, 1 << 20}, {1, 1}, {2, 3}, {7, 5}, {len(wire) + 1, 1}, {len(wire) + 1, 4}} {
		got := decode(wire, way[0], way[1])
		same := got.body == whole.body && got.done == whole.done && (got.fault == nil) == (whole.fault == nil) && slices.Equal(got.trailer, whole.trailer)
		if !same || got.done && got.rest != whole.rest {
			t.Errorf("%q: in pieces of %d, content by %d: %+v; whole: %+v", wire, way[0], way[1], got, whole)
		}
	}
	for _, way := range [][2]int{{1, 1}, {5, 3}, {64, 1 << 20}, {len(wire) + 1, 1 << 20}, {len(wire) + 1, 7}} {
		got := gathered(wire, way[0], way[1])
		same := got.body == whole.body && got.done == whole.done && (got.fault == nil) == (whole.fault == nil) && slices.Equal(got.trailer, whole.trailer)
		if !same || got.done && got.rest != whole.rest {
			t.Errorf("%q: gathered in pieces of %d, content by %d: %+v; whole: %+v", wire, way[0], way[1], got, whole)
		}
	}
	return whole
}

// Small chunks that are at hand come out as one piece, large ones each for itself.
func TestChunksAreGathered(t *testing.T) {
	lim := Limits{}.orDefaults()
	var d chunkDecoder
	d.reset(&lim)
	small := []byte(strings.Repeat("1;x\r\na\r\n", 1000) + "0\r\n\r\nGET")
	used, data, done, f := d.gather(small, 1<<20)
	if used != len(small)-3 || string(data) != strings.Repeat("a", 1000) || !done || f != nil {
		t.Errorf("used %d of %d, %d bytes, %v, %v", used, len(small), len(data), done, f)
	}
	d.reset(&lim)
	large := strings.Repeat("x", 3*gatherMax)
	wire := fmt.Sprintf("%x\r\n%s\r\n", len(large), large)
	if used, data, _, _ := d.gather([]byte(wire+wire), 1<<20); len(data) > len(large)+gatherMax || used < len(large) {
		t.Errorf("%d bytes were moved", len(data)-len(large))
	}
}

func TestChunks(t *testing.T) {
	for _, c := range []struct {
		wire, body string
		rest       int
	}{
		{"0\r\n\r\n", "", 0},
		{"5\r\nhello\r\n0\r\n\r\n", "hello", 0},
		{"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\nGET /", "hello world", 5},
		{"A\r\n0123456789\r\na\r\n0123456789\r\n000\r\n\r\n", "01234567890123456789", 0},
		{"000000000000005\r\nhello\r\n0\r\n\r\n", "hello", 0},
		{"5;a\r\nhello\r\n0;b=c\r\n\r\n", "hello", 0},
		{"5;a=\"x;y\\\"\t z\";b\r\nhello\r\n0\r\n\r\n", "hello", 0},
		{"5;\r\nhello\r\n0\r\n\r\n", "hello", 0},
		{"2\r\n\r\n\r\n0\r\n\r\n", "\r\n", 0},
		{"7\r\n0\r\n\r\nGE\r\n0\r\n\r\nX", "0\r\n\r\nGE", 1},
		{"0\r\nA: b\r\n\r\nGET", "", 3},
	} {
		got := decodeEveryWay(t, c.wire)
		if !got.done || got.fault != nil || got.body != c.body || got.rest != c.rest {
			t.Errorf("%q: %+v", c.wire, got)
		}
	}
}

func TestChunksRefused(t *testing.T) {
	for _, wire := range []string{
		"\r\n0\r\n\r\n", " 0\r\n\r\n", "\t0\r\n\r\n", "0 \r\n\r\n", "0\t\r\n\r\n", "5 ;a\r\nhello\r\n0\r\n\r\n",
		"+0\r\n\r\n", "-0\r\n\r\n", "-1\r\n\r\n", "0x0\r\n\r\n", "0X5\r\nhello\r\n", "x5\r\nhello\r\n", "5_0\r\n", "5.0\r\nhello\r\n", "G\r\n", "\x005\r\n",
		"5,\r\nhello\r\n", "\"5\"\r\nhello\r\n", "\xef\xbc\x95\r\nhello\r\n", ";a\r\n\r\n", "=\r\n",
		"5\nhello\r\n0\r\n\r\n", "5\rhello\r\n0\r\n\r\n", "5\r\rhello", "5\r\n\nhello", "5;a\nhello\r\n0\r\n\r\n", "5;a\rb\r\nhello\r\n0\r\n\r\n", "5;\n",
		"5;a\x00\r\nhello\r\n0\r\n\r\n", "5;\x7f\r\nhello", "5;a=\"\r\"\r\nhello", "5;a=\"\n\"\r\nhello", "5;a\r\r\nhello",
		"5\r\nhelloX\r\n0\r\n\r\n", "5\r\nhello\n0\r\n\r\n", "5\r\nhello\r0\r\n\r\n", "5\r\nhello0\r\n\r\n", "5\r\nhello \r\n0\r\n\r\n", "4\r\nhello\r\n0\r\n\r\n",
		"0000000000000005\r\nhello\r\n", "FFFFFFFFFFFFFFFF\r\n", "10000000000000000\r\nx", "8000000000000000\r\n", "100000000000000000000000005\r\nhello\r\n",
		"0\r\nA\r\n\r\n", "0\r\nA : b\r\n\r\n", "0\r\n A: b\r\n\r\n", "0\r\nA: b\r\n c\r\n\r\n", "0\r\nA: b\x00\r\n\r\n", "0\r\n: b\r\n\r\n", "0\r\nA: b\rc\r\n\r\n",
		"0\r\n\n", "0\r\nA: b\n", "0\r\nA: b\r\n\n", "0\r\nA: b\n\r\n", "0\r\n\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "0\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
		"0\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "0\r\nHost: a b\r\n\r\n", "0\r\n\r\r\n\r\n",
		"0\r\nA: " + strings.Repeat("x", 8<<10), strings.Repeat("0\r\n", 1)[:0] + "0\r\n" + strings.Repeat("a: b\r\n", 101) + "\r\n",
		"1;" + strings.Repeat("x", maxExtensions+1), strings.Repeat("1;"+strings.Repeat("x", 1023)+"\r\na\r\n", 17),
	} {
		got := decodeEveryWay(t, wire)
		if got.fault == nil {
			t.Errorf("%.120q: %+v, want it refused", wire, got)
		} else if got.fault.Cause != weir.CauseRequestBody || got.fault.StatusCode() != 400 {
			t.Errorf("%.120q: %v", wire, got.fault)
		}
	}
}

func TestChunksUnended(t *testing.T) {
	const wire = "5;a=b\r\nhello\r\n0\r\nA: b\r\n\r\n"
	for n := range len(wire) {
		if got := decodeEveryWay(t, wire[:n]); got.done || got.fault != nil || !strings.HasPrefix("hello", got.body) {
			t.Errorf("%q: %+v", wire[:n], got)
		}
	}
}

func TestTrailer(t *testing.T) {
	got := decodeEveryWay(t, "0\r\nGrpc-Status: 0\r\nX: y\r\nETag: \"z\"\r\nX-Forward: 1\r\nMy_Sum: 2\r\n\r\n")
	if want := []string{"Grpc-Status=0", "X=y", "ETag=\"z\"", "X-Forward=1", "My_Sum=2"}; !got.done || !slices.Equal(got.trailer, want) {
		t.Errorf("%+v, want %q", got, want)
	}
	// Fields that frame, route or authorise can't come after the fact.
	for _, line := range []string{
		"Content-Length: 5", "Transfer-Encoding: chunked", "Host: b", "Connection: foo", "TE: trailers", "Trailer: x", "Authorization: x",
		"Proxy-Authorization: x", "Cookie: a=b", "Set-Cookie: a=b", "Content-Encoding: gzip", "Content-Type: text/html", "Range: bytes=0-",
		"Forwarded: for=1.2.3.4", "X-Forwarded-For: 1.2.3.4", "X-Forwarded-Host: b", "X-Forwarded-Proto: https", "X-Forwarded-Prefix: /a",
		"X-Real-IP: 1.2.3.4", "Via: 1.1 a", "Cache-Control: no-store", "Age: 1", "Expires: 0", "Location: /", "Vary: *", "Upgrade: x",
		"Expect: 100-continue", "Keep-Alive: x", "Proxy-Connection: x", "HTTP2-Settings: x", "If-Match: *", "If-None-Match: *",
		"If-Modified-Since: x", "Proxy: http://evil.test", "X-Request-ID: x", "X-Forwarded-Port: 1", "x-forwarded-user: root", "X-Forwarded: 1",
		"X_Forwarded_For: 1.2.3.4", "X-Forwarded_Port: 1", "x_real_ip: 1.2.3.4", "X_Request_ID: x", "Content_Length: 5", "TRANSFER_encoding: chunked",
		"Proxy_Authorization: x", "If_Match: *",
	} {
		got := decode("0\r\n"+line+"\r\nKept: 1\r\n\r\n", 1000, 1000)
		if !got.done || !slices.Equal(got.trailer, []string{"Kept=1"}) {
			t.Errorf("%q: %+v", line, got)
		}
	}
}

func TestTrailerLimit(t *testing.T) {
	lim := Limits{Trailer: 20, Fields: 2}.orDefaults()
	for wire, ok := range map[string]bool{
		"0\r\nA: 4567\r\nB: 12\r\n\r\n":     true,
		"0\r\nA: 4567\r\nB: 123456\r\n\r\n": false,
		"0\r\nA: 456789012345678901":        false,
		"0\r\na:1\r\nb:2\r\n\r\n":           true,
		"0\r\na:1\r\nb:2\r\nc:3\r\n\r\n":    false,
	} {
		for _, step := range []int{1, 3, 100} {
			if got := decodeWithin(&lim, wire, step, 100); (got.fault == nil) != ok || got.done != ok {
				t.Errorf("%q in pieces of %d: %+v", wire, step, got)
			}
		}
	}
}

func TestDecoderIsUsedAgain(t *testing.T) {
	lim := Limits{}.orDefaults()
	var d chunkDecoder
	for range 2 {
		d.reset(&lim)
		used, data, done, f := d.next([]byte("1\r\nx\r\n0\r\nA: b\r\n\r\n"), 100)
		if string(data) != "x" || done || f != nil {
			t.Fatal(used, data, done, f)
		}
		if _, _, done, f = d.next([]byte("\r\n0\r\nA: b\r\n\r\n"), 100); !done || f != nil || d.trailer.Len() != 1 {
			t.Fatal(done, f, d.trailer.Len())
		}
	}
}
