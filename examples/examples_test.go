package examples_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"weir/assemble"
	"weir/config"
	"weir/internal/poll"
)

// requests are what each example is exercised with. An origin answers "METHOD HOST PATH?QUERY" and the fields it got.
var requests = []struct {
	file, target string
	header       []string
	status       int
	want         string // in the answer's location or body
}{
	{file: "balance.hcl", target: "/", status: 200, want: "GET x.example /\n"},
	{file: "balance.hcl", target: "/busy/1", status: 200, want: "/busy/1"},
	{file: "balance.hcl", target: "/fast/1", status: 200, want: "/fast/1"},
	{file: "balance.hcl", target: "/many/1", status: 200, want: "/many/1"},
	{file: "balance.hcl", target: "/cached/1", status: 200, want: "/cached/1"},
	{file: "balance.hcl", target: "/tabled/1", status: 200, want: "/tabled/1"},
	{file: "balance.hcl", target: "/found/1", status: 200, want: "/found/1"},
	{file: "canary-mirror.hcl", target: "/", status: 200, want: "GET x.example /\n"},
	{file: "canary-mirror.hcl", target: "/", header: []string{"Cookie: version=next"}, status: 200, want: "Cookie: version=next\n"},
	{file: "canary-mirror.hcl", target: "/search?q=a", status: 200, want: "/search?q=a"},
	{file: "complete.hcl", target: "/", header: []string{"Host: example.com"}, status: 301, want: "http://www.example.com/"},
	{file: "complete.hcl", target: "/item/12", header: []string{"Host: www.example.com"}, status: 200, want: "/v2/items.php/12\n"},
	{file: "complete.hcl", target: "/shoes/red-7", header: []string{"Host: www.example.com"}, status: 200, want: "/index.php?id=7&c=red\n"},
	{file: "complete.hcl", target: "/health", header: []string{"Host: www.example.com"}, status: 200, want: "well"},
	{file: "complete.hcl", target: "/a", header: []string{"Host: shop.example.com"}, status: 301, want: "https://shop.example.com:"},
	{file: "complete.hcl", target: "/a", header: []string{"Host: secure.example.com"}, status: 301, want: "https://secure.example.com:"},
	{file: "demo.hcl", target: "/api/x", status: 200, want: "/api/x"},
	{file: "demo.hcl", target: "/teapot", status: 418, want: "you are 127.0.0.1"},
	{file: "error-pages.hcl", target: "/status/404", status: 404, want: "There is no such page"},
	{file: "error-pages.hcl", target: "/status/cut", status: 502, want: "Sorry, we cannot answer just now"},
	{file: "error-pages.hcl", target: "/api/status/cut", status: 502, want: `{"error": "502"}`},
	{file: "headers-rewrite.hcl", target: "/api/users?utm_source=a&b=c", header: []string{"Host: www.example.com", "X-Debug: 1"}, status: 200, want: "GET www.example.com /users?b=c&page=1\n"},
	{file: "headers-rewrite.hcl", target: "/api/users", header: []string{"Host: www.example.com"}, status: 200, want: "X-Client: 127.0.0.1\n"},
	{file: "headers-rewrite.hcl", target: "/shoes/red-7", header: []string{"Host: www.example.com"}, status: 200, want: "GET legacy.internal /index.php?cat=3&id=7&c=red\n"},
	{file: "headers-rewrite.hcl", target: "/archive/2026/11/a", header: []string{"Host: www.example.com"}, status: 200, want: "/archive/2026-11/a\n"},
	{file: "headers-rewrite.hcl", target: "/old/a/b", header: []string{"Host: www.example.com"}, status: 301, want: "/a/b"},
	{file: "health-retry.hcl", target: "/reports/1", status: 200, want: "/reports/1"},
	{file: "logging.hcl", target: "/ping", status: 200, want: "pong"},
	{file: "logging.hcl", target: "/assets/a.css", status: 200, want: "X-Request-Id: "},
	{file: "many-sites.hcl", target: "/", status: 404, want: "There is no such site here."},
	{file: "many-sites.hcl", target: "/a", header: []string{"Host: blog.example.com"}, status: 200, want: "/a\n"},
	{file: "many-sites.hcl", target: "/a", header: []string{"Host: eu.shop.example.com"}, status: 200, want: "/a\n"},
	{file: "many-sites.hcl", target: "/", header: []string{"Host: staff.example.com"}, status: 404, want: "There is no such site here."},
	{file: "single.hcl", target: "/shoes", header: []string{"Host: www.example.com"}, status: 200, want: "/shoes\n"},
	{file: "single.hcl", target: "/shoes", header: []string{"Host: example.com"}, status: 301, want: "http://www.example.com/shoes"},
	{file: "sticky.hcl", target: "/", status: 200, want: "GET x.example /\n"},
	{file: "ten-line.hcl", target: "/a?b=c", status: 200, want: "GET x.example /a?b=c\n"},
	{file: "ten-line.json", target: "/a?b=c", status: 200, want: "GET x.example /a?b=c\n"},
}

func TestExamples(t *testing.T) {
	var files []string
	for _, pattern := range []string{"*.hcl", "*.json", "../packaging/*.hcl"} {
		found, err := filepath.Glob(pattern)
		if err != nil || len(found) == 0 {
			t.Fatalf("%s: %v", pattern, err)
		}
		files = append(files, found...)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			cfg := check(t, file)
			asked := 0
			if strings.HasPrefix(file, "..") {
				exercise(t, start(t, cfg), "/", nil, 200, "weir is at work")
				return
			}
			address := start(t, cfg)
			for _, q := range requests {
				if q.file == file {
					asked++
					exercise(t, address, q.target, q.header, q.status, q.want)
				}
			}
			if asked == 0 {
				t.Error("there is no request to exercise it with")
			}
		})
	}
}

// check is what `weir check` and `weir fmt --check` do, without a word to be said.
func check(t *testing.T, file string) *config.Config {
	t.Helper()
	src, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if formatted, _ := config.Format(file, src); strings.HasSuffix(file, ".hcl") && !bytes.Equal(formatted, src) {
		t.Errorf("%s is not formatted; run: weir fmt -w", file)
	}
	cfg, found := config.Load(file)
	if cfg != nil {
		found = append(found, assemble.Check(cfg)...)
	}
	if len(found) > 0 {
		var b bytes.Buffer
		found.Write(&b, false)
		t.Fatalf("%s", b.String())
	}
	return cfg
}

// start serves cfg on free ports, with one origin behind every upstream and its logs in a folder of the test's.
func start(t *testing.T, cfg *config.Config) (address string) {
	t.Helper()
	origin := httptest.NewServer(http.HandlerFunc(echo))
	t.Cleanup(origin.Close)
	cfg.StateDir = t.TempDir()
	for _, l := range cfg.Listeners {
		l.Address, l.Mode = "127.0.0.1:0", 0
	}
	for _, u := range cfg.Upstreams {
		u.Discover = nil
		u.Servers = []config.Server{{Address: origin.Listener.Addr().String(), Weight: 1}}
	}
	for _, l := range cfg.Logs {
		l.To = filepath.Join(t.TempDir(), l.Name+".log")
	}
	g, err := poll.NewGroup(1)
	if err != nil {
		t.Fatal(err)
	}
	e := assemble.New(assemble.Options{
		Group: g, Config: func() (*config.Config, config.Diagnostics) { return cfg, nil },
	})
	if found, err := e.Start(t.Context()); err != nil || found.HasErrors() {
		t.Fatal(found, err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
		g.Close()
	})
	return e.Addr(cfg.Listeners[0].Name).String()
}

// echo answers with what it was asked, with the status that the path names, or breaks off.
func echo(w http.ResponseWriter, r *http.Request) {
	_, status, _ := strings.Cut(r.URL.Path, "/status/")
	switch status {
	case "cut":
		c, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			c.(*net.TCPConn).SetLinger(0)
			c.Close()
		}
		return
	case "404":
		w.WriteHeader(404)
	}
	fmt.Fprintf(w, "%s %s %s\n", r.Method, r.Host, r.URL.RequestURI())
	for name, values := range r.Header {
		fmt.Fprintf(w, "%s: %s\n", name, strings.Join(values, ", "))
	}
}

func exercise(t *testing.T, address, target string, header []string, status int, want string) {
	t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), "GET", "http://"+address+target, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = "x.example"
	for _, line := range header {
		name, value, _ := strings.Cut(line, ": ")
		if name == "Host" {
			req.Host = value
		}
		req.Header.Set(name, value)
	}
	client := &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	r, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	said := []string{r.Header.Get("Location"), string(body)}
	if r.StatusCode != status || !slices.ContainsFunc(said, func(s string) bool { return strings.Contains(s, want) }) {
		t.Errorf("%s %q: %d, location %q, body\n%s\nwant %d with %q", target, header, r.StatusCode, said[0], body, status, want)
	}
}
