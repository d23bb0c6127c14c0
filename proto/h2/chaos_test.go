package h2

import (
	"bytes"
	"context"
	"errors"
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

// moody answers by what the request's path says, in one of many ways.
func moody(x *weir.Exchange) error {
	switch x.Request.Path {
	case "/echo":
		return echo(x)
	case "/ignore": // the request's body
		return ok(x)
	case "/some": // of the request's body
		if x.Request.Body != nil {
			io.ReadFull(x.Request.Body, make([]byte, 1000))
		}
		return ok(x)
	case "/large":
		x.Response.Text(200, strings.Repeat("x", 200000))
	case "/pieces":
		b := &content{n: -1}
		for range 50 {
			b.pieces = append(b.pieces, strings.Repeat("y", 1000))
		}
		x.Response.Status, x.Response.Body = 200, b
	case "/cut":
		x.Response.Status, x.Response.Body = 200, &content{n: -1, pieces: []string{"z"}, end: errors.New("cut")}
	case "/slow":
		gone := make(chanceler, 1)
		x.Watch(gone)
		select {
		case <-gone:
		case <-time.After(5 * time.Millisecond):
		}
		x.Watch(nil)
		return ok(x)
	case "/fail":
		return weir.Refuse(weir.CauseDenied, "test")
	}
	return nil
}

var moods = []string{"/echo", "/ignore", "/some", "/large", "/pieces", "/cut", "/slow", "/fail"}

// Many clients do many things at a time, and some lose patience in the middle. What is answered is right, every exchange
// is seen once, and nothing is left over.
func TestChaos(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.serve(ServerConfig{Handler: weir.HandlerFunc(moody), Limits: Limits{Streams: 20}})
		var all sync.WaitGroup
		rounds := 20
		if raceEnabled {
			rounds = 5
		}
		for seed := range uint64(4) {
			b := w.browser()
			for n := range uint64(15) {
				all.Go(func() {
					r := rand.New(rand.NewPCG(seed, n))
					for range rounds {
						if err := w.mood(b, r); err != nil {
							t.Error(err)
						}
					}
				})
			}
		}
		all.Wait()
	})
}

// mood makes one request and judges its answer.
func (w *world) mood(b *http.Client, r *rand.Rand) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	impatient := r.IntN(3) == 0
	if impatient {
		timer := time.AfterFunc(time.Duration(r.IntN(3000))*time.Microsecond, cancel)
		defer timer.Stop()
	}
	path := moods[r.IntN(len(moods))]
	sent := bytes.Repeat([]byte("b"), r.IntN(5)*r.IntN(50000))
	q, err := http.NewRequestWithContext(ctx, "POST", w.url(path), bytes.NewReader(sent))
	if err != nil {
		return err
	}
	resp, err := b.Do(q)
	if err != nil {
		return unless(impatient, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	switch {
	case path == "/cut" && err != nil:
		return nil
	case path == "/cut":
		return errors.New("a cut answer looks whole")
	case err != nil:
		return unless(impatient, err)
	}
	want := map[string]string{
		"/echo": "POST /echo " + string(sent), "/ignore": "ok", "/some": "ok", "/slow": "ok", "/fail": "403 Forbidden\n",
		"/large": strings.Repeat("x", 200000), "/pieces": strings.Repeat("y", 50000),
	}[path]
	if string(body) != want {
		return fmt.Errorf("%s: %d %d bytes, want %d", path, resp.StatusCode, len(body), len(want))
	}
	return nil
}

func unless(impatient bool, err error) error {
	if impatient {
		return nil
	}
	return err
}

// A client that sends frames at random, most of them sensible, breaks nothing.
func TestNoise(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.serve(ServerConfig{Handler: weir.HandlerFunc(moody), Limits: Limits{Streams: 20}})
		var all sync.WaitGroup
		for seed := range uint64(20) {
			p := w.peer(settingValue{settingWindow, 1000})
			all.Go(func() { io.Copy(io.Discard, p.r) })
			all.Go(func() {
				defer p.Close()
				r := rand.New(rand.NewPCG(7, seed))
				next := uint32(1)
				for range 300 {
					if _, err := p.Write(noise(r, &next)); err != nil {
						return
					}
				}
			})
		}
		all.Wait()
	})
}

func noise(r *rand.Rand, next *uint32) []byte {
	some := func() uint32 { return max(*next, 21) - uint32(2*r.IntN(10)) }
	switch r.IntN(10) {
	case 0, 1, 2:
		*next += 2
		return appendHeaders(nil, *next-2, r.IntN(2) == 0, at("POST", moods[r.IntN(len(moods))]), 1+r.IntN(minFrameSize))
	case 3, 4:
		return appendData(nil, some(), r.IntN(5) == 0, make([]byte, r.IntN(3000)))
	case 5:
		return appendReset(nil, some(), codeCancel)
	case 6:
		return rawWindow(nil, some(), uint32(r.IntN(100000)))
	case 7:
		return rawWindow(nil, 0, uint32(1+r.IntN(100000)))
	case 8:
		return appendSettings(nil, settingValue{settingWindow, uint32(r.IntN(100000))})
	}
	return appendPing(nil, false, [8]byte{})
}
