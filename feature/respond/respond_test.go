package respond

import (
	"io"
	"strings"
	"testing"

	"weir"
)

type stream struct{ status int }

func (*stream) Inform(int, *weir.Header) error { return nil }
func (*stream) Reset(*weir.Fault)              {}
func (*stream) Watch(weir.Canceler)            {}
func (s *stream) Respond(x *weir.Exchange) error {
	s.status = x.Response.Status
	if x.Response.Body != nil {
		return x.Response.Body.Close()
	}
	return nil
}

func exchange() *weir.Exchange {
	x := new(weir.Exchange)
	x.Reset(&weir.Conn{RemoteIP: "192.0.2.1"})
	x.Request.Method, x.Request.Path = "GET", "/"
	return x
}

func TestAnswers(t *testing.T) {
	for _, tt := range []struct {
		cfg                Config
		status             int
		kind, fields, body string
		cause              weir.Cause
	}{
		{Config{}, 200, "", "", "", 0},
		{Config{Body: "hello\n"}, 200, "text/plain; charset=utf-8", "", "hello\n", 0},
		{Config{Body: "{client.ip} has {id}", Params: []string{"id"}}, 200, "text/plain; charset=utf-8", "", "192.0.2.1 has 7", 0},
		{Config{Status: 204}, 204, "", "", "", 0},
		{Config{Status: 410, Body: "{{}", ContentType: "application/json"}, 410, "application/json", "", "{}", 0},
		{Config{Status: 503, Body: "later", Header: []Pair{{"Retry-After", "60"}, {"X-Who", "{client.ip}"}, {"X-None", "{header.none}"}, {"X-Empty", ""}}}, 503, "text/plain; charset=utf-8", "Retry-After: 60|X-Who: 192.0.2.1", "later", weir.CauseFixed},
		{Config{Status: 500}, 500, "", "", "", weir.CauseFixed},
	} {
		h, err := New(tt.cfg)
		if err != nil {
			t.Errorf("%+v: %v", tt.cfg, err)
			continue
		}
		for range 2 {
			x := exchange()
			x.Params = append(x.Params, weir.Param{Name: "id", Value: "7"})
			if err := h.ServeExchange(x); err != nil {
				t.Fatal(err)
			}
			r := &x.Response
			var body []byte
			if r.Body != nil {
				if body, err = io.ReadAll(r.Body); err != nil || r.Body.Len() != int64(len(body)) || r.Body.Trailer() != nil {
					t.Errorf("%+v: body of %d bytes, %d announced, error %v", tt.cfg, len(body), r.Body.Len(), err)
				}
			}
			kind := r.Header.Get("Content-Type")
			r.Header.Del("Content-Type")
			var fields []string
			for _, f := range r.Header.Fields() {
				fields = append(fields, f.Name+": "+f.Value)
			}
			cause := weir.CauseNone
			if x.Fault != nil {
				cause = x.Fault.Cause
			}
			if r.Status != tt.status || kind != tt.kind || string(body) != tt.body || strings.Join(fields, "|") != tt.fields || cause != tt.cause {
				t.Errorf("%+v:\ngot %d %q %q %q %q", tt.cfg, r.Status, kind, fields, body, cause)
			}
		}
	}
}

// What clients write is text in whatever it is put into.
func TestEscapes(t *testing.T) {
	for kind, want := range map[string]string{
		"":                          `x <b>'"&\ y {`,
		"text/plain; charset=utf-8": `x <b>'"&\ y {`,
		"text/html":                 `x &lt;b&gt;&#39;&#34;&amp;\ y {`,
		"Text/HTML; charset=utf-8":  `x &lt;b&gt;&#39;&#34;&amp;\ y {`,
		"application/xml":           `x &lt;b&gt;&#39;&#34;&amp;\ y {`,
		"image/svg+xml":             `x &lt;b&gt;&#39;&#34;&amp;\ y {`,
		"application/json":          `x \u003Cb\u003E\u0027\"\u0026\\ y {`,
		"application/problem+json":  `x \u003Cb\u003E\u0027\"\u0026\\ y {`,
		"text/javascript":           `x \u003Cb\u003E\u0027\"\u0026\\ y {`,
	} {
		for _, body := range []string{"x {query.x} y {{", "x {id} y {{"} {
			h, err := New(Config{Body: body, ContentType: kind, Params: []string{"id"}})
			if err != nil {
				t.Fatal(err)
			}
			x := exchange()
			x.Request.Query = "x=%3Cb%3E%27%22%26%5C"
			x.Params = append(x.Params, weir.Param{Name: "id", Value: `<b>'"&\`})
			if err := h.ServeExchange(x); err != nil {
				t.Fatal(err)
			}
			if got, err := io.ReadAll(x.Response.Body); err != nil || string(got) != want {
				t.Errorf("%q as %q: %s (%v), want %s", body, kind, got, err, want)
			}
		}
	}
	h, err := New(Config{Body: "<p>'&'</p>", ContentType: "text/html"})
	if err != nil {
		t.Fatal(err)
	}
	x := exchange()
	if err := h.ServeExchange(x); err != nil {
		t.Fatal(err)
	}
	if got, _ := io.ReadAll(x.Response.Body); string(got) != "<p>'&'</p>" {
		t.Errorf("the configuration's own text becomes %s", got)
	}
}

func TestErrors(t *testing.T) {
	for _, tt := range []struct {
		cfg  Config
		want string
	}{
		{Config{Status: 101}, "status 101 of a fixed answer: write one from 200 to 599"},
		{Config{Status: 600}, "status 600"},
		{Config{Status: 204, Body: "x"}, "status 204 of a fixed answer goes without a body"},
		{Config{Body: "{nothing}"}, `body of a fixed answer: placeholder "{nothing}"`},
		{Config{ContentType: "a\nb"}, "content type"},
		{Config{Header: []Pair{{"Content-Length", "1"}}}, `field "Content-Length" can't be set: it tells where a message ends`},
		{Config{Header: []Pair{{"content-type", "a"}}}, "a setting of its own"},
		{Config{Header: []Pair{{"a b", "a"}}}, `field name "a b"`},
		{Config{Header: []Pair{{"A", "a\rb"}}}, "control character"},
		{Config{Header: []Pair{{"A", "{nothing}"}}}, `field "A": placeholder`},
	} {
		if _, err := New(tt.cfg); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: error %v, want %q", tt.cfg, err, tt.want)
		}
	}
}

func TestTwoAtOnce(t *testing.T) {
	h, err := New(Config{Body: "the same text"})
	if err != nil {
		t.Fatal(err)
	}
	x, y := exchange(), exchange()
	for _, e := range []*weir.Exchange{x, y} {
		if err := h.ServeExchange(e); err != nil {
			t.Fatal(err)
		}
	}
	for _, e := range []*weir.Exchange{x, y} {
		if body, err := io.ReadAll(e.Response.Body); err != nil || string(body) != "the same text" {
			t.Errorf("got %q, error %v", body, err)
		}
	}
}

func TestAllocations(t *testing.T) {
	h, err := New(Config{Body: strings.Repeat("x", 1024), Header: []Pair{{"Cache-Control", "no-store"}, {"X-Who", "{client.ip}"}}})
	if err != nil {
		t.Fatal(err)
	}
	x, s := exchange(), new(stream)
	conn := x.Conn
	if n := testing.AllocsPerRun(100, func() {
		x.Reset(conn)
		weir.Serve(h, x, s, weir.Observers(nil))
	}); n != 0 || s.status != 200 {
		t.Errorf("an answer (%d) allocates %v times", s.status, n)
	}
}
