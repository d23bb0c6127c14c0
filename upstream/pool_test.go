package upstream

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"weir"
)

// A fakeTransport answers 200, or does what it is told.
type fakeTransport struct {
	ep     *weir.Endpoint
	do     func(x *weir.Exchange) error // nil: 200
	asked  atomic.Int64
	closed atomic.Bool
}

func (t *fakeTransport) RoundTrip(x *weir.Exchange) error {
	t.asked.Add(1)
	if t.do != nil {
		return t.do(x)
	}
	x.Timing.Sent, x.Timing.FirstByte = 1000, 2000
	x.Response.Status = 200
	return nil
}

func (t *fakeTransport) Idle() int { return 3 }
func (t *fakeTransport) Close()    { t.closed.Store(true) }

// A world keeps the transports that pools have been given, by address.
type world struct {
	mu   sync.Mutex // protects all
	all  map[string]*fakeTransport
	made int
	do   func(ep *weir.Endpoint, x *weir.Exchange) error // nil: 200
}

func newWorld() *world { return &world{all: map[string]*fakeTransport{}} }

func (w *world) transport(ep *weir.Endpoint) weir.Transport {
	w.mu.Lock()
	defer w.mu.Unlock()
	t := &fakeTransport{ep: ep}
	if w.do != nil {
		t.do = func(x *weir.Exchange) error { return w.do(ep, x) }
	}
	w.all[ep.Address] = t
	w.made++
	return t
}

// at returns the transport made last for address.
func (w *world) at(address string) *fakeTransport {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.all[address]
}

// count returns how many transports were made.
func (w *world) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.made
}

// open returns the addresses whose transports are not closed.
func (w *world) open() (out []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for a, t := range w.all {
		if !t.closed.Load() {
			out = append(out, a)
		}
	}
	return out
}

func (w *world) asked(address string) int {
	return int(w.at(address).asked.Load())
}

// A fakeStream is a client that takes every answer.
type fakeStream struct {
	mu      sync.Mutex // protects watched
	watched weir.Canceler
}

func (*fakeStream) Inform(int, *weir.Header) error { return nil }
func (*fakeStream) Respond(*weir.Exchange) error   { return nil }
func (*fakeStream) Reset(*weir.Fault)              {}

func (s *fakeStream) Watch(c weir.Canceler) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.watched = c
}

// goAway is the client's leaving.
func (s *fakeStream) goAway() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.watched != nil {
		s.watched.Cancel()
	}
}

func newExchange(method string) *weir.Exchange {
	x := new(weir.Exchange)
	x.Reset(&weir.Conn{RemoteIP: "127.0.0.1"})
	x.Request.Method, x.Request.Path = method, "/"
	return x
}

// ask sends one GET through h and returns how it went.
func ask(h weir.Handler) *weir.Exchange { return askWith(h, newExchange("GET")) }

func askWith(h weir.Handler, x *weir.Exchange) *weir.Exchange {
	weir.Serve(h, x, new(fakeStream), weir.Observers(nil))
	return x
}

func servers(addresses ...string) []Server {
	list := make([]Server, len(addresses))
	for i, a := range addresses {
		list[i].Address = a
	}
	return list
}

// three are the addresses that most tests use.
var three = []string{"10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80"}

func newPool(t *testing.T, w *world, c Config, prev *Pool) *Pool {
	t.Helper()
	return newPoolWith(t, w, c, Deps{}, prev)
}

func newPoolWith(t *testing.T, w *world, c Config, d Deps, prev *Pool) *Pool {
	t.Helper()
	c.Name, c.Transport = "shop", w.transport
	p, err := New(c, d, prev)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	p.Start()
	return p
}

func counts(w *world, n int, p weir.Handler) []int {
	for range n {
		ask(p)
	}
	var out []int
	for _, a := range three {
		out = append(out, w.asked(a))
	}
	return out
}

func TestPoolSpreadsRequests(t *testing.T) {
	w := newWorld()
	p := newPool(t, w, Config{Servers: servers(three...)}, nil)
	if got := counts(w, 30, p); !slices.Equal(got, []int{10, 10, 10}) {
		t.Errorf("30 requests went to %v", got)
	}
	for _, s := range p.Status().Servers {
		if s.Active != 0 || s.State != "up" {
			t.Errorf("server is %+v after all requests have ended", s)
		}
	}
}

func TestPoolSetsWhatTheLogNeeds(t *testing.T) {
	w := newWorld()
	p := newPool(t, w, Config{Servers: servers(three[0])}, nil)
	x := ask(p)
	if x.Endpoint == nil || x.Endpoint.Name != three[0] || x.Attempts != 1 || x.Response.Status != 200 {
		t.Errorf("endpoint %v, attempts %d, status %d", x.Endpoint, x.Attempts, x.Response.Status)
	}
}

func TestServeDoesNotAllocate(t *testing.T) {
	for _, n := range []int{1, 3} {
		p := newPool(t, newWorld(), Config{Servers: servers(three[:n]...)}, nil)
		x, s, conn := newExchange("GET"), new(fakeStream), &weir.Conn{}
		var o weir.Observer = weir.Observers(nil)
		allocs := testing.AllocsPerRun(1000, func() {
			x.Reset(conn)
			weir.Serve(p, x, s, o)
		})
		if allocs != 0 {
			t.Errorf("%d servers: %v allocations per exchange", n, allocs)
		}
	}
}

func BenchmarkServe(b *testing.B) {
	for _, n := range []int{1, 3} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			p, _ := New(Config{Name: "shop", Servers: servers(three[:n]...), Transport: newWorld().transport}, Deps{}, nil)
			x, s, conn := newExchange("GET"), new(fakeStream), &weir.Conn{}
			for b.Loop() {
				x.Reset(conn)
				weir.Serve(p, x, s, weir.Observers(nil))
			}
		})
	}
}

func fault(c weir.Cause, r weir.Retry) *weir.Fault {
	return &weir.Fault{Op: "test", Side: c.Side(), Cause: c, Retry: r, Err: io.ErrUnexpectedEOF}
}

func TestRetries(t *testing.T) {
	for _, tt := range []struct {
		name     string
		method   string
		touched  bool
		fault    error
		attempts int // servers asked when all fail
	}{
		{"nothing was sent", "POST", false, fault(weir.CauseUpstreamConnect, weir.RetryAlways), 3},
		{"may be done twice", "GET", false, fault(weir.CauseUpstreamClosed, weir.RetryIdempotent), 3},
		{"may not be done twice", "POST", false, fault(weir.CauseUpstreamClosed, weir.RetryIdempotent), 1},
		{"the body is gone", "PUT", true, fault(weir.CauseUpstreamClosed, weir.RetryIdempotent), 1},
		{"an answer has begun", "GET", false, fault(weir.CauseUpstreamHeader, weir.RetryNever), 1},
		{"the client is gone", "GET", false, fault(weir.CauseClientGone, weir.RetryAlways), 1},
		{"no fault at all", "GET", false, errors.New("defect"), 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld()
			seen := map[string]bool{}
			w.do = func(ep *weir.Endpoint, x *weir.Exchange) error {
				seen[ep.Address] = true
				return tt.fault
			}
			p := newPool(t, w, Config{Servers: servers(append(three, "10.0.0.4:80")...)}, nil)
			x := newExchange(tt.method)
			x.Request.Touched = tt.touched
			askWith(p, x)
			if x.Attempts != tt.attempts || len(seen) != tt.attempts {
				t.Errorf("%d attempts at %d servers, want %d", x.Attempts, len(seen), tt.attempts)
			}
			if x.Fault == nil || x.Fault.Cause != weir.AsFault(tt.fault).Cause {
				t.Errorf("fault is %v", x.Fault)
			}
		})
	}
}

func TestRetryEndsWithAnAnswer(t *testing.T) {
	w := newWorld()
	w.do = func(ep *weir.Endpoint, x *weir.Exchange) error {
		if ep.Address == three[0] {
			return fault(weir.CauseUpstreamConnect, weir.RetryAlways)
		}
		x.Response.Status = 204
		return nil
	}
	p := newPool(t, w, Config{Servers: servers(three[:2]...)}, nil)
	for range 10 {
		if x := ask(p); x.Response.Status != 204 || x.Endpoint.Address != three[1] || x.Fault != nil {
			t.Fatalf("status %d from %v: %v", x.Response.Status, x.Endpoint.Address, x.Fault)
		}
	}
	for _, s := range p.Status().Servers {
		if s.Active != 0 {
			t.Errorf("%s has %d exchanges under way", s.Name, s.Active)
		}
	}
}

// A server alone is asked once more only if it was reached and broke off.
func TestRetryOfTheOnlyServer(t *testing.T) {
	for cause, want := range map[*weir.Fault]int{
		fault(weir.CauseUpstreamConnect, weir.RetryAlways):    1,
		fault(weir.CauseUpstreamClosed, weir.RetryIdempotent): 3,
	} {
		w := newWorld()
		w.do = func(*weir.Endpoint, *weir.Exchange) error { return cause }
		if x := ask(newPool(t, w, Config{Servers: servers(three[0])}, nil)); x.Attempts != want {
			t.Errorf("%v: %d attempts, want %d", cause.Cause, x.Attempts, want)
		}
	}
}

func TestRetryBudget(t *testing.T) {
	now := int64(1)
	b := newBudget(Retry{Attempts: 2, Budget: 20, MinPerSecond: 1}, func() int64 { return now })
	b.requests.Add(1000)
	take := func() (n int) {
		for b.take() {
			n++
		}
		return n
	}
	if n := take(); n != 210 {
		t.Errorf("%d retries for 1000 requests, want 20 percent and 10", n)
	}
	now += int64(budgetWindow)
	if n := take(); n != 0 {
		t.Errorf("%d more in the next window", n)
	}
	now += int64(2 * budgetWindow)
	if n := take(); n != 10 {
		t.Errorf("%d retries after a silence, want the 10 that are always allowed", n)
	}
}

func TestBudgetCountsWhatMatters(t *testing.T) {
	now := int64(1)
	b := newBudget(Retry{Attempts: 2, Budget: 20, MinPerSecond: 1}, func() int64 { return now })
	counted := func() int64 {
		before := b.requests.Load()
		for range 100 {
			b.count(now)
		}
		return b.requests.Load() - before
	}
	now += 2*int64(budgetWindow) - 1
	if n := counted(); n != 100 {
		t.Errorf("%d requests counted, want 100", n)
	}
	now++
	if n := counted(); n != 0 {
		t.Errorf("%d requests counted that no window looks back at", n)
	}
	for _, left := range []int{10, 30} {
		if n := b.remaining(); n != left {
			t.Errorf("%d retries left, want %d", n, left)
		}
		counted()
	}
}

func TestSpentBudgetEndsRetries(t *testing.T) {
	w := newWorld()
	w.do = func(*weir.Endpoint, *weir.Exchange) error {
		return fault(weir.CauseUpstreamClosed, weir.RetryIdempotent)
	}
	d := Deps{Clock: func() int64 { return 1 }}
	p := newPoolWith(t, w, Config{Servers: servers(three...), Retry: Retry{Attempts: 2, Budget: 1, MinPerSecond: 1}}, d, nil)
	attempts, noted := 0, 0
	for range 100 {
		x := ask(p)
		attempts += x.Attempts
		if x.Note != "" {
			noted++
		}
	}
	if attempts != 110 && attempts != 111 {
		t.Errorf("%d attempts for 100 requests", attempts)
	}
	if noted != 200-attempts {
		t.Errorf("%d of %d requests tell that the budget was spent", noted, 200-attempts)
	}
}

// A server that refuses connections costs nobody anything: going on to another one is not what the budget is for.
func TestRefusalsNeedNoBudget(t *testing.T) {
	w := newWorld()
	w.do = func(ep *weir.Endpoint, x *weir.Exchange) error {
		x.Response.Status = 200
		if ep.Address == three[0] {
			return fault(weir.CauseUpstreamConnect, weir.RetryAlways)
		}
		return nil
	}
	d := Deps{Clock: func() int64 { return 1 }}
	p := newPoolWith(t, w, Config{Servers: servers(three...), Retry: Retry{Attempts: 2, Budget: 1, MinPerSecond: 1}}, d, nil)
	failed := 0
	for range 300 {
		if x := ask(p); x.Response.Status != 200 || x.Note != "" {
			failed++
		}
	}
	if left := p.budget.remaining(); failed > 0 || left < 10 {
		t.Errorf("%d of 300 requests failed; %d retries are left", failed, left)
	}
}

func TestNewRefuses(t *testing.T) {
	tr := newWorld().transport
	for want, c := range map[string]Config{
		`an upstream has no name`:                 {Servers: servers(three[0]), Transport: tr},
		`upstream "u" has no server`:              {Name: "u", Transport: tr},
		`upstream "u" has no transport`:           {Name: "u", Servers: servers(three[0])},
		`upstream "u": server "host" has no port`: {Name: "u", Servers: servers("host"), Transport: tr},
		`upstream "u": server "a:99999": port "99999" is not a number from 1 to 65535`:                  {Name: "u", Servers: servers("a:99999"), Transport: tr},
		`upstream "u": server "a b:80": "a b" is neither an address nor a name`:                         {Name: "u", Servers: servers("a b:80"), Transport: tr},
		`upstream "u": server "unix:" names no socket`:                                                  {Name: "u", Servers: servers("unix:"), Transport: tr},
		`upstream "u": discover: "_http.x" is no name of SRV records, such as "_http._tcp.example.com"`: {Name: "u", Discover: &Discover{"_http.x"}, Transport: tr},
		`upstream "u": discover: "10.0.0.1:80" is an address and no name`:                               {Name: "u", Discover: &Discover{"10.0.0.1:80"}, Transport: tr},
		`upstream "u": balance "best" is not one of ` + balanceNames():                                  {Name: "u", Servers: servers(three[0]), Balance: "best", Transport: tr},
	} {
		if _, err := New(c, Deps{}, nil); err == nil || err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
}

func seeded() func() uint64 {
	r := rand.New(rand.NewPCG(1, 2))
	var mu sync.Mutex
	return func() uint64 {
		mu.Lock()
		defer mu.Unlock()
		return r.Uint64()
	}
}
