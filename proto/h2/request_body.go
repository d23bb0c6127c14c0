package h2

import (
	"errors"
	"io"

	"weir"
	"weir/internal/poll"
	"weir/proto/internal/tell"
)

// A requestBody is the body of the request that a client sends on a stream. It is read by the handler's goroutine or,
// after it, by one upload; the reader of the connection fills it. c.mu protects all of it but begun, floor and expects,
// which are whoever reads it's.
type requestBody struct {
	s       *stream
	length  int64 // announced; -1: not
	got     int64 // arrived
	buf     []byte
	r       int // buf[r:] has not been read
	recv    int // window that the client has left
	owed    int // bytes read whose window the client has not got back
	size    int // the whole window
	big     bool
	closed  bool // nobody wants more of it
	trailer weir.Header
	waiter  waiter
	task    poll.Task // is run in place of waking the waiter: see tunnel
	tasked  bool      // and runs

	begun   bool // it has been asked for
	floor   floor
	expects bool // the client waits for 100 (Continue)
}

func (b *requestBody) begin(length int64) {
	b.length, b.got, b.r, b.buf = length, 0, 0, b.buf[:0]
	b.recv, b.owed, b.size, b.big = startWindow, 0, startWindow, false
	b.closed, b.task, b.tasked = false, nil, false
	b.trailer.Reset()
	b.begun, b.expects = false, b.s.x.Request.Expect
}

// keepBody is how large a buffer a body keeps for the next one.
const keepBody = 16 << 10

func (b *requestBody) free() {
	if cap(b.buf) > keepBody {
		b.buf = nil
	}
	b.trailer.Reset()
}

// Len implements weir.Body.
func (b *requestBody) Len() int64 { return b.length }

// Trailer implements weir.Body.
func (b *requestBody) Trailer() *weir.Header {
	c := b.s.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if b.s.recvEnd && b.trailer.Len() > 0 {
		return &b.trailer
	}
	return nil
}

// Close implements weir.Body: it wakes whoever waits for more. What is left of the body is thrown away as it comes.
func (b *requestBody) Close() error {
	c := b.s.c
	if c == nil {
		return nil
	}
	c.mu.Lock()
	b.closed = true
	b.buf, b.r = b.buf[:0], 0
	c.mu.Unlock()
	b.waiter.wake()
	return nil
}

// Read implements weir.Body. Its first call asks a client that waits for it to go on.
func (b *requestBody) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if err := b.invite(); err != nil {
		return 0, err
	}
	c := b.s.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := b.await(c); err != nil {
		return 0, err
	}
	n := b.take(c, p)
	b.floor.progress(n)
	return n, nil
}

// WriteTo hands the body on in the pieces in which it is at hand.
func (b *requestBody) WriteTo(dst io.Writer) (n int64, err error) {
	buf := tell.Pieces.Get().(*[tell.PieceSize]byte)
	defer tell.Pieces.Put(buf)
	for {
		k, rerr := b.Read(buf[:])
		if k > 0 {
			m, werr := dst.Write(buf[:k])
			if n += int64(m); werr != nil {
				return n, werr
			}
		}
		switch rerr {
		case nil:
		case io.EOF:
			return n, nil
		default:
			return n, rerr
		}
	}
}

// await waits until there is something to read; io.EOF: there will be nothing any more. c.mu is held.
func (b *requestBody) await(c *conn) error {
	if !b.begun {
		b.begun, b.floor = true, b.s.newFloor()
	}
	b.s.x.Request.Touched = true
	for b.r == len(b.buf) {
		switch {
		case b.closed:
			return poll.ErrClosed
		case b.s.dead != nil && (!b.s.recvEnd || b.s.dead == errWeReset):
			return b.s.goneFault("read request body")
		case b.s.recvEnd:
			return io.EOF
		case b.floor.left() <= 0:
			return &weir.Fault{Op: "read request body", Side: weir.SideClient, Cause: weir.CauseClientBodyTimeout, Err: poll.ErrTimeout}
		}
		b.grow(c)
		b.giveBack(c)
		b.floor.waited += b.waiter.wait(c, b.floor.left())
	}
	return nil
}

// invite sends 100 (Continue) to a client that waits for it (RFC 9110, section 10.1.1).
func (b *requestBody) invite() error {
	if !b.expects {
		return nil
	}
	b.expects = false
	c := b.s.c
	c.mu.Lock()
	began := b.got > 0 || b.s.recvEnd
	c.mu.Unlock()
	if began {
		return nil
	}
	return b.s.say(appendStatus(nil, 100))
}

// take moves what fits into p out of the buffer. c.mu is held.
func (b *requestBody) take(c *conn, p []byte) int {
	n := copy(p, b.buf[b.r:])
	if b.r += n; b.r == len(b.buf) {
		b.buf, b.r = b.buf[:0], 0
	}
	b.s.x.BytesIn += int64(n)
	b.owed += n
	b.giveBack(c)
	return n
}

// grow gives a body that somebody waits for a large window, if there is one left. c.mu is held.
func (b *requestBody) grow(c *conn) {
	if b.big || c.big >= bigStreams || b.s.recvEnd || b.length >= 0 && b.length <= startWindow {
		return
	}
	b.big = true
	c.big++
	b.owed += bigWindow - b.size
	b.size = bigWindow
}

// giveBack gives the client back the window of what has been read, once that is half of it. c.mu is held.
func (b *requestBody) giveBack(c *conn) {
	if b.owed < b.size/2 || b.s.recvEnd || b.s.dead != nil || b.s.reset {
		return
	}
	if left := b.length - b.got; b.length >= 0 && left <= int64(b.recv) {
		return // it needs no more
	}
	c.out = appendWindow(c.out, b.s.id, b.owed)
	b.recv += b.owed
	b.owed = 0
	c.flushSoon()
}

// wake tells whoever takes the body that something has changed. c.mu is held.
func (b *requestBody) wake(c *conn) {
	switch {
	case b.task == nil:
		b.waiter.wake()
	case !b.tasked:
		b.tasked = true
		c.Start(b.task)
	}
}

// rest ends a run of the task that found nothing to do. c.mu is held.
func (b *requestBody) rest() {
	b.tasked = false
	if cap(b.buf) > restBody {
		b.buf = nil
	}
}

// restBody is how large a buffer an upgraded stream keeps while it is silent.
const restBody = 2 << 10

var (
	errLonger  = errors.New("the body is longer than Content-Length says")
	errShorter = errors.New("the body is shorter than Content-Length says")
)

// add takes in what came of the body. c.mu is held.
func (b *requestBody) add(p []byte) error {
	b.got += int64(len(p))
	if b.length >= 0 && b.got > b.length {
		return errLonger
	}
	if b.closed || len(p) == 0 {
		return nil
	}
	if b.r > 0 && len(b.buf)+len(p) > cap(b.buf) {
		b.buf, b.r = b.buf[:copy(b.buf, b.buf[b.r:])], 0
	}
	b.makeRoom(len(p))
	b.buf = append(b.buf, p...)
	return nil
}

// makeRoom makes room for n more bytes of a body that is not small: as append does, but for no more than its window, or its
// length, can fill. c.mu is held.
func (b *requestBody) makeRoom(n int) {
	need := len(b.buf) + n
	if need <= cap(b.buf) || need <= keepBody {
		return
	}
	most := max(b.size, startWindow+1)
	if b.length >= 0 {
		most = int(min(int64(most), b.length))
	}
	b.buf = append(make([]byte, 0, max(need, min(2*cap(b.buf), most))), b.buf...)
}

// end notes that nothing more will come. c.mu is held.
func (b *requestBody) end() error {
	if b.length >= 0 && b.got != b.length {
		return errShorter
	}
	return nil
}

var _ weir.Body = (*requestBody)(nil)
