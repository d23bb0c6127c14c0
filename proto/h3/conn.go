package h3

import (
	"context"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quic-go/quic-go"

	"weir"
	"weir/internal/clock"
)

// A conn is the server's side of one client connection.
type conn struct {
	srv    *Server
	sock   *socket
	q      *quic.Conn
	peer   *peer
	facts  atomic.Pointer[known]
	opened int64
	shard  int          // the poller whose connections to servers it prefers: QUIC's own packets come by none
	churn  atomic.Int64 // requests that were given up or malformed, less those that were not

	control *quic.SendStream
	outbox  outbox
	credit  credit

	mu      sync.Mutex // protects what follows
	open    int        // requests under way
	next    uint64     // the id of the first request that has not come
	last    int64      // when the last request ended
	leaving bool       // the client has been told that the end is near
	refuses bool       // and which requests are not served
	idle    *time.Timer
}

// known is what is known of the client.
type known struct {
	weir.Conn
	from  net.Addr
	early bool // the handshake had not ended
}

// mostChurn is how many requests more a client may give up, or have malformed, than it lets be answered. Each costs work
// that nobody wants.
const mostChurn = 256

// several is how many requests at once are worth taking together what servers are asked.
const several = 4

// How a connection ends that drains: requests that are on their way get so long, the last answer's bytes so long.
const (
	drainNotice = 500 * time.Millisecond
	drainLinger = 3 * time.Second
)

// serveConn serves a connection to its end.
func (k *socket) serveConn(q *quic.Conn) {
	now := clock.Now()
	c := &conn{srv: k.srv, sock: k, q: q, opened: now, last: now}
	c.credit.most = k.srv.config.Load().Limits.Streams
	c.shard = int(k.accepted.Add(1) % uint64(runtime.GOMAXPROCS(0)))
	c.peer = newPeer(q, false, func(uint64) {})
	if !c.greet() {
		return
	}
	if !k.srv.enter(c) {
		q.CloseWithError(codeNone.conn(), "")
		return
	}
	defer k.srv.leave(c)
	defer c.credit.close()
	if g := guestOf(q); g != nil && g.age != k.srv.age.Load() {
		c.drain()
	}
	c.armIdle(k.srv.config.Load().Timeouts.Idle)
	var all sync.WaitGroup
	all.Go(c.awaitProof)
	all.Go(c.peer.serve)
	for {
		str, err := q.AcceptStream(context.Background())
		if err != nil {
			break
		}
		k.crew.do(job{c, str, &all})
	}
	c.mu.Lock()
	c.idle.Stop()
	c.mu.Unlock()
	all.Wait()
}

// awaitProof waits for the end of the handshake, which tells that the client has the address it says.
func (c *conn) awaitProof() {
	select {
	case <-c.q.HandshakeComplete():
	case <-c.q.Context().Done():
	}
	if !isAgreed(c.q) {
		return
	}
	if g := guestOf(c.q); g != nil {
		g.prove()
	}
	if c.sock.Agreed != nil {
		state := c.q.ConnectionState().TLS
		c.sock.Agreed(&state)
	}
}

// greet opens the control stream.
func (c *conn) greet() bool {
	str, err := c.q.OpenUniStream()
	if err != nil {
		c.q.CloseWithError(codeStreamCreation.conn(), "no room for the control stream")
		return false
	}
	c.control = str
	lim := &c.srv.config.Load().Limits
	_, err = str.Write(appendSettings([]byte{streamControl}, lim.Head, true))
	return err == nil
}

// early reports whether the handshake has not ended, so that what has come may be somebody's recording of it.
func (c *conn) early() bool { return !isAgreed(c.q) }

// who returns the facts of the client as of now: it may have gone to another address.
func (c *conn) who() *weir.Conn {
	from, early := c.q.RemoteAddr(), c.early()
	k := c.facts.Load()
	if k == nil || k.early && !early || from != k.from && addrPort(from) != addrPort(k.from) {
		k = c.learn(from, early)
		c.facts.Store(k)
	}
	return &k.Conn
}

func (c *conn) learn(from net.Addr, early bool) *known {
	local := addrPort(c.q.LocalAddr())
	if !local.IsValid() {
		local = c.sock.local
	}
	k := &known{Conn: c.sock.Facts(addrPort(from), local), from: from, early: early}
	state := c.q.ConnectionState().TLS
	k.Protocol, k.TLS, k.Opened, k.Shard = "HTTP/3", &state, c.opened, c.shard
	return k
}

// begin counts a request; false: it is not served any more.
func (c *conn) begin(id quic.StreamID) bool {
	c.mu.Lock()
	if c.refuses && uint64(id) >= c.next {
		c.mu.Unlock()
		return false
	}
	c.next = max(c.next, uint64(id)+4)
	c.open++
	n := c.open
	c.mu.Unlock()
	c.peer.requests.Add(1)
	if n >= several && c.sock.Several != nil {
		c.sock.Several(c.shard)
	}
	return true
}

// used is how many requests are under way.
func (c *conn) used() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.open
}

// end counts it off. gone: its client gave it up.
func (c *conn) end(gone bool) {
	c.mu.Lock()
	c.open--
	c.last = clock.Now()
	over := c.refuses && c.open == 0
	c.mu.Unlock()
	if over {
		time.AfterFunc(drainLinger, c.closeIfOver)
	}
	if !gone {
		if c.churn.Load() > 0 {
			c.churn.Add(-1)
		}
	} else if c.churn.Add(1) > mostChurn {
		c.peer.fail(&connError{codeExcessiveLoad, "too many requests that are given up"})
	}
}

// drain tells the client that the end is near and, when what is on its way has come, where it is.
func (c *conn) drain() {
	c.mu.Lock()
	again := c.leaving
	c.leaving = true
	c.mu.Unlock()
	if again {
		return
	}
	heard := c.q.ConnectionStats().PacketsReceived
	go c.control.Write(appendGoAway(nil, 1<<62-4))
	time.AfterFunc(drainNotice, func() { c.refuse(heard) })
}

// refuse tells the client which requests are not served any more. heard is how much was heard of it before the first notice.
func (c *conn) refuse(heard uint64) {
	c.mu.Lock()
	c.refuses = true
	id, over, last := c.next, c.open == 0, c.last
	c.mu.Unlock()
	if over {
		time.AfterFunc(c.linger(heard, last), c.closeIfOver)
	}
	c.control.Write(appendGoAway(nil, id))
}

// linger is how long a client without requests still has. One that should have acknowledged the notice by now, and has said
// nothing at all, has gone; then the bytes of its last answer alone are waited for, in case it comes back.
func (c *conn) linger(heard uint64, last int64) time.Duration {
	s := c.q.ConnectionStats()
	if s.PacketsReceived != heard || s.SmoothedRTT > drainNotice/4 {
		return drainLinger
	}
	return time.Duration(last + int64(drainLinger) - clock.Now())
}

func (c *conn) closeIfOver() {
	c.mu.Lock()
	over := c.open == 0
	c.mu.Unlock()
	if over {
		c.q.CloseWithError(codeNone.conn(), "")
	}
}

// armIdle closes the connection when no request has come for d: a client can keep QUIC's own timer from ending it.
func (c *conn) armIdle(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.idle = time.AfterFunc(d, func() {
		c.mu.Lock()
		left := time.Duration(c.last + int64(d) - clock.Now())
		if c.open > 0 {
			left = d
		}
		if left > 0 && c.q.Context().Err() == nil {
			c.idle.Reset(left)
		}
		c.mu.Unlock()
		if left <= 0 {
			c.q.CloseWithError(codeNone.conn(), "idle")
		}
	})
}
