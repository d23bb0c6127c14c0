package assemble

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestReloadsUnderLoad changes the configuration again and again while clients ask: no request fails, no
// connection is closed, and nothing piles up.
func TestReloadsUnderLoad(t *testing.T) {
	b := start(t, echo, `
listener "http" { address = "127.0.0.1:0" }
upstream "app" {
  server "ORIGIN" {}
  balance = "least-time"
  health {
    path     = "/health"
    interval = "100ms"
    timeout  = "10s"
  }
  outlier {}
  queue {
    per_server = 100
    length     = 10
  }
  keepalive = 16
}
site "a.test" {
  route "/*" { proxy = upstream.app }
  route "/version" {
    respond {
      body = "version 0"
    }
  }
}
`)
	url := "http://" + b.Addr("http").String() + "/x"
	load := startLoad(t, url)
	reload := func(from, to int) {
		for i := from; i < to; i++ {
			b.edit(fmt.Sprintf("version %d", i), fmt.Sprintf("version %d", i+1))
			if _, err := b.Reload(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
	}
	reload(0, 20)
	b.want("a.test", "/version", 200, "version 20")
	before := measure()
	reload(20, 120)
	after := measure()
	load.stop()
	b.want("a.test", "/version", 200, "version 120")
	if after.goroutines > before.goroutines+10 {
		t.Errorf("%d goroutines after 20 reloads, %d after 120", before.goroutines, after.goroutines)
	}
	if after.heap > before.heap+2<<20 {
		t.Errorf("%d bytes of heap after 20 reloads, %d after 120", before.heap, after.heap)
	}
	if s := b.Status(); s.Listeners[0].Accepted > 10 {
		t.Errorf("%d connections were accepted, though none had to be closed", s.Listeners[0].Accepted)
	}
}

type level struct {
	goroutines int
	heap       uint64
}

func measure() level {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return level{runtime.NumGoroutine(), m.HeapAlloc}
}

// A load is clients that ask without a break over kept connections.
type load struct {
	t    *testing.T
	quit atomic.Bool
	wg   sync.WaitGroup
	done atomic.Int64
}

func startLoad(t *testing.T, url string) *load {
	l := &load{t: t}
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 4}, Timeout: 10 * time.Second}
	for range 4 {
		l.wg.Go(func() { l.run(client, url) })
	}
	t.Cleanup(l.stop)
	return l
}

func (l *load) run(client *http.Client, url string) {
	for !l.quit.Load() {
		q, _ := http.NewRequest("GET", url, nil)
		q.Host = "a.test"
		r, err := client.Do(q)
		if err != nil {
			l.t.Error(err)
			return
		}
		body, err := io.ReadAll(r.Body)
		r.Body.Close()
		if err != nil || r.StatusCode != 200 || string(body) != "GET a.test/x" {
			l.t.Errorf("%d %q %v", r.StatusCode, body, err)
			return
		}
		l.done.Add(1)
	}
}

func (l *load) stop() {
	l.quit.Store(true)
	l.wg.Wait()
	if l.done.Load() == 0 {
		l.t.Error("no request was answered")
	}
}
