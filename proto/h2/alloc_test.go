package h2

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"runtime"
	"testing"

	"golang.org/x/net/http2/hpack"

	"weir"
	"weir/internal/poll"
	"weir/proto/h1"
)

// fixed answers with a short text and allocates nothing for it.
var fixed = weir.HandlerFunc(func(x *weir.Exchange) error {
	x.Response.Status = 200
	x.Response.Header.AddKnown(weir.FieldContentType, "text/plain")
	x.Response.Body = shortText
	return nil
})

// A text is a body that may be read by many at a time, whole.
type text []byte

var shortText weir.Body = text("hello, world\n")

func (s text) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
func (s text) Close() error             { return nil }
func (s text) Len() int64               { return int64(len(s)) }
func (s text) Trailer() *weir.Header    { return nil }
func (s text) WriteTo(w io.Writer) (int64, error) {
	n, err := w.Write(s)
	return int64(n), err
}

// A burst is a client that sends many requests at a time and reads their answers.
type burst struct {
	c      net.Conn
	stream uint32
	first  []byte // request heads before the table is filled
	then   []byte // and after
	wire   []byte
	in     []byte
	r, w   int
	large  int // bytes of an answer, where they are many
}

func newBurst(t testing.TB, addr string) *burst {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	b := &burst{c: c, stream: 1, in: make([]byte, 256<<10)}
	var head bytes.Buffer
	enc := hpack.NewEncoder(&head)
	for i := range 2 {
		head.Reset()
		for _, f := range [][2]string{
			{":method", "GET"},
			{":scheme", "http"},
			{":authority", "a.example"},
			{":path", "/index.html?a=b"},
			{"user-agent", "h2load nghttp2/1.52.0"},
			{"accept", "*/*"},
			{"x-other", "c"},
		} {
			enc.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]})
		}
		if i == 0 {
			b.first = append(b.first, head.Bytes()...)
		} else {
			b.then = append(b.then, head.Bytes()...)
		}
	}
	if _, err := c.Write(appendSettings([]byte(Preface), settingValue{settingWindow, maxWindow})); err != nil {
		t.Fatal(err)
	}
	return b
}

// exchange sends n requests and reads n answers.
func (b *burst) exchange(t testing.TB, n int) {
	b.wire = b.wire[:0]
	switch {
	case b.large > 0:
		b.wire = appendWindow(b.wire, 0, n*b.large)
	case b.stream == 1:
		b.wire = appendWindow(b.wire, 0, maxWindow-startWindow)
	}
	for range n {
		head := b.then
		if b.stream == 1 {
			head = b.first
		}
		b.wire = appendHeaders(b.wire, b.stream, true, head, minFrameSize)
		b.stream += 2
	}
	if _, err := b.c.Write(b.wire); err != nil {
		t.Fatal(err)
	}
	for left := n; left > 0; {
		for b.w-b.r < headerSize || b.w-b.r < headerSize+parseFrame(b.in[b.r:]).length {
			if b.r > 0 {
				b.w = copy(b.in, b.in[b.r:b.w])
				b.r = 0
			}
			k, err := b.c.Read(b.in[b.w:])
			if err != nil {
				t.Fatal(err)
			}
			b.w += k
		}
		f := parseFrame(b.in[b.r:])
		switch {
		case f.typ == frameGoAway || f.typ == frameReset:
			t.Fatalf("%+v, code %d", f, binary.BigEndian.Uint32(b.in[b.r+headerSize:]))
		case (f.typ == frameData || f.typ == frameHeaders) && f.has(flagEndStream):
			left--
		}
		b.r += headerSize + f.length
	}
}

// serveOn starts a server with h on a poller and returns its address.
func serveOn(t testing.TB, g *poll.Group, h weir.Handler) string {
	srv := NewServer(ServerConfig{Handler: h, Observer: nobody{}})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	pl, err := g.Listen(l, func(c poll.Conn) { srv.Serve(c, factsOf(c), nil) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pl.Close(); srv.Close() })
	return l.Addr().String()
}

// bareOrigin answers every HTTP/1.1 request with the same bytes and without an allocation.
func bareOrigin(t testing.TB, wire string) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				out, buf := []byte(wire), make([]byte, 4096)
				for {
					if n, err := c.Read(buf); err != nil || n == 0 {
						return
					}
					c.Write(out)
				}
			}()
		}
	}()
	return l.Addr().String()
}

const originAnswer = "HTTP/1.1 200 OK\r\nServer: o\r\nContent-Type: text/plain\r\nX-Seq: 1\r\nContent-Length: 5\r\n\r\nhello"

// A request on a kept connection allocates next to nothing.
func TestAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	g, err := poll.NewGroup(1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.Close)
	tr := h1.NewTransport(&weir.Endpoint{Upstream: "u", Name: "o", Address: bareOrigin(t, originAnswer)}, h1.TransportConfig{Group: g})
	t.Cleanup(tr.Close)
	forward := weir.HandlerFunc(func(x *weir.Exchange) error { return tr.RoundTrip(x) })
	for _, tt := range []struct {
		name    string
		h       weir.Handler
		streams int
		most    float64
	}{
		{"server, one at a time", fixed, 1, 0.5},
		{"server, 50 at a time", fixed, 50, 0.5},
		{"proxy, one at a time", forward, 1, 1},
		{"proxy, 50 at a time", forward, 50, 1},
	} {
		b := newBurst(t, serveOn(t, g, tt.h))
		rounds := 4000 / tt.streams
		for range rounds {
			b.exchange(t, tt.streams)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range rounds {
			b.exchange(t, tt.streams)
		}
		runtime.ReadMemStats(&after)
		n := float64(rounds * tt.streams)
		got := float64(after.Mallocs-before.Mallocs) / n
		t.Logf("%s: %.2f allocations, %.0f bytes a request", tt.name, got, float64(after.TotalAlloc-before.TotalAlloc)/n)
		if got > tt.most {
			t.Errorf("%s: %.2f allocations a request, want at most %.1f", tt.name, got, tt.most)
		}
	}
}

func BenchmarkRequests(b *testing.B) {
	g, err := poll.NewGroup(1)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(g.Close)
	var body weir.Body = text(make([]byte, 64<<10))
	large := weir.HandlerFunc(func(x *weir.Exchange) error {
		x.Response.Status, x.Response.Body = 200, body
		return nil
	})
	for _, tt := range []struct {
		name    string
		streams int
		h       weir.Handler
	}{{"1", 1, fixed}, {"10", 10, fixed}, {"100", 100, fixed}, {"64KiB", 10, large}} {
		b.Run(tt.name, func(b *testing.B) {
			streams := tt.streams
			c := newBurst(b, serveOn(b, g, tt.h))
			if tt.name == "64KiB" {
				c.large = 64 << 10
			}
			b.ReportAllocs()
			b.ResetTimer()
			for n := b.N; n > 0; n -= streams {
				c.exchange(b, min(n, streams))
			}
		})
	}
}
