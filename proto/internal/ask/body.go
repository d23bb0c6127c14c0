package ask

import (
	"io"
	"sync"
	"time"

	"weir"
	"weir/internal/poll"
)

// ContinueWait is how long a server that was sent Expect is waited for before the body goes out anyway (RFC 9110, section
// 10.1.1).
const ContinueWait = time.Second

// An upload is waited for UnknownGrace when the answer has come whole, since its end may not have been seen yet; one that
// is broken off is told so again every WakeEvery: it may have been about to wait, with a deadline of its own.
const (
	UnknownGrace = 5 * time.Millisecond
	WakeEvery    = 10 * time.Millisecond
)

// A lastWriter is a writer that can do better when it knows that these are the last bytes.
type lastWriter interface{ WriteLast(p []byte) error }

var pieces = sync.Pool{New: func() any { return new([32 << 10]byte) }}

// Copy sends body to dst, the last bytes by WriteLast where dst has that. Errors of dst must be *poll.SinkError, as Sink
// makes them: any other is taken for one of the client's side.
func Copy(dst io.Writer, body weir.Body) error {
	if wt, ok := body.(io.WriterTo); ok {
		_, err := wt.WriteTo(dst)
		return err
	}
	buf := pieces.Get().(*[32 << 10]byte)
	defer pieces.Put(buf)
	last, _ := dst.(lastWriter)
	for {
		n, err := body.Read(buf[:])
		if werr := pass(dst, last, buf[:n], err == io.EOF); werr != nil {
			return werr
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func pass(dst io.Writer, last lastWriter, p []byte, end bool) error {
	if end && last != nil {
		return last.WriteLast(p)
	}
	if len(p) == 0 {
		return nil
	}
	_, err := dst.Write(p)
	return err
}

// Sink marks an error as one of the side that is written to. nil stays nil.
func Sink(err error) error {
	if err == nil {
		return nil
	}
	return &poll.SinkError{Err: err}
}

// EndsWithin reports whether done is closed within d.
func EndsWithin(done <-chan struct{}, d time.Duration) bool {
	select {
	case <-done:
		return true
	default:
	}
	if d <= 0 {
		return false
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-done:
		return true
	case <-timer.C:
		return false
	}
}
