package fcgi

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"weir"
	"weir/internal/poll"
)

func TestFind(t *testing.T) {
	root := t.TempDir()
	for _, file := range []string{"index.php", "shop/cart.php", "shop/index.php", "uploads/picture.jpg"} {
		file = filepath.Join(root, file)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := scripts{root: root, index: "index.php", suffix: ".php"}
	for _, tt := range []struct {
		path, name, info string
		there            bool
	}{
		{"/shop/cart.php", "/shop/cart.php", "", true},
		{"/shop/cart.php/items/7", "/shop/cart.php", "/items/7", true},
		{"/shop/cart.php/", "/shop/cart.php", "/", true},
		{"/shop/cart.php/other.php", "/shop/cart.php", "/other.php", true},
		{"/shop//cart.php//x", "/shop/cart.php", "//x", true},
		{"/shop/", "/shop/index.php", "", true},
		{"/shop", "/index.php", "", true},
		{"/shop/about", "/index.php", "", true},
		{"/none/", "/index.php", "", true},
		{"/", "/index.php", "", true},
		{"/.php/x", "/index.php", "", true},
		{"/cart.PHP", "/index.php", "", true},
		{"/cart.php5", "/index.php", "", true},
		{"/cart.php%20", "/index.php", "", true},
		{"/uploads/picture.jpg/x.php", "/uploads/picture.jpg/x.php", "", false},
		{"/uploads/picture.jpg%20/.php", "/index.php", "", true},
		{"/none.php", "/none.php", "", false},
		{"/c%61rt%2ephp/%7e%20", "/cart.php", "/~ ", false},
		{"/x/../shop/cart.php/../index.php", "/shop/index.php", "", true},
		{"/a%3F.php", "/a?.php", "", false},
	} {
		sc, ok := s.find(tt.path)
		if !ok || sc.name != tt.name || sc.info != tt.info || s.exists(sc) != tt.there {
			t.Errorf("%s: %+v, %v, there: %v; want %q, %q", tt.path, sc, ok, s.exists(sc), tt.name, tt.info)
		}
	}
	for _, path := range []string{"", "*", "shop", "/../a.php", "/a%00.php", "/a\x00.php", "/a%0A.php", "/a%7F.php", "/a%2Fb.php", "/shop/cart.php%2Fx.php", "/a%5Cb.php", "/..%2Fa.php", "/a.php/%0D", "/a%2F/", "/%", "/a b.php"} {
		if sc, ok := s.find(path); ok {
			t.Errorf("%q: %+v", path, sc)
		}
	}
	s.remote = true
	for path, want := range map[string]string{"/none/": "/none/index.php", "/none": "/index.php", "/": "/index.php"} {
		if sc, ok := s.find(path); !ok || sc.name != want {
			t.Errorf("remote, %s: %+v, %v", path, sc, ok)
		}
	}
}

func TestServerName(t *testing.T) {
	local := netip.MustParseAddrPort("10.0.0.1:8080")
	for _, tt := range []struct{ scheme, authority, name, port string }{
		{"http", "a.com", "a.com", "80"},
		{"https", "a.com", "a.com", "443"},
		{"https", "a.com:8443", "a.com", "8443"},
		{"http", "[::1]:81", "[::1]", "81"},
		{"http", "[::1]", "[::1]", "80"},
		{"http", "", "10.0.0.1", "80"},
	} {
		name, port := serverName(&weir.Request{Scheme: tt.scheme, Authority: tt.authority}, local)
		if name != tt.name || port != tt.port {
			t.Errorf("%s, %q: %q, %q", tt.scheme, tt.authority, name, port)
		}
	}
}

// vars returns the variables of x's request.
func vars(t *testing.T, e *environment, x *weir.Exchange, length int64) map[string]string {
	t.Helper()
	b, err := e.appendTo(nil, x, script{name: "/a.php", info: "/i", path: "/a.php/i"}, length)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for s := string(b); s != ""; {
		n := int(s[4])<<8 | int(s[5])
		if recordType(s[1]) != typeParams || len(s) < recordHead+n || !readParams(s[recordHead:recordHead+n], got) {
			t.Fatalf("malformed records: %.100q", s)
		}
		if s = s[recordHead+n:]; n == 0 && s != "" {
			t.Fatalf("the variables end too early: %.100q", s)
		}
	}
	return got
}

func TestVariables(t *testing.T) {
	e := &environment{scripts: scripts{root: "/srv"}}
	x := &weir.Exchange{Conn: &weir.Conn{}}
	x.Request = weir.Request{Method: "GET", Scheme: "https", Authority: "a", Path: "/x/../a.php/i", Protocol: "HTTP/2"}
	for _, f := range []string{"proxy", "PROXY", "A_B", "A.B", "A!", "Connection", "Transfer-Encoding", "Content-Length", "Host", "TE"} {
		x.Request.Header.Add(f, "evil")
	}
	x.Request.Header.Add("a-b", "1")
	x.Request.Header.Add("A-B", "2")
	want := map[string]string{
		"SCRIPT_FILENAME": "/srv/a.php", "SCRIPT_NAME": "/a.php", "PATH_INFO": "/i", "DOCUMENT_ROOT": "/srv", "DOCUMENT_URI": "/a.php/i",
		"GATEWAY_INTERFACE": "CGI/1.1", "SERVER_SOFTWARE": "weir", "SERVER_PROTOCOL": "HTTP/2.0", "REDIRECT_STATUS": "200", "REQUEST_METHOD": "GET",
		"REQUEST_SCHEME": "https", "HTTPS": "on", "QUERY_STRING": "", "REQUEST_URI": "/a.php/i", "SERVER_NAME": "a", "SERVER_PORT": "443",
		"HTTP_HOST": "a", "HTTP_A_B": "1, 2",
	}
	if got := vars(t, e, x, -1); !reflect.DeepEqual(got, want) {
		t.Errorf("%q\nwant %q", got, want)
	}
	x.Request.Header.Reset()
	x.Conn = &weir.Conn{Remote: netip.MustParseAddrPort("10.0.0.9:1234"), Local: netip.MustParseAddrPort("[::1]:80")}
	x.Client, x.ClientIP = x.Conn.Remote.Addr(), "10.0.0.9"
	got := vars(t, e, x, 0)
	if got["REMOTE_ADDR"] != "10.0.0.9" || got["REMOTE_PORT"] != "1234" || got["SERVER_ADDR"] != "::1" || got["CONTENT_LENGTH"] != "0" {
		t.Errorf("%q", got)
	}
	x.Client, x.ClientIP = netip.MustParseAddr("192.0.2.1"), "192.0.2.1" // what a trusted proxy said
	got = vars(t, e, x, 0)
	if _, told := got["REMOTE_PORT"]; told || got["REMOTE_ADDR"] != "192.0.2.1" {
		t.Errorf("the port of another: %q", got)
	}
}

// Variables fill records up to the last byte, and none stands in two.
func TestVariablesInRecords(t *testing.T) {
	for _, n := range []int{1, 126, 127, 128, 32_000, 65_000, maxContent - 5 - 1, maxContent - 5} {
		w := newParams(nil)
		for i := range 5 {
			w.add(fmt.Sprint(i), strings.Repeat("x", n-(n/maxContent)))
		}
		out, err := w.finish()
		fits := n+1+1+lengthSize(n) <= maxContent
		if (err == nil) != fits {
			t.Fatalf("%d: %v", n, err)
		}
		got := map[string]string{}
		for s := string(out); fits && s != ""; {
			size := int(s[4])<<8 | int(s[5])
			if !readParams(s[recordHead:recordHead+size], got) {
				t.Fatalf("%d: a variable is cut", n)
			}
			s = s[recordHead+size:]
		}
		if fits && (len(got) != 5 || len(got["4"]) != n) {
			t.Errorf("%d: %d variables", n, len(got))
		}
	}
}

func TestErrorLines(t *testing.T) {
	var got []string
	e := errorLines{to: func(line string) { got = append(got, line) }}
	e.write([]byte("one\r\n\n  \ntw"))
	e.write([]byte("o\nthr\x00ee\x1b[0m\xff"))
	e.finish()
	if want := []string{"one", "two", "thr ee [0m\uFFFD"}; !reflect.DeepEqual(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	got = nil
	e.write([]byte(strings.Repeat("x", 3*maxErrorLine) + "\n" + strings.Repeat("y\n", maxErrorLines+4)))
	e.finish()
	if len(got) != maxErrorLines+1 || len(got[0]) != maxErrorLine || got[maxErrorLines] != "5 more lines of this request's error output were dropped" {
		t.Errorf("%d lines, the first of %d bytes, the last %q", len(got), len(got[0]), got[len(got)-1])
	}
	got = nil
	e.write([]byte("again"))
	e.finish()
	if len(got) != 1 {
		t.Errorf("the next request: %q", got)
	}
	none := errorLines{}
	none.write([]byte("x\n"))
	none.finish()
}

func TestConfig(t *testing.T) {
	g, err := poll.NewGroup(1)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	for _, bad := range []TransportConfig{
		{},
		{Root: "srv"},
		{Root: "/srv\x00"},
		{Root: "/srv", Index: "a/b"},
		{Root: "/srv", SplitPath: "/x"},
		{Root: "/srv", SplitPath: "%70"},
		{Root: "/srv", Env: map[string]string{"": ""}},
		{Root: "/srv", Env: map[string]string{"A=B": ""}},
		{Root: "/srv", Env: map[string]string{"A": "\x00"}},
		{Root: "/srv", Env: map[string]string{"A": strings.Repeat("x", maxEnv)}},
	} {
		bad.Group = g
		if _, err := NewTransport(&weir.Endpoint{}, bad); err == nil {
			t.Errorf("%+v is accepted", bad)
		}
	}
	for root, want := range map[string]string{"/srv/": "/srv", "/": "", "/a/../b": "/b"} {
		tr, err := NewTransport(&weir.Endpoint{}, TransportConfig{Group: g, Root: root})
		if err != nil || tr.env.scripts.root != want {
			t.Errorf("%s: %v", root, err)
		}
	}
}

// Where the folder of the scripts cannot be looked into, that is said, and not that there are no scripts.
func TestLook(t *testing.T) {
	root := t.TempDir()
	if err := os.WriteFile(filepath.Join(root, "a.php"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		root, name string
		there      bool
		fails      bool
	}{
		{root, "/a.php", true, false},
		{root, "/b.php", false, false},
		{root, "/a.php/b.php", false, false},
		{root, "/" + strings.Repeat("x", 300) + ".php", false, false},
		{root + "/none", "/a.php", false, true},
		{root + "/a.php", "/a.php", false, true},
		{"", "/none-such.php", false, false},
	} {
		s := &scripts{root: tt.root}
		if there, err := s.look(script{name: tt.name}); there != tt.there || (err != nil) != tt.fails {
			t.Errorf("%s in %s: %v, %v", tt.name, tt.root, there, err)
		}
	}
}
