package h3

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/quic-go/quic-go"

	"weir/internal/clock"
)

// An upConn is one connection to a server. Its fields but for q and peer are protected by the transport's lock.
type upConn struct {
	t    *Transport
	q    *quic.Conn
	peer *peer

	active  int   // requests that have a place
	since   int64 // when the last one ended
	leaving bool  // it takes no more
	limit   uint64
	rounds  map[quic.StreamID]*round // under way
	idle    *time.Timer
}

// begin starts what a connection has going besides its requests. The transport is locked.
func (u *upConn) begin() {
	u.limit = 1 << 62
	u.idle = time.AfterFunc(u.t.cfg.KeepIdle, u.rest)
	go u.serve()
}

// serve sends the settings and reads what the server says of the connection, until it ends.
func (u *upConn) serve() {
	var all sync.WaitGroup
	all.Go(u.peer.serve)
	u.greet()
	<-u.q.Context().Done()
	u.t.forget(u)
	all.Wait()
	u.t.mu.Lock()
	u.t.all--
	u.t.mu.Unlock()
	u.t.shut()
}

// greet opens the control stream.
func (u *upConn) greet() {
	ctx, cancel := context.WithTimeout(u.q.Context(), u.t.cfg.Connect)
	defer cancel()
	str, err := u.q.OpenUniStreamSync(ctx)
	if err == nil {
		_, err = str.Write(appendSettings([]byte{streamControl}, u.t.cfg.Limits.Head, false))
	}
	if err != nil {
		u.q.CloseWithError(codeStreamCreation.conn(), "no room for the control stream")
	}
}

// forget takes a connection that has ended, or shall end, from those that take requests.
func (t *Transport) forget(u *upConn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	u.remove()
	u.idle.Stop()
}

func (u *upConn) remove() {
	u.leaving = true
	u.t.conns = slices.DeleteFunc(u.t.conns, func(c *upConn) bool { return c == u })
}

// lose takes a connection that has failed from those that take requests, before its end has come to be known.
func (u *upConn) lose() {
	u.t.mu.Lock()
	defer u.t.mu.Unlock()
	u.remove()
}

// enter takes a place. The transport is locked.
func (u *upConn) enter() { u.active++ }

// leave gives a place back. The last one out closes a connection that takes no more.
func (u *upConn) leave(id quic.StreamID) {
	t := u.t
	t.mu.Lock()
	delete(u.rounds, id)
	u.active--
	u.since = clock.Now()
	over := (u.leaving || t.closed) && u.active == 0
	if over {
		u.remove()
	}
	t.mu.Unlock()
	if over {
		u.q.CloseWithError(codeNone.conn(), "")
	}
}

// rest closes a connection that has had no request for long enough.
func (u *upConn) rest() {
	t := u.t
	t.mu.Lock()
	left := time.Duration(u.since + int64(t.cfg.KeepIdle) - clock.Now())
	if u.active > 0 {
		left = t.cfg.KeepIdle
	}
	switch {
	case u.leaving:
		left = 1
	case left > 0:
		u.idle.Reset(left)
	default:
		u.remove()
	}
	t.mu.Unlock()
	if left <= 0 {
		u.q.CloseWithError(codeNone.conn(), "")
	}
}

// join notes that r is under way; false: the server has said that it will not look at it.
func (u *upConn) join(r *round) bool {
	u.t.mu.Lock()
	defer u.t.mu.Unlock()
	id := r.str.StreamID()
	if uint64(id) >= u.limit {
		return false
	}
	u.rounds[id] = r
	return true
}

// goAway is called when the server has said from which request on it will not look at them any more. Those can be asked
// of another connection.
func (u *upConn) goAway(id uint64) {
	t := u.t
	t.mu.Lock()
	u.remove()
	u.limit = id
	var rejected []*round
	for at, r := range u.rounds {
		if uint64(at) >= id {
			rejected = append(rejected, r)
		}
	}
	for _, r := range rejected {
		r.reject()
	}
	over := u.active == 0
	t.mu.Unlock()
	if over {
		go u.q.CloseWithError(codeNone.conn(), "")
	}
}
