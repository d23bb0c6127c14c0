package h2

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"weir"
)

// A call of gRPC may pause as long as an upgraded stream may, and no longer.
func TestCallPauses(t *testing.T) {
	h := weir.HandlerFunc(func(x *weir.Exchange) error {
		x.Call = x.IsGRPC()
		return echo(x)
	})
	for name, pause := range map[string]time.Duration{"in time": 59 * time.Minute, "for too long": 61 * time.Minute} {
		t.Run(name, func(t *testing.T) {
			inTime(t, h, func(t *testing.T, w *world, p *peer) {
				p.hear(frameGoAway)
				p.send(greeting(), post(1, "content-type", "application/grpc"), appendData(nil, 1, false, []byte("a")))
				for range 3 {
					time.Sleep(pause)
					if len(w.seen) > 0 {
						w.ended(200, weir.CauseClientBodyTimeout)
						return
					}
					p.send(appendData(nil, 1, false, []byte("b")))
				}
				if name == "for too long" {
					t.Fatal("nobody minds")
				}
				p.send(appendData(nil, 1, true, nil))
				w.ended(200, 0)
			})
		})
	}
}

// callWorld is a server whose transport leads to an origin that follows a script, and a client of it.
func callWorld(t *testing.T, c TransportConfig, scripts ...func(p *upPeer)) (*upWorld, *upOrigin, *peer) {
	w := newUpWorld(t, "poller")
	o := w.newUpOrigin(scripts...)
	w.serve(ServerConfig{Handler: forward(w.transport(o.addr, c))})
	return w, o, w.peer()
}

func grpcCall(stream uint32, more ...string) []byte {
	return post(stream, append([]string{"content-type", "application/grpc", "te", "trailers"}, more...)...)
}

// mustEnd makes sure that the next head is the last one, and has that status of gRPC.
func (p *peer) mustEnd(stream uint32, code string) {
	p.t.Helper()
	id, fields, end := p.head()
	if id != stream || !end || fields["grpc-status"] != code || fields["grpc-message"] == "" {
		p.t.Fatalf("stream %d ends (%v) with %v, want status %s", id, end, fields, code)
	}
}

// A server that takes longer than the client has given it is left alone, and keeps its connection.
func TestCallDeadline(t *testing.T) {
	resets := make(chan error, 2)
	reset := func(p *upPeer) {
		f, ok := p.await(http2.FrameRSTStream).(*http2.RSTStreamFrame)
		if !ok || f.ErrCode != http2.ErrCodeCancel {
			resets <- fmt.Errorf("no RST_STREAM with CANCEL: %v", f)
			return
		}
		resets <- nil
	}
	w, o, p := callWorld(t, TransportConfig{}, func(s *upPeer) {
		s.hello()
		s.request() // mute
		reset(s)
		s.head(s.request(), false, ":status", "200", "content-type", "application/grpc") // stops
		reset(s)
		s.head(s.request(), true, ":status", "200", "content-type", "application/grpc", "grpc-status", "0", "grpc-message", "fine")
		s.ended()
	})
	for i, open := range []bool{true, false} {
		stream := id(i)
		p.send(grpcCall(stream, "grpc-timeout", "100m"), appendData(nil, stream, !open, []byte("hello")))
		if !open {
			if _, fields, end := p.head(); end || fields[":status"] != "200" {
				t.Fatal(fields)
			}
		}
		p.mustEnd(stream, "4")
		if err := <-resets; err != nil {
			t.Fatal(err)
		}
		w.ended(200, weir.CauseClientDeadline)
	}
	p.send(grpcCall(5, "grpc-timeout", "1H"), appendData(nil, 5, true, []byte("hello")))
	p.mustEnd(5, "0")
	w.ended(200, 0)
	if o.accepted() != 1 {
		t.Errorf("%d connections", o.accepted())
	}
}

// An answer that is cut ends with a status, be it before or after its head has gone.
func TestCallCut(t *testing.T) {
	for name, tt := range map[string]struct {
		script func(s *upPeer, id uint32)
		head   bool
		code   string
	}{
		"at once":    {func(s *upPeer, id uint32) {}, false, "14"},
		"after head": {func(s *upPeer, id uint32) { s.head(id, false, ":status", "200", "content-type", "application/grpc") }, true, "14"},
		"after a byte": {func(s *upPeer, id uint32) {
			s.head(id, false, ":status", "200", "content-type", "application/grpc")
			s.data(id, false, "x")
		}, true, "14"},
		"by a reset": {func(s *upPeer, id uint32) {
			s.head(id, false, ":status", "200", "content-type", "application/grpc")
			s.data(id, false, "x")
			s.put(func(fr *http2.Framer) { fr.WriteRSTStream(id, http2.ErrCodeInternal) })
			s.ended()
		}, true, "14"},
	} {
		t.Run(name, func(t *testing.T) {
			told := make(chan struct{})
			_, _, p := callWorld(t, TransportConfig{}, func(s *upPeer) {
				s.hello()
				tt.script(s, s.request())
				if tt.head && name != "by a reset" {
					<-told
				}
			})
			p.send(grpcCall(1), appendData(nil, 1, true, []byte("hello")))
			if tt.head {
				if _, fields, end := p.head(); end || fields[":status"] != "200" {
					t.Fatal(fields)
				}
				close(told)
			}
			p.mustEnd(1, tt.code)
		})
	}
}

// A server that has said how long its answer is gets no trailer put in the place of what is missing.
func TestCallCutLength(t *testing.T) {
	told := make(chan struct{})
	_, _, p := callWorld(t, TransportConfig{}, func(s *upPeer) {
		s.hello()
		id := s.request()
		s.head(id, false, ":status", "200", "content-type", "application/grpc", "content-length", "10")
		s.data(id, false, "x")
		<-told
	})
	p.send(grpcCall(1), appendData(nil, 1, true, []byte("hello")))
	p.until(frameData)
	close(told)
	p.resets(1, codeInternal)
}

// Who goes takes his call with him, wherever it is.
func TestCallCanceled(t *testing.T) {
	for name, answered := range map[string]bool{"before the head": false, "after it": true} {
		t.Run(name, func(t *testing.T) {
			begun, over := make(chan struct{}), make(chan error, 1)
			w, _, p := callWorld(t, TransportConfig{}, func(s *upPeer) {
				s.hello()
				id := s.request()
				if answered {
					s.head(id, false, ":status", "200", "content-type", "application/grpc")
				}
				close(begun)
				if f, ok := s.await(http2.FrameRSTStream).(*http2.RSTStreamFrame); !ok || f.ErrCode != http2.ErrCodeCancel || f.StreamID != id {
					over <- errors.New("no RST_STREAM")
				}
				close(over)
			})
			p.send(grpcCall(1), appendData(nil, 1, false, []byte("hello")))
			<-begun
			if answered {
				p.until(frameHeaders)
			}
			p.send(appendReset(nil, 1, codeCancel))
			if err := <-over; err != nil {
				t.Fatal(err)
			}
			if o := w.outcome(); o.cause != weir.CauseClientGone {
				t.Errorf("%+v", o)
			}
		})
	}
}

// A server that resets its stream in the middle of an upload has the client told, which may still be sending.
func TestCallResetByServer(t *testing.T) {
	w, _, p := callWorld(t, TransportConfig{}, func(s *upPeer) {
		s.hello()
		id := s.request()
		s.await(http2.FrameData)
		s.put(func(fr *http2.Framer) { fr.WriteRSTStream(id, http2.ErrCodeInternal) })
		s.ended()
	})
	p.send(grpcCall(1), appendData(nil, 1, false, []byte("hello")))
	p.mustEnd(1, "14")
	w.ended(200, weir.CauseUpstreamReset)
}

// A client that takes at last what it has left lying, in small pieces, has not overdone it.
func TestManyUpdates(t *testing.T) {
	const size = 8 << 20
	large := weir.HandlerFunc(func(x *weir.Exchange) error {
		x.Response.Status, x.Response.Body = 200, &content{n: 2 * size, pieces: []string{string(make([]byte, 2*size))}}
		return nil
	})
	each(t, func(t *testing.T, w *world) {
		w.serve(ServerConfig{Handler: large})
		p := w.peer(settingValue{settingWindow, size})
		p.send(rawWindow(nil, 0, size-startWindow), get(1))
		take := func() {
			for n := 0; n < size; {
				n += p.until(frameData).length
			}
		}
		take()
		for range size >> 12 {
			p.send(rawWindow(rawWindow(nil, 1, 1<<12), 0, 1<<12))
		}
		take()
		w.ended(200, 0)
		p.flood(1e6, codeCalm, func(int) []byte { return rawWindow(nil, 0, 1) })
	})
}

// A server that answers each small piece with updates of both windows and a PING, as gRPC's does, has not overdone it.
func TestChattyServer(t *testing.T) {
	const pieces = 15_000
	w := newUpWorld(t, "poller")
	o := w.newUpOrigin(func(p *upPeer) {
		p.hello()
		id := p.request()
		for n := 0; n < pieces; {
			d, ok := p.await(http2.FrameData).(*http2.DataFrame)
			if !ok {
				return
			}
			size := uint32(len(d.Data()))
			n += int(size)
			p.put(func(fr *http2.Framer) {
				fr.WriteWindowUpdate(0, size)
				fr.WriteWindowUpdate(id, size)
				fr.WritePing(false, [8]byte{})
			})
		}
		p.head(id, true, ":status", "200")
		p.ended()
	})
	body, in := newPipeBody()
	c := w.ask(w.transport(o.addr, TransportConfig{}), "POST", "/")
	c.x.Request.Body = body
	var sent sync.WaitGroup
	sent.Go(func() {
		for range pieces {
			if _, err := in.Write([]byte("x")); err != nil {
				return
			}
		}
		in.Close()
	})
	c.do().got(200, "")
	sent.Wait()
}
