package upstream

import (
	"encoding/binary"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"weir"
	"weir/internal/poll"
)

// A nurse is a transport that answers checks by gRPC as it is told.
type nurse struct {
	answer func(x *weir.Exchange) error

	mu     sync.Mutex // protects the rest
	asked  []string   // what was asked for
	closed int
}

func (n *nurse) RoundTrip(x *weir.Exchange) error {
	body, _ := io.ReadAll(x.Request.Body)
	n.mu.Lock()
	n.asked = append(n.asked, x.Request.Method+" "+x.Request.Authority+" "+x.Request.Path+" "+x.Request.Header.Get("X-Key")+" "+string(body))
	n.mu.Unlock()
	return n.answer(x)
}

func (n *nurse) Idle() int { return 0 }

func (n *nurse) Close() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.closed++
}

// A told is a content with a trailer.
type told struct {
	io.Reader
	err     error
	trailer weir.Header
}

func (b *told) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if err == io.EOF && b.err != nil {
		err = b.err
	}
	return n, err
}

func (b *told) Close() error          { return nil }
func (b *told) Len() int64            { return -1 }
func (b *told) Trailer() *weir.Header { return &b.trailer }

// says returns an answer: its message without the prefix, and the status of gRPC.
func says(message, code string) func(x *weir.Exchange) error {
	return func(x *weir.Exchange) error {
		b := &told{Reader: strings.NewReader(prefixed(message))}
		if code != "" {
			b.trailer.Add("grpc-status", code)
		}
		x.Response.Status, x.Response.Body = 200, b
		return nil
	}
}

func prefixed(message string) string {
	return string(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message)))) + message
}

func TestCallJudges(t *testing.T) {
	only := func(fields ...string) func(x *weir.Exchange) error {
		return func(x *weir.Exchange) error {
			x.Response.Status = 200
			for i := 0; i < len(fields); i += 2 {
				x.Response.Header.Add(fields[i], fields[i+1])
			}
			return nil
		}
	}
	raw := func(message string, err error) func(x *weir.Exchange) error {
		return func(x *weir.Exchange) error {
			b := &told{Reader: strings.NewReader(message), err: err}
			b.trailer.Add("grpc-status", "0")
			x.Response.Status, x.Response.Body = 200, b
			return nil
		}
	}
	const odd = "the answer is no message of gRPC's health protocol"
	for name, tt := range map[string]struct {
		answer func(x *weir.Exchange) error
		want   string
	}{
		"serving":        {says("\x08\x01", "0"), ""},
		"more fields":    {says("\x12\x02ab\x19abcdefgh\x25abcd\x08\x01\x18\x05", "0"), ""},
		"the last one":   {says("\x08\x01\x08\x02", "0"), "its status is NOT_SERVING"},
		"not serving":    {says("\x08\x02", "0"), "its status is NOT_SERVING"},
		"says nothing":   {says("", "0"), "its status is UNKNOWN"},
		"a new status":   {says("\x08\x09", "0"), "its status is 9"},
		"no service":     {only("grpc-status", "5", "grpc-message", "unknown service"), `grpc-status "5": "unknown service"`},
		"status in head": {only("grpc-status", "0"), odd},
		"no gRPC":        {only("X", "y"), "the answer has no grpc-status: it is none of gRPC"},
		"failed after":   {says("\x08\x01", "14"), `grpc-status "14": ""`},
		"no status":      {says("\x08\x01", ""), "the answer has no grpc-status: it is none of gRPC"},
		"cut message":    {raw("\x00\x00\x00\x00\x02\x08", nil), odd},
		"two messages":   {raw(prefixed("\x08\x01")+prefixed("\x08\x01"), nil), odd},
		"compressed":     {raw("\x01\x00\x00\x00\x02\x08\x01", nil), odd},
		"long field":     {says("\x12\x7fab", "0"), odd},
		"odd wire type":  {says("\x0b\x01", "0"), odd},
		"field 0":        {says("\x00\x01", "0"), odd},
		"half a varint":  {says("\x08\x80", "0"), odd},
		"too long":       {raw(prefixed(strings.Repeat("\x10\x01", maxCheckBody)), nil), "the answer is longer than any to a check is"},
		"cut":            {raw(prefixed("\x08\x01"), io.ErrUnexpectedEOF), "unexpected EOF"},
		"status":         {func(x *weir.Exchange) error { x.Response.Text(404, "what?"); return nil }, "status 404, expected 200 of a server of gRPC"},
		"fault":          {func(*weir.Exchange) error { return &weir.Fault{Op: "dial", Err: io.EOF} }, "dial: EOF"},
	} {
		n := &nurse{answer: tt.answer}
		h := (&Health{GRPC: true, Transport: func(*weir.Endpoint) weir.Transport { return n }}).orDefaults()
		err := h.ask(t.Context(), nil, &weir.Endpoint{Name: "a:1"})
		got := ""
		if err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
		if n.closed != 1 {
			t.Errorf("%s: the transport was closed %d times", name, n.closed)
		}
	}
}

func TestCallAsks(t *testing.T) {
	n := &nurse{answer: says("\x08\x01", "0")}
	to := func(*weir.Endpoint) weir.Transport { return n }
	for name, h := range map[string]Health{
		"POST a:1 /grpc.health.v1.Health/Check  \x00\x00\x00\x00\x00":                   {},
		"POST h /grpc.health.v1.Health/Check 1 \x00\x00\x00\x00\x07\x0a\x05shop.":       {Host: "h", Service: "shop.", Header: []weir.Field{{Name: "X-Key", Value: "1"}}},
		"POST localhost /grpc.health.v1.Health/Check  \x00\x00\x00\x00\x03\x0a\x01\xff": {Service: "\xff"},
	} {
		ep := &weir.Endpoint{Name: "a:1"}
		if h.Service == "\xff" {
			ep.Name = "unix:/run/a.sock"
		}
		h.GRPC, h.Transport = true, to
		if err := h.orDefaults().ask(t.Context(), nil, ep); err != nil {
			t.Fatal(err)
		}
		if got := n.asked[len(n.asked)-1]; got != name {
			t.Errorf("it was asked %q, want %q", got, name)
		}
	}
}

// Checks by gRPC take servers out and back, and one that hangs is broken off in time.
func TestCallsTakeServersOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang := func(x *weir.Exchange) error {
			gone := make(canceled, 1)
			x.Watch(gone)
			<-gone
			return &weir.Fault{Op: "wait", Side: weir.SideClient, Cause: weir.CauseClientGone, Err: poll.ErrCanceled}
		}
		var sick atomic.Bool
		n := &nurse{}
		n.answer = func(x *weir.Exchange) error {
			if sick.Load() {
				return hang(x)
			}
			return says("\x08\x01", "0")(x)
		}
		h := &Health{GRPC: true, Interval: time.Second, Timeout: 500 * time.Millisecond, Transport: func(*weir.Endpoint) weir.Transport { return n }}
		p := newPoolWith(t, newWorld(), Config{Servers: servers(three[0]), Health: h}, Deps{}, nil)
		synctest.Wait()
		if s := state(p, three[0]); s.State != "up" {
			t.Fatalf("%+v", s)
		}
		sick.Store(true)
		time.Sleep(10 * time.Second)
		if s := state(p, three[0]); s.State != "down" || s.Reason != "no answer within 500ms" {
			t.Errorf("%+v", s)
		}
		sick.Store(false)
		time.Sleep(5 * time.Second)
		if s := state(p, three[0]); s.State != "up" {
			t.Errorf("%+v", s)
		}
	})
}

type canceled chan struct{}

func (c canceled) Cancel() {
	select {
	case c <- struct{}{}:
	default:
	}
}

func TestCallNeedsTransport(t *testing.T) {
	_, err := New(Config{Name: "a", Servers: servers(three[0]), Health: &Health{GRPC: true}, Transport: func(*weir.Endpoint) weir.Transport { return nil }}, Deps{}, nil)
	if err == nil || !strings.Contains(err.Error(), "no transport for its checks") {
		t.Error(err)
	}
}

// Whatever a server says, it is judged; and only a message that says so is one of health.
func FuzzHealthStatus(f *testing.F) {
	f.Add([]byte(prefixed("\x08\x01")))
	f.Add([]byte(prefixed("\x12\x02ab\x19abcdefgh\x25abcd\x08\x01")))
	f.Add([]byte(prefixed("\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01")))
	f.Fuzz(func(t *testing.T, p []byte) {
		if status, ok := healthStatus(p); ok && status != 0 && !strings.Contains(string(p), "\x08") && !strings.Contains(string(p), "\x88") {
			t.Errorf("%q has the status %d", p, status)
		}
	})
}

// An ordinary check goes over the transport, too, where there is one.
func TestChecksByTransport(t *testing.T) {
	for name, tt := range map[string]struct {
		status int
		body   string
		fail   error
		match  string
		want   string // "": well
	}{
		"well":       {204, "", nil, "", ""},
		"matches":    {200, "all is well", nil, "well", ""},
		"ill":        {503, "", nil, "", "GET /healthz?deep: status 503, expected 200-399"},
		"no match":   {200, "ill", nil, "well", `GET /healthz?deep: the content does not hold "well"`},
		"cut":        {200, "i", io.ErrUnexpectedEOF, "well", "GET /healthz?deep: the answer's content: unexpected EOF"},
		"no content": {200, "", nil, "well", `GET /healthz?deep: the content does not hold "well"`},
	} {
		asked, closed := "", 0
		h := (&Health{Path: "/healthz?deep", Match: tt.match, Header: []weir.Field{{Name: "X-Key", Value: "k"}}}).orDefaults()
		h.Transport = func(*weir.Endpoint) weir.Transport {
			return checked{func(x *weir.Exchange) error {
				asked = x.Request.Method + " " + x.Request.Authority + " " + x.Request.Path + " " + x.Request.Query + " " + x.Request.Header.Get("X-Key")
				x.Response.Status = tt.status
				if tt.body != "" {
					x.Response.Body = &told{Reader: strings.NewReader(tt.body), err: tt.fail}
				}
				return nil
			}, &closed}
		}
		got := ""
		if err := h.ask(t.Context(), nil, &weir.Endpoint{Name: "a.test:1", Address: "127.0.0.1:1"}); err != nil {
			got = err.Error()
		}
		if got != tt.want || asked != "GET a.test:1 /healthz deep k" || closed != 1 {
			t.Errorf("%s: %q, want %q; asked %q, closed %d times", name, got, tt.want, asked, closed)
		}
	}
}

// A checked is a transport of checks.
type checked struct {
	answer func(x *weir.Exchange) error
	closed *int
}

func (c checked) RoundTrip(x *weir.Exchange) error { return c.answer(x) }
func (c checked) Idle() int                        { return 0 }
func (c checked) Close()                           { *c.closed++ }
