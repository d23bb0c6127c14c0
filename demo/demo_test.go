package demo

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/coder/websocket"
	"go.uber.org/goleak"

	"weir/examples"
	"weir/internal/poll"
	"weir/weirtest/leak"
)

func start(t *testing.T) *World {
	t.Helper()
	before := goleak.IgnoreCurrent()
	g, err := poll.NewGroup(1)
	if err != nil {
		t.Fatal(err)
	}
	w, err := Start(g)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		if err := w.Close(context.Background()); err != nil {
			t.Error(err)
		}
		g.Close()
		leak.None(t, before)
	})
	return w
}

func (w *World) url(name, path string) string { return "http://" + w.origin(name).spec.Address + path }

func ask(t *testing.T, method, url string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r, string(b)
}

func TestAnswers(t *testing.T) {
	w := start(t)
	for _, tt := range []struct {
		server, method, path string
		status               int
		want                 string
	}{
		{"shop-1", "GET", "/", 200, `served by <b class="server">shop-1</b>`},
		{"shop-3", "GET", "/products/2", 200, "Blue sandals</h1><p>39.50 euros, 40 in stock. Served by shop-3"},
		{"shop-2", "GET", "/products/99", 404, "No such product"},
		{"shop-2", "GET", "/none", 404, "no such page"},
		{"shop-2", "GET", "/healthz", 200, "well"},
		{"api", "GET", "/api/products", 200, `"name": "Red boots"`},
		{"api", "GET", "/api/echo?a=1", 200, `"query": "a=1"`},
		{"api", "GET", "/api/slow?ms=1", 200, `"waited_ms": 1`},
		{"api", "GET", "/api/fail", 500, "on purpose"},
		{"api", "GET", "/api/fail?status=503", 503, "on purpose"},
		{"api", "GET", "/api/fail?status=200", 500, "on purpose"},
		{"api", "GET", "/api/none", 404, "no such endpoint"},
		{"api", "GET", "/api/servers/shop-1/stop", 405, "use POST"},
		{"api", "POST", "/api/servers/api/stop", 404, "/api/servers/{shop-1"},
		{"api", "POST", "/api/servers/shop-1/fly", 404, "/api/servers/{shop-1"},
	} {
		r, body := ask(t, tt.method, w.url(tt.server, tt.path))
		if r.StatusCode != tt.status || !strings.Contains(body, tt.want) {
			t.Errorf("%s %s %s: %d %q, want %d with %q", tt.server, tt.method, tt.path, r.StatusCode, body, tt.status, tt.want)
		}
		if got := r.Header.Get("X-Served-By"); got != tt.server {
			t.Errorf("%s %s: served by %q", tt.server, tt.path, got)
		}
	}
}

func (w *World) post(t *testing.T, path string) []state {
	t.Helper()
	r, body := ask(t, "POST", w.url("api", path))
	var out []state
	if err := json.Unmarshal([]byte(body), &out); err != nil || r.StatusCode != 200 {
		t.Fatalf("%s: %d %s %v", path, r.StatusCode, body, err)
	}
	return out
}

func TestServersFallIllAndStop(t *testing.T) {
	w := start(t)
	if got := w.post(t, "/api/servers/shop-3/sick"); got[2].State != "sick" || got[1].State != "well" {
		t.Fatalf("states: %+v", got)
	}
	for _, path := range []string{"/", "/healthz"} {
		if r, _ := ask(t, "GET", w.url("shop-3", path)); r.StatusCode != 503 {
			t.Errorf("a sick server answers %s with %d", path, r.StatusCode)
		}
	}
	w.post(t, "/api/servers/shop-3/well")
	if r, _ := ask(t, "GET", w.url("shop-3", "/healthz")); r.StatusCode != 200 {
		t.Errorf("it is not well again: %d", r.StatusCode)
	}

	address := w.origin("shop-2").spec.Address
	if got := w.post(t, "/api/servers/shop-2/stop"); got[1].State != "stopped" {
		t.Fatalf("states: %+v", got)
	}
	if c, err := net.Dial("tcp", address); err == nil {
		c.Close()
		t.Fatal("a stopped server still listens")
	}
	if got := w.post(t, "/api/servers/shop-2/start"); got[1].State != "well" || got[1].Address != address {
		t.Fatalf("states: %+v", got)
	}
	if r, _ := ask(t, "GET", "http://"+address+"/"); r.StatusCode != 200 {
		t.Errorf("it is not back: %d", r.StatusCode)
	}
}

func TestEvents(t *testing.T) {
	w := start(t)
	r, err := http.Get(w.url("stream", "/events"))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if got := r.Header.Get("Content-Type"); got != "text/event-stream" {
		t.Errorf("content type %q", got)
	}
	lines := bufio.NewReader(r.Body)
	for _, want := range []string{"id: 1\n", "data: it is ", "\n", "id: 2\n"} {
		if got, err := lines.ReadString('\n'); err != nil || !strings.HasPrefix(got, want) {
			t.Fatalf("got %q, %v; want %q", got, err, want)
		}
	}
}

func TestEcho(t *testing.T) {
	w := start(t)
	c, _, err := websocket.Dial(t.Context(), "ws://"+w.echo.addr()+"/echo", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()
	c.SetReadLimit(1 << 20)
	for _, n := range []int{0, 1, 125, 126, 70000} {
		text := strings.Repeat("x", n)
		if err := c.Write(t.Context(), websocket.MessageText, []byte(text)); err != nil {
			t.Fatal(err)
		}
		kind, got, err := c.Read(t.Context())
		if err != nil || kind != websocket.MessageText || string(got) != text {
			t.Fatalf("%d bytes: got %d bytes, %v, %v", n, len(got), kind, err)
		}
	}
	go c.Read(t.Context()) // takes the pong
	if err := c.Ping(t.Context()); err != nil {
		t.Errorf("ping: %v", err)
	}
}

func TestEchoRefusesOthers(t *testing.T) {
	w := start(t)
	if r, _ := ask(t, "GET", "http://"+w.echo.addr()+"/echo"); r.StatusCode != 426 {
		t.Errorf("got %d", r.StatusCode)
	}
}

func TestConfigHasTheAddresses(t *testing.T) {
	w := start(t)
	text := w.Config("127.0.0.1:81", "127.0.0.1:82")
	for _, o := range origins {
		if strings.Count(examples.Demo, o.address) != 1 || strings.Contains(text, o.address+`"`) {
			t.Errorf("%s of %s: in the example %d times, want once, and never in what is served", o.address, o.name, strings.Count(examples.Demo, o.address))
		}
		if !strings.Contains(text, `"`+w.origin(o.name).spec.Address+`"`) {
			t.Errorf("the address of %s is missing", o.name)
		}
	}
	for _, want := range []string{`address = "127.0.0.1:81"`, `listen = "127.0.0.1:82"`, w.echo.addr()} {
		if !strings.Contains(text, want) {
			t.Errorf("%s is missing in\n%s", want, text)
		}
	}
}

func TestFreeAddress(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	taken := l.Addr().String()
	if got := FreeAddress(taken); got == taken || !strings.HasPrefix(got, "127.0.0.1:") {
		t.Errorf("a taken address becomes %q", got)
	}
	l.Close()
	if got := FreeAddress(taken); got != taken {
		t.Errorf("a free address becomes %q", got)
	}
}

func TestGuide(t *testing.T) {
	got := Guide("./weir", "127.0.0.1:81", "127.0.0.1:82", "/tmp/weir.hcl")
	for _, want := range []string{"http://127.0.0.1:81/ ", "http://127.0.0.1:82/ ", "./weir explain --admin 127.0.0.1:82 http://127.0.0.1:81/api/echo", "/tmp/weir.hcl\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("the guide lacks %q:\n%s", want, got)
		}
	}
	if strings.Contains(got, "{{") {
		t.Errorf("something is not filled in:\n%s", got)
	}
}
