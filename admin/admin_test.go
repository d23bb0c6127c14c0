package admin

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/bcrypt"

	"weir/observe"
)

func newServer(t *testing.T, c Config, e Engine) *Server {
	t.Helper()
	s, err := New(c, e, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close(context.Background()) })
	return s
}

// do asks s as a program on the same machine does; change makes it somebody else.
func do(t *testing.T, s *Server, method, target, body string, change func(r *http.Request)) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Host = "127.0.0.1:9180"
	if change != nil {
		change(r)
	}
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r)
	return w
}

func decode[T any](t *testing.T, w *httptest.ResponseRecorder) (v T) {
	t.Helper()
	if err := json.Unmarshal(w.Body.Bytes(), &v); err != nil {
		t.Fatalf("%v in %s", err, w.Body)
	}
	if kind := w.Header().Get("Content-Type"); kind != "application/json" {
		t.Errorf("JSON comes as %q", kind)
	}
	return v
}

func TestHealth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &fake{}
		s := newServer(t, Config{}, e)
		for state, want := range map[observe.State]int{observe.Serving: 200, observe.Draining: 503, observe.Starting: 503} {
			e.state = state
			for range 100 {
				if w := do(t, s, "GET", "/healthz", "", nil); w.Code != want {
					t.Fatalf("%s: status %d, want %d", state, w.Code, want)
				}
			}
			if n := e.looks.Load(); n != 0 {
				t.Errorf("%d looks at the whole status for 100 checks", n)
			}
		}
	})
}

func TestStatus(t *testing.T) {
	s := newServer(t, Config{}, &fake{state: observe.Serving})
	got := decode[observe.Status](t, do(t, s, "GET", "/status", "", nil))
	if got.Version != "1.2.3" || len(got.Sites) != 2 || got.Sites[1].Reason == "" || got.Upstreams[0].Servers[1].Reason != "connection refused" {
		t.Errorf("status is %+v", got)
	}
}

func TestLive(t *testing.T) {
	s := newServer(t, Config{}, &fake{state: observe.Serving})
	got := decode[Live](t, do(t, s, "GET", "/live", "", nil))
	if got.Sites != 2 || got.Routes != 1 || len(got.Broken) != 1 || got.Broken[0].Name != "blog" || len(got.Failures) != liveFailures || got.Traffic.Exchanges != 10 {
		t.Errorf("live is %+v", got)
	}
	if all := decode[[]observe.Failure](t, do(t, s, "GET", "/failures", "", nil)); len(all) != 2*liveFailures {
		t.Errorf("%d failures", len(all))
	}
}

func TestMetrics(t *testing.T) {
	s := newServer(t, Config{}, &fake{})
	w := do(t, s, "GET", "/metrics", "", nil)
	if w.Code != 200 || !strings.Contains(w.Body.String(), "weir_exchanges_total{") || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/plain; version=0.0.4") {
		t.Errorf("%d %q %s", w.Code, w.Header(), w.Body)
	}
}

func TestReload(t *testing.T) {
	e := &fake{}
	s := newServer(t, Config{}, e)
	w := do(t, s, "POST", "/reload", "", nil)
	if r := decode[reloaded](t, w); w.Code != 200 || len(r.Warnings) != 1 || r.Error != "" || e.reloads.Load() != 1 {
		t.Errorf("%d %+v", w.Code, r)
	}
	e.broken = "weir.hcl:3,5:\n  3: retires = 2\nunknown attribute \"retires\""
	w = do(t, s, "POST", "/reload", "", nil)
	if r := decode[reloaded](t, w); w.Code != 422 || r.Error != e.broken {
		t.Errorf("%d %+v", w.Code, r)
	}
	if w := do(t, s, "GET", "/reload", "", nil); w.Code != 405 || e.reloads.Load() != 2 {
		t.Errorf("GET /reload: status %d, %d reloads", w.Code, e.reloads.Load())
	}
}

func TestExplain(t *testing.T) {
	e := &fake{}
	s := newServer(t, Config{}, e)
	want := ExplainRequest{Method: "POST", URL: "http://shop/a?b=c", Client: "192.0.2.1", Header: http.Header{"X-Key": {"1", "2"}}}
	check := func(w *httptest.ResponseRecorder) {
		t.Helper()
		if got := e.asked; w.Code != 200 || got.Method != want.Method || got.URL != want.URL || got.Client != want.Client || !slices.Equal(got.Header["X-Key"], []string{"1", "2"}) {
			t.Errorf("%d: asked %+v", w.Code, got)
		}
		e.asked = ExplainRequest{}
	}
	check(do(t, s, "GET", "/explain?method=POST&url=http%3A%2F%2Fshop%2Fa%3Fb%3Dc&client=192.0.2.1&header=x-key:+1&header=X-Key:2", "", nil))
	check(do(t, s, "POST", "/explain", `{"method":"POST","url":"http://shop/a?b=c","client":"192.0.2.1","header":{"X-Key":["1","2"]}}`, nil))
	for _, tt := range []struct {
		method, target, body string
		status               int
		want                 string
	}{
		{"GET", "/explain", "", 400, "url is missing"},
		{"GET", "/explain?url=x&header=nothing", "", 400, `header "nothing": write Name: value`},
		{"GET", "/explain?url=bad", "", 400, `url "bad": not an address`},
		{"POST", "/explain", "{", 400, "unexpected EOF"},
		{"POST", "/explain", `{"uri":"x"}`, 400, `unknown field "uri"`},
		{"POST", "/explain", `{"url":"` + strings.Repeat("x", maxBody) + `"}`, 413, "too large"},
	} {
		w := do(t, s, tt.method, tt.target, tt.body, nil)
		if got := decode[reloaded](t, w); w.Code != tt.status || !strings.Contains(got.Error, tt.want) {
			t.Errorf("%s %.30s %.30s: %d %q, want %d %q", tt.method, tt.target, tt.body, w.Code, got.Error, tt.status, tt.want)
		}
	}
}

// TestRebinding: a page whose own name resolves to the admin address cannot read it.
func TestRebinding(t *testing.T) {
	s := newServer(t, Config{Listen: "127.0.0.1:0"}, &fake{state: observe.Serving})
	for host, want := range map[string]int{
		"127.0.0.1:9180": 200, "localhost:9180": 200, "LOCALHOST": 200, "[::1]:9180": 200, "::1": 200, "192.0.2.7": 200,
		"weir.localhost": 200, "localhost.": 200,
		"evil.example:9180": 421, "evil.example": 421, "localhost.evil.example": 421, "127.0.0.1.evil.example": 421, "notlocalhost": 421, "": 421,
	} {
		w := do(t, s, "GET", "/status", "", func(r *http.Request) { r.Host = host })
		if w.Code != want {
			t.Errorf("Host %q: status %d, want %d", host, w.Code, want)
		}
		if want != 200 && strings.Contains(w.Body.String(), "shop") {
			t.Errorf("Host %q reads the status", host)
		}
	}
	if w := do(t, s, "GET", "/healthz", "", func(r *http.Request) { r.Host = "evil.example" }); w.Code != 200 {
		t.Errorf("a health check by another name: %d", w.Code)
	}
}

// TestForgery: a page of another website cannot change anything.
func TestForgery(t *testing.T) {
	e := &fake{}
	s := newServer(t, Config{Listen: "127.0.0.1:0"}, e)
	for _, tt := range []struct {
		name  string
		field [2]string
		want  int
	}{
		{"curl", [2]string{"Accept", "*/*"}, 200},
		{"the dashboard", [2]string{"Sec-Fetch-Site", "same-origin"}, 200},
		{"the dashboard in an old browser", [2]string{"Origin", "http://127.0.0.1:9180"}, 200},
		{"another site", [2]string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"another port of this machine", [2]string{"Sec-Fetch-Site", "same-site"}, 403},
		{"another site in an old browser", [2]string{"Origin", "http://evil.example"}, 403},
		{"a sandboxed frame", [2]string{"Origin", "null"}, 403},
	} {
		before := e.reloads.Load()
		w := do(t, s, "POST", "/reload", "", func(r *http.Request) { r.Header.Set(tt.field[0], tt.field[1]) })
		if w.Code != tt.want || (e.reloads.Load() > before) != (tt.want == 200) {
			t.Errorf("%s: status %d, want %d; %d reloads", tt.name, w.Code, tt.want, e.reloads.Load()-before)
		}
	}
}

func htpasswd(t *testing.T, users ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "htpasswd")
	writeUsers(t, path, users...)
	return path
}

func writeUsers(t *testing.T, path string, users ...string) {
	t.Helper()
	text := "# who may\n\n"
	for _, u := range users {
		name, password, _ := strings.Cut(u, ":")
		hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
		if err != nil {
			t.Fatal(err)
		}
		text += name + ":" + string(hash) + "\n"
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestUsers(t *testing.T) {
	path := htpasswd(t, "ann:secret", "bob:other")
	s := newServer(t, Config{Users: path}, &fake{state: observe.Serving})
	ask := func(name, password string) int {
		return do(t, s, "GET", "/status", "", func(r *http.Request) {
			r.Host = "weir.example:9180" // any name is good where there are passwords
			if name != "" {
				r.SetBasicAuth(name, password)
			}
		}).Code
	}
	for range 2 { // the second time from memory
		for _, tt := range []struct {
			name, password string
			want           int
		}{{"", "", 401}, {"ann", "secret", 200}, {"ann", "other", 401}, {"bob", "other", 200}, {"eve", "secret", 401}, {"ann", "", 401}} {
			if got := ask(tt.name, tt.password); got != tt.want {
				t.Errorf("%s:%s: status %d, want %d", tt.name, tt.password, got, tt.want)
			}
		}
	}
	if w := do(t, s, "GET", "/", "", nil); w.Code != 401 || !strings.HasPrefix(w.Header().Get("WWW-Authenticate"), "Basic ") {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	if w := do(t, s, "GET", "/healthz", "", nil); w.Code != 200 {
		t.Errorf("a health check has no password: %d", w.Code)
	}

	writeUsers(t, path, "ann:changed", "carl:third")
	for _, tt := range []struct {
		name, password string
		want           int
	}{{"ann", "secret", 401}, {"ann", "changed", 200}, {"bob", "other", 401}, {"carl", "third", 200}} {
		if got := ask(tt.name, tt.password); got != tt.want {
			t.Errorf("after a change of the file, %s:%s: status %d, want %d", tt.name, tt.password, got, tt.want)
		}
	}
	if err := os.WriteFile(path, []byte("carl:$apr1$x$y\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := ask("carl", "third"); got != 200 {
		t.Errorf("a broken file locks everybody out: %d", got)
	}
}

func TestUsersFileErrors(t *testing.T) {
	dir := t.TempDir()
	for text, want := range map[string]string{
		"":                        "there are no users",
		"ann\n":                   `:1: "ann" has no bcrypt hash; make one with: htpasswd -B`,
		"# x\nann:$apr1$abc$defg": `:2: "ann" has no bcrypt hash`,
		"ann:{SHA}0DPiKuNIrrVmD8IUCuw1hQxNqZc=\n": `has no bcrypt hash`,
	} {
		path := filepath.Join(dir, "users")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := New(Config{Users: path}, &fake{}, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
	if _, err := New(Config{Users: filepath.Join(dir, "missing")}, &fake{}, nil); err == nil {
		t.Error("a file that is not there is taken")
	}
}

func TestOthersNeedAPassword(t *testing.T) {
	for _, address := range []string{":0", "0.0.0.0:0", "[::]:0", "192.0.2.1:0", "admin.example:0"} {
		_, err := New(Config{Listen: address}, &fake{}, nil)
		if err == nil || !strings.Contains(err.Error(), "needs users") {
			t.Errorf("listen on %s without users: %v", address, err)
		}
	}
	s := newServer(t, Config{Listen: "0.0.0.0:0", Users: htpasswd(t, "ann:secret")}, &fake{})
	if s.Addr() == "" {
		t.Error("there is no address")
	}
	for address, want := range map[string]bool{"127.0.0.1:1": true, "127.8.8.8:1": true, "[::1]:1": true, "localhost:1": true, "unix:/x": true, "[::ffff:127.0.0.1]:1": true, "x": false} {
		if isLoopback(address) != want {
			t.Errorf("%s is loopback: %v", address, !want)
		}
	}
}

// TestDashboard: everything the page needs comes from here and passes its own policy.
func TestDashboard(t *testing.T) {
	s := newServer(t, Config{}, &fake{})
	page := do(t, s, "GET", "/", "", nil)
	if page.Code != 200 || !strings.HasPrefix(page.Header().Get("Content-Type"), "text/html") {
		t.Fatalf("%d %v", page.Code, page.Header())
	}
	csp := page.Header().Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "script-src 'self'", "frame-ancestors 'none'"} {
		if !strings.Contains(csp, want) {
			t.Errorf("policy %q lacks %q", csp, want)
		}
	}
	if strings.Contains(csp, "unsafe") {
		t.Errorf("policy %q", csp)
	}
	all := page.Body.String()
	for _, m := range regexp.MustCompile(`(?:src|href)="([^"#]+)"|from "\./([^"]+)"`).FindAllStringSubmatch(all+text(t, s, "/app.js"), -1) {
		target := m[1] + m[2]
		if strings.Contains(target, ":") || strings.HasPrefix(target, "/") {
			t.Errorf("the page asks for %q", target)
			continue
		}
		if w := do(t, s, "GET", "/"+target, "", nil); w.Code != 200 {
			t.Errorf("the page needs %q: status %d", target, w.Code)
		}
	}
	for _, inline := range []string{"<script>", "onclick=", "style=\"", "javascript:"} {
		if strings.Contains(all, inline) {
			t.Errorf("the page has %s, which its policy forbids", inline)
		}
	}
	for _, unsafe := range []string{"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("} {
		if strings.Contains(text(t, s, "/app.js")+text(t, s, "/charts.js"), unsafe) {
			t.Errorf("the scripts use %s", unsafe)
		}
	}
	// Every element that the script looks up by its id is on the page.
	for _, m := range regexp.MustCompile(`\$\("([a-z0-9-]+)"\)`).FindAllStringSubmatch(text(t, s, "/app.js"), -1) {
		if !strings.Contains(all, `id="`+m[1]+`"`) {
			t.Errorf("the script looks for #%s", m[1])
		}
	}
	if w := do(t, s, "GET", "/static/app.js", "", nil); w.Code != 404 {
		t.Errorf("/static/app.js: %d", w.Code)
	}
}

func text(t *testing.T, s *Server, target string) string {
	t.Helper()
	w := do(t, s, "GET", target, "", nil)
	if w.Code != 200 || w.Header().Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("%s: %d %v", target, w.Code, w.Header())
	}
	return w.Body.String()
}

// serve runs s until the test ends.
func serve(t *testing.T, s *Server) {
	t.Helper()
	ended := make(chan error, 1)
	go func() { ended <- s.Serve() }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := s.Close(ctx); err != nil {
			t.Error(err)
		}
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func get(t *testing.T, c *http.Client, url string) (int, string) {
	t.Helper()
	resp, err := c.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

func TestOverSockets(t *testing.T) {
	path := filepath.Join(t.TempDir(), "weir.sock")
	stale, err := net.Listen("unix", path) // a process that was killed has left its socket
	if err != nil {
		t.Fatal(err)
	}
	stale.(*net.UnixListener).SetUnlinkOnClose(false)
	stale.Close()

	s := newServer(t, Config{Listen: "127.0.0.1:0", Socket: path, Users: htpasswd(t, "ann:secret")}, &fake{state: observe.Serving})
	serve(t, s)
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != socketMode {
		t.Errorf("socket: %v %v", info, err)
	}
	unix := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", path)
	}}}
	defer unix.CloseIdleConnections()
	if status, body := get(t, unix, "http://weir/status"); status != 200 || !strings.Contains(body, "1.2.3") {
		t.Errorf("by the socket, without a password: %d %s", status, body)
	}
	tcp := &http.Client{Transport: &http.Transport{}}
	defer tcp.CloseIdleConnections()
	if status, _ := get(t, tcp, "http://"+s.Addr()+"/status"); status != 401 {
		t.Errorf("by TCP, without a password: %d", status)
	}
	if status, _ := get(t, tcp, "http://ann:secret@"+s.Addr()+"/status"); status != 200 {
		t.Errorf("by TCP, with a password: %d", status)
	}
	if _, err := New(Config{Socket: path}, &fake{}, nil); err == nil || !strings.Contains(err.Error(), "another process listens there") {
		t.Errorf("a socket in use is taken: %v", err)
	}
}

func TestCloseBeforeServe(t *testing.T) {
	s, err := New(Config{Listen: "127.0.0.1:0"}, &fake{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	address := s.Addr()
	s.Close(context.Background())
	ln, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatalf("the address is still taken: %v", err)
	}
	ln.Close()
}
