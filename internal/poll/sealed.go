package poll

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// A Sealed is a Conn inside TLS, over another Conn. After [Sealed.Handshake], which blocks, it behaves as any
// Conn does: one that waits for work holds neither goroutine nor buffer of weir's, wherever in a record the
// bytes that have come so far end. Deadlines, hang-ups and addresses are those of the connection below.
//
// A peer that ends the connection without saying so inside TLS (close_notify) may have been cut off by
// somebody else: reading then ends with io.ErrUnexpectedEOF (RFC 9112, section 9.8).
type Sealed struct {
	Conn
	tls  *tls.Conn
	wire wire

	quiet bool        // the reader's: the last read found nothing, here or below
	ended atomic.Bool // by a fatal alert, of this side or the other: nothing may be said behind it
}

var _ Conn = (*Sealed)(nil)

// SealServer returns the server's side of TLS over c, which has not been read yet.
func SealServer(c Conn, config *tls.Config) *Sealed {
	s := newSealed(c)
	s.tls = tls.Server(&s.wire, config)
	return s
}

// SealClient returns the client's side of TLS over c.
func SealClient(c Conn, config *tls.Config) *Sealed {
	s := newSealed(c)
	s.tls = tls.Client(&s.wire, config)
	return s
}

func newSealed(c Conn) *Sealed {
	return &Sealed{Conn: c, wire: wire{below: c, patient: true}}
}

// Handshake agrees on the keys. It waits as long as the deadlines allow; after an error the connection is of
// no use any more. Errors are those of Conn and of crypto/tls.
func (s *Sealed) Handshake() error {
	err := s.tls.HandshakeContext(context.Background())
	s.wire.patient = false
	if err != nil && s.wire.failed != nil && s.wire.failed != io.EOF {
		return s.wire.failed
	}
	return err
}

// State returns what was agreed on.
func (s *Sealed) State() tls.ConnectionState { return s.tls.ConnectionState() }

// Below returns the connection that carries the records. It may be used only where a handshake has failed before
// any record came.
func (s *Sealed) Below() Conn { return s.Conn }

// TryRead implements Conn.
func (s *Sealed) TryRead(p []byte) (int, error) {
	for {
		n, err := s.tls.Read(p)
		if n > 0 {
			s.quiet = false
			return n, nil
		}
		if err == nil {
			continue // a record without content
		}
		return 0, s.readError(err)
	}
}

func (s *Sealed) readError(err error) error {
	if _, ok := err.(notNow); ok {
		err = s.wire.failed
		s.quiet = err == ErrAgain || err == ErrTimeout
		return err
	}
	if err == io.EOF && s.wire.failed == io.EOF {
		return io.ErrUnexpectedEOF
	}
	if err != io.EOF {
		s.ended.Store(true)
	}
	return err
}

// Read implements Conn.
func (s *Sealed) Read(p []byte) (int, error) {
	for {
		n, err := s.TryRead(p)
		if err != ErrAgain {
			return n, err
		}
		if err := s.Conn.WaitReadable(); err != nil {
			return 0, err
		}
	}
}

// WaitReadable implements Conn. What has come may be less than a record, so that the next TryRead finds nothing
// yet.
func (s *Sealed) WaitReadable() error {
	if !s.quiet {
		return nil
	}
	return s.Conn.WaitReadable()
}

// Idle implements Conn. Before it the connection has to be read until there is nothing, here or below.
func (s *Sealed) Idle(t Task) bool { return s.quiet && s.Conn.Idle(t) }

// Silent implements Conn. A record that has come in part is something.
func (s *Sealed) Silent() bool { return s.quiet && !s.wire.place.inside() && s.Conn.Silent() }

// Write implements Conn. A write of several records leaves in one piece.
func (s *Sealed) Write(p []byte) (int, error) {
	if len(p) <= recordSize {
		return s.tls.Write(p)
	}
	return s.writeTogether(p)
}

// Post implements Conn.
func (s *Sealed) Post(p []byte) (int, error) {
	if len(p) > recordSize {
		return s.Write(p)
	}
	s.wire.posts.Store(true)
	n, err := s.tls.Write(p)
	s.wire.posts.Store(false)
	return n, err
}

// WriteBuffers implements Conn. What fits into one record becomes one, and a head is put before the body's first bytes where
// that saves a record.
func (s *Sealed) WriteBuffers(head, body, tail []byte) error {
	n := len(head) + len(body) + len(tail)
	buf := joints.Get().(*[recordSize]byte)
	defer joints.Put(buf)
	if n <= recordSize {
		_, err := s.Write(append(append(append(buf[:0], head...), body...), tail...))
		return err
	}
	if len(head) < recordSize && records(len(head)+len(body)) == records(len(body)) {
		k := min(len(body), recordSize-len(head))
		head = append(append(buf[:0], head...), body[:k]...)
		body = body[k:]
	}
	_, err := s.writeTogether(head, body, tail)
	return err
}

// records is how many records n bytes make.
func records(n int) int { return (n + recordSize - 1) / recordSize }

// writeTogether writes parts, of which up to gatherRecords records leave in one piece, and returns how many bytes have left.
func (s *Sealed) writeTogether(parts ...[]byte) (sent int, err error) {
	for n := 0; len(parts) > 0 && err == nil; sent += n {
		s.wire.gather()
		parts, n, err = s.seal(parts)
		if rerr := s.wire.release(); err == nil {
			err = rerr
		}
		if err != nil {
			n = 0
		}
	}
	return sent, err
}

// seal makes records of as much as leaves in one piece: n bytes. It returns what is left of parts, which it changes.
func (s *Sealed) seal(parts [][]byte) (left [][]byte, n int, err error) {
	for len(parts) > 0 && n < gatherRecords*recordSize && err == nil {
		k := min(len(parts[0]), gatherRecords*recordSize-n)
		if k > 0 {
			_, err = s.tls.Write(parts[0][:k])
		}
		n += k
		if parts[0] = parts[0][k:]; len(parts[0]) == 0 {
			parts = parts[1:]
		}
	}
	return parts, n, err
}

// joints are where what belongs into one record is put together.
var joints = sync.Pool{New: func() any { return new([recordSize]byte) }}

// Splice implements Conn: bytes have to be looked at here.
func (s *Sealed) Splice(Conn, int64, Pace) (int64, error) { return 0, ErrNoSplice }

// CloseWrite says that no more comes, inside TLS and below.
func (s *Sealed) CloseWrite() error {
	if b := settlerOf(s.Conn); b != nil {
		if err := b.settle(); err != nil {
			return err
		}
	}
	s.farewell(s.tls.CloseWrite)
	return s.Conn.CloseWrite()
}

// Close says goodbye, if there is room for it at once, and closes the connection.
func (s *Sealed) Close() error {
	s.farewell(s.tls.CloseWrite)
	return s.Conn.Close()
}

// farewell runs say with no patience for a peer that takes nothing. A connection that TLS has failed on needs none (RFC 8446,
// section 6.2), and one on which something posted still has to leave has no room for it.
func (s *Sealed) farewell(say func() error) {
	if s.ended.Load() {
		return
	}
	if b := settlerOf(s.Conn); b != nil && !b.settled() {
		return
	}
	s.Conn.SetWriteDeadline(1)
	say()
	s.Conn.SetWriteDeadline(0)
}

// recordSize is the largest content of one record (RFC 8446, section 5.1), and gatherRecords how many of them
// leave together at most.
const (
	recordSize    = 16 << 10
	gatherRecords = 5
)

// A wire is the connection below as crypto/tls wants it. Reading does not wait once the handshake is over: what
// would have to is the error notNow, after which TLS can be read on at the same place.
type wire struct {
	below   Conn
	patient bool  // reading waits
	failed  error // of the last read that failed
	place   place // of the end of what has been read

	posts atomic.Bool // what is written is posted

	mu     sync.Mutex // protects out, and the order of what is written
	out    *gathered  // not nil: records are gathered in it
	pieces []byte
}

type gathered [gatherRecords * (recordSize + 512)]byte

var gatherings = sync.Pool{New: func() any { return new(gathered) }}

func (w *wire) Read(p []byte) (int, error) {
	var n int
	var err error
	if w.patient {
		n, err = w.below.Read(p)
	} else {
		n, err = w.below.TryRead(p)
	}
	w.place.pass(p[:n])
	if err == nil {
		return n, nil
	}
	w.failed = err
	switch err {
	case ErrAgain, ErrTimeout, ErrCanceled:
		return 0, notNow{}
	}
	return 0, err
}

func (w *wire) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.out != nil:
	case w.posts.Load():
		return w.below.Post(p)
	default:
		return w.below.Write(p)
	}
	w.pieces = append(w.pieces, p...)
	return len(p), nil
}

// gather has what is written wait for release.
func (w *wire) gather() {
	w.mu.Lock()
	w.out = gatherings.Get().(*gathered)
	w.pieces = w.out[:0]
	w.mu.Unlock()
}

// release writes what has gathered.
func (w *wire) release() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	_, err := w.below.Write(w.pieces)
	gatherings.Put(w.out)
	w.out, w.pieces = nil, nil
	return err
}

// Close is for the owner of the connection below.
func (w *wire) Close() error { return nil }

func (w *wire) LocalAddr() net.Addr { return net.TCPAddrFromAddrPort(w.below.LocalAddr()) }

func (w *wire) RemoteAddr() net.Addr             { return net.TCPAddrFromAddrPort(w.below.RemoteAddr()) }
func (w *wire) SetDeadline(time.Time) error      { return nil }
func (w *wire) SetReadDeadline(time.Time) error  { return nil }
func (w *wire) SetWriteDeadline(time.Time) error { return nil }

// notNow is an error that crypto/tls does not take for the end of the connection.
type notNow struct{}

// Error implements error.
func (notNow) Error() string { return ErrAgain.Error() }

// Timeout and Temporary implement net.Error.
func (notNow) Timeout() bool   { return false }
func (notNow) Temporary() bool { return true }
