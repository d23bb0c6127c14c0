// Package feature_test tries the features together, over real connections: client, proto/h1, a chain, proto/h1,
// origin.
package feature_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"weir"
	"weir/feature/access"
	"weir/feature/errors"
	"weir/feature/forward"
	"weir/feature/header"
	"weir/feature/maxbody"
	"weir/feature/requestid"
	"weir/feature/rewrite"
	"weir/internal/clock"
	"weir/internal/poll"
	"weir/proto/h1"
)

// must returns a step of a feature that was made without an error.
func must(t *testing.T, phase weir.Phase) func(weir.Middleware, error) weir.Step {
	return func(mw weir.Middleware, err error) weir.Step {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return weir.Step{Phase: phase, Wrap: mw}
	}
}

// everything is a chain of all features before an upstream of one server.
func everything(t *testing.T, server string, group *poll.Group) weir.Handler {
	t.Helper()
	ep := &weir.Endpoint{Upstream: "origin", Name: server, Address: server, Weight: 1}
	tr := h1.NewTransport(ep, h1.TransportConfig{Group: group, KeepAlive: 8})
	t.Cleanup(tr.Close)
	h := weir.Chain([]weir.Step{
		must(t, weir.PhaseForward)(forward.New(forward.Config{Mode: forward.Both, Pseudonym: "r4nd0mname", Host: "app.internal"})),
		must(t, weir.PhaseRewrite)(header.New(header.Config{
			Request:  header.Fields{Remove: []string{"X-Debug-*"}, Set: []header.Pair{{Name: "X-Who", Value: "{client.ip}"}}},
			Query:    header.Query{Remove: []string{"utm_*"}},
			Response: header.Fields{Remove: []string{"Server"}, Set: []header.Pair{{Name: "X-Frame-Options", Value: "DENY"}}},
		})),
		must(t, weir.PhaseRewrite)(rewrite.New(rewrite.Config{StripPrefix: "/api", Prefix: true, Location: true})),
		must(t, weir.PhaseAdmit)(maxbody.New(maxbody.Config{Limit: 10})),
		must(t, weir.PhaseAdmit)(access.New(access.Config{Deny: []string{"203.0.113.0/24"}})),
		must(t, weir.PhaseObserve)(requestid.New(requestid.Config{Return: true})),
		must(t, weir.PhaseObserve)(errors.New(errors.Config{Pages: []errors.Page{{Status: "4xx", Body: "<p>{status} {path} {cause}"}}})),
	}, weir.HandlerFunc(func(x *weir.Exchange) error {
		x.Endpoint = ep
		return tr.RoundTrip(x)
	}))
	loopback := func(a netip.Addr) bool { return a.IsLoopback() }
	front, err := forward.NewBelieve(forward.BelieveConfig{Trusted: loopback}, h)
	if err != nil {
		t.Fatal(err)
	}
	return front
}

// proxy listens with everything before the server, and returns its address.
func proxy(t *testing.T, server string) string {
	t.Helper()
	group, err := poll.NewGroup(1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(group.Close)
	s := h1.NewServer(h1.ServerConfig{Observer: weir.Observers(nil), Handler: everything(t, server, group)})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if _, err = group.Listen(l, func(c poll.Conn) {
		r := c.RemoteAddr()
		s.Serve(c, weir.Conn{Remote: r, RemoteIP: r.Addr().String(), Protocol: "HTTP/1.1", Trusted: true, Opened: clock.Now(), Shard: c.Shard()}, nil)
	}); err != nil {
		t.Fatal(err)
	}
	return l.Addr().String()
}

// ask sends a request as it is written and returns the answer.
func ask(t *testing.T, address, request string) (*http.Response, string) {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.WriteString(c, strings.ReplaceAll(request, "\n", "\r\n")); err != nil {
		t.Fatal(err)
	}
	r, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r, string(body)
}

func TestEverythingTogether(t *testing.T) {
	origin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return
		}
		w.Header().Set("Server", "secret")
		w.Header().Set("Location", "http://app.internal/login")
		var lines []string
		for name, values := range r.Header {
			lines = append(lines, fmt.Sprintf("%s: %s", name, strings.Join(values, " | ")))
		}
		slices.Sort(lines)
		fmt.Fprintf(w, "%s http://%s%s\n%s\n", r.Method, r.Host, r.RequestURI, strings.Join(lines, "\n"))
	}))
	t.Cleanup(origin.Close)
	weirAt := proxy(t, origin.Listener.Addr().String())

	r, body := ask(t, weirAt, "GET /api/x?a=1&utm_source=s HTTP/1.1\nHost: shop.test\nX-Debug-A: 1\nVia: 1.1 cdn\n"+
		"X-Request-Id: id-1\nX-Forwarded-For: 6.6.6.6, 192.0.2.7\nX-Forwarded-Proto: https\nConnection: close\n\n")
	want := `GET http://app.internal/x?a=1
Forwarded: for=192.0.2.7;host=shop.test;proto=https, for=127.0.0.1;host=shop.test;proto=http
Via: 1.1 cdn | 1.1 r4nd0mname
X-Forwarded-For: 192.0.2.7, 127.0.0.1
X-Forwarded-Host: shop.test
X-Forwarded-Prefix: /api
X-Forwarded-Proto: https
X-Request-Id: id-1
X-Who: 192.0.2.7
`
	if body != want {
		t.Errorf("the server got\n%s\nwant\n%s", body, want)
	}
	for name, want := range map[string]string{
		"Server": "", "X-Frame-Options": "DENY", "Location": "https://shop.test/api/login", "X-Request-Id": "id-1",
	} {
		if got := r.Header.Get(name); got != want {
			t.Errorf("the client got %s: %q, want %q", name, got, want)
		}
	}

	head := " /api/x HTTP/1.1\nHost: shop.test\nX-Forwarded-For: %s\nConnection: close\n"
	for _, tt := range []struct {
		name, client, method, rest string
		status                     int
		body                       string
	}{
		{"a body that fits", "192.0.2.7", "POST", "Content-Length: 10\n\n0123456789", 200, ""},
		{"a body in chunks that fits", "192.0.2.7", "POST", "Transfer-Encoding: chunked\n\n5\n01234\n5\n56789\n0\n\n", 200, ""},
		{"a body that announces too much", "192.0.2.7", "POST", "Content-Length: 11\n\n0123456789a", 413, "<p>413 /api/x client.body_too_large"},
		{"a body in chunks that is too long", "192.0.2.7", "POST", "Transfer-Encoding: chunked\n\n5\n01234\n6\n56789a\n0\n\n", 413, "<p>413 /api/x client.body_too_large"},
		{"a client that is kept out", "203.0.113.9", "GET", "\n", 403, "<p>403 /api/x access.denied"},
	} {
		r, body := ask(t, weirAt, tt.method+fmt.Sprintf(head, tt.client)+tt.rest)
		if r.StatusCode != tt.status || tt.body != "" && body != tt.body || r.Header.Get("X-Request-Id") == "" {
			t.Errorf("%s: %d %q, id %q", tt.name, r.StatusCode, body, r.Header.Get("X-Request-Id"))
		}
	}
}
