package poll

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"weir/internal/clock"
)

// FromNetConn makes a Conn of any net.Conn: a TLS connection, a pipe, a socket of a system that has no
// poller of ours. A goroutine reads ahead, at most readAhead bytes, as long as the connection is open:
// that is what tells of a hang-up while nobody reads.
func FromNetConn(c net.Conn) Conn {
	n := &netConn{c: c}
	n.cond.L = &n.mu
	go n.readLoop()
	return n
}

const readAhead = 8 << 10

type netConn struct {
	c net.Conn

	mu       sync.Mutex // protects all below
	cond     sync.Cond  // something below changed
	buf      []byte     // read ahead and not used
	store    [readAhead]byte
	err      error // what ended the reading
	dead     bool
	closed   bool
	task     Task // of an idle connection
	hang     Canceler
	readBy   int64
	writeBy  int64
	deadline *time.Timer // wakes waits when readBy passes

	pace *Pace // the writer's, like toll
	toll pacer // how writing stands with it
}

var _ Conn = (*netConn)(nil)

// readLoop fills the store whenever it is empty.
func (n *netConn) readLoop() {
	for {
		k, err := n.c.Read(n.store[:])
		n.mu.Lock()
		n.buf = n.store[:k]
		if err != nil {
			n.err = err
		}
		hang := n.changed()
		n.mu.Unlock()
		if err != nil {
			if hang != nil {
				hang.Cancel()
			}
			return
		}
		n.mu.Lock()
		for len(n.buf) > 0 && !n.closed {
			n.cond.Wait()
		}
		over := n.closed
		n.mu.Unlock()
		if over {
			return
		}
	}
}

// changed wakes whoever waits, and starts the task of an idle connection; n.mu is held. It returns whom to
// tell of a hang-up.
func (n *netConn) changed() Canceler {
	n.cond.Broadcast()
	if t := n.task; t != nil {
		n.task = nil
		go t.Run(new(Worker))
	}
	if n.err != nil {
		return n.hang
	}
	return nil
}

// ready returns nil when a read would not wait, the reason why it never will, or ErrAgain; n.mu is held.
func (n *netConn) ready() error {
	switch {
	case n.closed:
		return ErrClosed
	case n.dead:
		return ErrCanceled
	case len(n.buf) > 0 || n.err != nil:
		return nil
	case n.readBy != 0 && clock.Now() >= n.readBy:
		return ErrTimeout
	}
	return ErrAgain
}

func (n *netConn) take(p []byte) (int, error) {
	if len(n.buf) == 0 {
		return 0, readError(n.err)
	}
	k := copy(p, n.buf)
	if n.buf = n.buf[k:]; len(n.buf) == 0 {
		n.cond.Broadcast()
	}
	return k, nil
}

func readError(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return ErrClosed
	}
	return err
}

func (n *netConn) Read(p []byte) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.await(); err != nil {
		return 0, err
	}
	return n.take(p)
}

func (n *netConn) await() error {
	for {
		err := n.ready()
		if err != ErrAgain {
			return err
		}
		n.cond.Wait()
	}
}

func (n *netConn) TryRead(p []byte) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.ready(); err != nil {
		return 0, err
	}
	return n.take(p)
}

// Silent can only say what the reader has noticed: it always reads.
func (n *netConn) Silent() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.ready() == ErrAgain
}

func (n *netConn) WaitReadable() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.await()
}

func (n *netConn) Write(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, n.writable() // a pipe would wait for a reader
	}
	sent := 0
	err := n.paced(func() (int64, error) {
		k, err := n.c.Write(p[sent:])
		sent += k
		return int64(k), err
	})
	return sent, err
}

// paced calls write, and calls it again where the peer has kept the pace though a window is over.
func (n *netConn) paced(write func() (int64, error)) error {
	for {
		if err := n.writable(); err != nil {
			return err
		}
		k, err := write()
		err = n.writeError(err)
		if n.pace == nil || !n.goesOn(k) || err != ErrTimeout {
			return err
		}
	}
}

// writable returns why nothing can be written, or nil; then a write has until the window's end.
func (n *netConn) writable() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.over(); err != nil || n.pace == nil {
		return err
	}
	by := n.toll.wait(*n.pace)
	if by == 0 || n.writeBy != 0 && n.writeBy < by {
		by = n.writeBy
	}
	n.limit(by)
	return nil
}

// goesOn takes in that k bytes were written, and reports whether a write that was not done may go on.
func (n *netConn) goesOn(k int64) bool {
	n.toll.progress(k, *n.pace)
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.toll.waited < int64(n.pace.Window) && (n.writeBy == 0 || clock.Now() < n.writeBy)
}

// limit has writes end at t; 0: never. n.mu is held.
func (n *netConn) limit(t int64) {
	if t == 0 {
		n.c.SetWriteDeadline(time.Time{})
		return
	}
	n.c.SetWriteDeadline(clock.Wall(t))
}

func (n *netConn) writeError(err error) error {
	if err == nil {
		return nil
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if over := n.over(); over != nil {
		return over
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return ErrTimeout
	}
	return err
}

// over returns why nothing can be done any more, or nil. n.mu is held.
func (n *netConn) over() error {
	switch {
	case n.closed:
		return ErrClosed
	case n.dead:
		return ErrCanceled
	}
	return nil
}

// Post implements Conn: it is Write here.
func (n *netConn) Post(p []byte) (int, error) { return n.Write(p) }

func (n *netConn) WriteBuffers(head, body, tail []byte) error {
	bufs := make(net.Buffers, 0, 3)
	for _, b := range [...][]byte{head, body, tail} {
		if len(b) > 0 {
			bufs = append(bufs, b)
		}
	}
	return n.paced(func() (int64, error) { return bufs.WriteTo(n.c) })
}

func (n *netConn) Splice(Conn, int64, Pace) (int64, error) { return 0, ErrNoSplice }

func (n *netConn) Idle(t Task) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.ready() != ErrAgain {
		return false
	}
	n.task = t
	return true
}

func (n *netConn) Reclaim() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	had := n.task != nil
	n.task = nil
	return had
}

func (n *netConn) SetReadDeadline(t int64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.readBy = t
	if t == 0 || n.closed {
		return
	}
	d := max(time.Duration(t-clock.Now()), 0)
	if n.deadline == nil {
		n.deadline = time.AfterFunc(d, n.expire)
	} else {
		n.deadline.Reset(d)
	}
}

func (n *netConn) expire() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.readBy != 0 && n.ready() == ErrTimeout {
		n.changed()
	}
}

func (n *netConn) SetWriteDeadline(t int64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.writeBy == t {
		return
	}
	n.writeBy = t
	n.limit(t)
}

func (n *netConn) SetWritePace(p *Pace) {
	if n.pace = p; p == nil {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.limit(n.writeBy)
	}
}

func (n *netConn) OnHangup(c Canceler) {
	n.mu.Lock()
	n.hang = c
	gone := n.err != nil
	n.mu.Unlock()
	if c != nil && gone {
		c.Cancel()
	}
}

func (n *netConn) Cancel() {
	n.mu.Lock()
	n.dead = true
	n.changed()
	n.mu.Unlock()
	n.c.SetWriteDeadline(time.Unix(1, 0))
}

func (n *netConn) CloseWrite() error {
	if cw, ok := n.c.(interface{ CloseWrite() error }); ok {
		return cw.CloseWrite()
	}
	return errors.ErrUnsupported
}

func (n *netConn) Close() error {
	n.mu.Lock()
	if n.closed {
		n.mu.Unlock()
		return nil
	}
	n.closed = true
	n.task = nil
	if n.deadline != nil {
		n.deadline.Stop()
	}
	n.cond.Broadcast()
	n.mu.Unlock()
	err := n.c.Close()
	if errors.Is(err, io.ErrClosedPipe) {
		return nil
	}
	return err
}

func (n *netConn) Abort() {
	if l, ok := n.c.(interface{ SetLinger(int) error }); ok {
		l.SetLinger(0)
	}
	n.Close()
}

func (n *netConn) Start(t Task)               { go t.Run(new(Worker)) }
func (n *netConn) Woken() int64               { return clock.Now() }
func (n *netConn) Shard() int                 { return 0 }
func (n *netConn) LocalAddr() netip.AddrPort  { return netAddr(n.c.LocalAddr()) }
func (n *netConn) RemoteAddr() netip.AddrPort { return netAddr(n.c.RemoteAddr()) }

func netAddr(a net.Addr) netip.AddrPort {
	t, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	ap := t.AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}
