package proxyproto

import (
	"io"
	"time"

	"weir/internal/clock"
	"weir/internal/poll"
)

// A Mode says whether connections must begin with a header.
type Mode uint8

// The modes. Optional is weaker than it looks: the protocol wants each port to have its headers always or never
// (section 2). It is for the time in which a proxy is taught to send them, and for trusted peers alone, since
// whoever sends a header is believed. A peer that waits to be spoken to cannot be told from one whose header is late.
const (
	Required Mode = iota
	Optional
)

// DefaultTimeout is how long a header is waited for, unless said otherwise.
const DefaultTimeout = 5 * time.Second

// A Config is how headers are awaited. The zero value requires them within DefaultTimeout.
type Config struct {
	Mode    Mode
	Timeout time.Duration // from Accept to the header's last byte; 0: DefaultTimeout
}

// Accept waits for the header of pc, which is fresh and has not been read, and then calls then, once and on a
// worker's goroutine, with the connection and what was said of it. It returns at once and does not hold a goroutine
// while nothing comes. The connection that is handed on is pc itself where there was a header; where there was none,
// which is possible in the mode Optional alone, it is one that yields the bytes that were looked at first. Its read
// deadline has to be set anew. Its own addresses stay what they are: see [Header.Addresses].
//
// Where no proper header comes, or none in time, pc is closed and then gets the error and nothing else: io.EOF (also
// in the middle of a header), poll.ErrTimeout, poll.ErrCanceled (pc.Cancel ends the wait), or an error of Parse.
func (c Config) Accept(pc poll.Conn, then func(pc poll.Conn, h *Header, err error)) {
	if c.Timeout <= 0 {
		c.Timeout = DefaultTimeout
	}
	w := &waiting{Conn: pc, mode: c.Mode, by: clock.Now() + int64(c.Timeout), then: then}
	w.buf = w.first[:0]
	pc.SetReadDeadline(w.by)
	if !pc.Idle(w) {
		pc.Start(w)
	}
}

// A waiting is a connection whose header has not come whole.
type waiting struct {
	poll.Conn
	mode  Mode
	by    int64 // when it must have come
	then  func(poll.Conn, *Header, error)
	buf   []byte
	first [64]byte // its usual memory
}

// Run reads what has come.
func (w *waiting) Run(*poll.Worker) {
	for {
		switch err := w.read(); {
		case err == poll.ErrAgain && w.Idle(w):
			return
		case err == poll.ErrAgain:
			continue
		case err != nil:
			w.fail(err)
			return
		}
		h, _, err := Parse(w.buf)
		switch {
		case err == nil:
			w.hand(w.Conn, &h)
			return
		case err == ErrNone && w.mode == Optional:
			w.hand(poll.Prefixed(w.Conn, w.buf), &h)
			return
		case err == ErrMore && clock.Now() < w.by:
		case err == ErrMore:
			w.fail(poll.ErrTimeout) // a deadline alone ends no read that never has to wait
			return
		default:
			w.fail(err)
			return
		}
	}
}

// read takes as much as is sure to belong to the header.
func (w *waiting) read() error {
	have := len(w.buf)
	want := have + Missing(w.buf)
	if want > cap(w.buf) {
		w.buf = append(make([]byte, 0, want), w.buf...)
	}
	n, err := w.TryRead(w.buf[have:want])
	w.buf = w.buf[:have+n]
	if n == 0 && err == nil {
		return io.ErrNoProgress
	}
	return err
}

func (w *waiting) hand(c poll.Conn, h *Header) {
	w.SetReadDeadline(0)
	w.then(c, h, nil)
}

func (w *waiting) fail(err error) {
	w.Conn.Close()
	w.then(nil, nil, err)
}
