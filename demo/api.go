package demo

import (
	"encoding/json"
	"net/url"
	"strconv"
	"strings"
	"time"

	"weir"
)

// An api answers with JSON, slowly or with a failure where it is asked to, and is where servers are made sick.
type api struct{ w *World }

const maxWait = 30 * time.Second

func (a api) serve(x *weir.Exchange) error {
	query, _ := url.ParseQuery(x.Request.Query)
	path := strings.TrimPrefix(x.Request.Path, "/api")
	switch {
	case path == "/products":
		return reply(x, 200, products)
	case path == "/echo":
		return reply(x, 200, seen(x))
	case path == "/slow":
		ms, _ := strconv.Atoi(query.Get("ms"))
		return slow(x, time.Duration(ms)*time.Millisecond)
	case path == "/fail":
		status, err := strconv.Atoi(query.Get("status"))
		if err != nil || status < 400 || status > 599 {
			status = 500
		}
		return reply(x, status, map[string]string{"error": "this endpoint fails on purpose"})
	case path == "/servers":
		return reply(x, 200, a.w.states())
	case strings.HasPrefix(path, "/servers/"):
		return a.change(x, strings.TrimPrefix(path, "/servers/"))
	}
	return reply(x, 404, map[string]string{"error": "no such endpoint"})
}

// change does what /servers/NAME/WHAT asks for.
func (a api) change(x *weir.Exchange, rest string) error {
	name, what, _ := strings.Cut(rest, "/")
	if x.Request.Method != "POST" {
		x.Response.Header.Set("Allow", "POST")
		return reply(x, 405, map[string]string{"error": "use POST"})
	}
	found, err := a.w.change(name, what)
	switch {
	case err != nil:
		return reply(x, 500, map[string]string{"error": err.Error()})
	case !found:
		return reply(x, 404, map[string]string{"error": "POST /api/servers/{shop-1,shop-2,shop-3,stream}/{stop,start,sick,well}"})
	}
	return reply(x, 200, a.w.states())
}

// An echoed is what the server saw of a request.
type echoed struct {
	Method   string              `json:"method"`
	Host     string              `json:"host"`
	Path     string              `json:"path"`
	Query    string              `json:"query"`
	Protocol string              `json:"protocol"`
	Header   map[string][]string `json:"header"`
}

func seen(x *weir.Exchange) echoed {
	r := &x.Request
	e := echoed{r.Method, r.Authority, r.Path, r.Query, r.Protocol, map[string][]string{}}
	for _, f := range r.Header.Fields() {
		e.Header[f.Name] = append(e.Header[f.Name], f.Value)
	}
	return e
}

func slow(x *weir.Exchange, d time.Duration) error {
	gone := make(hangup, 1)
	x.Watch(gone)
	defer x.Watch(nil)
	select {
	case <-time.After(min(max(d, 0), maxWait)):
	case <-gone:
	}
	return reply(x, 200, map[string]any{"waited_ms": d.Milliseconds()})
}

// A hangup (of capacity 1) tells that the client has gone.
type hangup chan struct{}

// Cancel implements weir.Canceler.
func (h hangup) Cancel() {
	select {
	case h <- struct{}{}:
	default:
	}
}

func reply(x *weir.Exchange, status int, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	x.Response.Status = status
	x.Response.Header.Set("Content-Type", "application/json")
	x.Response.Body = weir.NewBody(string(b) + "\n")
	return nil
}
