package weirtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What weir explains must be what it does: random requests are explained and made, under a random
// configuration. Each route answers with the line that it stands on.
func TestExplainAgrees(t *testing.T) {
	t.Parallel()
	const requests = 3000
	r := rand.New(rand.NewPCG(2026, 11))
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "weir.hcl"), []byte(randomConfig(r, dir)), 0o644); err != nil {
		t.Fatal(err)
	}
	p, err := Start(binary(t), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Kill()
	admin, clients := p.Admin(), map[string]*http.Client{}
	hits := 0
	for range requests {
		q := randomQuestion(r)
		want, got := q.explained(t, admin), q.made(t, p.Listeners["http"], clients)
		if want != got {
			t.Errorf("%+v: explained %q, made %q", q, want, got)
		}
		if got != "404" {
			hits++
		}
	}
	if hits < requests/2 {
		t.Errorf("only %d of %d requests found a route", hits, requests)
	}
}

var (
	someHosts    = []string{"a.test", "b.test", "x.b.test", "none.example"}
	somePaths    = []string{"/", "/a", "/a/b", "/a/b/c", "/ab", "/a//b", "/item/7", "/item/x", "/a/%2e%2e/item/8", "/a/../..", "/u/1/p"}
	somePatterns = []string{"/*", "/a", "/a/*", "/a/b", "/item/{id}", "~ ^/item/[0-9]+$", "/u/{u}/*", "/{any}"}
	someMethods  = []string{"GET", "POST", "HEAD", "DELETE"}
	someClients  = []string{"127.0.0.1", "127.0.0.2", "127.0.1.7"}
)

// conditions are what a random route may demand.
var someConditions = []string{
	`method = ["POST"]`, `method = ["GET", "DELETE"]`, `header = { "X-A" = "1" }`, `header = { "X-A" = "*" }`,
	`header = { "X-A" = "1", "X-B" = "2" }`, `query = { "q" = "1" }`, `query = { "q" = "*" }`, `cookie = { "c" = "1" }`,
	`clients = ["127.0.1.0/24"]`, `clients = ["127.0.0.0/16"]`, `when = "request.path.startsWith('/a') && request.method != 'POST'"`,
}

func randomConfig(r *rand.Rand, dir string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "listener \"http\" { address = \"127.0.0.1:0\" }\nadmin {\n  listen = \"127.0.0.1:0\"\n  socket = \"%s/%s\"\n}\n", dir, AdminSocket)
	for _, host := range []string{"a.test", "b.test", "*.b.test"} {
		fmt.Fprintf(&b, "site %q {\n", host)
		for _, pattern := range somePatterns {
			for _, i := range r.Perm(len(someConditions))[:3] {
				writeRoute(&b, pattern, someConditions[i])
			}
			if r.IntN(2) == 0 {
				writeRoute(&b, pattern, "")
			}
		}
		b.WriteString("}\n")
	}
	return b.String()
}

// writeRoute writes a route that answers with the number of its first line.
func writeRoute(b *strings.Builder, pattern, condition string) {
	line := strings.Count(b.String(), "\n") + 1
	fmt.Fprintf(b, "  route %q {\n    %s\n    respond {\n      body    = \"line\"\n      headers = { \"Line\" = \"%d\" }\n    }\n  }\n", pattern, condition, line)
}

// A question is a request to be explained and made.
type question struct {
	Method, Host, Path, Query, Client string
	Header                            http.Header
}

func randomQuestion(r *rand.Rand) question {
	one := func(list []string) string { return list[r.IntN(len(list))] }
	q := question{Method: one(someMethods), Host: one(someHosts), Path: one(somePaths), Client: one(someClients), Header: http.Header{}}
	for name, values := range map[string][]string{"X-A": {"1", "2"}, "X-B": {"2"}, "Cookie": {"c=1", "d=1; c=1", "c=2"}} {
		if v := r.IntN(len(values) * 2); v < len(values) {
			q.Header.Set(name, values[v])
		}
	}
	q.Query = one([]string{"", "", "?q=1", "?q=2", "?z&q=1"})
	return q
}

// explained is the line of the route that wins, or the status.
func (q question) explained(t *testing.T, admin *http.Client) string {
	t.Helper()
	body, _ := json.Marshal(map[string]any{"method": q.Method, "url": "http://" + q.Host + q.Path + q.Query, "client": q.Client, "header": q.Header})
	resp, err := admin.Post("http://weir/explain", "application/json", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var e struct {
		Routes []struct {
			At  string
			Won bool
		}
		Answer struct{ Status int }
	}
	text, _ := io.ReadAll(resp.Body)
	if resp.StatusCode != http.StatusOK {
		return fmt.Sprintf("not explained: %s %s", resp.Status, text)
	}
	if err := json.Unmarshal(text, &e); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	for _, v := range e.Routes {
		if v.Won {
			return v.At[strings.LastIndexByte(v.At, ':')+1:]
		}
	}
	return fmt.Sprint(e.Answer.Status)
}

// made is the line that the answer names, or the status of a failure.
func (q question) made(t *testing.T, address string, clients map[string]*http.Client) string {
	t.Helper()
	c := clients[q.Client]
	if c == nil {
		dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(q.Client)}, Timeout: patience}
		c = &http.Client{Timeout: patience, Transport: &http.Transport{DialContext: dialer.DialContext}}
		clients[q.Client] = c
	}
	req, err := http.NewRequest(q.Method, "http://"+address+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host, req.Header = q.Host, q.Header
	req.URL.Opaque = q.Path // as it is
	req.URL.RawQuery = strings.TrimPrefix(q.Query, "?")
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	io.Copy(io.Discard, resp.Body)
	if resp.StatusCode != http.StatusOK {
		return fmt.Sprint(resp.StatusCode)
	}
	return resp.Header.Get("Line") // also of an answer to HEAD
}
