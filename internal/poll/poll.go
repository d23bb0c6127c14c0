// Package poll is everything about stream sockets and readiness. Code above it is straight-line and
// may block; no descriptor, net.Conn or readiness leaks out of here.
//
// There are two kinds of [Conn] that behave alike and pass one conformance suite: sockets on a
// poller of our own, one per core (Linux), and any net.Conn. A connection that waits for work
// ([Conn.Idle]) holds neither goroutine nor buffer.
package poll

import (
	"errors"
	"net/netip"
	"time"
)

// A Conn is a stream connection. One goroutine may read and another write at the same time. Cancel may
// be called from anywhere; Close and Abort only by the last user, when nobody else is inside another
// method (break the others off with Cancel first), and once. Errors are [ErrTimeout], [ErrCanceled], [ErrClosed],
// io.EOF, a *PostError, or a *net.OpError-like error that wraps a syscall.Errno (errors.Is(err, syscall.ECONNRESET) works).
type Conn interface {
	// Read waits until there is a byte, the end (io.EOF), the read deadline or Cancel.
	Read(p []byte) (int, error)
	// TryRead is Read that returns ErrAgain where Read would wait.
	TryRead(p []byte) (int, error)
	// WaitReadable waits as Read does and takes nothing. It lets a caller take a buffer only when there
	// is something to put into it.
	WaitReadable() error
	// Write sends all of p, waiting while the peer takes no more.
	Write(p []byte) (int, error)
	// Post is Write for a message that is whole: under load a short one may be sent a moment later, together with those of
	// other connections, but always before what is written afterwards and before the end. Where that fails, writes, and
	// reads that find nothing, return a *PostError.
	Post(p []byte) (int, error)
	// WriteBuffers sends head, body and tail, in one system call where possible. tail is short.
	WriteBuffers(head, body, tail []byte) error
	// Splice moves up to n bytes (n < 0: until the end) from src to this connection without looking at
	// them, and returns how many were moved. src has to keep the pace from, which takes the place of a deadline set
	// before; the receiver is written to as by Write. A wait for one is not held against the other. One that
	// falls behind ends the splice with ErrTimeout. An error of the receiving side is a *SinkError. It returns
	// ErrNoSplice, having moved nothing, where this pair of connections can't, and io.ErrUnexpectedEOF where src
	// ends before n bytes.
	Splice(src Conn, n int64, from Pace) (int64, error)

	// Idle gives the connection back to the poller: t.Run is called, on a goroutine of its own, once
	// there is something to read, the end, or the read deadline; a connection that has just been accepted may be run
	// before, once. It returns false, and has done nothing,
	// when there already is something to read; the caller then goes on. After true the caller may not
	// touch the connection any more.
	Idle(t Task) bool

	// SetReadDeadline makes waits for reading end with ErrTimeout at t, a value of clock.Now; 0: never.
	// Deadlines are coarse: they may be late by up to twice Tick, and those that are more than
	// a second ahead by up to 1/32 of that, a quarter of a second at most.
	SetReadDeadline(t int64)
	// SetWriteDeadline is the same for writing. It is for the one who writes: a write that waits already does not
	// notice it.
	SetWriteDeadline(t int64)
	// SetWritePace makes a write that waits end with ErrTimeout where the peer does not keep p; nil: it may be as slow as it
	// likes. A deadline holds as well. Only time spent waiting for the peer counts, over all writes, and all that the peer
	// takes meanwhile. p must not be changed afterwards. It is for the one who writes.
	SetWritePace(p *Pace)

	// OnHangup arranges for c.Cancel to be called when the peer closes, half-closes or resets; at once
	// if it has done so already. nil: no more. The unread input, if any, stays readable.
	OnHangup(c Canceler)
	// Cancel makes present and future waits return ErrCanceled.
	Cancel()

	// CloseWrite sends the end of our side.
	CloseWrite() error
	// Close closes the connection after what was written has been handed to the kernel; what was posted and there is no room for
	// keeps it open until then, in the background.
	Close() error
	// Abort closes the connection with a reset where that is possible: the peer shall not take what it
	// got for the whole.
	Abort()
	// Start runs t on a goroutine of its own.
	Start(t Task)
	// Reclaim takes an idle connection back before its task has run. False: the task runs, or has run, since
	// the peer sent or closed or the deadline passed; the caller leaves the connection to it.
	Reclaim() bool

	// Silent asks whether there is really nothing to read, not even something that the poller has not noticed
	// yet, and nothing posted that there was no room for: for a connection that has just been reclaimed or accepted.
	Silent() bool

	// Woken is about the time (of clock.Now) at which the last wait of this connection ended. It is cheap and
	// to be trusted only right after such a wait.
	Woken() int64
	// Shard is the number of the poller the connection belongs to; 0 where there are none.
	Shard() int
	LocalAddr() netip.AddrPort  // zero for a unix socket
	RemoteAddr() netip.AddrPort // zero for a unix socket
}

// A Task is what an idle connection does when it wakes. It runs on a worker's goroutine and may block.
type Task interface{ Run(w *Worker) }

// A Stager is a Task that begins with steps which never wait. The poller may take them itself, each for all tasks that a
// turn begins before the next step: where the code of a step is run several times in a row it is still in the processor's
// cache. Both are called before Run, in this order and with the same worker, or neither.
type Stager interface {
	Task
	Receive(w *Worker)      // takes what has come
	Prepare(w *Worker) bool // makes of it what Run begins with; false: the connection has been given back, and there is no Run
}

// A Canceler breaks off a wait.
type Canceler interface{ Cancel() }

// Tick is how coarse deadlines are; those that are far ahead are by up to mostSlack.
const (
	Tick      = 16 * time.Millisecond
	mostSlack = 250 * time.Millisecond
)

// Errors of Conn.
var (
	ErrAgain    = errors.New("would wait")
	ErrTimeout  = errors.New("timed out")
	ErrCanceled = errors.New("canceled")
	ErrClosed   = errors.New("connection closed")
	ErrNoSplice = errors.New("cannot splice")
)

// A SysError is a system call that went wrong.
type SysError struct {
	Call  string
	Errno error // a syscall.Errno
}

// Error returns the call and the system's text.
func (e *SysError) Error() string { return e.Call + ": " + e.Errno.Error() }

// Unwrap returns the errno.
func (e *SysError) Unwrap() error { return e.Errno }

// A PostError tells that something posted could not be sent, or not all of it.
type PostError struct {
	Err  error
	Sent int // bytes of it that have been sent
}

// Error returns the text of the error behind it.
func (e *PostError) Error() string { return e.Err.Error() }

// Unwrap returns the error behind it.
func (e *PostError) Unwrap() error { return e.Err }

// A settler is a Conn that may have posted something that has not left.
type settler interface {
	settle() error // waits until it has
	settled() bool // has it leave at once; false: there is no room, or it can't be sent
}

func settlerOf(c Conn) settler {
	if p, ok := c.(*prefixed); ok {
		return settlerOf(p.Conn)
	}
	s, _ := c.(settler)
	return s
}

// A SinkError is an error of the receiving side of a splice.
type SinkError struct{ Err error }

// Error returns the text of the error behind it.
func (e *SinkError) Error() string { return e.Err.Error() }

// Unwrap returns the error behind it.
func (e *SinkError) Unwrap() error { return e.Err }
