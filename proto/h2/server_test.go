package h2

import (
	"fmt"
	"io"
	"net/http"
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
