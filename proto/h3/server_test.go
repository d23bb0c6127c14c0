package h3

import (
	"net/http"
	"strings"
	"testing"
)

func TestGet(t *testing.T) {
	w := serve(t, ServerConfig{Handler: echo})
	r, body := get(t, w.client(), "/hello?q")
	if r.StatusCode != 200 || body != "GET /hello " || r.Header.Get("Content-Length") != "11" || r.Header.Get("Date") == "" {
		t.Fatalf("%d %q %v", r.StatusCode, body, r.Header)
	}
	if o := w.ended(200, 0); o.out != 11 {
		t.Errorf("%+v", o)
	}
}

func TestPost(t *testing.T) {
	w := serve(t, ServerConfig{Handler: echo})
	c := w.client()
	for _, n := range []int{0, 1, 100, 40 << 10, 1 << 20} {
		sent := content(n)
		r, err := c.Post("https://a.test/p", "text/plain", strings.NewReader(sent))
		if err != nil {
			t.Fatal(err)
		}
		if body := readAll(t, r); body != "POST /p "+sent {
			t.Fatalf("%d bytes came back for %d", len(body), n)
		}
		if o := w.ended(200, 0); o.in != int64(n) {
			t.Errorf("%+v", o)
		}
		r, err = c.Do(&http.Request{Method: "PUT", URL: r.Request.URL, Body: r.Body, ContentLength: 0, Header: http.Header{}})
		if err != nil {
			t.Fatal(err)
		}
		readAll(t, r)
		w.ended(200, 0)
	}
}
