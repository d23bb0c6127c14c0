package server

import (
	"time"

	"weir/internal/clock"
	"weir/internal/poll"
)

// A connection beyond the limit is told so instead of being cut off: a client that is cut off tries again at
// once. It may take a moment to read that; how many may do so at one time is bounded too.
const (
	refusalTime = time.Second
	maxRefusals = 256
	refusal     = "HTTP/1.1 503 Service Unavailable\r\n" +
		"Connection: close\r\nRetry-After: 1\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 24\r\n\r\n" +
		"503 Service Unavailable\n"
)

// refuse answers a connection without having read anything. The answer fits into the empty buffer of a new
// socket, so that nothing blocks.
func (l *listener) refuse(c poll.Conn) {
	l.refused.Add(1)
	if l.settings.Load().spec.TLS != nil {
		c.Close()
		l.release()
		return
	}
	if r := l.takeLeave(c, refusal); r != nil && !c.Idle(r) {
		c.Start(r)
	}
}

// dismiss ends a connection, on a worker's goroutine, with a text or after an alert of TLS.
func (l *listener) dismiss(c poll.Conn, text string) {
	if r := l.takeLeave(c, text); r != nil {
		r.Run(nil)
	}
}

// takeLeave counts off a connection and says the last word on it. It returns who waits until the client has read that; nil:
// nobody, since too many do.
func (l *listener) takeLeave(c poll.Conn, text string) *refused {
	l.release()
	r := &refused{Conn: c, l: l, until: clock.Now() + int64(refusalTime)}
	l.arrivals.add(c)
	if l.refusals.Add(1) > maxRefusals {
		r.end()
		return nil
	}
	c.SetReadDeadline(r.until)
	c.SetWriteDeadline(r.until)
	c.Write([]byte(text))
	c.CloseWrite()
	return r
}

// A refused connection waits until its client has read the answer, or an alert, and hung up. Were it closed with
// unread input, the kernel would send a reset, and the client might never see the answer.
type refused struct {
	poll.Conn
	l     *listener
	until int64
}

// Run drops what the client has sent, until it hangs up or its moment is over.
func (r *refused) Run(*poll.Worker) {
	var sink [512]byte
	for clock.Now() < r.until {
		_, err := r.TryRead(sink[:])
		if err == poll.ErrAgain && r.Idle(r) {
			return
		}
		if err != nil && err != poll.ErrAgain {
			break
		}
	}
	r.end()
}

func (r *refused) end() {
	r.l.refusals.Add(-1)
	r.l.arrivals.remove(r.Conn)
	r.Close()
}
