package h2

import (
	"io"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"weir"
	"weir/internal/clock"
	"weir/internal/poll"
)

// inTime runs f in a bubble with a clock of its own, with a client of a server that has the default timeouts.
func inTime(t *testing.T, h weir.Handler, f func(t *testing.T, w *world, p *peer)) {
	t.Helper()
	// What is pooled has channels, and belongs to one bubble.
	streams = sync.Pool{New: newStream}
	defer func() { streams = sync.Pool{New: newStream} }()
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, kind: "net.Conn", seen: make(chan outcome, 1000)}
		w.srv = NewServer(ServerConfig{Handler: h, Observer: w})
		pipe, far := net.Pipe()
		near := poll.FromNetConn(halfPipe{pipe})
		closed := make(chan struct{})
		w.srv.Serve(near, factsOf(near), func() { close(closed) })
		p := &peer{Conn: far, t: t}
		defer func() {
			far.Close()
			w.srv.Close()
			<-closed
		}()
		f(t, w, p)
	})
}

// A halfPipe is a pipe that takes CloseWrite, without the other end seeing it.
type halfPipe struct{ net.Conn }

func (halfPipe) CloseWrite() error { return nil }

// hear reads all that comes and hands on what it is told to wait for.
func (p *peer) hear(typ frameType) chan got {
	c := make(chan got, 10000)
	p.r = newReader(p.Conn)
	go func() {
		defer close(c)
		for {
			g, err := p.read()
			if err != nil {
				return
			}
			if g.typ == typ {
				c <- g
			}
		}
	}()
	return c
}

// took makes sure that d has passed since from, but for the ticks of the clock.
func took(t *testing.T, from time.Time, d time.Duration) {
	t.Helper()
	if got := time.Since(from); got < d || got > d+time.Second {
		t.Errorf("it took %v, want %v", got, d)
	}
}

func greeting(settings ...settingValue) []byte { return appendSettings([]byte(Preface), settings...) }

// A connection on which nobody asks for anything ends after a while, and no sooner.
func TestIdle(t *testing.T) {
	inTime(t, ok, func(t *testing.T, w *world, p *peer) {
		began := time.Now()
		away := p.hear(frameGoAway)
		p.send(greeting())
		time.Sleep(2 * time.Minute)
		p.send(get(1))
		w.ended(200, 0)
		asked := time.Now()
		if g := <-away; errorCode(g.p[7]) != codeNone {
			t.Errorf("GOAWAY with %v", errorCode(g.p[7]))
		}
		took(t, asked, 3*time.Minute)
		took(t, began, 5*time.Minute)
	})
}

// A connection that never says anything ends.
func TestSilence(t *testing.T) {
	inTime(t, ok, func(t *testing.T, w *world, p *peer) {
		began := time.Now()
		<-p.hear(frameGoAway)
		took(t, began, 3*time.Minute)
	})
}

// Whatever begins must end in time.
func TestHeaderTimeout(t *testing.T) {
	head := get(1)
	for name, wire := range map[string][]byte{
		"preface":      []byte(Preface[:10]),
		"frame header": append(greeting(), head[:5]...),
		"frame":        append(greeting(), head[:20]...),
		"section":      append(greeting(), appendFrame(nil, 0, frameHeaders, 0, 1)...),
	} {
		t.Run(name, func(t *testing.T) {
			inTime(t, ok, func(t *testing.T, w *world, p *peer) {
				away := p.hear(frameGoAway)
				p.send(wire)
				began := time.Now()
				<-away
				took(t, began, 10*time.Second)
			})
		})
	}
}

// A head that trickles, frame by frame, has no more time than one that does not.
func TestTricklingSection(t *testing.T) {
	inTime(t, ok, func(t *testing.T, w *world, p *peer) {
		away := p.hear(frameGoAway)
		p.send(greeting(), appendFrame(nil, 0, frameHeaders, 0, 1))
		began := time.Now()
		var trickle sync.WaitGroup
		trickle.Go(func() {
			for {
				if _, err := p.Write(appendFrame(nil, 0, frameContinuation, 0, 1)); err != nil {
					return
				}
				time.Sleep(time.Second)
			}
		})
		<-away
		took(t, began, 10*time.Second)
		p.Close()
		trickle.Wait()
	})
}

// What counts is when the frame began that is not whole, and not what was waited for when the connection last slept.
func TestOldDeadline(t *testing.T) {
	inTime(t, ok, func(t *testing.T, w *world, p *peer) {
		p.hear(frameGoAway)
		c := newWalker()
		c.greeted, c.began = true, clock.Now()
		part := get(1)[:20]
		if c.overdue(part) {
			t.Error("a frame that has just begun is overdue")
		}
		if c.overdue(nil) {
			t.Error("so is a connection that has just been opened")
		}
		time.Sleep(9 * time.Second)
		if c.overdue(part) {
			t.Error("a frame is overdue after 9 seconds")
		}
		if by := c.deadline(part); by != c.began+int64(10*time.Second) {
			t.Errorf("the deadline is %v after its beginning", time.Duration(by-c.began))
		}
	})
}

// A body must keep the floor's pace; one that does may take as long as it likes.
func TestBodyFloor(t *testing.T) {
	for name, pace := range map[string]int{"nothing": 0, "too slow": 500, "fast enough": 2000} {
		t.Run(name, func(t *testing.T) {
			inTime(t, echo, func(t *testing.T, w *world, p *peer) {
				p.hear(frameGoAway)
				p.send(greeting(settingValue{settingWindow, 1 << 20}), rawWindow(nil, 0, 1<<20), post(1))
				began := time.Now()
				for range 60 {
					if pace > 0 {
						p.send(appendData(nil, 1, false, make([]byte, pace)))
					}
					time.Sleep(time.Second)
					if len(w.seen) > 0 {
						break
					}
				}
				if pace == 2000 {
					p.send(appendData(nil, 1, true, nil))
					w.ended(200, 0)
					return
				}
				w.ended(408, weir.CauseClientBodyTimeout)
				if d := time.Since(began); d > 21*time.Second {
					t.Errorf("it took %v", d)
				}
			})
		})
	}
}

// A window that stays shut is not waited for for ever, be it the stream's or the connection's.
func TestShutWindows(t *testing.T) {
	large := weir.HandlerFunc(func(x *weir.Exchange) error {
		x.Response.Status, x.Response.Body = 200, &content{n: 1 << 20, pieces: []string{string(make([]byte, 1<<20))}}
		return nil
	})
	for name, settings := range map[string][]settingValue{
		"stream":     {{settingWindow, 0}},
		"connection": {{settingWindow, maxWindow}},
	} {
		t.Run(name, func(t *testing.T) {
			inTime(t, large, func(t *testing.T, w *world, p *peer) {
				resets := p.hear(frameReset)
				p.send(greeting(settings...), get(1))
				began := time.Now()
				if g := <-resets; g.stream != 1 {
					t.Errorf("stream %d", g.stream)
				}
				took(t, began, floorWindow)
				w.ended(200, weir.CauseClientWriteTimeout)
			})
		})
	}
}

// A client that takes its answers as slowly as the floor allows gets them whole.
func TestSlowWindows(t *testing.T) {
	large := weir.HandlerFunc(func(x *weir.Exchange) error {
		x.Response.Status, x.Response.Body = 200, &content{n: 100000, pieces: []string{string(make([]byte, 100000))}}
		return nil
	})
	inTime(t, large, func(t *testing.T, w *world, p *peer) {
		p.hear(frameGoAway)
		p.send(greeting(settingValue{settingWindow, 0}), get(1), get(3))
		for range 50 {
			time.Sleep(time.Second)
			p.send(rawWindow(nil, 1, 2000), rawWindow(nil, 3, 2000))
			p.send(rawWindow(nil, 0, 4000))
		}
		w.ended(200, 0)
		w.ended(200, 0)
	})
}

// A client that opens its windows and takes nothing of what is sent is given up after one window of the pace, however much
// waits for it; one that is slow is not.
func TestStalledClient(t *testing.T) {
	const size = 300 << 10
	large := weir.HandlerFunc(func(x *weir.Exchange) error {
		x.Response.Status, x.Response.Body = 200, &content{n: size, pieces: []string{string(make([]byte, size))}}
		return nil
	})
	for name, pace := range map[string]int{"takes nothing": 0, "below the floor": 512, "above the floor": 2048} {
		t.Run(name, func(t *testing.T) {
			inTime(t, large, func(t *testing.T, w *world, p *peer) {
				p.send(greeting(settingValue{settingWindow, maxWindow}), rawWindow(nil, 0, maxWindow-startWindow))
				p.send(get(1))
				began := time.Now()
				buf := make([]byte, max(pace, 1))
				for len(w.seen) == 0 {
					time.Sleep(time.Second)
					if pace > 0 && len(w.seen) == 0 {
						io.ReadFull(p.Conn, buf)
					}
				}
				if pace == 2048 {
					w.ended(200, 0)
					return
				}
				w.ended(200, weir.CauseClientWriteTimeout)
				took(t, began, w.srv.config.Load().pace.Window)
			})
		})
	}
}
