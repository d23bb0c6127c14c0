package h2

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/net/http2/hpack"

	"weir"
	"weir/proto/internal/section"
)

func defaultLimits() *Limits {
	l := Limits{}.orDefaults()
	return &l
}

// decode reads one section as a first one on a connection.
func decode(block []byte, kind section.Kind) (*fieldReader, *weir.Header, error) {
	r, h := newFieldReader(), &weir.Header{}
	err := r.read(block, kind, defaultLimits(), h)
	return r, h, err
}

// Facts that concern one connection or are kept elsewhere do not stand among the fields.
func TestParsedFields(t *testing.T) {
	r, h, err := decode(append(request("POST"), block(
		"cookie", "a=1", "te", "trailers", "content-length", "12", "cookie", "b=2", "expect", "100-continue",
		"proxy-authorization", "x", "host", "a", "http2-settings", "y", "x-a", "", "cookie", "c=3",
	)...), section.Request)
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(h.Fields()); h.Len() != 2 || h.Get("Cookie") != "a=1; b=2; c=3" {
		t.Errorf("fields %s", got)
	}
	if !r.Trailers || r.Length != 12 || r.Expect != "100-continue" || r.Method != "POST" {
		t.Errorf("facts %+v", r)
	}
	for i := range h.Len() {
		if f := h.At(i); !f.Wire && f.ID != weir.FieldCookie || f.Line || f.ID != weir.Identify(f.Name) {
			t.Errorf("field %+v", f)
		}
	}
}

// A section that is refused leaves the compression in step: the next one is understood.
func TestStateSurvives(t *testing.T) {
	r, h, lim := newFieldReader(), &weir.Header{}, defaultLimits()
	var wire bytes.Buffer
	enc := hpack.NewEncoder(&wire)
	for i := range 50 {
		wire.Reset()
		for _, f := range []hpack.HeaderField{
			{Name: ":method", Value: "GET"},
			{Name: ":scheme", Value: "http"},
			{Name: ":path", Value: "/"},
			{Name: ":authority", Value: "a"},
			{Name: "x-n", Value: fmt.Sprint(i / 3)},
		} {
			enc.WriteField(f)
		}
		var err error
		switch i % 4 {
		case 1:
			wire.Write(block("Bad", "x"))
			enc.WriteField(hpack.HeaderField{Name: "after", Value: "the bad one"})
			err = r.read(wire.Bytes(), section.Request, lim, h)
			if err != section.ErrName {
				t.Fatalf("%d: %v", i, err)
			}
			continue
		case 2:
			if err := r.skip(wire.Bytes(), lim); err != nil {
				t.Fatal(err)
			}
			continue
		}
		enc.WriteField(hpack.HeaderField{Name: "after", Value: "the bad one"})
		if err = r.read(wire.Bytes(), section.Request, lim, h); err != nil {
			t.Fatalf("%d: %v", i, err)
		}
		if h.Get("x-n") != fmt.Sprint(i/3) || h.Get("After") != "the bad one" {
			t.Fatalf("%d: %+v", i, h.Fields())
		}
	}
	var fatal *connError
	if err := r.read([]byte{0x80}, section.Request, lim, h); !errors.As(err, &fatal) || fatal.code != codeCompression {
		t.Errorf("index 0: %v", err)
	}
}

// What is encoded is decoded to the same by somebody else.
func TestEncode(t *testing.T) {
	var h weir.Header
	for id := weir.FieldOther + 1; id.String() != ""; id++ {
		h.AddKnown(id, "value of "+id.String())
	}
	h.Add("X-Long-"+strings.Repeat("n", 200), strings.Repeat("v", 5000))
	h.Add("X-Empty", "")
	h.Add("X-Bad", "a\nb")
	h.Add("X Bad", "a")
	var got []hpack.HeaderField
	dec := hpack.NewDecoder(4096, func(f hpack.HeaderField) { got = append(got, f) })
	for status := 100; status < 600; status++ {
		got = nil
		if _, err := dec.Write(appendStatus(nil, status)); err != nil || len(got) != 1 || got[0].Name != ":status" || got[0].Value != fmt.Sprint(status) {
			t.Fatalf("status %d: %v %v", status, err, got)
		}
	}
	got = nil
	if _, err := dec.Write(appendLength(appendFields(nil, &h), 1234567)); err != nil {
		t.Fatal(err)
	}
	i := 0
	for _, f := range h.Fields() {
		if section.Own(f.ID) || strings.HasSuffix(f.Name, "Bad") {
			continue
		}
		if g := got[i]; g.Name != strings.ToLower(f.Name) || g.Value != f.Value || g.Sensitive != section.Secret(f.ID) {
			t.Errorf("%+v became %+v", f, g)
		}
		i++
	}
	if len(got) != i+1 || got[i].Name != "content-length" || got[i].Value != "1234567" {
		t.Errorf("%d fields, want %d: %v", len(got), i+1, got[i:])
	}
}

func TestEncodeRequest(t *testing.T) {
	for _, q := range []weir.Request{
		{Method: "GET", Authority: "a", Path: "/"},
		{Method: "POST", Authority: "a.b:80", Path: "/p", Query: "q=1"},
		{Method: "PURGE", Authority: "[::1]", Path: "/" + strings.Repeat("p", 300), Query: strings.Repeat("q", 300)},
	} {
		for _, scheme := range []string{"http", "https"} {
			q.Header.Reset()
			q.Header.Add("User-Agent", "x")
			r, h, err := decode(appendRequest(nil, &q, scheme), section.Request)
			path := q.Path
			if q.Query != "" {
				path += "?" + q.Query
			}
			if authority, bad := r.Authority(); bad != nil || authority != q.Authority {
				t.Errorf("%+v: %q, %v", q, authority, bad)
			}
			if err != nil || r.Method != q.Method || r.Path != path || r.Scheme != scheme || h.Get("User-Agent") != "x" {
				t.Errorf("%+v: %v, %+v", q, err, r)
			}
		}
	}
}

func TestIntegers(t *testing.T) {
	for _, n := range []int{0, 1, 14, 15, 16, 30, 31, 126, 127, 128, 255, 256, 1337, 16383, 16384, 1 << 20} {
		s := strings.Repeat("x", n)
		_, h, err := decode(append(request("GET"), block("a", s)...), section.Request)
		if n > 60000 {
			if err == nil {
				t.Errorf("%d bytes are taken", n)
			}
			continue
		}
		if err != nil || h.Get("a") != s {
			t.Errorf("%d: %v", n, err)
		}
	}
}

func TestSettings(t *testing.T) {
	for _, tt := range []struct {
		id    setting
		value uint32
		want  errorCode
	}{
		{settingPush, 0, codeNone},
		{settingPush, 2, codeProtocol},
		{settingWindow, maxWindow, codeNone},
		{settingWindow, maxWindow + 1, codeFlowControl},
		{settingFrameSize, minFrameSize - 1, codeProtocol},
		{settingFrameSize, maxFrameSize + 1, codeProtocol},
		{settingFrameSize, maxFrameSize, codeNone},
		{settingConnect, 1, codeNone},
		{settingConnect, 2, codeProtocol},
		{settingTableSize, 1<<32 - 1, codeNone},
		{settingStreams, 0, codeNone},
		{settingHeaderList, 0, codeNone},
		{99, 1<<32 - 1, codeNone},
	} {
		s := newPeerSettings()
		err := s.apply(appendSettings(nil, settingValue{tt.id, tt.value})[headerSize:])
		if err == nil && tt.want != codeNone || err != nil && err.code != tt.want {
			t.Errorf("%d = %d: %v, want %v", tt.id, tt.value, err, tt.want)
		}
	}
	s := newPeerSettings()
	if err := s.apply(make([]byte, 7)); err == nil || err.code != codeFrameSize {
		t.Errorf("an odd length: %v", err)
	}
}

// A client whose table is smaller than the usual is told that ours is empty before anything else.
func TestTableSize(t *testing.T) {
	w := newWorld(t, "poller")
	w.serve(ServerConfig{Handler: ok})
	p := w.peer(settingValue{settingTableSize, 0})
	p.send(get(1))
	if g := p.until(frameHeaders); g.p[0] != hpackResize {
		t.Errorf("the head begins with %x", g.p[0])
	}
	p.send(get(3))
	if g := p.until(frameHeaders); g.p[0] == hpackResize {
		t.Error("so does the second")
	}
}
