package h2

import (
	"errors"
	"io"

	"weir"
	"weir/internal/poll"
	"weir/proto/internal/websocket"
)

var (
	errAccept    = errors.New("Sec-WebSocket-Accept is not what the key asks for")
	errNoUpgrade = errors.New("it answered without switching protocols")
	errUnasked   = errors.New("it switched to a protocol that was not asked for")
)

// upgradeFault is why the answer can't be handed to the client, or nil. An extended CONNECT that is answered with success
// is an upgraded stream to the client, whatever the server meant.
func (s *stream) upgradeFault(x *weir.Exchange) error {
	r := &x.Response
	switch {
	case r.Upgrade == nil && (s.extended && r.Status/100 == 2 || r.Status < 200):
		return errNoUpgrade
	case r.Upgrade == nil:
		return nil
	case !s.extended:
		return errUnasked
	}
	key, accept := x.Request.Header.Get(websocket.KeyField), r.Header.Get(websocket.AcceptField)
	if accept != websocket.Accept(key) {
		return errAccept
	}
	return nil
}

// A taker is an upgraded connection of a server that can be had without what is around it.
type taker interface{ Take() (poll.Conn, []byte) }

// upgrade answers an extended CONNECT with success, and carries bytes both ways from there on (RFC 8441, section 5). The
// exchange ends when that does.
func (s *stream) upgrade(x *weir.Exchange) error {
	r, c := &x.Response, s.c
	r.Header.Del(websocket.AcceptField)
	t := &tunnel{s: s, other: r.Upgrade}
	if g, ok := r.Upgrade.(taker); ok {
		t.conn, t.rest = g.Take()
		t.other = t.conn
	}
	head := appendFields(appendStatus(s.head[:0], 200), &r.Header)
	c.mu.Lock()
	if err := s.room(); err != nil {
		c.mu.Unlock()
		r.Upgrade = nil
		t.other.Close()
		return err
	}
	s.head, s.answered = head, true
	c.appendBlock(s.id, false, head)
	c.flushSoon()
	c.mu.Unlock()
	x.Scratch = nil
	t.begin()
	return weir.ErrDetached
}

// A halfCloser is a connection one side of which can be ended.
type halfCloser interface{ CloseWrite() error }

// endOf tells the server that the client sends no more.
func endOf(w io.Closer) {
	if half, ok := w.(halfCloser); ok {
		half.CloseWrite()
		return
	}
	w.Close()
}
