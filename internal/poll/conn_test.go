package poll

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"weir/internal/clock"
)

// A pair makes a Conn and the plain net.Conn at its other end.
type pair func(t *testing.T) (Conn, net.Conn)

// kinds are the implementations of Conn; each passes the whole suite.
var kinds map[string]func(t *testing.T) pair

func init() {
	kinds = map[string]func(t *testing.T) pair{
		"poller": func(t *testing.T) pair {
			g := newGroup(t)
			return func(t *testing.T) (Conn, net.Conn) {
				got := make(chan Conn, 1)
				l, err := g.Listen(listen(t), func(c Conn) { got <- c })
				must(t, err)
				t.Cleanup(func() { l.Close() })
				far := dial(t, l.Addr().String())
				return <-got, far
			}
		},
		"prefixed": func(t *testing.T) pair {
			make2 := kind("dialled")(t)
			return func(t *testing.T) (Conn, net.Conn) {
				c, far := make2(t)
				return &prefixed{Conn: c}, far
			}
		},
		"dialled": func(t *testing.T) pair {
			g := newGroup(t)
			return func(t *testing.T) (Conn, net.Conn) {
				l := listen(t)
				t.Cleanup(func() { l.Close() })
				c, err := g.Dial(l.Addr().String(), -1, 0, nil)
				must(t, err)
				far, err := l.Accept()
				must(t, err)
				t.Cleanup(func() { far.Close() })
				return c, far
			}
		},
		"net.Conn": func(*testing.T) pair {
			return func(t *testing.T) (Conn, net.Conn) {
				l := listen(t)
				defer l.Close()
				far := dial(t, l.Addr().String())
				near, err := l.Accept()
				must(t, err)
				return FromNetConn(near), far
			}
		},
		"TLS server":        func(t *testing.T) pair { return sealed(kind("poller")(t), SealServer, tls.Client) },
		"TLS client":        func(t *testing.T) pair { return sealed(kind("dialled")(t), SealClient, tls.Server) },
		"TLS over net.Conn": func(t *testing.T) pair { return sealed(kind("net.Conn")(t), SealServer, tls.Client) },
	}
}

func kind(name string) func(t *testing.T) pair { return kinds[name] }

// halves is what tests ask of the other end beside net.Conn.
type halves interface {
	CloseWrite() error
	SetLinger(int) error
	SetReadBuffer(int) error
}

func newGroup(t *testing.T) *Group {
	g, err := NewGroup(2)
	must(t, err)
	t.Cleanup(g.Close)
	return g
}

func listen(t *testing.T) net.Listener {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	return l
}

func dial(t *testing.T, addr string) net.Conn {
	c, err := net.Dial("tcp", addr)
	must(t, err)
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(time.Minute))
	return c
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// each runs f over every kind of connection.
func each(t *testing.T, f func(t *testing.T, c Conn, far net.Conn)) {
	for name, kind := range kinds {
		t.Run(name, func(t *testing.T) {
			c, far := kind(t)(t)
			defer c.Close()
			f(t, c, far)
		})
	}
}

type taskFunc func()

func (f taskFunc) Run(*Worker) { f() }

type cancelFunc func()

func (f cancelFunc) Cancel() { f() }

func TestReadAndWrite(t *testing.T) {
	each(t, func(t *testing.T, c Conn, far net.Conn) {
		buf := make([]byte, 64)
		if _, err := c.TryRead(buf); err != ErrAgain {
			t.Fatalf("nothing sent: %v, want ErrAgain", err)
		}
		far.Write([]byte("ping"))
		n, err := c.Read(buf)
		if string(buf[:n]) != "ping" || err != nil {
			t.Fatalf("read %q, %v", buf[:n], err)
		}
		must(t, c.WriteBuffers([]byte("a"), []byte("bc"), []byte("d")))
		c.Write([]byte("e"))
		if _, err := io.ReadFull(far, buf[:5]); string(buf[:5]) != "abcde" {
			t.Fatalf("far read %q, %v", buf[:5], err)
		}
	})
}

// What is posted comes before what is written afterwards, and before the end.
func TestPost(t *testing.T) {
	each(t, func(t *testing.T, c Conn, far net.Conn) {
		for _, send := range []func([]byte) (int, error){c.Post, c.Write, c.Post, c.Post} {
			if n, err := send([]byte("ab")); n != 2 || err != nil {
				t.Fatalf("%d, %v", n, err)
			}
		}
		must(t, c.CloseWrite())
		if got, err := io.ReadAll(far); string(got) != "abababab" || err != nil {
			t.Fatalf("far read %q, %v", got, err)
		}
	})
}

func TestEnd(t *testing.T) {
	each(t, func(t *testing.T, c Conn, far net.Conn) {
		far.Write([]byte("last"))
		far.(halves).CloseWrite()
		buf := make([]byte, 64)
		got, err := io.ReadAll(readerOf{c})
		if string(got) != "last" || err != nil {
			t.Fatalf("read %q, %v", got, err)
		}
		if _, err := c.Read(buf); err != io.EOF {
			t.Fatalf("after the end: %v, want EOF", err)
		}
		must2(t, c, "still", far)
		must(t, c.CloseWrite())
		if n, err := far.Read(buf); n != 0 || err != io.EOF {
			t.Fatalf("far sees %d, %v; want EOF", n, err)
		}
	})
}

func must2(t *testing.T, c Conn, text string, far net.Conn) {
	t.Helper()
	_, err := c.Write([]byte(text))
	must(t, err)
	buf := make([]byte, len(text))
	if _, err := io.ReadFull(far, buf); string(buf) != text {
		t.Fatalf("far read %q, %v", buf, err)
	}
}

type readerOf struct{ c Conn }

func (r readerOf) Read(p []byte) (int, error) { return r.c.Read(p) }

func TestReset(t *testing.T) {
	each(t, func(t *testing.T, c Conn, far net.Conn) {
		far.(halves).SetLinger(0)
		far.Close()
		if _, err := c.Read(make([]byte, 8)); err == nil || err == ErrAgain || err == ErrTimeout {
			t.Fatalf("read after reset: %v", err)
		}
	})
}

func TestDeadlines(t *testing.T) {
	each(t, func(t *testing.T, c Conn, far net.Conn) {
		buf := make([]byte, 8)
		began := clock.Now()
		c.SetReadDeadline(began + int64(50*time.Millisecond))
		if _, err := c.Read(buf); err != ErrTimeout {
			t.Fatalf("read: %v, want ErrTimeout", err)
		}
		if took := time.Duration(clock.Now() - began); took < 50*time.Millisecond || took > 2*time.Second {
			t.Fatalf("timed out after %v", took)
		}
		if err := c.WaitReadable(); err != ErrTimeout {
			t.Fatalf("wait past the deadline: %v", err)
		}
		far.Write([]byte("x"))
		c.SetReadDeadline(clock.Now() + int64(5*time.Second))
		if n, err := c.Read(buf); n != 1 || err != nil {
			t.Fatalf("read after the deadline moved: %d, %v", n, err)
		}
		c.SetWriteDeadline(clock.Now() + int64(50*time.Millisecond))
		big := make([]byte, 64<<20)
		if _, err := c.Write(big); err != ErrTimeout {
			t.Fatalf("write nobody takes: %v, want ErrTimeout", err)
		}
	})
}

func TestDeadlineMovesWhileWaiting(t *testing.T) {
	each(t, func(t *testing.T, c Conn, far net.Conn) {
		c.SetReadDeadline(clock.Now() + int64(time.Hour))
		time.AfterFunc(30*time.Millisecond, func() { c.SetReadDeadline(clock.Now() + int64(30*time.Millisecond)) })
		began := time.Now()
		if _, err := c.Read(make([]byte, 1)); err != ErrTimeout || time.Since(began) > 5*time.Second {
			t.Fatalf("%v after %v", err, time.Since(began))
		}
	})
}

func TestCancel(t *testing.T) {
	each(t, func(t *testing.T, c Conn, far net.Conn) {
		time.AfterFunc(20*time.Millisecond, c.Cancel)
		if _, err := c.Read(make([]byte, 1)); err != ErrCanceled {
			t.Fatalf("read: %v, want ErrCanceled", err)
		}
		if _, err := c.Write([]byte("x")); err != ErrCanceled {
			t.Fatalf("write: %v, want ErrCanceled", err)
		}
		if c.Idle(taskFunc(func() {})) {
			t.Fatal("a cancelled connection went idle")
		}
	})
}

func TestCancelWriter(t *testing.T) {
	each(t, func(t *testing.T, c Conn, far net.Conn) {
		time.AfterFunc(20*time.Millisecond, c.Cancel)
		if _, err := c.Write(make([]byte, 64<<20)); err != ErrCanceled {
			t.Fatalf("write: %v, want ErrCanceled", err)
		}
	})
}

func TestIdle(t *testing.T) {
	each(t, func(t *testing.T, c Conn, far net.Conn) {
		buf := make([]byte, 8)
		ran := make(chan string, 1)
		task := taskFunc(func() {
			n, err := c.TryRead(buf)
			if err != nil {
				ran <- err.Error()
				return
			}
			ran <- string(buf[:n])
		})
		sleep(t, c, task)
		far.Write([]byte("hi"))
		if got := <-ran; got != "hi" {
			t.Fatalf("task read %q", got)
		}
		c.SetReadDeadline(clock.Now() + int64(40*time.Millisecond))
		sleep(t, c, task)
		if got := <-ran; got != ErrTimeout.Error() {
			t.Fatalf("task at the deadline: %q", got)
		}
		c.SetReadDeadline(0)
		sleep(t, c, task)
		if !c.Reclaim() {
			t.Fatal("could not reclaim an idle connection")
		}
		if c.Reclaim() {
			t.Fatal("reclaimed twice")
		}
		sleep(t, c, task)
		far.Close()
		if got := <-ran; got != "EOF" {
			t.Fatalf("task at the end: %q", got)
		}
	})
}

// sleep makes c idle once what has been sent to it has been read.
func sleep(t *testing.T, c Conn, task Task) {
	t.Helper()
	var buf [8]byte
	for !c.Idle(task) {
		if _, err := c.TryRead(buf[:]); err != nil && err != ErrAgain && err != ErrTimeout {
			t.Fatalf("going idle: %v", err)
		}
	}
}

func TestHangup(t *testing.T) {
	each(t, func(t *testing.T, c Conn, far net.Conn) {
		if s, ok := c.(*Sealed); ok {
			if _, ok := s.Conn.(*netConn); ok {
				t.Skip("what says goodbye inside TLS stands unread before the end")
			}
		}
		gone := make(chan struct{}, 2)
		c.OnHangup(cancelFunc(func() { gone <- struct{}{} }))
		select {
		case <-gone:
			t.Fatal("hang-up of an open connection")
		case <-time.After(30 * time.Millisecond):
		}
		far.(halves).CloseWrite()
		<-gone
		c.OnHangup(cancelFunc(func() { gone <- struct{}{} }))
		<-gone
		must2(t, c, "the other side is open", far)
	})
}

// TestStress sends random pieces both ways at once and compares every byte.
func TestStress(t *testing.T) {
	each(t, func(t *testing.T, c Conn, far net.Conn) {
		const size = 8 << 20
		there, back := randomBytes(1, size), randomBytes(2, size)
		var wg sync.WaitGroup
		wg.Go(func() { writePieces(far, there) })
		wg.Go(func() {
			writePieces(writerOf{c}, back)
			c.CloseWrite()
		})
		wg.Go(func() {
			if got, err := io.ReadAll(far); !bytes.Equal(got, back) {
				t.Errorf("far got %d bytes, %v", len(got), err)
			}
		})
		got := make([]byte, size)
		if _, err := io.ReadFull(readerOf{c}, got); err != nil || !bytes.Equal(got, there) {
			t.Errorf("read: %v, equal %v", err, bytes.Equal(got, there))
		}
		wg.Wait()
	})
}

type writerOf struct{ c Conn }

func (w writerOf) Write(p []byte) (int, error) { return w.c.Write(p) }

func randomBytes(seed uint64, n int) []byte {
	r := rand.New(rand.NewPCG(seed, seed))
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(r.Uint32())
	}
	return p
}

func writePieces(w io.Writer, p []byte) {
	r := rand.New(rand.NewPCG(9, 9))
	for len(p) > 0 {
		n := min(len(p), 1+r.IntN(100_000))
		if _, err := w.Write(p[:n]); err != nil {
			return
		}
		p = p[n:]
	}
}

var second = Pace{Window: time.Second}

func TestSplice(t *testing.T) {
	make2 := kinds["poller"](t)
	src, in := make2(t)
	dst, out := make2(t)
	defer src.Close()
	defer dst.Close()
	if _, err := dst.Splice(FromNetConn(dial(t, listenForever(t))), 1, Pace{}); err != ErrNoSplice {
		t.Fatalf("splice from a net.Conn: %v", err)
	}
	data := randomBytes(3, 5<<20)
	go func() {
		writePieces(in, data)
		in.Close()
	}()
	got := make(chan []byte)
	go func() {
		p, _ := io.ReadAll(out)
		got <- p
	}()
	n, err := dst.Splice(src, 1<<20, second)
	if n != 1<<20 || err != nil {
		t.Fatalf("spliced %d, %v", n, err)
	}
	if n, err := dst.Splice(src, -1, second); n != 4<<20 || err != nil {
		t.Fatalf("spliced the rest: %d, %v", n, err)
	}
	dst.CloseWrite()
	if !bytes.Equal(<-got, data) {
		t.Fatal("the spliced bytes differ")
	}
}

func listenForever(t *testing.T) string {
	l := listen(t)
	t.Cleanup(func() { l.Close() })
	return l.Addr().String()
}

func TestSpliceErrors(t *testing.T) {
	make2 := kinds["poller"](t)
	src, in := make2(t)
	dst, out := make2(t)
	defer src.Close()
	defer dst.Close()
	if _, err := dst.Splice(src, 10, Pace{Window: 40 * time.Millisecond}); err != ErrTimeout {
		t.Fatalf("silent source: %v, want ErrTimeout", err)
	}
	out.(halves).SetLinger(0)
	out.Close()
	go writePieces(in, make([]byte, 32<<20))
	var sink *SinkError
	if _, err := dst.Splice(src, 32<<20, second); !errors.As(err, &sink) {
		t.Fatalf("receiver gone: %v, want a SinkError", err)
	}
}

// A source that trickles does not keep a pace, and neither does a receiver that takes a little now and then;
// one that waits for the other does.
func TestSplicePace(t *testing.T) {
	make2 := kinds["poller"](t)
	short := Pace{Window: time.Second, Bytes: 1 << 10}
	trickle := func(c net.Conn, n int) {
		for {
			time.Sleep(10 * time.Millisecond)
			if _, err := c.Write(make([]byte, n)); err != nil {
				return
			}
		}
	}
	src, in := make2(t)
	dst, out := make2(t)
	defer src.Close()
	defer dst.Close()
	go io.Copy(io.Discard, out)
	go trickle(in, 5)
	if n, err := dst.Splice(src, 1<<20, short); err != ErrTimeout || n > 1<<10 {
		t.Fatalf("trickling source: %d, %v; want ErrTimeout", n, err)
	}
	src2, in2 := make2(t)
	defer src2.Close()
	go trickle(in2, 400)
	if n, err := dst.Splice(src2, 10_000, short); err != nil || n != 10_000 {
		t.Fatalf("a source that keeps the pace: %d, %v", n, err)
	}
	dst3, out3 := make2(t)
	defer dst3.Close()
	out3.(halves).SetReadBuffer(16 << 10)
	go writePieces(in2, make([]byte, 64<<20))
	dst3.SetWritePace(&short)
	var sink *SinkError
	if _, err := dst3.Splice(src2, 64<<20, short); !errors.As(err, &sink) || sink.Err != ErrTimeout {
		t.Fatalf("receiver that takes nothing: %v, want ErrTimeout of the sink", err)
	}
}

func TestDialFailures(t *testing.T) {
	g := newGroup(t)
	l := listen(t)
	addr := l.Addr().String()
	l.Close()
	if _, err := g.Dial(addr, -1, 0, nil); err == nil {
		t.Fatal("dialled a closed port")
	}
	if _, err := g.Dial("unix:/nonexistent/socket", -1, 0, nil); err == nil {
		t.Fatal("dialled a socket that does not exist")
	}
	if _, err := g.Dial("not an address", -1, 0, nil); err == nil {
		t.Fatal("dialled nonsense")
	}
}

// TestManyConnections has idle connections wake, answer and sleep, and closes and reopens descriptors
// meanwhile, so that a number is soon used again.
func TestManyConnections(t *testing.T) {
	g := newGroup(t)
	var served atomic.Int64
	l, err := g.Listen(listen(t), func(c Conn) {
		e := &echo{c: c, served: &served}
		if !c.Idle(e) {
			c.Start(e)
		}
	})
	must(t, err)
	defer l.Close()
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() { pingPong(t, l.Addr().String(), i) })
	}
	wg.Wait()
	if n := served.Load(); n != 40*10*20 {
		t.Fatalf("served %d, want %d", n, 40*10*20)
	}
}

func pingPong(t *testing.T, addr string, seed int) {
	for range 10 {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Error(err)
			return
		}
		for k := range 20 {
			msg := []byte{byte(seed), byte(k), 'x', '\n'}
			c.Write(msg)
			got := make([]byte, 4)
			if _, err := io.ReadFull(c, got); err != nil || !bytes.Equal(got, msg) {
				t.Errorf("got %q, %v; want %q", got, err, msg)
			}
		}
		c.Close()
	}
}

type echo struct {
	c      Conn
	served *atomic.Int64
}

func (e *echo) Run(*Worker) {
	var buf [64]byte
	for {
		n, err := e.c.TryRead(buf[:])
		switch {
		case err == nil:
			e.served.Add(1)
			e.c.Write(buf[:n])
		case err != ErrAgain:
			e.c.Close()
			return
		case e.c.Idle(e):
			return
		}
	}
}

// A server that answers and closes before the one who dials has run again is seen to have closed.
func TestEndRightAfterDial(t *testing.T) {
	l := listen(t)
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			c.Write([]byte("busy"))
			c.Close()
		}
	}()
	g := newGroup(t)
	for range 200 {
		c, err := g.Dial(l.Addr().String(), -1, 0, nil)
		must(t, err)
		c.SetReadDeadline(clock.Now() + int64(5*time.Second))
		if got, err := io.ReadAll(readerOf{c}); string(got) != "busy" || err != nil {
			t.Fatalf("read %q, %v", got, err)
		}
		c.Close()
	}
}

// Deadlines are late by twice Tick at most, but for what else the machine does, which is not always; never early.
func TestDeadlineIsKept(t *testing.T) {
	c, _ := kinds["poller"](t)(t)
	defer c.Close()
	for _, d := range []time.Duration{5 * time.Millisecond, 300 * time.Millisecond, 1300 * time.Millisecond} {
		const most = 2*Tick + 200*time.Millisecond
		late := readUntil(t, c, d)
		for try := 0; try < 20 && late > most; try++ {
			late = min(late, readUntil(t, c, d))
		}
		if late > most {
			t.Errorf("a deadline in %v ended the wait %v late", d, late)
		}
	}
}

// readUntil reads in vain until a deadline, and returns how much later it came back.
func readUntil(t *testing.T, c Conn, d time.Duration) time.Duration {
	t.Helper()
	began := clock.Now()
	c.SetReadDeadline(began + int64(d))
	if _, err := c.Read(make([]byte, 1)); err != ErrTimeout {
		t.Fatalf("%v, want a timeout", err)
	}
	took := time.Duration(clock.Now() - began)
	if took < d {
		t.Fatalf("a deadline in %v ended the wait after %v", d, took)
	}
	return took - d
}
