package fcgi

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestChaos has many clients, some of whom leave, ask a server that cuts, complains, stalls and closes as it likes. Who is
// told that an answer is whole has his own one, and nothing stays behind.
func TestChaos(t *testing.T) {
	s := newServer(t, func(p *peer) {
		for p.chaotic() {
		}
	})
	w := s.world(t, TransportConfig{KeepAlive: 4, FirstByte: 100 * time.Millisecond, Stall: 100 * time.Millisecond, Spool: Spool{Memory: 100}})
	var all sync.WaitGroup
	var whole, broken sync.Map
	for i := range 12 {
		all.Go(func() {
			r := rand.New(rand.NewPCG(1, uint64(i)))
			for j := range 40 {
				id := fmt.Sprintf("%d-%d-", i, j)
				if err := w.ask(r, id); err == nil {
					whole.Store(id, true)
				} else {
					broken.Store(id, err)
				}
			}
		})
	}
	all.Wait()
	n, m := size(&whole), size(&broken)
	t.Logf("%d whole answers, %d others, %d connections", n, m, s.accepted())
	if n < 100 || m < 50 {
		t.Errorf("%d whole answers and %d others: that is not chaos", n, m)
	}
}

func size(m *sync.Map) (n int) {
	m.Range(func(_, _ any) bool { n++; return true })
	return n
}

// content is the answer to a request of that id, which tells its length.
func content(id string, n int) string { return strings.Repeat(id, n/len(id)+1)[:n] }

// ask sends a request and returns why there was no whole answer to it.
func (w *world) ask(r *rand.Rand, id string) error {
	ctx, leave := context.WithCancel(context.Background())
	defer leave()
	if r.IntN(8) == 0 {
		timer := time.AfterFunc(time.Duration(r.IntN(5000))*time.Microsecond, leave)
		defer timer.Stop()
	}
	var body io.Reader
	method, sent := "GET", ""
	if r.IntN(2) == 0 {
		method, sent = "POST", content(id, 1+r.IntN(100_000))
		if body = io.Reader(strings.NewReader(sent)); r.IntN(2) == 0 {
			body = io.MultiReader(body)
		}
	}
	n := r.IntN(30_000) * r.IntN(2)
	q, err := http.NewRequestWithContext(ctx, method, fmt.Sprintf("%s/a.php?%s&%d&%d", w.url, id, n, r.Int()), body)
	if err != nil {
		return err
	}
	q.Header.Set("X-Sent", strconv.Itoa(len(sent)))
	m, err := w.client.Do(q)
	if err != nil {
		return err
	}
	defer m.Body.Close()
	got, err := io.ReadAll(m.Body)
	switch {
	case err != nil:
		return err
	case m.StatusCode != 200:
		return fmt.Errorf("status %d", m.StatusCode)
	case string(got) != content(id, n):
		w.t.Errorf("%s got an answer of %d bytes, %.40q; want %d", id, len(got), got, n)
	}
	return nil
}

// chaotic serves a request and reports whether to go on.
func (p *peer) chaotic() bool {
	q := p.request()
	if q == nil {
		return false
	}
	var id string
	var n int
	var seed uint64
	fmt.Sscanf(strings.ReplaceAll(q.params["QUERY_STRING"], "&", " "), "%s %d %d", &id, &n, &seed)
	if sent, _ := strconv.Atoi(q.params["HTTP_X_SENT"]); q.body != content(id, sent) {
		p.t.Errorf("%s: a body of %d bytes, want %d", id, len(q.body), sent)
	}
	r := rand.New(rand.NewPCG(2, seed))
	head := "X-A: b\r\n"
	if r.IntN(3) == 0 {
		head += fmt.Sprintf("Content-Length: %d\r\n", n)
	}
	wire := records(r, head+"\r\n"+content(id, n)) + rec(typeEnd, "\x00\x00\x00\x00\x00\x00\x00\x00", r.IntN(2)*r.IntN(256))
	switch r.IntN(12) {
	case 0:
		io.WriteString(p, wire[:r.IntN(len(wire))])
		return false
	case 1:
		at := r.IntN(len(wire))
		io.WriteString(p, wire[:at])
		time.Sleep(time.Duration(r.IntN(200)) * time.Millisecond)
		wire = wire[at:]
	case 2:
		wire += "garbage"
	case 3:
		io.WriteString(p, wire)
		return false
	}
	_, err := io.WriteString(p, wire)
	return err == nil
}

// records cuts s into records, with complaints in between.
func records(r *rand.Rand, s string) string {
	var b strings.Builder
	most := 1 + r.IntN(1<<r.IntN(17))
	for s != "" {
		n := min(1+r.IntN(most), len(s), maxContent)
		b.WriteString(rec(typeStdout, s[:n], r.IntN(2)*r.IntN(256)))
		s = s[n:]
		if r.IntN(4) == 0 {
			b.WriteString(rec(typeStderr, strings.Repeat("e", r.IntN(100))+"\n", r.IntN(2)*r.IntN(256)))
		}
	}
	return b.String()
}
