package h3

import (
	"io"
	"sync"
	"time"

	"weir"
	"weir/proto/internal/websocket"
)

// A tunnel is the stream of an extended CONNECT that a server has taken: a connection that left HTTP behind.
type tunnel struct {
	r     *round
	write sync.Mutex // keeps frames whole
	once  sync.Once
	out   []byte
}

// tunnel makes the answer of an upgrade of it, as it would be over HTTP/1.
func (r *round) tunnel() {
	p := &r.x.Response
	p.Status = 101
	if key := r.x.Request.Header.Get(websocket.KeyField); key != "" {
		p.Header.Set(websocket.AcceptField, websocket.Accept(key))
	}
	r.x.Watch(nil)
	r.str.SetReadDeadline(time.Time{})
	r.str.SetWriteDeadline(time.Time{})
	r.x = nil
	p.Upgrade = &tunnel{r: r}
}

// Read reads what the server sends.
func (t *tunnel) Read(p []byte) (int, error) {
	in := &t.r.in
	span, err := in.content(len(p))
	if e, ok := err.(*connError); ok {
		t.r.u.peer.fail(e)
	}
	n := copy(p, span)
	if err == io.EOF && n > 0 {
		return n, nil // the end comes again
	}
	return n, err
}

// Write sends p to the server.
func (t *tunnel) Write(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	t.write.Lock()
	defer t.write.Unlock()
	t.out = append(appendFrame(t.out[:0], frameData, uint64(len(p))), p...)
	if _, err := t.r.str.Write(t.out); err != nil {
		return 0, err
	}
	return len(p), nil
}

// CloseWrite tells the server that no more comes.
func (t *tunnel) CloseWrite() error { return t.r.str.Close() }

// Cancel breaks off who reads and writes.
func (t *tunnel) Cancel() {
	t.r.str.CancelRead(codeRequestCancelled.stream())
	t.r.str.CancelWrite(codeRequestCancelled.stream())
}

// Close gives up what has not come yet, and the place on the connection. It may be called while others read and write.
func (t *tunnel) Close() error {
	t.once.Do(func() {
		t.r.str.CancelRead(codeRequestCancelled.stream())
		if t.r.str.Context().Err() == nil {
			t.r.str.CancelWrite(codeRequestCancelled.stream())
		}
		t.r.u.leave(t.r.str.StreamID())
	})
	return nil
}

var _ io.ReadWriteCloser = (*tunnel)(nil)

var _ weir.Body = (*round)(nil)
