// Package dialect lets a peer that writes and reads HTTP/1 text be a client of HTTP/2 or HTTP/3.
//
// What is written on a [Conn] is taken for requests of HTTP/1.1; each becomes a stream of the connection below, as
// soon as its head is there, and its content follows as it is written. The answers are read as HTTP/1.1 in the order
// of the requests: interim ones, content with its length or in chunks, one chunk for each piece that came, trailer
// fields. Fields that concern an HTTP/1 connection alone are not sent, and where they come in an answer that is an
// error. A request for an upgrade to websocket becomes an extended CONNECT (RFC 8441, RFC 9220), and 200 becomes 101.
//
// Frames are written and read by x/net/http2's framer and quic-go's QUIC, and not by what weir itself has for it.
package dialect

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// A Field is a header field; of a head also a pseudo header field.
type Field struct{ Name, Value string }

// A transport is a connection that carries exchanges.
type transport interface {
	open() (stream, error)
	close() // in order
	abort() // at once
	addr() net.Addr
}

// A stream carries one exchange. One goroutine sends, another receives.
type stream interface {
	head(fields []Field, end bool) error
	data(p []byte, end bool) error // waits for the other side's window
	trailer(fields []Field) error
	receive() (part, error) // io.EOF at the end
	cancel()
}

// A part is a piece of what a stream receives: a section of fields, or content.
type part struct {
	fields []Field
	data   []byte
}

// A Conn is the HTTP/1 side. It is for one writer and one reader.
type Conn struct {
	t     transport
	text  *io.PipeWriter // what is asked
	said  chan []byte    // what is answered
	rest  []byte         // of said, not read yet
	done  chan struct{}  // all is over
	once  sync.Once
	late  <-chan time.Time // nil: reading waits as long as it takes
	timer *time.Timer

	mu      sync.Mutex // protects what follows
	pending int        // exchanges not answered yet
	asked   bool       // nothing more is asked
	settles bool       // the end of all that was asked is the end
	leaves  bool       // ... of all that is under way now
	cause   error      // why nothing more is answered
}

var _ net.Conn = (*Conn)(nil)

// newConn begins to take requests. The transport has to call leave when the other side goes away.
func newConn(t transport) *Conn {
	r, w := io.Pipe()
	c := &Conn{t: t, text: w, said: make(chan []byte), done: make(chan struct{})}
	go func() {
		c.run(r)
		c.note(func() { c.asked = true })
	}()
	return c
}

// end has reading give err from now on.
func (c *Conn) end(err error) {
	c.once.Do(func() {
		c.mu.Lock()
		c.cause = err
		c.mu.Unlock()
		close(c.done)
	})
}

// say hands over a piece of an answer; false: nobody wants it any more.
func (c *Conn) say(p []byte) bool {
	select {
	case c.said <- p:
		return true
	case <-c.done:
		return false
	}
}

// Read implements net.Conn. The error is io.EOF after [Conn.Settle], and ECONNRESET where an answer was cut off.
func (c *Conn) Read(p []byte) (int, error) {
	if len(c.rest) == 0 {
		select {
		case c.rest = <-c.said:
		default:
			if err := c.wait(); err != nil {
				return 0, err
			}
		}
	}
	n := copy(p, c.rest)
	c.rest = c.rest[n:]
	return n, nil
}

func (c *Conn) wait() error {
	select {
	case c.rest = <-c.said:
		return nil
	case <-c.late:
		return os.ErrDeadlineExceeded
	case <-c.done:
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.cause
	}
}

// Write implements net.Conn.
func (c *Conn) Write(p []byte) (int, error) { return c.text.Write(p) }

// CloseWrite says that no more requests come; a request that is not whole is cancelled.
func (c *Conn) CloseWrite() error { return c.text.Close() }

// Settle has reading end as soon as all that was asked has been answered, once nothing more is asked. An HTTP/1
// connection would be closed then; here it is a stream that ends.
func (c *Conn) Settle() { c.note(func() { c.settles = true }) }

// leave closes the connection when all that is under way has been answered: the other side goes away.
func (c *Conn) leave() { c.note(func() { c.leaves = true }) }

// note changes what decides on the end, and ends if it is time.
func (c *Conn) note(change func()) {
	c.mu.Lock()
	change()
	over := c.pending == 0 && (c.settles && c.asked || c.leaves)
	leaves := c.leaves
	c.mu.Unlock()
	if !over {
		return
	}
	c.end(io.EOF)
	if leaves {
		go c.t.close()
	}
}

// Close ends the connection in order; what has not been answered is cancelled by it.
func (c *Conn) Close() error {
	c.end(net.ErrClosed)
	c.text.CloseWithError(errGone)
	c.t.close()
	return nil
}

// Abort breaks the connection off.
func (c *Conn) Abort() {
	c.end(net.ErrClosed)
	c.text.CloseWithError(errGone)
	c.t.abort()
}

var errGone = errors.New("the client is gone")

// LocalAddr implements net.Conn.
func (c *Conn) LocalAddr() net.Addr { return c.t.addr() }

// RemoteAddr implements net.Conn.
func (c *Conn) RemoteAddr() net.Addr { return c.t.addr() }

// SetDeadline implements net.Conn.
func (c *Conn) SetDeadline(t time.Time) error { return c.SetReadDeadline(t) }

// SetReadDeadline implements net.Conn. It is not for use while Read runs.
func (c *Conn) SetReadDeadline(t time.Time) error {
	if c.timer != nil {
		c.timer.Stop()
		c.timer, c.late = nil, nil
	}
	if !t.IsZero() {
		c.timer = time.NewTimer(time.Until(t))
		c.late = c.timer.C
	}
	return nil
}

// SetWriteDeadline implements net.Conn: what has not been sent by then never is.
func (c *Conn) SetWriteDeadline(t time.Time) error {
	if !t.IsZero() {
		time.AfterFunc(time.Until(t), func() { c.text.CloseWithError(errGone) })
	}
	return nil
}

// ErrMalformed is an error of reading where the other side has reset a stream because of what was asked on it.
var ErrMalformed = errors.New("the request was malformed")

func reset(what error) error { return fmt.Errorf("%w: %w", what, syscall.ECONNRESET) }
