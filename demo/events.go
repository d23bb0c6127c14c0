package demo

import (
	"fmt"
	"io"
	"sync"
	"time"

	"weir"
)

const eventEvery = time.Second

// serveEvents sends an event each second until the client goes.
func serveEvents(x *weir.Exchange) error {
	x.Response.Status = 200
	x.Response.Header.Set("Content-Type", "text/event-stream")
	x.Response.Header.Set("Cache-Control", "no-store")
	x.Response.Body = newEvents()
	return nil
}

// events is a body without an end.
type events struct {
	ticker *time.Ticker
	closed chan struct{}
	once   sync.Once
	n      int
	rest   []byte // of the event under way
}

func newEvents() *events {
	return &events{ticker: time.NewTicker(eventEvery), closed: make(chan struct{})}
}

func (e *events) Read(p []byte) (int, error) {
	if len(e.rest) == 0 {
		if err := e.wait(); err != nil {
			return 0, err
		}
	}
	n := copy(p, e.rest)
	e.rest = e.rest[n:]
	return n, nil
}

// wait makes the next event: the first one at once.
func (e *events) wait() error {
	at := time.Now()
	if e.n > 0 {
		select {
		case at = <-e.ticker.C:
		case <-e.closed:
			return io.ErrClosedPipe
		}
	}
	e.n++
	e.rest = fmt.Appendf(nil, "id: %d\ndata: it is %s\n\n", e.n, at.Format("15:04:05.000"))
	return nil
}

func (e *events) Close() error {
	e.once.Do(func() {
		e.ticker.Stop()
		close(e.closed)
	})
	return nil
}

func (e *events) Len() int64            { return -1 }
func (e *events) Trailer() *weir.Header { return nil }
