package section

import (
	"fmt"
	"strings"
	"testing"

	"weir"
)

// A message is what became of a section.
type message struct {
	Section
	h weir.Header
}

// read takes in a section of names and values as a codec does.
func read(kind Kind, fields ...string) (*message, error) {
	m := &message{}
	m.Begin(kind)
	for i := 0; i < len(fields); i += 2 {
		if err := m.note(fields[i], fields[i+1]); err != nil {
			return m, err
		}
	}
	return m, m.Settle(&m.h)
}

func (m *message) note(name, value string) error {
	if IsPseudo(name) {
		return m.Pseudo(name, value)
	}
	id := weir.Identify(name)
	kept, err := m.Field(id, name, value)
	if kept {
		m.h.AddField(weir.Field{Name: name, Value: value, ID: id, Wire: true})
	}
	return err
}

// pairs is a request with more fields.
func pairs(more ...string) []string {
	return append([]string{":method", "GET", ":scheme", "http", ":path", "/", ":authority", "a"}, more...)
}

// Whatever could become a second line, a second request or another length behind weir is refused.
func TestRefusedFields(t *testing.T) {
	for _, tt := range []struct {
		name, value string
		want        error
	}{
		{"X-Upper", "a", ErrName},
		{"x-uppeR", "a", ErrName},
		{"", "a", ErrName},
		{"a b", "c", ErrName},
		{"a:", "c", ErrName},
		{"a:b", "c", ErrName},
		{"a\r\nb", "c", ErrName},
		{"a\x00", "c", ErrName},
		{"a\t", "c", ErrName},
		{"\xc3\xa9", "c", ErrName},
		{"a\x7f", "c", ErrName},
		{"a", "b\r\nc: d", ErrValue},
		{"a", "b\nc", ErrValue},
		{"a", "b\rc", ErrValue},
		{"a", "b\x00", ErrValue},
		{"a", "\x01", ErrValue},
		{"a", "\x7f", ErrValue},
		{"a", " b", ErrValue},
		{"a", "b ", ErrValue},
		{"a", "\tb", ErrValue},
		{"a", "b\t", ErrValue},
		{"a", " ", ErrValue},
		{"connection", "close", ErrConnection},
		{"connection", "", ErrConnection},
		{"keep-alive", "timeout=5", ErrConnection},
		{"proxy-connection", "close", ErrConnection},
		{"transfer-encoding", "chunked", ErrConnection},
		{"upgrade", "websocket", ErrConnection},
		{"te", "gzip", ErrConnection},
		{"te", "trailers, gzip", ErrConnection},
		{"content-length", "", ErrLength},
		{"content-length", "1 ", ErrValue},
		{"content-length", "+1", ErrLength},
		{"content-length", "-1", ErrLength},
		{"content-length", "01", ErrLength},
		{"content-length", "1,1", ErrLength},
		{"content-length", "0x1", ErrLength},
		{"content-length", "9999999999999999999", ErrLength},
		{":path", "/again", ErrPseudo},
		{":status", "200", ErrPseudo},
		{":unknown", "a", ErrPseudo},
		{":", "a", ErrPseudo},
	} {
		if _, err := read(Request, append(pairs(), tt.name, tt.value)...); err != tt.want {
			t.Errorf("%q: %q: %v, want %v", tt.name, tt.value, err, tt.want)
		}
		if IsPseudo(tt.name) {
			continue
		}
		if _, err := read(Response, ":status", "200", tt.name, tt.value); err != tt.want {
			t.Errorf("in an answer, %q: %q: %v, want %v", tt.name, tt.value, err, tt.want)
		}
	}
	if _, err := read(Request, pairs("content-length", "1", "content-length", "1")...); err != ErrLength {
		t.Errorf("two lengths: %v", err)
	}
	if _, err := read(Request, pairs("host", "a", "host", "a")...); err != ErrHost {
		t.Errorf("two hosts: %v", err)
	}
	for _, name := range []string{":status", ":path", ":a"} {
		if _, err := read(Trailer, name, "200"); err != ErrPseudo {
			t.Errorf("%s in a trailer: %v", name, err)
		}
	}
}

// The pseudo fields of a request are all there, once, and before the others.
func TestRequestLines(t *testing.T) {
	for _, tt := range []struct {
		fields string // name=value, apart by spaces
		want   error
	}{
		{":method=GET :scheme=http :path=/ :authority=a", nil},
		{":authority=a :path=/ :scheme=HTTPS :method=GET", nil},
		{":method=OPTIONS :scheme=http :path=* :authority=a", nil},
		{":method=GET :scheme=http :path=* :authority=a", ErrPseudo},
		{":method=GET :scheme=http :path= :authority=a", ErrPseudo},
		{":method=GET :scheme=http :path=a :authority=a", ErrPseudo},
		{":method=GET :scheme=http :path=http://b/ :authority=a", ErrPseudo},
		{":method=GET :scheme=http :path=/#f :authority=a", ErrPseudo},
		{":method=GET :scheme=http :path=/\\ :authority=a", ErrPseudo},
		{":method=GET :scheme=http :path=/\r\n :authority=a", ErrPseudo},
		{":method=GET :scheme=http :path=/\x00 :authority=a", ErrPseudo},
		{":method=GET :scheme=ftp :path=/ :authority=a", ErrPseudo},
		{":method=GET :scheme= :path=/ :authority=a", ErrPseudo},
		{":method= :scheme=http :path=/ :authority=a", ErrMissing},
		{":method=G\r\nET :scheme=http :path=/ :authority=a", ErrMissing},
		{":method=GET:1 :scheme=http :path=/ :authority=a", ErrMissing},
		{":scheme=http :path=/ :authority=a", ErrMissing},
		{":method=GET :path=/ :authority=a", ErrMissing},
		{":method=GET :scheme=http :authority=a", ErrMissing},
		{":method=GET :method=GET :scheme=http :path=/ :authority=a", ErrPseudo},
		{":method=GET :scheme=http :path=/ a=b :authority=a", ErrPseudo},
		{":method=CONNECT :authority=a:1", nil},
		{":method=CONNECT :authority=a:1 :path=/", ErrPseudo},
		{":method=CONNECT :authority=a:1 :scheme=http", ErrPseudo},
		{":method=CONNECT", ErrPseudo},
		{":method=CONNECT :protocol=websocket :scheme=http :path=/ :authority=a", nil},
		{":method=CONNECT :protocol=websocket :scheme=http :path=/", ErrPseudo},
		{":method=CONNECT :protocol=websocket :path=/ :authority=a", ErrPseudo},
		{":method=CONNECT :protocol=websocket :scheme=http :path=/ :authority=a content-length=0", ErrPseudo},
		{":method=CONNECT :protocol=websocket :scheme=http :path=/ :authority=a expect=100-continue", ErrPseudo},
		{":method=CONNECT :protocol= :scheme=http :path=/ :authority=a", ErrPseudo},
		{":method=GET :protocol=websocket :scheme=http :path=/ :authority=a", ErrPseudo},
	} {
		var list []string
		for _, f := range strings.Split(tt.fields, " ") {
			name, value, _ := strings.Cut(f, "=")
			list = append(list, name, value)
		}
		if _, err := read(Request, list...); err != tt.want {
			t.Errorf("%q: %v, want %v", tt.fields, err, tt.want)
		}
	}
	if _, err := read(Request, ":method", "GET", ":scheme", "http", ":path", "/ HTTP/1.1", ":authority", "a"); err != ErrPseudo {
		t.Errorf("a space in :path: %v", err)
	}
}

func TestStatusLines(t *testing.T) {
	for s, want := range map[string]error{
		"200": nil, "100": nil, "599": nil, "999": nil, "": ErrPseudo, "20": ErrPseudo, "2000": ErrPseudo, "101": ErrPseudo,
		"099": ErrPseudo, "+20": ErrPseudo, "2 0": ErrPseudo,
	} {
		m, err := read(Response, ":status", s)
		if err != want || err == nil && fmt.Sprint(m.Status) != s {
			t.Errorf("%q: %v, want %v", s, err, want)
		}
	}
	if _, err := read(Response, "a", "b"); err != ErrMissing {
		t.Errorf("no status: %v", err)
	}
	if _, err := read(Response, ":status", "200", ":method", "GET"); err != ErrPseudo {
		t.Errorf("a request's field: %v", err)
	}
}

// Facts that concern one connection or are kept elsewhere do not stand among the fields.
func TestParsedFields(t *testing.T) {
	m, err := read(Request, pairs(
		"cookie", "a=1", "te", "trailers", "content-length", "12", "cookie", "b=2", "expect", "100-continue", "expect", "x",
		"proxy-authorization", "x", "host", "A", "http2-settings", "y", "x-a", "", "cookie", "c=3",
	)...)
	if err != nil {
		t.Fatal(err)
	}
	if m.h.Len() != 2 || m.h.Get("Cookie") != "a=1; b=2; c=3" || !m.h.HasKnown(weir.FieldCookie) {
		t.Errorf("fields %v", m.h.Fields())
	}
	if !m.Trailers || m.Length != 12 || m.Expect != "x" || m.Method != "GET" || m.Extended() {
		t.Errorf("facts %+v", m.Section)
	}
}

// A trailer says nothing of how its message is framed, routed or authorised, in whatever spelling.
func TestTrailer(t *testing.T) {
	m, err := read(Trailer,
		"grpc-status", "0", "content-length", "x", "host", "b", "te", "trailers", "cookie", "a", "authorization", "b", "x_forwarded_for", "c",
		"x-forwarded-anything", "d", "proxy", "e", "set_cookie", "f", "proxy-authorization", "g", "via", "h", "a_b", "i",
	)
	if err != nil {
		t.Fatal(err)
	}
	if m.h.Len() != 2 || m.h.Get("grpc-status") != "0" || m.h.Get("a_b") != "i" || m.Length != -1 {
		t.Errorf("kept %v", m.h.Fields())
	}
	if _, err := read(Trailer, "connection", "close"); err != ErrConnection {
		t.Errorf("connection: %v", err)
	}
}

func TestAuthority(t *testing.T) {
	const none = "-"
	for _, tt := range []struct{ authority, host, want string }{
		{"a", none, "a"},
		{none, "a", "a"},
		{"a", "A", "a"},
		{"a.b:80", "a.b:80", "a.b:80"},
		{"[::1]:80", none, "[::1]:80"},
		{"", none, ""},
		{none, none, ""},
		{none, "", ""},
		{"a", "b", ""},
		{"a", "", ""},
		{"", "a", ""},
		{"a:80", "a", ""},
		{"u@a", none, ""},
		{"a:x", none, ""},
		{"a:", none, ""},
		{"a/b", none, ""},
		{"a b", none, ""},
		{"a\r\nx: y", none, ""},
		{none, "a,b", ""},
	} {
		list := []string{":method", "GET", ":scheme", "http", ":path", "/"}
		if tt.authority != none {
			list = append(list, ":authority", tt.authority)
		}
		if tt.host != none {
			list = append(list, "host", tt.host)
		}
		m, err := read(Request, list...)
		if err == nil {
			var got string
			if got, err = m.Authority(); got != tt.want {
				t.Errorf("%q, %q: %q, want %q", tt.authority, tt.host, got, tt.want)
			}
		}
		if (err == nil) != (tt.want != "") {
			t.Errorf("%q, %q: %v", tt.authority, tt.host, err)
		}
	}
}

// What is said of a request that is refused can stand in a log.
func TestDescribe(t *testing.T) {
	for _, tt := range []struct {
		fields []string
		want   weir.Request
	}{
		{pairs("a b", "c"), weir.Request{Method: "GET", Path: "/", Authority: "a"}},
		{[]string{":method", "POST", ":path", "/p?q", ":path", "/"}, weir.Request{Method: "POST", Path: "/p", Query: "q"}},
		{[]string{":method", "G\n", ":path", "/\n", ":authority", "a\n"}, weir.Request{}},
		{[]string{":path", "*"}, weir.Request{}},
	} {
		m, err := read(Request, tt.fields...)
		if err == nil {
			t.Errorf("%q is taken", tt.fields)
		}
		var r weir.Request
		m.Describe(&r)
		if r.Method != tt.want.Method || r.Path != tt.want.Path || r.RawPath != tt.want.Path || r.Query != tt.want.Query || r.Authority != tt.want.Authority {
			t.Errorf("%q: %+v", tt.fields, r)
		}
	}
}

func TestSectionAllocates(t *testing.T) {
	fields := pairs("accept", "*/*", "user-agent", "x", "content-length", "12", "te", "trailers")
	m := &message{}
	if n := testing.AllocsPerRun(100, func() {
		m.Begin(Request)
		m.h.Reset()
		for i := 0; i < len(fields); i += 2 {
			m.note(fields[i], fields[i+1])
		}
		if m.Settle(&m.h) != nil || m.h.Len() != 2 {
			t.Error(m.h.Fields())
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzSection reads anything: names and values that are apart by NUL, which none of them may contain. What is taken can
// stand in the head of an HTTP/1 message, and says the same when it is read again.
func FuzzSection(f *testing.F) {
	f.Add(uint8(Request), strings.Join(pairs("cookie", "a", "cookie", "b", "content-length", "3", "host", "a"), "\x00"))
	f.Add(uint8(Request), ":method\x00CONNECT\x00:protocol\x00websocket\x00:scheme\x00https\x00:path\x00/\x00:authority\x00a")
	f.Add(uint8(Response), ":status\x00204\x00set-cookie\x00a=b")
	f.Add(uint8(Trailer), "grpc-status\x000\x00x_forwarded_for\x00a")
	f.Fuzz(func(t *testing.T, kind uint8, text string) {
		list := strings.Split(text, "\x00")
		if kind > uint8(Trailer) || len(list)%2 != 0 {
			return
		}
		m, err := read(Kind(kind), list...)
		if err != nil {
			return
		}
		again := sound(t, m)
		if len(again) != 2*m.h.Len() {
			t.Fatalf("%q", again)
		}
		if Kind(kind) == Request {
			soundRequest(t, m)
			again = append([]string{":method", "GET", ":scheme", "http", ":path", "/"}, again...)
		} else if Kind(kind) == Response {
			if m.Status < 100 || m.Status > 999 || m.Status == 101 {
				t.Fatalf("status %d", m.Status)
			}
			again = append([]string{":status", "200"}, again...)
		}
		if m2, err := read(Kind(kind), again...); err != nil || fmt.Sprint(m2.h.Fields()) != fmt.Sprint(m.h.Fields()) && Kind(kind) != Request {
			t.Fatalf("%q: %v", again, err)
		}
	})
}

// sound makes sure that nothing that was kept can break out of its line, and returns it.
func sound(t *testing.T, m *message) (list []string) {
	t.Helper()
	for _, f := range m.h.Fields() {
		if f.Name == "" || strings.ContainsAny(f.Name, "\r\n\x00: \t") || strings.ContainsAny(f.Value, "\r\n\x00") ||
			strings.Trim(f.Value, " \t") != f.Value || f.ID != weir.Identify(f.Name) || Own(f.ID) {
			t.Fatalf("field %+v", f)
		}
		list = append(list, strings.ToLower(f.Name), f.Value)
	}
	return list
}

func soundRequest(t *testing.T, m *message) {
	t.Helper()
	a, err := m.Authority()
	if strings.ContainsAny(m.Method+m.Path+a, " \t\r\n\x00") || m.Method == "" || strings.ContainsAny(a, "@/") || (a == "") != (err != nil) {
		t.Fatalf("%+v, %q", m.Section, a)
	}
	if m.Length < -1 {
		t.Fatalf("length %d", m.Length)
	}
	if m.Method != "CONNECT" && m.Path[0] != '/' && m.Path != "*" {
		t.Fatalf("path %q", m.Path)
	}
}
