package h3

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quic-go/quic-go"

	"weir"
)

// reply makes the head of an answer.
func reply(status string, more ...string) []byte {
	return fields(append([]string{":status", status}, more...)...)
}

// What a server answers against the rules is a fault with its cause.
func TestBadAnswers(t *testing.T) {
	for name, tt := range map[string]struct {
		sent  []byte
		cause weir.Cause
	}{
		"no status":             {fields("a", "b"), weir.CauseUpstreamHeader},
		"two statuses":          {fields(":status", "200", ":status", "200"), weir.CauseUpstreamHeader},
		"a short status":        {reply("20"), weir.CauseUpstreamHeader},
		"a low status":          {reply("099"), weir.CauseUpstreamHeader},
		"a status of letters":   {reply("2x0"), weir.CauseUpstreamHeader},
		"101":                   {reply("101"), weir.CauseUpstreamHeader},
		"a request's field":     {fields(":status", "200", ":path", "/"), weir.CauseUpstreamHeader},
		"upper case":            {reply("200", "A", "b"), weir.CauseUpstreamHeader},
		"CRLF":                  {reply("200", "a", "b\r\nc: d"), weir.CauseUpstreamHeader},
		"connection":            {reply("200", "connection", "close"), weir.CauseUpstreamHeader},
		"transfer-encoding":     {reply("200", "transfer-encoding", "chunked"), weir.CauseUpstreamHeader},
		"two lengths":           {reply("200", "content-length", "1", "content-length", "1"), weir.CauseUpstreamFraming},
		"a large head":          {reply("200", "a", strings.Repeat("b", 70<<10)), weir.CauseUpstreamHeader},
		"a head announced":      {appendFrame(nil, frameHeaders, 1<<50), weir.CauseUpstreamHeader},
		"many fields":           {reply("200", many(101)...), weir.CauseUpstreamHeader},
		"nothing":               {nil, weir.CauseUpstreamClosed},
		"hints without an end":  {[]byte(strings.Repeat(string(reply("103")), mostHeads+1)), weir.CauseUpstreamHeader},
		"100 alone":             {reply("100"), weir.CauseUpstreamClosed},
		"content first":         {data("x"), weir.CauseUpstreamProtocol},
		"settings":              {frame(frameSettings), weir.CauseUpstreamProtocol},
		"a promise":             {frame(framePushPromise, 0), weir.CauseUpstreamProtocol},
		"a cut head":            {reply("200")[:5], weir.CauseUpstreamProtocol},
		"a dynamic entry":       {encoded(0, 0, 0x80), weir.CauseUpstreamProtocol},
		"content cut":           {cat(reply("200", "content-length", "3"), data("ab")), weir.CauseUpstreamBodyCut},
		"no content":            {cat(reply("200", "content-length", "3")), weir.CauseUpstreamBodyCut},
		"content too long":      {cat(reply("200", "content-length", "3"), data("abcd")), weir.CauseUpstreamFraming},
		"a frame cut":           {cat(reply("200"), data("abcd")[:4]), weir.CauseUpstreamProtocol},
		"a malformed trailer":   {cat(reply("200"), data("abcd"), fields("A", "b")), weir.CauseUpstreamFraming},
		"content after its end": {cat(reply("200"), data("a"), fields("a", "b"), data("c")), weir.CauseUpstreamProtocol},
		"frames without an end": {append(reply("200"), strings.Repeat(string(frame(0x21)), mostOverhead/4+1)...), weir.CauseUpstreamProtocol},
	} {
		t.Run(name, func(t *testing.T) {
			leaks(t)
			tr := upstream(t, scripted(t, func(q *quic.Conn, str *quic.Stream) {
				io.Copy(io.Discard, str)
				str.Write(tt.sent)
				str.Close()
			}), TransportConfig{})
			x, _, err := askFor(t, tr, "GET", "/", nil)
			if err == nil {
				err = x.Fault
			}
			if f := weir.AsFault(err); err == nil || f.Cause != tt.cause || f.Side != weir.SideUpstream {
				t.Errorf("%v", err)
			}
		})
	}
}

// A server that breaks the rules of the connection loses it.
func TestBadServers(t *testing.T) {
	for name, tt := range map[string]struct {
		stream []byte
		want   code
	}{
		"no settings":     {cat([]byte{streamControl}, frame(0x21)), codeMissingSettings},
		"a push":          {[]byte{streamPush, 0}, codeID},
		"MAX_PUSH_ID":     {cat(appendSettings([]byte{streamControl}, 1, true), frame(frameMaxPush, 1)), codeFrameUnexpected},
		"a GOAWAY's id":   {cat(appendSettings([]byte{streamControl}, 1, true), frame(frameGoAway, 1)), codeID},
		"an insert":       {[]byte{streamEncoder, 0xc0}, codeEncoderStream},
		"an acknowledged": {[]byte{streamDecoder, 0x80}, codeDecoderStream},
	} {
		t.Run(name, func(t *testing.T) {
			leaks(t)
			ended := make(chan error, 1)
			addr := listening(t, func(q *quic.Conn) {
				str, err := q.OpenUniStream()
				if err != nil {
					return
				}
				str.Write(tt.stream)
				<-q.Context().Done()
				ended <- context.Cause(q.Context())
			})
			tr := upstream(t, addr, TransportConfig{})
			x, _, err := askFor(t, tr, "POST", "/", nil)
			if x.Fault == nil {
				t.Errorf("%v", err)
			}
			e, ok := (<-ended).(*quic.ApplicationError)
			if !ok || code(e.ErrorCode) != tt.want {
				t.Errorf("%v", e)
			}
		})
	}
}

// listening starts a server that does with each connection what serve does.
func listening(t *testing.T, serve func(q *quic.Conn)) string {
	t.Helper()
	pc := listenUDP(t)
	tr := &quic.Transport{Conn: pc}
	ln, err := tr.Listen(withProtocol(serverTLS()), &quic.Config{})
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			q, err := ln.Accept(context.Background())
			if err != nil {
				return
			}
			all.Go(func() { serve(q) })
		}
	})
	t.Cleanup(func() { ln.Close(); tr.Close(); pc.Close(); all.Wait() })
	return pc.LocalAddr().String()
}

// answered answers a request in the simplest way.
func answered(str *quic.Stream) {
	io.Copy(io.Discard, str)
	str.Write(reply("204"))
	str.Close()
}

func TestServerTimeouts(t *testing.T) {
	leaks(t)
	stop := make(chan struct{})
	addr := scripted(t, func(q *quic.Conn, str *quic.Stream) {
		in := &input{}
		in.reset(str)
		_, n, err := in.next()
		if err != nil {
			return
		}
		p, _ := in.payload(int(n))
		if strings.Contains(string(p), "/body") {
			str.Write(cat(reply("200"), data("x")))
		}
		<-stop
	})
	defer close(stop)
	for _, c := range []struct {
		path  string
		limit TransportConfig
		cause weir.Cause
	}{
		{"/", TransportConfig{FirstByte: 50 * time.Millisecond, Stall: patience}, weir.CauseUpstreamHeaderTimeout},
		{"/body", TransportConfig{FirstByte: patience, Stall: 60 * time.Millisecond}, weir.CauseUpstreamBodyTimeout},
	} {
		x, _, _ := askFor(t, upstream(t, addr, c.limit), "GET", c.path, nil)
		if x.Fault == nil || x.Fault.Cause != c.cause || x.Fault.Retry != weir.RetryNever {
			t.Errorf("%s: %v", c.path, x.Fault)
		}
	}
}

// A kept connection that the server has left is no reason to fail what may be asked twice.
func TestServerLeaves(t *testing.T) {
	leaks(t)
	var conns atomic.Int64
	addr := listening(t, func(q *quic.Conn) {
		n := conns.Add(1)
		control, _ := q.OpenUniStream()
		control.Write(appendSettings([]byte{streamControl}, 1<<16, true))
		for i := 0; ; i++ {
			str, err := q.AcceptStream(context.Background())
			if err != nil {
				return
			}
			if n == 1 && i == 1 {
				q.CloseWithError(codeInternal.conn(), "")
				return
			}
			answered(str)
		}
	})
	tr := upstream(t, addr, TransportConfig{})
	for range 3 {
		if x, _, err := askFor(t, tr, "GET", "/", nil); err != nil || x.Response.Status != 204 {
			t.Fatal(err)
		}
	}
	if conns.Load() != 2 {
		t.Errorf("%d connections", conns.Load())
	}
}

// Requests that a server says it will not look at go out on another connection, those before them end where they are.
func TestServerGoesAway(t *testing.T) {
	leaks(t)
	var conns atomic.Int64
	both := make(chan struct{})
	addr := listening(t, func(q *quic.Conn) {
		n := conns.Add(1)
		control, _ := q.OpenUniStream()
		control.Write(appendSettings([]byte{streamControl}, 1<<16, true))
		if n > 1 {
			for {
				str, err := q.AcceptStream(context.Background())
				if err != nil {
					return
				}
				answered(str)
			}
		}
		first, err := q.AcceptStream(context.Background())
		if err != nil {
			return
		}
		if _, err := q.AcceptStream(context.Background()); err != nil {
			return
		}
		control.Write(appendGoAway(nil, 4))
		<-both
		answered(first)
		<-q.Context().Done()
	})
	tr := upstream(t, addr, TransportConfig{})
	var all sync.WaitGroup
	var ended atomic.Int64
	for range 2 {
		all.Go(func() {
			if x, _, err := askFor(t, tr, "POST", "/", nil); err != nil || x.Response.Status != 204 {
				t.Error(err)
			}
			if ended.Add(1) == 1 {
				close(both)
			}
		})
	}
	all.Wait()
	if conns.Load() != 2 {
		t.Errorf("%d connections", conns.Load())
	}
}

// Requests are spread over as many connections as may be.
func TestSpread(t *testing.T) {
	leaks(t)
	var conns atomic.Int64
	var now atomic.Int64
	goOn := make(chan struct{})
	addr := listening(t, func(q *quic.Conn) {
		conns.Add(1)
		control, _ := q.OpenUniStream()
		control.Write(appendSettings([]byte{streamControl}, 1<<16, true))
		var all sync.WaitGroup
		defer all.Wait()
		for {
			str, err := q.AcceptStream(context.Background())
			if err != nil {
				return
			}
			all.Go(func() {
				if n := now.Add(1); n == 9 {
					close(goOn)
				}
				<-goOn
				answered(str)
			})
		}
	})
	tr := upstream(t, addr, TransportConfig{Connections: 3, Streams: 2})
	var all sync.WaitGroup
	for range 9 {
		all.Go(func() {
			if _, _, err := askFor(t, tr, "POST", "/", nil); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if conns.Load() != 3 || tr.Idle() != 3 {
		t.Errorf("%d connections, %d idle", conns.Load(), tr.Idle())
	}
}

// A server may answer before it has all of a body, and stop what is left of it.
func TestEarlyAnswer(t *testing.T) {
	leaks(t)
	w, _ := proxy(t, scripted(t, func(q *quic.Conn, str *quic.Stream) {
		str.Write(cat(reply("413", "content-length", "3"), data("big")))
		str.Close()
		str.CancelRead(codeNone.stream())
	}), TransportConfig{})
	r := w.greeted()
	str := r.open(request("POST"))
	str.Write(data("and more will come, but need not"))
	if status, _, body := r.answers(str); status != 413 || body != "big" {
		t.Fatalf("%d %q", status, body)
	}
	w.ended(413, 0)
}

// A client that goes has its request given up at the server.
func TestClientGoes(t *testing.T) {
	leaks(t)
	gone := make(chan error, 2)
	w, tr := proxy(t, scripted(t, func(q *quic.Conn, str *quic.Stream) {
		in := &input{}
		in.reset(str)
		in.next()
		<-str.Context().Done()
		gone <- context.Cause(str.Context())
	}), TransportConfig{})
	r := w.greeted()
	str := r.open(request("POST"))
	for tr.Idle() != 0 || !busy(tr) {
		time.Sleep(time.Millisecond)
	}
	str.CancelWrite(codeRequestCancelled.stream())
	str.CancelRead(codeRequestCancelled.stream())
	if e, ok := (<-gone).(*quic.StreamError); !ok || code(e.ErrorCode) != codeRequestCancelled {
		t.Errorf("%v", e)
	}
	w.ended(499, weir.CauseClientGone)
}

func busy(tr *Transport) bool {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return len(tr.conns) == 1 && len(tr.conns[0].rounds) == 1
}

// An answer's head goes on before there is anything of its body.
func TestLateBody(t *testing.T) {
	leaks(t)
	goOn := make(chan struct{})
	w, _ := proxy(t, origin(t, func(w http.ResponseWriter, r *http.Request) {
		w.(http.Flusher).Flush()
		<-goOn
		io.WriteString(w, "late")
	}), TransportConfig{})
	r := w.greeted()
	str := r.open(request("GET"))
	str.Close()
	in := &input{}
	in.reset(str)
	if status, _ := r.head(in); status != 200 {
		t.Fatal(status)
	}
	close(goOn)
	in.phase = phaseContent
	if p, _ := in.content(10); string(p) != "late" {
		t.Fatalf("%q", p)
	}
	w.ended(200, 0)
}

// A connection without requests is closed after a while.
func TestKeepIdle(t *testing.T) {
	leaks(t)
	ended := make(chan error, 1)
	tr := upstream(t, listening(t, func(q *quic.Conn) {
		control, _ := q.OpenUniStream()
		control.Write(appendSettings([]byte{streamControl}, 1<<16, true))
		str, err := q.AcceptStream(context.Background())
		if err != nil {
			return
		}
		answered(str)
		<-q.Context().Done()
		ended <- context.Cause(q.Context())
	}), TransportConfig{KeepIdle: 50 * time.Millisecond})
	if _, _, err := askFor(t, tr, "GET", "/", nil); err != nil {
		t.Fatal(err)
	}
	if e, ok := (<-ended).(*quic.ApplicationError); !ok || code(e.ErrorCode) != codeNone || tr.Idle() != 0 {
		t.Errorf("%v, %d idle", e, tr.Idle())
	}
}
