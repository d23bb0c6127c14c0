package h2

import (
	"weir"
	"weir/proto/internal/websocket"
)

// upgrade makes an upgrade of the answer to an extended CONNECT (RFC 8441): the head that HTTP/1.1 would have, and the
// stream as the connection behind it.
func (s *upStream) upgrade(x *weir.Exchange) {
	x.Watch(nil)
	r := &x.Response
	r.Status, r.Body = 101, nil
	if key := x.Request.Header.Get("Sec-WebSocket-Key"); key != "" {
		r.Header.Set(websocket.AcceptField, websocket.Accept(key))
	}
	r.Upgrade = &upSocket{s}
}

// An upSocket is a stream that carries bytes both ways. One goroutine may read, one write, and any close it.
type upSocket struct{ s *upStream }

// Read implements io.Reader.
func (u *upSocket) Read(p []byte) (int, error) { return u.s.body.Read(p) }

// Write implements io.Writer.
func (u *upSocket) Write(p []byte) (int, error) {
	if err := u.s.sender.send(p, false); err != nil {
		return 0, err
	}
	return len(p), nil
}

// CloseWrite tells the server that nothing more comes.
func (u *upSocket) CloseWrite() error { return u.s.sender.send(nil, true) }

// Close ends the stream.
func (u *upSocket) Close() error { return u.s.body.Close() }
