package ask

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"weir"
	"weir/internal/poll"
)

var server = &weir.Endpoint{Upstream: "api", Name: "a:80"}

func TestDialFault(t *testing.T) {
	inner := errors.New("expired")
	for _, tt := range []struct {
		err   error
		side  weir.Side
		cause weir.Cause
		retry weir.Retry
	}{
		{errors.New("x"), weir.SideUpstream, weir.CauseUpstreamUnreachable, weir.RetryAlways},
		{poll.ErrTimeout, weir.SideUpstream, weir.CauseUpstreamConnectTimeout, weir.RetryAlways},
		{fmt.Errorf("dial: %w", syscall.ETIMEDOUT), weir.SideUpstream, weir.CauseUpstreamConnectTimeout, weir.RetryAlways},
		{poll.ErrCanceled, weir.SideClient, weir.CauseClientGone, weir.RetryNever},
		{fmt.Errorf("dial: %w", syscall.ECONNREFUSED), weir.SideUpstream, weir.CauseUpstreamConnect, weir.RetryAlways},
		{fmt.Errorf("dial: %w", syscall.EAGAIN), weir.SideUpstream, weir.CauseUpstreamConnect, weir.RetryAlways},
		{fmt.Errorf("socket: %w", syscall.EMFILE), weir.SideWeir, weir.CauseOverload, weir.RetryNever},
		{fmt.Errorf("socket: %w", syscall.ENFILE), weir.SideWeir, weir.CauseOverload, weir.RetryNever},
		{&weir.Fault{Cause: weir.CauseUpstreamProtocol, Err: inner}, weir.SideUpstream, weir.CauseUpstreamProtocol, weir.RetryAlways},
	} {
		f := DialFault(server, tt.err)
		if f.Side != tt.side || f.Cause != tt.cause || f.Retry != tt.retry || f.Op != `upstream "api": dial a:80` {
			t.Errorf("%v: %+v", tt.err, f)
		}
		if known, ok := tt.err.(*weir.Fault); !ok && f.Err != tt.err || ok && f.Err != known.Err {
			t.Errorf("%v: it holds %v", tt.err, f.Err)
		}
	}
}

func TestReadFault(t *testing.T) {
	for _, tt := range []struct {
		err   error
		begun bool
		cause weir.Cause
		retry weir.Retry
	}{
		{io.EOF, false, weir.CauseUpstreamClosed, weir.RetryIdempotent},
		{io.ErrUnexpectedEOF, false, weir.CauseUpstreamClosed, weir.RetryIdempotent}, // inside TLS, without a goodbye
		{io.ErrUnexpectedEOF, true, weir.CauseUpstreamClosed, weir.RetryNever},
		{poll.ErrTimeout, false, weir.CauseUpstreamHeaderTimeout, weir.RetryNever},
		{syscall.ECONNRESET, false, weir.CauseUpstreamReset, weir.RetryIdempotent},
		{&poll.PostError{Err: syscall.EPIPE}, false, weir.CauseUpstreamWrite, weir.RetryAlways}, // no byte of the request went out
		{&poll.PostError{Err: syscall.EPIPE, Sent: 1}, false, weir.CauseUpstreamWrite, weir.RetryIdempotent},
		{&poll.PostError{Err: syscall.EPIPE}, true, weir.CauseUpstreamReset, weir.RetryNever},
	} {
		if f := ReadFault(server, tt.err, tt.begun, weir.CauseUpstreamReset); f.Cause != tt.cause || f.Retry != tt.retry {
			t.Errorf("%v, begun %v: %+v", tt.err, tt.begun, f)
		}
	}
}

func TestMayRepeat(t *testing.T) {
	for _, tt := range []struct {
		method  string
		touched bool
		cause   weir.Cause
		retry   weir.Retry
		want    bool
	}{
		{"GET", false, weir.CauseUpstreamClosed, weir.RetryIdempotent, true},
		{"GET", false, weir.CauseUpstreamReset, weir.RetryIdempotent, true},
		{"PUT", false, weir.CauseUpstreamWrite, weir.RetryIdempotent, true},
		{"POST", false, weir.CauseUpstreamClosed, weir.RetryIdempotent, false},
		{"POST", false, weir.CauseUpstreamClosed, weir.RetryAlways, true},
		{"POST", true, weir.CauseUpstreamClosed, weir.RetryAlways, false},
		{"GET", true, weir.CauseUpstreamClosed, weir.RetryIdempotent, false},
		{"GET", false, weir.CauseUpstreamClosed, weir.RetryNever, false},
		{"GET", false, weir.CauseUpstreamHeader, weir.RetryAlways, false},
		{"GET", false, weir.CauseUpstreamHeaderTimeout, weir.RetryIdempotent, false},
	} {
		x := &weir.Exchange{Request: weir.Request{Method: tt.method, Touched: tt.touched}}
		if got := MayRepeat(x, &weir.Fault{Cause: tt.cause, Retry: tt.retry}); got != tt.want {
			t.Errorf("%+v: %v", tt, got)
		}
	}
}

func TestPatience(t *testing.T) {
	const a, b, c = 3 * time.Second, 2 * time.Second, time.Second
	for _, tt := range []struct {
		r                         *weir.Route
		firstByte, stall, connect time.Duration
	}{
		{nil, a, b, c},
		{&weir.Route{}, a, b, c},
		{&weir.Route{FirstByte: 1}, 1, b, c},
		{&weir.Route{Stall: 2}, a, 2, c},
		{&weir.Route{Connect: 3}, a, b, 3},
	} {
		firstByte, stall := Patience(tt.r, a, b)
		if connect := ConnectTime(tt.r, c); firstByte != tt.firstByte || stall != tt.stall || connect != tt.connect {
			t.Errorf("%+v: %v, %v, %v", tt.r, firstByte, stall, connect)
		}
	}
}

// A body comes in pieces; whole: it hands itself on.
type body struct {
	io.Reader
}

func (body) Len() int64            { return -1 }
func (body) Close() error          { return nil }
func (body) Trailer() *weir.Header { return nil }

type whole struct{ body }

func (w whole) WriteTo(dst io.Writer) (int64, error) {
	n, err := dst.Write([]byte("by itself"))
	return int64(n), err
}

// A sent is what has been written, "|" before what was said to be the last.
type sent struct {
	strings.Builder
	broken error
}

func (s *sent) Write(p []byte) (int, error) {
	if s.broken != nil {
		return 0, s.broken
	}
	return s.Builder.Write(p)
}

type sentLast struct{ sent }

func (s *sentLast) WriteLast(p []byte) error {
	s.WriteString("|" + string(p))
	return s.broken
}

func TestCopy(t *testing.T) {
	long := strings.Repeat("x", 100<<10)
	failing := errors.New("the client's")
	for _, tt := range []struct {
		body weir.Body
		want string
		err  error
	}{
		{body{strings.NewReader(long)}, long, nil},
		{body{strings.NewReader("")}, "", nil},
		{body{io.MultiReader(strings.NewReader("a"), broken{failing})}, "a", failing},
		{whole{}, "by itself", nil},
	} {
		var plain sent
		if err := Copy(&plain, tt.body); err != tt.err || plain.String() != tt.want {
			t.Errorf("%.20q: %.20q, %v", tt.want, plain.String(), err)
		}
	}
	for text, want := range map[string]string{"": "|", "a": "a|"} {
		var last sentLast
		if err := Copy(&last, body{strings.NewReader(text)}); err != nil || last.String() != want {
			t.Errorf("%q: %q, %v", text, last.String(), err)
		}
	}
	far := Sink(errors.New("the server's"))
	for _, b := range []weir.Body{body{strings.NewReader("a")}, whole{}} {
		err := Copy(&sent{broken: far}, b)
		var sink *poll.SinkError
		if err != far || !errors.As(err, &sink) {
			t.Errorf("%v", err)
		}
	}
	if Sink(nil) != nil {
		t.Error("nothing is an error")
	}
}

// A broken reader fails.
type broken struct{ err error }

func (b broken) Read([]byte) (int, error) { return 0, b.err }

func TestEndsWithin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		done := make(chan struct{})
		began := time.Now()
		if EndsWithin(done, 0) || time.Since(began) != 0 {
			t.Error("it has ended, or was waited for")
		}
		if EndsWithin(done, time.Second) || time.Since(began) != time.Second {
			t.Error("it has ended, or was not waited for")
		}
		time.AfterFunc(time.Second, func() { close(done) })
		if !EndsWithin(done, time.Minute) || time.Since(began) != 2*time.Second {
			t.Error("its end has not been seen")
		}
		if !EndsWithin(done, 0) {
			t.Error("its end is not known")
		}
	})
}
