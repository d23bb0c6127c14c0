package weir

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"
)

// A call returns an exchange that is a call of gRPC.
func call(fields ...string) *Exchange {
	x := &Exchange{}
	x.Reset(&Conn{})
	x.Timing.Start = 1000
	x.Request.Method, x.Request.Protocol = "POST", "HTTP/2"
	x.Request.Header.Add("Content-Type", "application/grpc")
	for i := 0; i < len(fields); i += 2 {
		x.Request.Header.Set(fields[i], fields[i+1])
	}
	return x
}

func TestIsGRPC(t *testing.T) {
	for _, kind := range []string{"application/grpc", "application/grpc+proto", "application/grpc;charset=x", "Application/GRPC"} {
		if !call("Content-Type", kind).IsGRPC() {
			t.Errorf("%q is gRPC", kind)
		}
	}
	for _, kind := range []string{"", "application/grpc-web", "application/grpc-web+proto", "application/grpcx", "application/json", "application/grp"} {
		if call("Content-Type", kind).IsGRPC() {
			t.Errorf("%q is no gRPC", kind)
		}
	}
	get, old := call(), call()
	get.Request.Method, old.Request.Protocol = "GET", "HTTP/1.1"
	if get.IsGRPC() || old.IsGRPC() {
		t.Error("gRPC is a POST over HTTP/2 or later")
	}
}

func TestFailGRPC(t *testing.T) {
	tests := []struct {
		fault Fault
		want  string
	}{
		{Fault{Cause: CauseRequestPath}, "13 400 Bad Request"},
		{Fault{Cause: CauseDenied, Status: 401}, "16 401 Unauthorized"},
		{Fault{Cause: CauseDenied}, "7 403 Forbidden"},
		{Fault{Cause: CauseNoRoute}, "12 404 Not Found"},
		{Fault{Cause: CauseOverload, Status: 429}, "14 429 Too Many Requests"},
		{Fault{Cause: CauseUpstreamConnect}, "14 502 Bad Gateway"},
		{Fault{Cause: CauseQueueFull}, "14 503 Service Unavailable"},
		{Fault{Cause: CauseUpstreamConnectTimeout}, "14 504 Gateway Timeout"},
		{Fault{Cause: CauseUpstreamHeaderTimeout}, "4 504 Gateway Timeout"},
		{Fault{Cause: CauseUpstreamBodyTimeout}, "4 504 Gateway Timeout"},
		{Fault{Cause: CauseClientDeadline}, "4 408 Request Timeout"},
		{Fault{Cause: CauseClientGone}, "1 499 Client Closed Request"},
		{Fault{Cause: CauseRequestBodyTooLarge}, "8 413 Content Too Large"},
		{Fault{Cause: CauseRequestHeaderTooLarge}, "8 431 Request Header Fields Too Large"},
		{Fault{Cause: CauseInternal}, "2 500 Internal Server Error"},
	}
	for _, test := range tests {
		x := call()
		test.fault.RetryAfter = 7
		x.Fail(&test.fault)
		r := &x.Response
		got := r.Header.Get("grpc-status") + " " + r.Header.Get("grpc-message")
		if got != test.want || r.Status != 200 || r.Body != nil || r.Header.Get("Content-Type") != "application/grpc" || r.Header.Get("Retry-After") != "7" {
			t.Errorf("%s: %q, want %q; %+v", test.fault.Cause, got, test.want, r)
		}
	}
}

// Whatever goes wrong, a client never reads of a success, nor of what stands behind weir.
func TestFailGRPCSaysNothing(t *testing.T) {
	for _, c := range Causes() {
		x := call()
		x.Fail(&Fault{Op: "dial 10.0.0.7", Cause: c, Err: errors.New("secret")})
		for _, f := range x.Response.Header.Fields() {
			if f.Name == "grpc-status" && f.Value == "0" || strings.ContainsAny(f.Value, "%\n") || strings.Contains(f.Value, "secret") || strings.Contains(f.Value, "10.0") {
				t.Errorf("%s: %s: %q", c, f.Name, f.Value)
			}
		}
	}
}

func TestLateTrailer(t *testing.T) {
	answered := func(kind string) *Exchange {
		x := call()
		x.Response.Status = 200
		x.Response.Header.Add("Content-Type", kind)
		return x
	}
	cut := &Fault{Side: SideUpstream, Cause: CauseUpstreamBodyCut}
	late := &Fault{Side: SideClient, Cause: CauseClientDeadline}
	if h := answered("application/grpc+proto").LateTrailer(cut); h == nil || h.Get("grpc-status") != "14" || h.Get("grpc-message") != "502 Bad Gateway" {
		t.Errorf("a cut answer ends with %v", h)
	}
	if h := answered("application/grpc").LateTrailer(late); h == nil || h.Get("grpc-status") != "4" {
		t.Errorf("a late answer ends with %v", h)
	}
	if h := answered("application/grpc").LateTrailer(io.ErrUnexpectedEOF); h == nil || h.Get("grpc-status") != "2" {
		t.Errorf("an answer ends with %v", h)
	}
	if answered("text/html").LateTrailer(cut) != nil {
		t.Error("an answer that is no gRPC gets a status of gRPC")
	}
	if answered("application/grpc").LateTrailer(&Fault{Side: SideClient, Cause: CauseClientGone}) != nil {
		t.Error("a client that has gone is told something")
	}
}

func TestDeadline(t *testing.T) {
	for v, want := range map[string]time.Duration{
		"1H": time.Hour, "2M": 2 * time.Minute, "3S": 3 * time.Second, "99999999m": 99999999 * time.Millisecond, "5u": 5 * time.Microsecond,
		"7n": 7, "0S": 1,
		"": 0, "S": 0, "1": 0, "1s": 0, "-1S": 0, "+1S": 0, "1 S": 0, "123456789S": 0, "99999999H": 0, "1.5S": 0, "0x1S": 0,
	} {
		got := call("grpc-timeout", v).Deadline()
		if want != 0 {
			want += 1000
		}
		if got != int64(want) {
			t.Errorf("%q: %d, want %d", v, got, want)
		}
	}
	x := call("grpc-timeout", "1S")
	if x.Request.Header.Set("Content-Type", "text/plain"); x.Deadline() != 0 {
		t.Error("the field means something in a request that is no gRPC")
	}
}

func BenchmarkIsGRPC(b *testing.B) {
	x := call()
	for b.Loop() {
		x.IsGRPC()
	}
}

// A trailing is a body that has nothing but a trailer.
type trailing struct{ Header }

func (*trailing) Read([]byte) (int, error) { return 0, io.EOF }
func (*trailing) Close() error             { return nil }
func (*trailing) Len() int64               { return -1 }
func (b *trailing) Trailer() *Header       { return &b.Header }

// forgetful drops the trailer at the end of an exchange, as transports do.
type forgetful struct{ b *trailing }

func (f forgetful) EndExchange(*Exchange) { f.b.Header = Header{} }

func TestCallStatus(t *testing.T) {
	ends := func(x *Exchange, r func(*Response), err error) string {
		Serve(HandlerFunc(func(x *Exchange) error {
			x.Response.Status = 200
			r(&x.Response)
			if b, ok := x.Response.Body.(*trailing); ok {
				x.AtEnd(forgetful{b})
			}
			return err
		}), x, &tape{}, &tape{})
		return x.CallStatus
	}
	inTrailer := func(r *Response) {
		b := &trailing{}
		b.Add("grpc-status", "7")
		r.Body = b
	}
	inHead := func(r *Response) { r.Header.Add("grpc-status", "5") }
	plain := call()
	plain.Request.Header.Set("Content-Type", "text/plain")
	for name, tt := range map[string]struct{ got, want string }{
		"trailer":    {ends(call(), inTrailer, nil), "7"},
		"head":       {ends(call(), inHead, nil), "5"},
		"none":       {ends(call(), func(*Response) {}, nil), ""},
		"ours":       {ends(call(), func(*Response) {}, &Fault{Cause: CauseUpstreamConnect, Side: SideUpstream}), "14"},
		"no call":    {ends(plain, inHead, nil), ""},
		"used again": {func() string { x := call(); ends(x, inHead, nil); x.Reset(&Conn{}); return x.CallStatus }(), ""},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: %q, want %q", name, tt.got, tt.want)
		}
	}
}
