package h2

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"weir"
)

// Clients that ask, upload, read slowly, give up and go away at any moment, all at once, and a server that breaks off
// now and then: nobody gets anybody else's bytes, nothing hangs, nothing is left.
func TestTransportChaos(t *testing.T) {
	eachUp(t, func(t *testing.T, w *upWorld) {
		addr := w.serveHTTP(func(rw http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/break":
				io.WriteString(rw, "some")
				panic(http.ErrAbortHandler)
			case "/refuse":
				rw.WriteHeader(403)
			default:
				rw.Header().Set("Trailer", "X-End")
				io.Copy(rw, r.Body)
				rw.Header().Set("X-End", r.URL.RawQuery)
			}
		})
		tr := w.transport(addr, TransportConfig{Streams: 10, Connections: 4, Window: 64 << 10, Connect: soon})
		var all sync.WaitGroup
		for i := range 20 {
			all.Go(func() {
				r := rand.New(rand.NewPCG(uint64(i), 1))
				for j := range 10 {
					w.anything(tr, r, fmt.Sprint(i, "-", j))
				}
			})
		}
		all.Wait()
		until(t, func() bool { return tr.Idle() == len(loads(tr)) })
		w.ask(tr, "GET", "/?last").do().got(200, "")
		w.quietly(tr, len(loads(tr)))
	})
}

// anything is one exchange of some kind, told from others by its name.
func (w *upWorld) anything(tr *Transport, r *rand.Rand, name string) {
	body := strings.Repeat(name+" ", 1+r.IntN(20_000))
	c := w.ask(tr, "POST", "/?"+name).with(body)
	switch r.IntN(6) {
	case 0:
		c = w.ask(tr, "GET", "/break").do()
		if c.fault == nil || c.fault.Side != weir.SideUpstream {
			w.t.Errorf("%s: %v", name, c.fault)
		}
	case 1:
		c.x.Request.Path = "/refuse"
		if c.do(); c.fault == nil && c.status != 403 {
			w.t.Errorf("%s: %d", name, c.status)
		}
	case 2: // it goes
		timer := time.AfterFunc(time.Duration(r.IntN(3000))*time.Microsecond, c.leave)
		if c.do(); c.fault == nil && c.body != body {
			w.t.Errorf("%s: %d bytes", name, len(c.body))
		}
		timer.Stop()
	case 3: // it has enough
		n := r.IntN(len(body))
		c.respond = func(x *weir.Exchange) error {
			got, err := io.ReadAll(io.LimitReader(x.Response.Body, int64(n)))
			if string(got) != body[:n] || err != nil {
				w.t.Errorf("%s: %.50q, %v", name, got, err)
			}
			return x.Response.Body.Close()
		}
		c.do()
	default:
		if c.do().got(200, body); c.trailer.Get("x-end") != name {
			w.t.Errorf("%s: trailer %v", name, c.trailer)
		}
	}
}
