package assemble

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"weir/config"
	"weir/internal/poll"
	"weir/observe"
)

// A bench is an engine on a configuration that a test may change.
type bench struct {
	*Engine
	t    *testing.T
	file string
}

// start serves text. "ORIGIN" in it stands for the address of an origin.
func start(t *testing.T, origin http.Handler, text string) *bench {
	t.Helper()
	o := httptest.NewServer(origin)
	t.Cleanup(o.Close)
	b := &bench{t: t, file: filepath.Join(t.TempDir(), "weir.hcl")}
	b.write(strings.ReplaceAll(text, "ORIGIN", o.Listener.Addr().String()))
	b.Engine = New(Options{Config: func() (*config.Config, config.Diagnostics) { return config.Load(b.file) }, Group: newGroup(t)})
	diags, err := b.Start(t.Context())
	if err != nil {
		diags.Write(os.Stderr, false)
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

func newGroup(t *testing.T) *poll.Group {
	t.Helper()
	g, err := poll.NewGroup(2)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.Close)
	return g
}

func (b *bench) write(text string) {
	b.t.Helper()
	if err := os.WriteFile(b.file, []byte(text), 0o600); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) edit(from, to string) {
	b.t.Helper()
	old, err := os.ReadFile(b.file)
	if err != nil {
		b.t.Fatal(err)
	}
	if !strings.Contains(string(old), from) {
		b.t.Fatalf("%q is not in the configuration", from)
	}
	b.write(strings.ReplaceAll(string(old), from, to))
}

// get asks the listener "http" and returns the status and the body.
func (b *bench) get(host, path string) (int, string) {
	b.t.Helper()
	q, err := http.NewRequest("GET", "http://"+b.Addr("http").String()+path, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	q.Host = host
	client := &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	r, err := client.Do(q)
	if err != nil {
		b.t.Fatal(err)
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	if l := r.Header.Get("Location"); l != "" {
		body = []byte(l)
	}
	return r.StatusCode, string(body)
}

func (b *bench) want(host, path string, status int, body string) {
	b.t.Helper()
	if s, got := b.get(host, path); s != status || !strings.Contains(got, body) {
		b.t.Fatalf("GET %s%s: %d %q, want %d %q", host, path, s, got, status, body)
	}
}

// echo answers with what it was asked.
var echo = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	io.WriteString(w, r.Method+" "+r.Host+r.URL.RequestURI())
})

const twoSites = `
listener "http" { address = "127.0.0.1:0" }
upstream "app" {
  server "ORIGIN" {}
}
site "a.test" {
  route "/*" { proxy = upstream.app }
}
site "b.test" {
  route "/hello" {
    respond {
      body = "hello"
    }
  }
  redirect "/old/*" { to = "/new/{*}" }
}
`

func TestServe(t *testing.T) {
	b := start(t, echo, twoSites)
	b.want("a.test", "/x?y=1", 200, "GET a.test/x?y=1")
	b.want("b.test", "/hello", 200, "hello")
	b.want("b.test", "/old/x", 301, "/new/x")
	b.want("b.test", "/nothing", 404, "")
	b.want("c.test", "/", 404, "")
}

func TestReloadTakesTheNew(t *testing.T) {
	b := start(t, echo, twoSites)
	b.edit(`body = "hello"`, `body = "servus"`)
	if _, err := b.Reload(context.Background()); err != nil {
		t.Fatal(err)
	}
	b.want("b.test", "/hello", 200, "servus")
}

func TestBrokenSiteKeepsItsLastGoodVersion(t *testing.T) {
	b := start(t, echo, twoSites)
	b.edit(`route "/hello"`, `rote "/hello"`)
	b.edit(`site "a.test" {`, "site \"a.test\" {\n  route \"/new\" {\n respond {\n body = \"new\"\n }\n }")
	diags, err := b.Reload(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if !diags.HasErrors() {
		t.Fatal("nobody complains of a broken site")
	}
	b.want("b.test", "/hello", 200, "hello")
	b.want("a.test", "/new", 200, "new")
	for _, s := range b.Status().Sites {
		if s.Name == "b.test" && (s.State != observe.SiteKept || s.Reason == "") {
			t.Fatalf("state %q, reason %q", s.State, s.Reason)
		}
	}
}

func TestBrokenSiteStartsWithoutIt(t *testing.T) {
	b := start(t, echo, strings.Replace(twoSites, `route "/hello"`, `rote "/hello"`, 1))
	b.want("a.test", "/", 200, "GET a.test/")
	b.want("b.test", "/hello", 503, "")
	e, err := b.Explain(Request{URL: "http://b.test/hello"})
	if err != nil || e.Site != "b.test" || e.Answer == nil || e.Answer.Cause != "route.site_broken" {
		t.Fatalf("%+v, %v", e, err)
	}
}

// The hosts of a broken site do not fall to one with a wildcard, which may let in whom the site would not.
func TestBrokenSiteKeepsItsHosts(t *testing.T) {
	b := start(t, echo, strings.Replace(twoSites, `route "/hello"`, `rote "/hello"`, 1)+`
site "*" {
  route "/*" {
    respond {
      body = "any"
    }
  }
}
site "c.test" {
  hosts = ["c.test", "a.test"]
  route "/*" { proxy = upstream.app }
}
`)
	b.want("b.test", "/hello", 503, "")
	b.want("a.test", "/x", 200, "GET a.test/x")
	b.want("d.test", "/hello", 200, "any")
}

func TestBrokenFileChangesNothing(t *testing.T) {
	b := start(t, echo, twoSites)
	b.edit(`site "b.test" {`, `site "b.test" `)
	if _, err := b.Reload(context.Background()); err == nil {
		t.Fatal("a file that cannot be parsed was taken")
	}
	b.want("b.test", "/hello", 200, "hello")
}

func TestFailingExpectRefusesTheReload(t *testing.T) {
	b := start(t, echo, twoSites)
	b.edit(`redirect "/old/*"`, "expect \"GET /hello\" { status = 404 }\n  redirect \"/older/*\"")
	if _, err := b.Reload(context.Background()); err == nil {
		t.Fatal("a configuration that fails its own tests was taken")
	}
	b.want("b.test", "/old/x", 301, "/new/x")
}

func parse(t *testing.T, text string) *config.Config {
	t.Helper()
	c, diags := config.Parse("weir.hcl", []byte(text))
	if c == nil || diags.HasErrors() {
		diags.Write(os.Stderr, false)
		t.Fatal("the configuration has errors")
	}
	return c
}

const oneSite = `
listener "http" { address = "127.0.0.1:80" }
upstream "app" {
  server "10.0.0.1:80" {}
  server "10.0.0.2:80" { backup = true }
}
site "a.test" {
  route "/*" { proxy = upstream.app }
  route "/users/{id}" {
    proxy = upstream.app
    rewrite { to = "/user?id={id}" }
    request { set = { "X-User" = "{id}" } }
  }
  route "/secret" {
    deny  = ["127.0.0.0/8"]
    proxy = upstream.app
  }
  redirect "/old" { to = "/new" }
  EXPECT
}
`

func TestCheckRunsExpects(t *testing.T) {
	for expect, want := range map[string]string{
		`expect "GET /old" { status = 301 }`:                "",
		`expect "GET /old" { status = 404 }`:                `expect "GET /old": the status is 301, not 404`,
		`expect "GET /old" { location = "/else" }`:          `expect "GET /old": the location is "/new", not "/else"`,
		`expect "GET /secret" { status = 403 }`:             "",
		`expect "GET /users/7" { upstream = upstream.app }`: "",
		`expect "GET /users/7" { route = "/*" }`:            `expect "GET /users/7": route "/users/{id}" takes it, not route "/*"`,
		`expect "GET /users/7" { status = 200 }`:            `expect "GET /users/7": it goes to upstream "app", whose answer is not known before`,
		`expect "GET /" { route = "/*" }`:                   "",
		`expect "GET /a/%2e%2e/secret" { status = 403 }`:    "",
	} {
		diags := Check(parse(t, strings.Replace(oneSite, "EXPECT", expect, 1)))
		switch {
		case want == "" && len(diags) == 0:
		case len(diags) != 1 || diags[0].Summary != want:
			t.Errorf("%s: %+v, want %q", expect, diags, want)
		}
	}
}

func TestCheckFindsRoutesThatAreAlike(t *testing.T) {
	diags := Check(parse(t, strings.Replace(oneSite, "EXPECT", `redirect "/users/{name}" { to = "/" }`, 1)))
	if !diags.HasErrors() || diags[0].Pos.Line == 0 || !strings.Contains(diags[0].Summary, "matches the same requests as") {
		t.Fatalf("%+v", diags)
	}
}

func TestExplain(t *testing.T) {
	c := parse(t, strings.Replace(oneSite, "EXPECT", "", 1))
	e, err := Explain(c, Request{URL: "http://a.test/users/7?x=1"})
	if err != nil {
		t.Fatal(err)
	}
	if e.Route != "/users/{id}" || e.Sent == nil || e.Sent.Target != "/user?id=7" {
		t.Fatalf("%+v, sent %+v", e, e.Sent)
	}
	if len(e.Upstreams) != 1 || e.Upstreams[0].Servers[0].Name != "10.0.0.1:80" {
		t.Fatalf("upstreams %+v", e.Upstreams)
	}
	var text strings.Builder
	e.Write(&text, false)
	for _, want := range []string{"> route \"/users/{id}\"", "X-User: 7", "upstream  app, round-robin", "> 10.0.0.1:80"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("%q is missing in\n%s", want, &text)
		}
	}
}

func TestBrokenListenerKeepsItsLastGoodVersion(t *testing.T) {
	b := start(t, echo, twoSites+`
listener "other" { address = "127.0.0.1:0" }
site "d.test" {
  on = [listener.http, listener.other]
  route "/d" {
    respond {
      body = "d"
    }
  }
}
`)
	other := b.Addr("other").String()
	b.edit(`listener "other" { address`, `listener "other" { adress`)
	if _, err := b.Reload(context.Background()); err != nil {
		t.Fatal(err)
	}
	if a := b.Addr("other"); a == nil || a.String() != other {
		t.Fatalf("the listener is at %v, not %s any more", a, other)
	}
	for _, l := range []string{b.Addr("http").String(), other} {
		q, _ := http.NewRequest("GET", "http://"+l+"/d", nil)
		q.Host = "d.test"
		r, err := http.DefaultClient.Do(q)
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
		if r.StatusCode != 200 {
			t.Errorf("%s: %d", l, r.StatusCode)
		}
	}
}
