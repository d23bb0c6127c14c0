package h3

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/quic-go/quic-go"

	"weir"
)

// A rank remembers what its stream was told last.
type rank struct {
	wish
	n int
}

func (r *rank) SetPriority(urgency int8, incremental bool) {
	r.wish = wish{urgency, incremental}
	r.n++
}

// The latest frame counts, and more than what the request says, whether it comes before or behind that.
func TestWishes(t *testing.T) {
	var l wishes
	var before, behind, plain, silent rank
	l.update(0, wish{7, true})
	l.update(0, wish{1, false})
	l.join(0, &before, wish{5, true}, true)
	l.join(4, &behind, wish{5, true}, true)
	l.update(4, wish{2, true})
	l.join(8, &plain, wish{4, true}, true)
	l.join(12, &silent, wish{}, false)
	for _, tt := range []struct {
		r    rank
		want rank
	}{
		{before, rank{wish{1, false}, 1}},
		{behind, rank{wish{2, true}, 2}},
		{plain, rank{wish{4, true}, 1}},
		{silent, rank{}},
	} {
		if tt.r != tt.want {
			t.Errorf("%+v, want %+v", tt.r, tt.want)
		}
	}
	l.leave(4)
	if l.update(4, wish{0, false}); behind.n != 2 {
		t.Error("a stream is changed that has been left")
	}
}

// A client that speaks of requests that never come is not remembered without end: the latest ones are.
func TestWishesBounded(t *testing.T) {
	var l wishes
	for i := range 10 * mostEarly {
		l.update(quic.StreamID(4*i), wish{1, true})
	}
	if len(l.early) != mostEarly {
		t.Errorf("%d are remembered", len(l.early))
	}
	var last rank
	if l.join(4*(10*mostEarly-1), &last, wish{}, false); last.n != 1 {
		t.Error("the last one is not")
	}
}

// update is a frame of that payload.
func update(typ uint64, payload ...byte) []byte {
	return append(appendFrame(nil, typ, uint64(len(payload))), payload...)
}

func TestPriorityUpdate(t *testing.T) {
	long := append([]byte{4}, bytes.Repeat([]byte("x"), mostWish)...)
	for name, tt := range map[string]struct {
		server bool
		frame  []byte
		want   code
		told   wish
	}{
		"urgent":      {false, update(framePriorityUpdate, []byte("\x04u=1")...), codeNone, wish{1, false}},
		"both":        {false, update(framePriorityUpdate, []byte("\x04u=6, i")...), codeNone, wish{6, true}},
		"nothing":     {false, update(framePriorityUpdate, 4), codeNone, wish{3, false}},
		"nonsense":    {false, update(framePriorityUpdate, []byte("\x04\x00\xff")...), codeNone, wish{3, false}},
		"long":        {false, update(framePriorityUpdate, long...), codeNone, wish{}},
		"empty":       {false, update(framePriorityUpdate), codeFrame, wish{}},
		"cut":         {false, update(framePriorityUpdate, 0x40), codeFrame, wish{}},
		"ours":        {false, update(framePriorityUpdate, []byte("\x03u=1")...), codeID, wish{}},
		"a push":      {false, update(framePriorityUpdatePush, []byte("\x04u=1")...), codeID, wish{}},
		"by a server": {true, update(framePriorityUpdate, []byte("\x04u=1")...), codeFrameUnexpected, wish{}},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPeer(nil, tt.server, nil)
			var r rank
			p.wishes.join(4, &r, wish{}, false)
			in := bufio.NewReader(bytes.NewReader(append(tt.frame, appendGoAway(nil, 8)...)))
			typ, _, err := p.controlFrame(in)
			var bad *connError
			switch {
			case tt.want == codeNone && (err != nil || typ != frameGoAway):
				t.Errorf("%v, then frame %d", err, typ)
			case tt.want != codeNone && (!errors.As(err, &bad) || bad.code != tt.want):
				t.Errorf("%v, want %v", err, tt.want)
			}
			if r.wish != tt.told {
				t.Errorf("told %+v, want %+v", r.wish, tt.told)
			}
		})
	}
}

// What changes nothing still counts against what a client may send besides requests, and has no place on their streams.
func TestPriorityUpdateFlood(t *testing.T) {
	frames := bytes.Repeat(update(framePriorityUpdate, []byte("\x04u=1")...), spendAtOnce/spendForFrame+1)
	p := newPeer(nil, false, nil)
	_, _, err := p.controlFrame(bufio.NewReader(bytes.NewReader(frames)))
	var bad *connError
	if !errors.As(err, &bad) || bad.code != codeExcessiveLoad {
		t.Error(err)
	}
	var in input
	in.reset(&pieces{appendFrame(nil, framePriorityUpdate, 0), 100})
	if _, _, err := in.next(); err != error(errUnexpected) {
		t.Errorf("on a request's stream: %v", err)
	}
}

// A call of gRPC whose server fails in the middle of its answer ends with a status, and not with a reset; what else fails
// so is reset.
func TestLateStatus(t *testing.T) {
	cut := &weir.Fault{Op: "read from server", Side: weir.SideUpstream, Cause: weir.CauseUpstreamBodyCut, Err: io.ErrUnexpectedEOF}
	w := serve(t, ServerConfig{Handler: weir.HandlerFunc(func(x *weir.Exchange) error {
		x.Response.Status = 200
		x.Response.Header.Set("Content-Type", x.Request.Header.Get("Content-Type"))
		x.Response.Body = &spell{Reader: io.MultiReader(bytes.NewReader([]byte("some")), failing{cut})}
		return nil
	})})
	c := w.client()
	r, err := c.Post("https://a.test/service/method", "application/grpc", nil)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(r.Body)
	r.Body.Close()
	if err != nil || string(b) != "some" || r.Trailer.Get("grpc-status") != "14" {
		t.Errorf("%q, %v, %v", b, err, r.Trailer)
	}
	w.ended(200, weir.CauseUpstreamBodyCut)
	if r, err = c.Post("https://a.test/", "text/plain", nil); err == nil { // else the reset has come before the head was read
		if b, err := io.ReadAll(r.Body); err == nil {
			t.Errorf("%q, as if it were whole", b)
		}
		r.Body.Close()
	}
	w.ended(200, weir.CauseUpstreamBodyCut)
}
