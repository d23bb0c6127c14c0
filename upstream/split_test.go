package upstream

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"weir"
)

// A tally counts requests and keeps what they were.
type tally struct {
	mu     sync.Mutex // protects the rest
	n      int
	bodies []string
	err    error
	wait   time.Duration
}

func (c *tally) ServeExchange(x *weir.Exchange) error {
	time.Sleep(c.wait)
	body := ""
	if x.Request.Body != nil {
		b, err := io.ReadAll(x.Request.Body)
		if err != nil {
			return err
		}
		body = string(b)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n++
	c.bodies = append(c.bodies, x.Request.Method+" "+body)
	x.Response.Status = 200
	return c.err
}

func (c *tally) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.n
}

func TestSplitByLot(t *testing.T) {
	var a, b, none tally
	h, err := NewSplit([]Target{{"a", &a, 90}, {"b", &b, 10}, {"none", &none, 0}}, nil, seeded())
	if err != nil {
		t.Fatal(err)
	}
	for range 10000 {
		ask(h)
	}
	if math.Abs(float64(a.n)-9000) > 150 || a.n+b.n != 10000 || none.n != 0 {
		t.Errorf("shares are %d, %d, %d", a.n, b.n, none.n)
	}
}

func TestSplitByKey(t *testing.T) {
	key, err := weir.ParseTemplate("{client.ip}")
	if err != nil {
		t.Fatal(err)
	}
	choose := func(weight int) (chosen []string) {
		var a, b tally
		h, err := NewSplit([]Target{{"a", &a, 100 - weight}, {"b", &b, weight}}, key, nil)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 5000 {
			x, before := newExchange("GET"), b.n
			x.ClientIP = fmt.Sprint("10.0.0.", i)
			askWith(h, x)
			chosen = append(chosen, map[bool]string{true: "b", false: "a"}[b.n > before])
		}
		return chosen
	}
	ten, again, twenty := choose(10), choose(10), choose(20)
	count := 0
	for i := range ten {
		if ten[i] != again[i] {
			t.Fatal("a key changed its target though nothing had changed")
		}
		if ten[i] == "b" && twenty[i] != "b" {
			t.Fatal("a key left the target whose weight grew")
		}
		if ten[i] == "b" {
			count++
		}
	}
	if count < 400 || count > 600 {
		t.Errorf("%d of 5000 keys at a weight of 10 in 100", count)
	}
}

// A split of pools knows them by their names; one that stands in it twice counts twice.
func TestSplitByKeyWithoutNames(t *testing.T) {
	key, _ := weir.ParseTemplate("{client.ip}")
	w := newWorld()
	a := newPool(t, w, Config{Servers: servers(three[0])}, nil)
	b, err := New(Config{Name: "other", Servers: servers(three[1]), Transport: w.transport}, Deps{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	h, err := NewSplit([]Target{{Handler: a, Weight: 1}, {Handler: b, Weight: 1}, {Handler: b, Weight: 1}}, key, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3000 {
		x := newExchange("GET")
		x.ClientIP = fmt.Sprint("10.0.0.", i)
		askWith(h, x)
	}
	if n := w.asked(three[0]); n < 900 || n > 1100 {
		t.Errorf("the first got %d of 3000, want about 1000", n)
	}
}

func TestSplitOfOneOrNone(t *testing.T) {
	var a tally
	if h, _ := NewSplit([]Target{{"a", &a, 1}}, nil, nil); h != weir.Handler(&a) {
		t.Error("a split of one is not that one itself")
	}
	if _, err := NewSplit([]Target{{"a", &a, 0}}, nil, nil); err == nil {
		t.Error("a split without weights is none")
	}
	if _, err := NewSplit([]Target{{"a", &a, -1}}, nil, nil); err == nil {
		t.Error("a weight is negative")
	}
}

// A readable is a body of the given bytes that does not tell its length.
type readable struct{ *bytes.Reader }

func (readable) Close() error          { return nil }
func (readable) Len() int64            { return -1 }
func (readable) Trailer() *weir.Header { return nil }

func TestMirrorCopies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var main, shadow tally
		shadow.wait, shadow.err = time.Minute, errors.New("the shadow is broken")
		h := NewMirror(&main, &shadow, Mirror{MaxBody: 10}, nil, nil)
		begun := time.Now()
		for _, body := range []weir.Body{nil, weir.NewBody("short"), weir.NewBody("more than ten bytes"), readable{bytes.NewReader([]byte("streamed"))}, readable{bytes.NewReader(make([]byte, 11))}} {
			x := newExchange("POST")
			x.Request.Body = body
			if askWith(h, x); x.Response.Status != 200 || x.Fault != nil {
				t.Errorf("status %d, fault %v", x.Response.Status, x.Fault)
			}
		}
		if time.Since(begun) != 0 {
			t.Errorf("the shadow delayed requests by %v", time.Since(begun))
		}
		time.Sleep(2 * time.Minute)
		shadow.mu.Lock()
		defer shadow.mu.Unlock()
		got := map[string]int{}
		for _, b := range shadow.bodies {
			got[b]++
		}
		if len(shadow.bodies) != 3 || got["POST "] != 1 || got["POST short"] != 1 || got["POST streamed"] != 1 {
			t.Errorf("the shadow saw %q", shadow.bodies)
		}
		if n := h.(*mirror).running.Load(); n != 0 {
			t.Errorf("%d copies under way in the end", n)
		}
	})
}

// Content that main did not read to its end is no request that the shadow could be asked.
func TestMirrorOfCutContent(t *testing.T) {
	var shadow tally
	main := weir.HandlerFunc(func(x *weir.Exchange) error {
		_, _ = x.Request.Body.Read(make([]byte, 2))
		x.Response.Status = 200
		return nil
	})
	h := NewMirror(main, &shadow, Mirror{}, nil, nil)
	x := newExchange("POST")
	x.Request.Body = weir.NewBody("long")
	askWith(h, x)
	if n := h.(*mirror).running.Load(); n != 0 || shadow.count() != 0 {
		t.Errorf("%d copies under way, %d sent", n, shadow.count())
	}
}

func TestMirrorIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var main, shadow tally
		shadow.wait = time.Minute
		h := NewMirror(&main, &shadow, Mirror{Concurrent: 5}, nil, nil)
		for range 100 {
			ask(h)
		}
		time.Sleep(time.Hour)
		if main.n != 100 || shadow.count() != 5 {
			t.Errorf("main answered %d, the shadow %d", main.n, shadow.count())
		}
	})
}

// A shadow that says nothing, or never ends, gives the place for a copy free.
func TestMirrorOfSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, silent := range []weir.HandlerFunc{
			func(x *weir.Exchange) error {
				gone := make(silence)
				x.Watch(gone)
				defer x.Watch(nil)
				<-gone
				return errors.New("canceled")
			},
			func(x *weir.Exchange) error {
				gone := make(silence)
				x.Watch(gone)
				x.Response.Status, x.Response.Body = 200, gone
				return nil
			},
		} {
			var main tally
			h := NewMirror(&main, silent, Mirror{}, nil, nil)
			ask(h)
			time.Sleep(mirrorTime - 1)
			synctest.Wait()
			if n := h.(*mirror).running.Load(); n != 1 {
				t.Errorf("%d copies before the time is over", n)
			}
			time.Sleep(1 * time.Nanosecond)
			synctest.Wait()
			if n := h.(*mirror).running.Load(); n != 0 {
				t.Errorf("%d copies after it", n)
			}
		}
	})
}

// A silence is a body of which nothing comes until its reader is told that he has left.
type silence chan struct{}

func (s silence) Cancel()                  { close(s) }
func (s silence) Read([]byte) (int, error) { <-s; return 0, io.ErrUnexpectedEOF }
func (s silence) Close() error             { return nil }
func (s silence) Len() int64               { return -1 }
func (s silence) Trailer() *weir.Header    { return nil }

func TestMirrorSamples(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var main, shadow tally
		h := NewMirror(&main, &shadow, Mirror{Sample: 0.1, Concurrent: 1000}, seeded(), nil)
		for range 1000 {
			ask(h)
		}
		synctest.Wait()
		if n := shadow.count(); n < 70 || n > 130 {
			t.Errorf("%d of 1000 requests were copied", n)
		}
	})
}

// The shadow may be a pool: its counters come back to nought.
func TestMirrorToPool(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		p := newPool(t, w, Config{Servers: servers(three...)}, nil)
		var main tally
		h := NewMirror(&main, p, Mirror{}, nil, nil)
		for range 9 {
			ask(h)
		}
		synctest.Wait()
		if got := counts(w, 0, p); got[0]+got[1]+got[2] != 9 || state(p, three[0]).Active != 0 {
			t.Errorf("servers saw %v", got)
		}
	})
}
