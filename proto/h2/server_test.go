package h2

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

func TestRequests(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.serve(ServerConfig{Handler: echo})
		b := w.browser()
		for _, size := range []int{0, 1, 1000, 70000, 3 << 20} {
			body := strings.Repeat("x", size)
			resp, err := b.Post(w.url("/p?q"), "text/plain", strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if want := "POST /p " + body; err != nil || string(got) != want {
				t.Fatalf("%d bytes: %v, got %d bytes", size, err, len(got))
			}
			w.ended(200, 0)
		}
	})
}

func TestManyAtATime(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.serve(ServerConfig{Handler: echo})
		b := w.browser()
		var all sync.WaitGroup
		for i := range 300 {
			all.Go(func() {
				path := fmt.Sprintf("/%d", i)
				resp, err := b.Post(w.url(path), "text/plain", strings.NewReader(strings.Repeat("y", i*100)))
				if err != nil {
					t.Error(err)
					return
				}
				defer resp.Body.Close()
				got, err := io.ReadAll(resp.Body)
				if want := "POST " + path + " " + strings.Repeat("y", i*100); err != nil || string(got) != want {
					t.Errorf("%s: %v, %.100q", path, err, got)
				}
			})
		}
		all.Wait()
		if resp, err := b.Head(w.url("/h")); err != nil || resp.StatusCode != http.StatusOK || resp.ContentLength != 8 {
			t.Errorf("HEAD: %v, %+v", err, resp)
		}
	})
}

// Small bodies reach an HTTP/1.1 server, with and without an announced length, and so do large ones.
func TestUploadsToHTTP1(t *testing.T) {
	origin := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		fmt.Fprintf(rw, "%d %v %d %s", r.ContentLength, err, len(body), r.TransferEncoding)
	}))
	t.Cleanup(origin.Close)
	each(t, func(t *testing.T, w *world) {
		w.proxy(origin.Listener.Addr().String(), ServerConfig{})
		p := w.peer()
		next := uint32(1)
		for _, n := range []int{0, 1, 5000, 16000} {
			body := make([]byte, n)
			p.send(append(post(next, "content-length", fmt.Sprint(n)), appendData(nil, next, true, body)...))
			if _, status, got := p.answer(); status != "200" || got != fmt.Sprintf("%d <nil> %d []", n, n) {
				t.Errorf("%d bytes: %s %q", n, status, got)
			}
			if o := w.ended(200, 0); o.in != int64(n) {
				t.Errorf("%d bytes: counted %d", n, o.in)
			}
			p.send(append(post(next+2), appendData(nil, next+2, true, body)...))
			if _, status, got := p.answer(); status != "200" || got != fmt.Sprintf("-1 <nil> %d [chunked]", n) {
				t.Errorf("%d bytes: %s %q", n, status, got)
			}
			w.ended(200, 0)
			next += 4
		}
	})
}
