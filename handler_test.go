package weir

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
)

// A tape is a Stream and an Observer that notes what it is told.
type tape struct {
	events  []string
	respond error
	watched Canceler
}

func (s *tape) note(format string, args ...any) {
	s.events = append(s.events, fmt.Sprintf(format, args...))
}

func (s *tape) Inform(status int, _ *Header) error { s.note("inform %d", status); return nil }
func (s *tape) Reset(f *Fault)                     { s.note("reset %s", f.Cause) }
func (s *tape) Watch(c Canceler)                   { s.watched = c }
func (s *tape) Observe(x *Exchange)                { s.note("observe %d %s", x.Response.Status, outcome(x)) }

func (s *tape) Respond(x *Exchange) error {
	var body string
	if x.Response.Body != nil {
		b, _ := io.ReadAll(x.Response.Body)
		body = string(b)
	}
	s.note("respond %d %q", x.Response.Status, body)
	return s.respond
}

// An ending notes that it was told of the end.
type ending struct {
	s    *tape
	name string
}

func (e ending) EndExchange(x *Exchange) { e.s.note("end %s %v", e.name, x.Timing.End > 0) }

func serve(t *testing.T, s *tape, h HandlerFunc, want ...string) *Exchange {
	t.Helper()
	x := &Exchange{}
	x.Reset(&Conn{})
	over := Serve(h, x, s, s)
	if over != (s.respond != ErrDetached) {
		t.Errorf("Serve returns %v", over)
	}
	if !slices.Equal(s.events, want) {
		t.Errorf("events:\n%s\nwant:\n%s", strings.Join(s.events, "\n"), strings.Join(want, "\n"))
	}
	return x
}

func hello(x *Exchange) error {
	x.Response.Text(200, "hello")
	return nil
}

func TestServe(t *testing.T) {
	x := serve(t, &tape{}, hello, `respond 200 "hello"`, "observe 200 ok")
	if x.Fault != nil {
		t.Errorf("fault %v", x.Fault)
	}
}

func TestServeAnswersAnError(t *testing.T) {
	x := serve(t, &tape{}, func(x *Exchange) error {
		x.Response.Text(200, "half an answer")
		return Refuse(CauseNoRoute, "route")
	}, `respond 404 "404 Not Found\n"`, "observe 404 route.no_route")
	if got := x.Response.Header.Len(); got != 1 {
		t.Errorf("the answer has %d fields: what the handler had begun is still there", got)
	}
}

func TestServeAnswersForNobody(t *testing.T) {
	serve(t, &tape{}, func(*Exchange) error { return nil },
		`respond 500 "500 Internal Server Error\n"`, "observe 500 weir.internal")
}

func TestServeTearsDownWhatCannotBeDelivered(t *testing.T) {
	body := &watchedBody{Body: NewBody("hello")}
	x := serve(t, &tape{respond: Refuse(CauseClientGone, "write")}, func(x *Exchange) error {
		x.Response.Status, x.Response.Body = 200, body
		return nil
	}, `respond 200 "hello"`, "reset client.gone", "observe 200 client.gone")
	if !body.closed {
		t.Error("the body is left open")
	}
	if x.stream != nil {
		t.Error("the exchange keeps the stream")
	}
}

// The first fault is the one that explains the exchange.
func TestServeKeepsTheFirstFault(t *testing.T) {
	serve(t, &tape{respond: errors.New("broken pipe")}, func(*Exchange) error { return Refuse(CauseQueueFull, "x") },
		`respond 503 "503 Service Unavailable\n"`, "reset upstream.queue_full", "observe 503 upstream.queue_full")
}

func TestServeLeavesADetachedExchange(t *testing.T) {
	s := &tape{respond: ErrDetached}
	x := serve(t, s, func(x *Exchange) error {
		x.AtEnd(ending{s, "relay"})
		return hello(x)
	}, `respond 200 "hello"`)
	Finish(x, nil, s)
	want := []string{`respond 200 "hello"`, "end relay true", "observe 200 ok"}
	if !slices.Equal(s.events, want) {
		t.Errorf("after Finish: %q", s.events)
	}
}

func TestEndersAreToldLastFirst(t *testing.T) {
	s := &tape{}
	x := serve(t, s, func(x *Exchange) error {
		x.AtEnd(ending{s, "first"})
		x.AtEnd(ending{s, "second"})
		return hello(x)
	}, `respond 200 "hello"`, "end second true", "end first true", "observe 200 ok")
	if len(x.enders) != 0 {
		t.Error("the exchange keeps its enders")
	}
}

func TestFailSaysWhenToComeAgain(t *testing.T) {
	x := &Exchange{}
	x.Fail(&Fault{Cause: CauseOverload, RetryAfter: 7})
	if got := x.Response.Header.Get("Retry-After"); got != "7" || x.Response.Status != 503 {
		t.Errorf("status %d, Retry-After %q", x.Response.Status, got)
	}
	x.Fail(&Fault{Cause: CauseOverload, Status: 429})
	if _, ok := x.Response.Header.Lookup("Retry-After"); ok || x.Response.Status != 429 {
		t.Errorf("status %d, and Retry-After of the answer before", x.Response.Status)
	}
}

func TestChain(t *testing.T) {
	var order []string
	step := func(p Phase, name string) Step {
		return Step{p, name, func(next Handler) Handler {
			return HandlerFunc(func(x *Exchange) error {
				order = append(order, name)
				return next.ServeExchange(x)
			})
		}}
	}
	steps := []Step{
		step(PhaseForward, "forward"), step(PhaseAdmit, "allow"), step(PhaseObserve, "errors"), step(PhaseAdmit, "limit"),
	}
	h := Chain(steps, HandlerFunc(func(*Exchange) error { order = append(order, "end"); return nil }))
	if err := h.ServeExchange(&Exchange{}); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(order, " "); got != "errors allow limit forward end" {
		t.Errorf("order: %s", got)
	}
	if steps[0].Name != "forward" {
		t.Error("Chain sorts the caller's slice")
	}
}

func TestPhases(t *testing.T) {
	seen := map[string]bool{}
	for p := PhaseObserve; p <= PhaseOrigin; p++ {
		if p.String() == "unknown" || seen[p.String()] {
			t.Errorf("phase %d is called %q", p, p)
		}
		seen[p.String()] = true
	}
	if got := (PhaseOrigin + 1).String(); got != "unknown" {
		t.Errorf("a phase that is none is called %q", got)
	}
	if PhaseCache.String() != "cache" || PhaseOrigin.String() != "origin" {
		t.Error("the names do not stand in the order of the phases")
	}
}

func TestObservers(t *testing.T) {
	a, b := &tape{}, &tape{}
	Observers{a, b}.Observe(&Exchange{})
	if len(a.events) != 1 || len(b.events) != 1 {
		t.Errorf("told: %q, %q", a.events, b.events)
	}
}
