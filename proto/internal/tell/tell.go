// Package tell holds what HTTP/1, HTTP/2 and HTTP/3 have in common in answering a client: how long it may take, how a body
// is copied behind its head, and what a body is called that is not as long as was announced.
package tell

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"weir"
)

// Timeouts of a server. The zero value means the defaults.
type Timeouts struct {
	Header    time.Duration // for a whole request head, from its first byte, a frame that has begun, or QUIC's handshake; default 10s
	Idle      time.Duration // for the next request where none is under way; default 3m. QUIC may give a silent client up earlier
	BodyFloor int64         // bytes per second that a body must move at, either way; default 1024
	Tunnel    time.Duration // for silence on an upgraded connection or stream; default 1h
}

// OrDefaults returns t with the default in each place that is not set.
func (t Timeouts) OrDefaults() Timeouts {
	if t.Header <= 0 {
		t.Header = 10 * time.Second
	}
	if t.Idle <= 0 {
		t.Idle = 3 * time.Minute
	}
	if t.BodyFloor <= 0 {
		t.BodyFloor = 1024
	}
	if t.Tunnel <= 0 {
		t.Tunnel = time.Hour
	}
	return t
}

// Unsealed reports whether an error of reading says that a record of TLS was forged, or damaged on its way: the client may
// be there still, and what it has sent is not to be had.
func Unsealed(err error) bool {
	var alert *net.OpError
	var record tls.RecordHeaderError
	return errors.As(err, &alert) && alert.Op == "local error" || errors.As(err, &record)
}

// TooLong is the fault of a body that runs over its announced length.
func TooLong() error { return lengthFault(errTooLong) }

// TooShort is the fault of a body that ends before it.
func TooShort() error { return lengthFault(errTooShort) }

var (
	errTooLong  = errors.New("the body is longer than announced")
	errTooShort = errors.New("the body is shorter than announced")
)

func lengthFault(err error) error {
	return &weir.Fault{Op: "write answer", Side: weir.SideWeir, Cause: weir.CauseInternal, Err: err}
}

// HeadWait is how long an answer's head waits for the first bytes of its body, so that both leave together.
const HeadWait = 5 * time.Millisecond

// PieceSize is how many bytes of a body are read at once where it can't write itself.
const PieceSize = 32 << 10

// Pieces are buffers for such bytes: *[PieceSize]byte.
var Pieces = sync.Pool{New: func() any { return new([PieceSize]byte) }}

// A Writer writes an answer's body behind the head that waits in it. It is used by one goroutine at a time.
type Writer interface {
	io.Writer                 // sends the bytes, with the head before them if that still waits
	WriteLast(p []byte) error // is Write, of the last bytes that there are
	Flush() error             // sends what waits
}

// Copy writes all of body to dst. Where the first bytes of the body take longer than HeadWait, the head leaves without them.
// It returns the first error, of dst or of body.
func Copy(dst Writer, body weir.Body) error {
	if wt, ok := body.(io.WriterTo); ok {
		_, err := wt.WriteTo(dst)
		return err
	}
	buf := Pieces.Get().(*[PieceSize]byte)
	defer Pieces.Put(buf)
	head := flushLate(dst)
	for {
		n, err := body.Read(buf[:])
		if herr := head.stop(); herr != nil {
			return herr
		}
		if werr := pass(dst, buf[:n], err == io.EOF); werr != nil {
			return werr
		}
		switch err {
		case nil:
		case io.EOF:
			return nil
		default:
			return err
		}
	}
}

func pass(dst Writer, p []byte, last bool) error {
	switch {
	case len(p) == 0:
		return nil
	case last:
		return dst.WriteLast(p)
	}
	_, err := dst.Write(p)
	return err
}

// A lateHead is an answer's head that leaves without the first bytes of the body where these take their time.
type lateHead struct {
	mu    sync.Mutex // protects the writer until over
	over  bool
	timer *time.Timer
	err   error
}

// flushLate flushes dst after HeadWait, unless it is stopped before.
func flushLate(dst Writer) *lateHead {
	h := &lateHead{}
	h.timer = time.AfterFunc(HeadWait, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		if !h.over {
			h.err = dst.Flush()
		}
	})
	return h
}

// stop gives the writer back to the body's reader.
func (h *lateHead) stop() error {
	if h.over {
		return nil
	}
	h.timer.Stop()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.over = true
	return h.err
}
