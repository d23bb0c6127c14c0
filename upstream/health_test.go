package upstream

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"weir"
	"weir/internal/clock"
)

// A ward is a set of machines that checks reach over pipes.
type ward struct {
	mu     sync.Mutex // protects the rest
	answer map[string]string
	dials  map[string][]time.Time
	hosts  []string // what requests began with
}

func newWard() *ward { return &ward{answer: map[string]string{}, dials: map[string][]time.Time{}} }

const well = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

func (w *ward) set(answer string, addresses ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, a := range addresses {
		w.answer[a] = answer
	}
}

// dial connects to a machine: "" refuses, "..." says nothing.
func (w *ward) dial(_ context.Context, _, address string) (net.Conn, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.dials[address] = append(w.dials[address], time.Now())
	answer := w.answer[address]
	if answer == "" {
		return nil, errors.New("connection refused")
	}
	here, there := net.Pipe()
	go w.reply(there, answer)
	return here, nil
}

func (w *ward) reply(c net.Conn, answer string) {
	defer c.Close()
	br := bufio.NewReader(c)
	var head strings.Builder
	for {
		line, err := br.ReadString('\n')
		if err != nil {
			return
		}
		head.WriteString(line)
		if line == "\r\n" {
			break
		}
	}
	w.mu.Lock()
	w.hosts = append(w.hosts, head.String())
	w.mu.Unlock()
	if answer == "..." {
		br.ReadByte()
		return
	}
	c.Write([]byte(answer))
}

func (w *ward) dialled(address string) []time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.dials[address])
}

func state(p *Pool, address string) ServerStatus {
	for _, s := range p.Status().Servers {
		if s.Address == address {
			return s
		}
	}
	return ServerStatus{State: "gone"}
}

func states(p *Pool) (out []string) {
	for _, s := range p.Status().Servers {
		out = append(out, s.State)
	}
	return out
}

func TestChecksTakeServersOutAndBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, ill := newWorld(), newWard()
		ill.set(well, three...)
		p := newPoolWith(t, w, Config{Servers: servers(three...), Health: &Health{Interval: time.Second, Path: "/up"}}, Deps{Dial: ill.dial}, nil)
		if got := states(p); !slices.Equal(got, []string{"unchecked", "unchecked", "unchecked"}) {
			t.Errorf("at the start servers are %v", got)
		}
		synctest.Wait()
		if got := states(p); !slices.Equal(got, []string{"up", "up", "up"}) {
			t.Errorf("after the first checks servers are %v", got)
		}
		ill.set("HTTP/1.1 500 Oops\r\n\r\n", three[0])
		time.Sleep(2300 * time.Millisecond)
		if s := state(p, three[0]); s.State != "up" || s.Reason == "" {
			t.Errorf("after two bad checks: %+v", s)
		}
		time.Sleep(1100 * time.Millisecond)
		s := state(p, three[0])
		if want := "GET /up: status 500, expected 200-399"; s.State != "down" || s.Reason != want || time.Since(s.Since) > 2*time.Second {
			t.Errorf("after three bad checks: %+v", s)
		}
		if got := counts(w, 20, p); !slices.Equal(got, []int{0, 10, 10}) {
			t.Errorf("20 requests went to %v", got)
		}
		ill.set(well, three[0])
		time.Sleep(2300 * time.Millisecond)
		if s := state(p, three[0]); s.State != "up" || s.Reason != "" {
			t.Errorf("after two good checks: %+v", s)
		}
	})
}

func TestFirstCheckDecidesAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, ill := newWorld(), newWard()
		ill.set(well, three[1:]...)
		p := newPoolWith(t, w, Config{Servers: servers(three...), Health: &Health{}}, Deps{Dial: ill.dial}, nil)
		if x := ask(p); x.Response.Status != 200 {
			t.Errorf("before any check the answer is %d", x.Response.Status)
		}
		synctest.Wait()
		if s := state(p, three[0]); s.State != "down" || s.Reason != "connection refused" {
			t.Errorf("after one check: %+v", s)
		}
	})
}

func TestAllDownIs503(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPoolWith(t, newWorld(), Config{Servers: servers(three...), Health: &Health{}}, Deps{Dial: newWard().dial}, nil)
		synctest.Wait()
		x := ask(p)
		if x.Response.Status != 503 || x.Fault.Cause != weir.CauseNoHealthyServer || x.Response.Header.Get("Retry-After") == "" {
			t.Errorf("status %d, fault %v", x.Response.Status, x.Fault)
		}
	})
}

func TestBackupsStandIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, ill := newWorld(), newWard()
		ill.set(well, three...)
		list := servers(three...)
		list[0].Backup = true
		p := newPoolWith(t, w, Config{Servers: list, Health: &Health{Interval: time.Second}}, Deps{Dial: ill.dial}, nil)
		synctest.Wait()
		if got := counts(w, 10, p); !slices.Equal(got, []int{0, 5, 5}) {
			t.Errorf("10 requests went to %v", got)
		}
		ill.set("", three[1:]...)
		time.Sleep(5 * time.Second)
		if got := counts(w, 10, p); !slices.Equal(got, []int{10, 5, 5}) {
			t.Errorf("with the primaries down requests went to %v", got)
		}
	})
}

func TestChecksAreJittered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ill := newWard()
		ill.set(well, three[0])
		newPoolWith(t, newWorld(), Config{Servers: servers(three[0]), Health: &Health{Interval: 10 * time.Second}}, Deps{Dial: ill.dial, Rand: seeded()}, nil)
		time.Sleep(1000 * time.Second)
		synctest.Wait()
		list := ill.dialled(three[0])
		least, most := time.Hour, time.Duration(0)
		for i := 1; i < len(list); i++ {
			d := list[i].Sub(list[i-1])
			least, most = min(least, d), max(most, d)
		}
		if least < 9*time.Second || most > 11*time.Second || most-least < time.Second {
			t.Errorf("%d checks from %v to %v apart", len(list), least, most)
		}
	})
}

func TestCheckJudges(t *testing.T) {
	for _, tt := range []struct {
		name, answer string
		h            Health
		want         string // the reason; "": well
	}{
		{"well", well, Health{}, ""},
		{"redirect", "HTTP/1.1 302 Found\r\n\r\n", Health{}, ""},
		{"only what is expected", "HTTP/1.1 302 Found\r\n\r\n", Health{Expect: []StatusRange{{200, 200}, {204, 206}}}, "GET /: status 302, expected 200, 204-206"},
		{"after an interim answer", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + well, Health{}, ""},
		{"no HTTP", "SSH-2.0-OpenSSH_10\r\n", Health{}, `the answer is no HTTP/1: "SSH-2.0-OpenSSH_10"`},
		{"cut off", "HTTP/1.1 200 OK\r\nA: b\r\n", Health{}, "GET /: the answer's head: EOF"},
		{"match", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nall right", Health{Match: "right"}, ""},
		{"no match", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nall right", Health{Match: "wrong"}, `GET /: the content does not hold "wrong"`},
		{"match over chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nall \r\n5;x=1\r\nright\r\n0\r\n\r\n", Health{Match: "ll ri"}, ""},
		{"match to the end", "HTTP/1.1 200 OK\r\n\r\nall right", Health{Match: "right"}, ""},
		{"broken chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", Health{Match: "a"}, `GET /: the answer's content: chunk size "zz" is no number`},
		{"no content to match", "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", Health{Match: "a"}, `GET /: the content does not hold "a"`},
		{"silent", "...", Health{}, "no answer within 2s"},
		{"connected", "...", Health{TCP: true}, ""},
		{"refused", "", Health{TCP: true}, "connection refused"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ill, h := newWard(), tt.h.orDefaults()
				ill.set(tt.answer, "a:80")
				ctx, cancel := context.WithTimeout(t.Context(), h.Timeout)
				defer cancel()
				got := ""
				if err := h.ask(ctx, ill.dial, &weir.Endpoint{Name: "a:80", Address: "a:80"}); err != nil {
					got = err.Error()
				}
				if got != tt.want {
					t.Errorf("got %q, want %q", got, tt.want)
				}
			})
		})
	}
}

func TestCheckRequest(t *testing.T) {
	h := (&Health{Method: "HEAD", Path: "/up?x=1", Header: []weir.Field{{Name: "X-Probe", Value: "1"}}}).orDefaults()
	want := "HEAD /up?x=1 HTTP/1.1\r\nHost: a:80\r\nUser-Agent: weir-health\r\nConnection: close\r\nX-Probe: 1\r\n\r\n"
	if got := string(h.request(&weir.Endpoint{Name: "a:80"})); got != want {
		t.Errorf("got %q", got)
	}
	h.Host = "shop.example"
	if got := string(h.request(&weir.Endpoint{Name: "unix:/run/a"})); !strings.Contains(got, "\r\nHost: shop.example\r\n") {
		t.Errorf("got %q", got)
	}
}

func TestCheckOverRealSockets(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go newWard().reply(c, well)
		}
	}()
	h := (&Health{}).orDefaults()
	dial := new(net.Dialer).DialContext
	if err := h.ask(t.Context(), dial, &weir.Endpoint{Name: "a", Address: l.Addr().String()}); err != nil {
		t.Error(err)
	}
	l.Close()
	if err := h.ask(t.Context(), dial, &weir.Endpoint{Name: "a", Address: l.Addr().String()}); err == nil {
		t.Error("a closed port is well")
	}
}

func TestOutliersAreEjected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		bad := map[string]bool{three[0]: true}
		w.do = func(ep *weir.Endpoint, x *weir.Exchange) error {
			x.Response.Status = 200
			if bad[ep.Address] {
				x.Response.Status = 502
			}
			return nil
		}
		p := newPool(t, w, Config{Servers: servers(three...), Outlier: &Outlier{Errors: 3, Eject: 10 * time.Second}}, nil)
		counts(w, 9, p)
		s := state(p, three[0])
		if s.State != "ejected" || s.Reason != "status 502" || s.Ejections != 1 || time.Until(s.Until).Round(time.Millisecond) != 10*time.Second {
			t.Errorf("after three failures: %+v", s)
		}
		if got := counts(w, 10, p); got[0] != 3 {
			t.Errorf("an ejected server was asked: %v", got)
		}
		time.Sleep(10*time.Second + 1)
		synctest.Wait()
		counts(w, 9, p)
		if s := state(p, three[0]); s.State != "ejected" || time.Until(s.Until).Round(time.Millisecond) != 20*time.Second {
			t.Errorf("the second time: %+v, ends in %v", s, time.Until(s.Until))
		}
		bad[three[1]], bad[three[2]] = true, true
		counts(w, 100, p)
		if got := states(p); !slices.Equal(got, []string{"ejected", "up", "up"}) {
			t.Errorf("with half of the servers as the limit they are %v", got)
		}
	})
}

// A server that requests and checks find dead is back with the first good check; where checks see nothing of what requests
// see, its ejection lasts its time.
func TestChecksEndEjections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, machines := newWorld(), newWard()
		machines.set(well, three...)
		bad := three[0]
		w.do = func(ep *weir.Endpoint, x *weir.Exchange) error {
			x.Response.Status = 200
			if ep.Address == bad {
				return fault(weir.CauseUpstreamReset, weir.RetryIdempotent)
			}
			return nil
		}
		cfg := Config{Servers: servers(three...), Health: &Health{Interval: 10 * time.Second, Fall: 3, Rise: 2}, Outlier: &Outlier{Errors: 3, Eject: time.Minute}}
		p := newPoolWith(t, w, cfg, Deps{Dial: machines.dial}, nil)
		synctest.Wait()
		machines.set("", bad)
		counts(w, 20, p)
		synctest.Wait()
		if s, n := state(p, bad), len(machines.dialled(bad)); s.State != "ejected" || n != 2 {
			t.Errorf("when it is dead: %+v after %d checks", s, n)
		}
		machines.set(well, bad)
		bad = ""
		time.Sleep(12 * time.Second)
		synctest.Wait()
		if s := state(p, three[0]); s.State != "up" || s.Ejections != 1 {
			t.Errorf("after a good check: %+v", s)
		}
		bad = three[1]
		counts(w, 20, p)
		time.Sleep(50 * time.Second)
		synctest.Wait()
		if s, n := state(p, bad), len(machines.dialled(bad)); s.State != "ejected" || n < 5 {
			t.Errorf("where checks are good: %+v after %d checks", s, n)
		}
		time.Sleep(11 * time.Second)
		synctest.Wait()
		if s := state(p, bad); s.State != "up" {
			t.Errorf("after its time: %+v", s)
		}
	})
}

func TestLastServerStays(t *testing.T) {
	w := newWorld()
	w.do = func(*weir.Endpoint, *weir.Exchange) error {
		return fault(weir.CauseUpstreamConnect, weir.RetryAlways)
	}
	p := newPool(t, w, Config{Servers: servers(three[:2]...), Outlier: &Outlier{Errors: 1, MaxEjected: 100}}, nil)
	for range 10 {
		ask(p)
	}
	got := states(p)
	slices.Sort(got)
	if !slices.Equal(got, []string{"ejected", "up"}) {
		t.Errorf("servers are %v", got)
	}
}

// Ejected servers are asked when those that are left fail their checks.
func TestPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, ill := newWorld(), newWard()
		ill.set(well, three...)
		w.do = func(ep *weir.Endpoint, x *weir.Exchange) error {
			x.Response.Status = 200
			if ep.Address == three[0] {
				x.Response.Status = 500
			}
			return nil
		}
		p := newPoolWith(t, w, Config{Servers: servers(three[:2]...), Health: &Health{Interval: time.Second}, Outlier: &Outlier{Errors: 1}}, Deps{Dial: ill.dial}, nil)
		ask(p)
		ask(p)
		synctest.Wait()
		ill.set("", three[1])
		time.Sleep(4 * time.Second)
		if st := p.Status(); !st.Panic || st.Servers[0].State != "ejected" || st.Servers[1].State != "down" {
			t.Errorf("status is %+v", st)
		}
		if x := ask(p); x.Endpoint == nil || x.Endpoint.Address != three[0] {
			t.Errorf("asked %v", x.Endpoint)
		}
	})
}

func TestFailuresMustFollowOneAnother(t *testing.T) {
	now := clock.Now()
	w := newWorld()
	status := 500
	w.do = func(ep *weir.Endpoint, x *weir.Exchange) error {
		x.Response.Status = status
		return nil
	}
	p := newPoolWith(t, w, Config{Servers: servers(three...), Outlier: &Outlier{Errors: 2, Within: time.Second}}, Deps{Clock: func() int64 { return now }}, nil)
	counts(w, 3, p)
	status = 200
	counts(w, 3, p)
	status = 500
	counts(w, 3, p)
	if got := states(p); slices.Contains(got, "ejected") {
		t.Errorf("with a good answer in between servers are %v", got)
	}
	now += int64(2 * time.Second)
	counts(w, 3, p)
	if got := states(p); slices.Contains(got, "ejected") {
		t.Errorf("with two seconds in between servers are %v", got)
	}
	counts(w, 1, p)
	if got := states(p); !slices.Contains(got, "ejected") {
		t.Errorf("after two failures in a row servers are %v", got)
	}
}

func TestSlowStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, ill := newWorld(), newWard()
		ill.set(well, three[1:]...)
		p := newPoolWith(t, w, Config{Servers: servers(three...), SlowStart: 10 * time.Second, Health: &Health{Interval: time.Second, Rise: 1}}, Deps{Dial: ill.dial}, nil)
		synctest.Wait()
		if s := state(p, three[1]); s.SlowStart != 1000 {
			t.Errorf("servers of a new pool start at %d", s.SlowStart)
		}
		ill.set(well, three[0])
		for s := state(p, three[0]); s.State != "up"; s = state(p, three[0]) {
			time.Sleep(10 * time.Millisecond)
		}
		shares := []int{}
		for range 4 {
			before := w.asked(three[0])
			counts(w, 3000, p)
			shares = append(shares, w.asked(three[0])-before)
			time.Sleep(4 * time.Second)
		}
		if shares[0] > 200 || shares[1] < 200 || shares[1] > 600 || shares[2] < 600 || shares[2] > 950 || shares[3] != 1000 {
			t.Errorf("of 3000 requests each it got %v", shares)
		}
	})
}

func TestStatusText(t *testing.T) {
	p := newPool(t, newWorld(), Config{Servers: servers(three[0])}, nil)
	if got := fmt.Sprint(p.Status().Servers[0].Idle); got != "3" {
		t.Errorf("idle is %s", got)
	}
}
