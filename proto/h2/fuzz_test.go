package h2

import (
	"bytes"
	"io"
	"net"
	"strings"
	"testing"

	"weir"
	"weir/internal/clock"
	"weir/internal/poll"
	"weir/proto/internal/section"
)

// nobody observes nothing.
type nobody struct{}

func (nobody) Observe(*weir.Exchange) {}

// FuzzConnection sends anything behind the preface. Whatever comes, the server must end the connection by itself when
// the client ends its side, and every frame it sends must be one that a client can read.
func FuzzConnection(f *testing.F) {
	settings := appendSettings(nil, settingValue{settingWindow, 100})
	for _, wire := range [][]byte{
		nil,
		settings,
		append(settings, get(1)...),
		append(append(settings, post(1)...), appendData(nil, 1, true, []byte("body"))...),
		append(append(settings, post(1, "content-length", "3")...), appendData(nil, 1, true, []byte("body"))...),
		append(append(settings, get(1)...), appendReset(nil, 1, codeCancel)...),
		append(append(settings, get(1)...), rawWindow(rawWindow(nil, 0, 5), 1, maxWindow)...),
		append(append(settings, connect(1, "/")...), appendPing(nil, false, [8]byte{1})...),
		append(append(settings, appendHeaders(nil, 1, true, request("GET"), 7)...), appendGoAway(nil, 0, codeNone, "x")...),
		append(append(settings, post(1)...), appendHeaders(nil, 1, true, block("a", "b"), 100)...),
		append(settings, selfDependent(1)...),
	} {
		f.Add(wire)
	}
	f.Fuzz(func(t *testing.T, wire []byte) {
		srv := NewServer(ServerConfig{Handler: echo, Observer: nobody{}})
		near, far := net.Pipe()
		closed := make(chan struct{})
		pc := poll.FromNetConn(halfPipe{near})
		srv.ServeRead(pc, factsOf(pc), func() { close(closed) }, []byte(Preface))
		read := make(chan struct{})
		go func() {
			defer close(read)
			p := &peer{Conn: far, t: t}
			p.r = newReader(far)
			for {
				g, err := p.read()
				if err != nil {
					return
				}
				if g.length > minFrameSize || g.typ > frameContinuation || g.typ == framePush {
					t.Errorf("the server sent %+v", g.frame)
				}
			}
		}()
		far.Write(wire)
		far.Close()
		<-read
		<-closed
	})
}

// FuzzRequestFields decodes anything. What it takes must be fit to be written into an HTTP/1 head, and come out the same
// when it is encoded and decoded again.
func FuzzRequestFields(f *testing.F) {
	f.Add(request("GET"))
	f.Add(request("POST", "cookie", "a", "cookie", "b", "content-length", "3"))
	f.Add(connect(1, "/")[headerSize:])
	f.Add([]byte{0x82, 0x86, 0x84, 0x41, 0x8c, 0xf1, 0xe3, 0xc2, 0xe5, 0xf2, 0x3a, 0x6b, 0xa0, 0xab, 0x90, 0xf4, 0xff})
	f.Add([]byte{0x3f, 0xe1, 0x1f, 0x40, 0x01, 'a', 0x01, 'b', 0xbe})
	f.Fuzz(func(t *testing.T, wire []byte) {
		r, h, err := decode(wire, section.Request)
		if err != nil {
			return
		}
		sound(t, h)
		authority, err := r.Authority()
		if err != nil {
			return
		}
		q := weir.Request{Method: r.Method, Authority: authority, Header: *h}
		q.SetTarget(r.Path)
		if r.Method == "CONNECT" || strings.HasSuffix(r.Path, "?") {
			return
		}
		again, h2, err := decode(appendRequest(nil, &q, r.Scheme), section.Request)
		if err != nil || again.Path != r.Path || again.Method != r.Method || authorityOf(again) != authority || !sameFields(h, h2) {
			t.Errorf("%q: %v; %+v became %+v", wire, err, h.Fields(), h2.Fields())
		}
	})
}

func authorityOf(r *fieldReader) string {
	s, _ := r.Authority()
	return s
}

// FuzzResponseFields is the same for answers and trailers.
func FuzzResponseFields(f *testing.F) {
	f.Add(appendLength(appendStatus(nil, 200), 5), false)
	f.Add(block("a", "b"), true)
	f.Fuzz(func(t *testing.T, wire []byte, trailer bool) {
		kind := section.Response
		if trailer {
			kind = section.Trailer
		}
		r, h, err := decode(wire, kind)
		if err != nil {
			return
		}
		sound(t, h)
		if !trailer && (r.Status < 100 || r.Status > 999) {
			t.Errorf("status %d", r.Status)
		}
	})
}

// sound makes sure that nothing in h can break out of its line.
func sound(t *testing.T, h *weir.Header) {
	t.Helper()
	for _, f := range h.Fields() {
		if f.Name == "" || strings.ContainsAny(f.Name, "\r\n\x00: \tABCDEFGHIJKLMNOPQRSTUVWXYZ") || strings.ContainsAny(f.Value, "\r\n\x00") {
			t.Errorf("field %q: %q", f.Name, f.Value)
		}
		if section.Own(f.ID) || f.ID != weir.Identify(f.Name) {
			t.Errorf("field %+v", f)
		}
	}
}

func sameFields(a, b *weir.Header) bool {
	if a.Len() != b.Len() {
		return false
	}
	for i := range a.Len() {
		if a.At(i).Name != b.At(i).Name || a.At(i).Value != b.At(i).Value {
			return false
		}
	}
	return true
}

// FuzzFrames walks anything, cut anywhere: how it is cut must not matter.
func FuzzFrames(f *testing.F) {
	f.Add(append(appendSettings([]byte(Preface)), get(1)...), 30)
	f.Add(append(appendSettings([]byte(Preface)), appendHeaders(nil, 1, true, request("GET"), 5)...), 50)
	f.Fuzz(func(t *testing.T, wire []byte, cut int) {
		if cut < 0 || cut > len(wire) {
			return
		}
		whole, parts := newWalker(), newWalker()
		used, err := whole.walk(wire)
		k, err2 := parts.walk(wire[:cut])
		if err2 == nil {
			var k2 int
			k2, err2 = parts.walk(wire[k:])
			k += k2
		}
		if (err == nil) != (err2 == nil) || err == nil && used != k || err != nil && *err != *err2 {
			t.Fatalf("whole: %d, %v; cut at %d: %d, %v", used, err, cut, k, err2)
		}
		if !bytes.Equal(whole.out, parts.out) {
			t.Fatalf("whole: %x; cut at %d: %x", whole.out, cut, parts.out)
		}
	})
}

// newWalker is a connection without a client, whose streams are not served.
func newWalker() *conn {
	srv := NewServer(ServerConfig{Handler: echo, Observer: nobody{}, Limits: Limits{Streams: 3}})
	c := &conn{Conn: deaf{}, srv: srv, fields: newFieldReader(), facts: weir.Conn{Opened: clock.Now()}}
	c.begin(srv.config.Load())
	c.flushing = true
	return c
}

// A deaf is a connection that does nothing.
type deaf struct{ poll.Conn }

func (deaf) Start(poll.Task) {}
func (deaf) Woken() int64    { return 1 }

var _ io.Reader = deaf{}
