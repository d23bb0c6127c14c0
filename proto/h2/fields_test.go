package h2

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/net/http2/hpack"

	"weir"
)

func defaultLimits() *Limits {
	l := Limits{}.orDefaults()
	return &l
}

// decode reads one section as a first one on a connection.
func decode(block []byte, kind section) (*fieldReader, *weir.Header, error) {
	r, h := newFieldReader(), &weir.Header{}
	err := r.read(block, kind, defaultLimits(), h)
	return r, h, err
}

// Whatever could become a second line, a second request or another length behind weir is refused.
func TestRefusedFields(t *testing.T) {
	for _, tt := range []struct {
		name, value string
		want        error
	}{
		{"X-Upper", "a", errName},
		{"x-uppeR", "a", errName},
		{"", "a", errName},
		{"a b", "c", errName},
		{"a:", "c", errName},
		{"a:b", "c", errName},
		{"a\r\nb", "c", errName},
		{"a\x00", "c", errName},
		{"a\t", "c", errName},
		{"\xc3\xa9", "c", errName},
		{"a\x7f", "c", errName},
		{"a", "b\r\nc: d", errValue},
		{"a", "b\nc", errValue},
		{"a", "b\rc", errValue},
		{"a", "b\x00", errValue},
		{"a", "\x01", errValue},
		{"a", "\x7f", errValue},
		{"a", " b", errValue},
		{"a", "b ", errValue},
		{"a", "\tb", errValue},
		{"a", "b\t", errValue},
		{"a", " ", errValue},
		{"connection", "close", errConnection},
		{"connection", "", errConnection},
		{"keep-alive", "timeout=5", errConnection},
		{"proxy-connection", "close", errConnection},
		{"transfer-encoding", "chunked", errConnection},
		{"upgrade", "websocket", errConnection},
		{"te", "gzip", errConnection},
		{"te", "trailers, gzip", errConnection},
		{"content-length", "", errLength},
		{"content-length", "1 ", errValue},
		{"content-length", "+1", errLength},
		{"content-length", "-1", errLength},
		{"content-length", "01", errLength},
		{"content-length", "1,1", errLength},
		{"content-length", "0x1", errLength},
		{"content-length", "9999999999999999999", errLength},
		{":path", "/again", errPseudo},
		{":status", "200", errPseudo},
		{":unknown", "a", errPseudo},
		{":", "a", errPseudo},
	} {
		block := append(request("GET"), block(tt.name, tt.value)...)
		if _, _, err := decode(block, sectionRequest); err != tt.want {
			t.Errorf("%q: %q: %v, want %v", tt.name, tt.value, err, tt.want)
		}
		if tt.name == "te" || tt.name[:min(1, len(tt.name))] == ":" {
			continue
		}
		block = append(appendStatus(nil, 200), block[len(request("GET")):]...)
		if _, _, err := decode(block, sectionResponse); err != tt.want {
			t.Errorf("in an answer, %q: %q: %v, want %v", tt.name, tt.value, err, tt.want)
		}
	}
	twice := append(request("GET"), block("content-length", "1", "content-length", "1")...)
	if _, _, err := decode(twice, sectionRequest); err != errLength {
		t.Errorf("two lengths: %v", err)
	}
}

func TestRequestLines(t *testing.T) {
	for _, tt := range []struct {
		fields string // name=value, apart by spaces
		want   error
	}{
		{":method=GET :scheme=http :path=/ :authority=a", nil},
		{":authority=a :path=/ :scheme=HTTPS :method=GET", nil},
		{":method=OPTIONS :scheme=http :path=* :authority=a", nil},
		{":method=GET :scheme=http :path=* :authority=a", errPseudo},
		{":method=GET :scheme=http :path= :authority=a", errPseudo},
		{":method=GET :scheme=http :path=a :authority=a", errPseudo},
		{":method=GET :scheme=http :path=http://b/ :authority=a", errPseudo},
		{":method=GET :scheme=http :path=/#f :authority=a", errPseudo},
		{":method=GET :scheme=http :path=/\\ :authority=a", errPseudo},
		{":method=GET :scheme=http :path=/\r\n :authority=a", errPseudo},
		{":method=GET :scheme=http :path=/\x00 :authority=a", errPseudo},
		{":method=GET :scheme=ftp :path=/ :authority=a", errPseudo},
		{":method=GET :scheme= :path=/ :authority=a", errPseudo},
		{":method= :scheme=http :path=/ :authority=a", errMissing},
		{":method=G\r\nET :scheme=http :path=/ :authority=a", errMissing},
		{":method=GET:1 :scheme=http :path=/ :authority=a", errMissing},
		{":scheme=http :path=/ :authority=a", errMissing},
		{":method=GET :path=/ :authority=a", errMissing},
		{":method=GET :scheme=http :authority=a", errMissing},
		{":method=GET :method=GET :scheme=http :path=/ :authority=a", errPseudo},
		{":method=GET :scheme=http :path=/ a=b :authority=a", errPseudo},
		{":method=CONNECT :authority=a:1", nil},
		{":method=CONNECT :authority=a:1 :path=/", errPseudo},
		{":method=CONNECT :authority=a:1 :scheme=http", errPseudo},
		{":method=CONNECT", errPseudo},
		{":method=CONNECT :protocol=websocket :scheme=http :path=/ :authority=a", nil},
		{":method=CONNECT :protocol=websocket :scheme=http :path=/", errPseudo},
		{":method=CONNECT :protocol=websocket :path=/ :authority=a", errPseudo},
		{":method=GET :protocol=websocket :scheme=http :path=/ :authority=a", errPseudo},
	} {
		var list []string
		for _, f := range strings.Split(tt.fields, " ") {
			name, value, _ := strings.Cut(f, "=")
			list = append(list, name, value)
		}
		if _, _, err := decode(block(list...), sectionRequest); err != tt.want {
			t.Errorf("%q: %v, want %v", tt.fields, err, tt.want)
		}
	}
	withSpace := block(":method", "GET", ":scheme", "http", ":path", "/ HTTP/1.1", ":authority", "a")
	if _, _, err := decode(withSpace, sectionRequest); err != errPseudo {
		t.Errorf("a space in :path: %v", err)
	}
}

func TestStatusLines(t *testing.T) {
	for s, want := range map[string]error{
		"200": nil, "100": nil, "599": nil, "999": nil, "": errPseudo, "20": errPseudo, "2000": errPseudo, "101": errPseudo,
		"099": errPseudo, "+20": errPseudo, "2 0": errPseudo,
	} {
		r, _, err := decode(block(":status", s), sectionResponse)
		if err != want || err == nil && fmt.Sprint(r.status) != s {
			t.Errorf("%q: %v, want %v", s, err, want)
		}
	}
	if _, _, err := decode(block("a", "b"), sectionResponse); err != errMissing {
		t.Errorf("no status: %v", err)
	}
	if _, _, err := decode(block(":status", "200", ":method", "GET"), sectionResponse); err != errPseudo {
		t.Errorf("a request's field: %v", err)
	}
}

// Facts that concern one connection or are kept elsewhere do not stand among the fields.
func TestParsedFields(t *testing.T) {
	r, h, err := decode(append(request("POST"), block(
		"cookie", "a=1", "te", "trailers", "content-length", "12", "cookie", "b=2", "expect", "100-continue",
		"proxy-authorization", "x", "host", "a", "http2-settings", "y", "x-a", "", "cookie", "c=3",
	)...), sectionRequest)
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(h.Fields()); h.Len() != 2 || h.Get("Cookie") != "a=1; b=2; c=3" {
		t.Errorf("fields %s", got)
	}
	if !r.trailers || r.length != 12 || r.expect != "100-continue" || r.host != "a" || r.method != "POST" {
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
			err = r.read(wire.Bytes(), sectionRequest, lim, h)
			if err != errName {
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
		if err = r.read(wire.Bytes(), sectionRequest, lim, h); err != nil {
			t.Fatalf("%d: %v", i, err)
		}
		if h.Get("x-n") != fmt.Sprint(i/3) || h.Get("After") != "the bad one" {
			t.Fatalf("%d: %+v", i, h.Fields())
		}
	}
	var fatal *connError
	if err := r.read([]byte{0x80}, sectionRequest, lim, h); !errors.As(err, &fatal) || fatal.code != codeCompression {
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
		if ownField[f.ID] || strings.HasSuffix(f.Name, "Bad") {
			continue
		}
		if g := got[i]; g.Name != strings.ToLower(f.Name) || g.Value != f.Value || g.Sensitive != secret[f.ID] {
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
			r, h, err := decode(appendRequest(nil, &q, scheme), sectionRequest)
			path := q.Path
			if q.Query != "" {
				path += "?" + q.Query
			}
			if err != nil || r.method != q.Method || r.authority != q.Authority || r.path != path || r.scheme != scheme || h.Get("User-Agent") != "x" {
				t.Errorf("%+v: %v, %+v", q, err, r)
			}
		}
	}
}

func TestIntegers(t *testing.T) {
	for _, n := range []int{0, 1, 14, 15, 16, 30, 31, 126, 127, 128, 255, 256, 1337, 16383, 16384, 1 << 20} {
		s := strings.Repeat("x", n)
		_, h, err := decode(append(request("GET"), block("a", s)...), sectionRequest)
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
