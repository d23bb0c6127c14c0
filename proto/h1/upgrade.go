package h1

import (
	"errors"

	"weir"
	"weir/internal/poll"
	"weir/proto/stream"
)

var (
	errUpgrade      = errors.New("it switched to a protocol that was not asked for")
	errHeadTooLarge = errors.New("the head is larger than the limit")
)

// upgraded is a server connection that left HTTP behind. It is read and written directly only by
// protocols that can't relay it.
type upgraded struct{ u *upConn }

func (g *upgraded) Read(p []byte) (int, error) {
	u := g.u
	if u.big != nil && u.r < u.w {
		n := copy(p, u.big[u.r:u.w])
		if u.r += n; u.r == u.w {
			u.releaseBig()
		}
		return n, nil
	}
	return u.Conn.Read(p)
}

func (g *upgraded) Write(p []byte) (int, error) { return g.u.Conn.Write(p) }

// CloseWrite sends the end of our side.
func (g *upgraded) CloseWrite() error { return g.u.Conn.CloseWrite() }

// Cancel breaks off who reads and writes; it may be called from anywhere.
func (g *upgraded) Cancel() { g.u.Conn.Cancel() }

// Close ends the connection. It is called by the last user, as that of a poll.Conn.
func (g *upgraded) Close() error {
	g.u.releaseBig()
	return g.u.Conn.Close()
}

// Take gives away the connection itself and the bytes that came behind the head: it is for another protocol's relay.
// Nothing may be done with g afterwards.
func (g *upgraded) Take() (poll.Conn, []byte) { return g.u.Conn, g.rest() }

// rest returns the bytes that came behind the head.
func (g *upgraded) rest() []byte {
	u := g.u
	if u.big == nil {
		return nil
	}
	p := append([]byte(nil), u.big[u.r:u.w]...)
	u.releaseBig()
	return p
}

// upgrade writes the head of a 101 answer and hands both connections to a relay. The exchange ends when
// the relay does.
func (w *work) upgrade(x *weir.Exchange) error {
	other := x.Response.Upgrade
	g, ours := other.(*upgraded)
	w.out = appendResponseHead(nil, 101, &x.Response.Header)
	w.out = append(w.out, "Connection: Upgrade\r\nUpgrade: "...)
	w.out = append(w.out, x.Request.Upgrade...)
	w.out = append(w.out, "\r\n\r\n"...)
	if ours {
		w.out = append(w.out, g.rest()...)
	}
	w.answered, w.keep = true, false
	c := w.conn
	c.detach()
	c.OnHangup(nil)
	c.SetReadDeadline(0)
	c.SetWritePace(&w.cfg.pace)
	if _, err := c.Write(w.out); err != nil {
		other.Close()
		return &weir.Fault{Op: "write answer", Side: weir.SideClient, Cause: weir.CauseClientGone, Err: err}
	}
	c.SetWritePace(nil)
	early := append([]byte(nil), w.in[w.r:w.w]...)
	w.r, w.w = 0, 0
	observer := w.cfg.Observer
	idle := w.cfg.Timeouts.Tunnel
	w.first, w.in, w.out, x.Scratch = nil, nil, nil, nil
	done := func(in, out int64, err error) {
		x.BytesIn, x.BytesOut = in, out
		x.Response.Upgrade = nil
		weir.Finish(x, relayFault(err), observer)
		c.srv.forget(c)
	}
	if ours {
		stream.Relay(c.Conn, g.u.Conn, early, idle, done)
	} else {
		stream.Bridge(c.Conn, other, early, idle, done)
	}
	return weir.ErrDetached
}

func relayFault(err error) error {
	switch err {
	case nil, poll.ErrCanceled:
		return nil
	case poll.ErrTimeout:
		return &weir.Fault{Op: "relay", Side: weir.SideClient, Cause: weir.CauseClientIdle, Err: err}
	}
	return &weir.Fault{Op: "relay", Side: weir.SideClient, Cause: weir.CauseClientGone, Err: err}
}
