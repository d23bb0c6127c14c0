package poll

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"weir/internal/clock"
)

// posting returns a connection with an outbox of its own that is open: what is posted stays until the test has it leave.
func posting(t *testing.T) (*sock, net.Conn) {
	t.Helper()
	c, far := kinds["dialled"](t)(t)
	s := c.(*sock)
	s.outbox = &outbox{open: true}
	return s, far
}

// posts posts p and requires that it waits.
func posts(t *testing.T, s *sock, p string) {
	t.Helper()
	n, err := s.Post([]byte(p))
	if n != len(p) || err != nil {
		t.Fatalf("Post: %d, %v", n, err)
	}
	if s.post.Load() != postQueued {
		t.Fatal("what was posted does not wait")
	}
}

func TestPostWaitsForTheEndOfTheTurn(t *testing.T) {
	s, far := posting(t)
	defer s.Close()
	memory := []byte("one")
	s.Post(memory)
	copy(memory, "xxx")
	far.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
	if n, err := far.Read(make([]byte, 8)); n > 0 {
		t.Fatalf("%d bytes, %v, before the end of the turn", n, err)
	}
	far.SetReadDeadline(time.Time{})
	s.outbox.end()
	expect(t, far, "one")
	if s.Post([]byte("two")); s.post.Load() != postNone {
		t.Error("the outbox is closed, and holds something")
	}
	expect(t, far, "two")
}

func expect(t *testing.T, far net.Conn, want string) {
	t.Helper()
	got := make([]byte, len(want))
	if _, err := io.ReadFull(far, got); string(got) != want {
		t.Fatalf("got %q, %v; want %q", got, err, want)
	}
}

// Whatever follows on the connection has what was posted leave first.
func TestPostLeavesFirst(t *testing.T) {
	then := map[string]func(s *sock) string{
		"Post":         func(s *sock) string { s.Post([]byte("b")); s.outbox.end(); return "ab" },
		"Write":        func(s *sock) string { s.Write([]byte("b")); return "ab" },
		"WriteBuffers": func(s *sock) string { s.WriteBuffers([]byte("b"), []byte("c"), []byte("d")); return "abcd" },
		"long Post":    func(s *sock) string { s.Post(make([]byte, postMost+1)); return "a" + string(make([]byte, postMost+1)) },
		"CloseWrite":   func(s *sock) string { s.CloseWrite(); return "a" },
		"Close":        func(s *sock) string { s.Close(); return "a" },
	}
	for name, f := range then {
		t.Run(name, func(t *testing.T) {
			s, far := posting(t)
			defer s.Close()
			posts(t, s, "a")
			expect(t, far, f(s))
		})
	}
}

func TestSpliceLeavesBehindPost(t *testing.T) {
	s, far := posting(t)
	defer s.Close()
	src, srcFar := kinds["dialled"](t)(t)
	defer src.Close()
	srcFar.Write([]byte("spliced"))
	posts(t, s, "posted ")
	n, err := s.Splice(src, 7, second)
	if n != 7 || err != nil {
		t.Fatalf("spliced %d, %v", n, err)
	}
	expect(t, far, "posted spliced")
}

// A bundle that is full leaves before the turn is over.
func TestFullBundleLeaves(t *testing.T) {
	g := newGroup(t)
	l := listen(t)
	defer l.Close()
	o := &outbox{open: true}
	var all []*sock
	for range bundleMost {
		c, err := g.Dial(l.Addr().String(), 0, 0, nil)
		must(t, err)
		defer c.Close()
		all = append(all, c.(*sock))
		all[len(all)-1].outbox = o
	}
	for _, s := range all[1:] {
		posts(t, s, "x")
	}
	all[0].Post([]byte("x"))
	for _, s := range all {
		if s.post.Load() != postNone {
			t.Fatal("a full bundle waits")
		}
	}
}

// fillUp posts until there is no more room, and returns what was posted.
func fillUp(t *testing.T, s *sock) (all []byte) {
	t.Helper()
	for !isFull(s) {
		piece := randomBytes(uint64(len(all)+1), 4000)
		s.outbox.begin()
		if _, err := s.Post(piece); err != nil {
			break // the deadline has passed
		}
		all = append(all, piece...)
		s.outbox.end()
	}
	return all
}

// isFull reports whether there is something that no room comes for.
func isFull(s *sock) bool {
	r := s.rest.Load()
	if r == nil {
		return false
	}
	select {
	case <-r.done:
		return false
	case <-time.After(50 * time.Millisecond):
		return true
	}
}

func TestPostWithoutRoom(t *testing.T) {
	s, far := posting(t)
	want := fillUp(t, s)
	var got bytes.Buffer
	var wg sync.WaitGroup
	wg.Go(func() { io.Copy(&got, far) })
	s.Write([]byte("end"))
	must(t, s.Close())
	wg.Wait()
	if !bytes.Equal(got.Bytes(), append(want, "end"...)) {
		t.Fatalf("%d bytes came of %d, or others", got.Len(), len(want)+3)
	}
}

// Close does not wait for room, and yet all of what was posted comes.
func TestCloseWithoutRoom(t *testing.T) {
	s, far := posting(t)
	want := fillUp(t, s)
	if s.Silent() {
		t.Error("a connection that has something to deliver is silent")
	}
	must(t, s.Close())
	if got, err := io.ReadAll(far); !bytes.Equal(got, want) || err != nil {
		t.Fatalf("%d bytes of %d, %v", len(got), len(want), err)
	}
}

// A group that is closed lets what its connections have posted go first, for a while.
func TestGroupCloseDelivers(t *testing.T) {
	g, err := NewGroup(1)
	must(t, err)
	l := listen(t)
	defer l.Close()
	c, err := g.Dial(l.Addr().String(), -1, 0, nil)
	must(t, err)
	far, err := l.Accept()
	must(t, err)
	defer far.Close()
	s := c.(*sock)
	s.outbox = &outbox{open: true}
	want := fillUp(t, s)
	must(t, s.Close())
	var got []byte
	var wg sync.WaitGroup
	wg.Go(func() { got, err = io.ReadAll(far) })
	g.Close()
	wg.Wait()
	if !bytes.Equal(got, want) || err != nil {
		t.Fatalf("%d bytes of %d, %v", len(got), len(want), err)
	}
}

// TLS's goodbye, which waits for nobody, does not cut off what was posted before it.
func TestSealedCloseWithoutRoom(t *testing.T) {
	s, far := posting(t)
	sealed, client := SealServer(s, testTLS()), tls.Client(far, testTLS())
	done := make(chan error, 1)
	go func() { done <- client.Handshake() }()
	must(t, sealed.Handshake())
	must(t, <-done)
	var want []byte
	for !isFull(s) {
		piece := randomBytes(uint64(len(want)+1), 3000)
		s.outbox.begin()
		if _, err := sealed.Post(piece); err != nil {
			t.Fatal(err)
		}
		want = append(want, piece...)
		s.outbox.end()
	}
	began := time.Now()
	must(t, sealed.Close())
	if d := time.Since(began); d > restTime/2 {
		t.Errorf("Close took %v", d)
	}
	got, err := io.ReadAll(client)
	if !bytes.Equal(got, want) || err != nil && err != io.ErrUnexpectedEOF {
		t.Fatalf("%d bytes of %d, %v", len(got), len(want), err)
	}
}

// What a peer never takes ends by the deadline for writing, and nothing follows it.
func TestPostTooLate(t *testing.T) {
	s, far := posting(t)
	for s.lost() == nil { // the kernel may find room for the first remainders after all
		s.SetWriteDeadline(clock.Now() + int64(200*time.Millisecond))
		fillUp(t, s)
		s.awaitPost()
	}
	_, err := s.Read(make([]byte, 1))
	var lost *PostError
	if !errors.As(err, &lost) || lost.Err != ErrTimeout {
		t.Fatalf("read: %v", err)
	}
	for name, f := range map[string]func() error{
		"Write":        func() error { _, err := s.Write([]byte("x")); return err },
		"Post":         func() error { _, err := s.Post([]byte("x")); return err },
		"WriteBuffers": func() error { return s.WriteBuffers([]byte("x"), nil, nil) },
		"CloseWrite":   s.CloseWrite,
	} {
		if err := f(); err != error(lost) {
			t.Errorf("%s: %v", name, err)
		}
	}
	must(t, s.Close())
	if _, err := io.Copy(io.Discard, far); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("far sees %v behind a part of what was sent", err)
	}
}

func TestAbortDoesNotWaitForPosts(t *testing.T) {
	s, far := posting(t)
	fillUp(t, s)
	began := time.Now()
	s.Abort()
	if d := time.Since(began); d > restTime/2 {
		t.Errorf("Abort took %v", d)
	}
	if _, err := io.Copy(io.Discard, far); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("far sees %v", err)
	}
}

// A peer that has gone before is known to have got nothing.
func TestPostToWhoHasGone(t *testing.T) {
	s, far := posting(t)
	defer s.Close()
	gone := make(chan struct{})
	s.OnHangup(cancelFunc(func() { close(gone) }))
	must(t, s.register(connEvents))
	far.(halves).SetLinger(0)
	far.Close()
	<-gone
	s.OnHangup(nil)
	s.outbox.begin()
	posts(t, s, "request")
	s.outbox.end()
	_, err := s.Read(make([]byte, 1))
	var lost *PostError
	if !errors.As(err, &lost) || lost.Sent != 0 {
		t.Fatalf("read: %v", err)
	}
}

// What had come before the peer went is read before the error.
func TestAnswerBeforePostError(t *testing.T) {
	s, far := posting(t)
	defer s.Close()
	far.Write([]byte("early"))
	s.WaitReadable()
	s.undelivered(syscall.EPIPE, 0)
	buf := make([]byte, 8)
	if n, err := s.Read(buf); string(buf[:n]) != "early" {
		t.Fatalf("%q, %v", buf[:n], err)
	}
	if _, err := s.Read(buf); !errors.Is(err, syscall.EPIPE) {
		t.Fatal(err)
	}
}

// An idle connection whose post fails runs its task.
func TestPostErrorWakesIdle(t *testing.T) {
	s, _ := posting(t)
	defer s.Close()
	ran := make(chan struct{})
	s.TryRead(make([]byte, 1))
	if !s.Idle(taskFunc(func() { close(ran) })) {
		t.Fatal("not idle")
	}
	s.undelivered(syscall.EPIPE, 0)
	<-ran
}

// What is posted after Collect is collected, and leaves without any event of the poller.
func TestCollect(t *testing.T) {
	g := newGroup(t)
	l := listen(t)
	defer l.Close()
	c, err := g.Dial(l.Addr().String(), 1, 0, nil)
	must(t, err)
	defer c.Close()
	far, err := l.Accept()
	must(t, err)
	defer far.Close()
	s := c.(*sock)
	collected := 0
	for range 1000 {
		g.Collect(1)
		s.Post([]byte("x"))
		if s.post.Load() == postQueued {
			collected++
		}
		expect(t, far, "x")
	}
	if collected == 0 {
		t.Error("nothing was collected")
	}
}

// An answering is a connection that answers each message by posting it, and closes after the last.
type answering struct {
	c         Conn
	collected *atomic.Int64
}

func (e *answering) Run(*Worker) {
	var buf [16]byte
	for {
		n, err := e.c.TryRead(buf[:])
		switch {
		case err == ErrAgain:
			if e.c.Idle(e) {
				return
			}
			continue
		case err != nil:
			e.c.Close()
			return
		}
		e.c.Post(buf[:n])
		if e.c.(*sock).post.Load() == postQueued {
			e.collected.Add(1)
		}
		if buf[n-1] == '.' {
			e.c.Close()
			return
		}
	}
}

// Many connections at once get their own answers, and all of them, while others come and go; under this load posts are collected.
func TestPostsUnderLoad(t *testing.T) {
	g := newGroup(t)
	var collected atomic.Int64
	l, err := g.Listen(listen(t), func(c Conn) { (&answering{c, &collected}).Run(nil) })
	must(t, err)
	defer l.Close()
	var wg sync.WaitGroup
	for i := range 64 {
		wg.Go(func() {
			for range 20 {
				converse(t, l.Addr().String(), byte('A'+i%26), 20)
			}
		})
	}
	wg.Wait()
	if collected.Load() == 0 {
		t.Error("nothing was collected")
	}
}

// converse asks n times and is answered each time.
func converse(t *testing.T, addr string, letter byte, n int) {
	far, err := net.Dial("tcp", addr)
	if err != nil {
		t.Error(err)
		return
	}
	defer far.Close()
	for i := range n {
		q := bytes.Repeat([]byte{letter}, 1+i%12)
		if i == n-1 {
			q = append(q, '.')
		}
		far.Write(q)
		got := make([]byte, len(q))
		if _, err := io.ReadFull(far, got); !bytes.Equal(got, q) {
			t.Errorf("got %q, %v; want %q", got, err, q)
			return
		}
	}
	if rest, err := io.ReadAll(far); len(rest) > 0 || err != nil {
		t.Errorf("%q, %v behind the last answer", rest, err)
	}
}
