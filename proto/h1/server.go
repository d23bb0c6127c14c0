package h1

import (
	"sync"
	"sync/atomic"
	"time"

	"weir"
	"weir/internal/clock"
	"weir/internal/poll"
	"weir/proto/internal/floor"
	"weir/proto/internal/tell"
)

// ServerConfig is what a server does with the connections it is given. It is immutable.
type ServerConfig struct {
	Handler  weir.Handler
	Observer weir.Observer
	Limits   Limits
	Timeouts Timeouts

	// PriorKnowledge takes over connections that turn out to speak HTTP/2 from their first byte on (RFC 9113, section
	// 3.3); already is what has been read. nil: they are refused as any request of an unknown version.
	PriorKnowledge func(pc poll.Conn, facts weir.Conn, done func(), already []byte)

	pace poll.Pace // that clients have to keep who take an answer
}

// Timeouts of a server. The zero value means the defaults.
type Timeouts = tell.Timeouts

// A Server speaks HTTP/1 with the connections it is given. All methods may be called concurrently.
type Server struct {
	config   atomic.Pointer[ServerConfig]
	draining atomic.Bool
	closed   atomic.Bool
	open     atomic.Int64

	mu    sync.Mutex // protects conns and the links in them
	conns *conn      // all of them, in a list
}

// NewServer returns a server with configuration c.
func NewServer(c ServerConfig) *Server {
	s := &Server{}
	s.Configure(c)
	return s
}

// Configure changes what later exchanges are served with; those under way keep what they began with.
func (s *Server) Configure(c ServerConfig) {
	c.Timeouts = c.Timeouts.OrDefaults()
	c.Limits = c.Limits.orDefaults()
	c.pace = floor.Sending(c.Timeouts.BodyFloor)
	s.config.Store(&c)
}

// Serve takes over a connection that has just been accepted and not been read, and returns at once. facts describes it.
// done, if not nil, is called when the connection has been closed.
func (s *Server) Serve(pc poll.Conn, facts weir.Conn, done func()) {
	c := &conn{Conn: pc, srv: s, facts: facts, done: done}
	c.fresh.Store(true)
	s.open.Add(1)
	s.mu.Lock()
	if c.next = s.conns; c.next != nil {
		c.next.prev = c
	}
	s.conns = c
	s.mu.Unlock()
	pc.OnHangup(c)
	c.SetWritePace(&s.config.Load().pace)
	c.SetWriteDeadline(0)
	c.SetReadDeadline(c.facts.Opened + int64(s.config.Load().Timeouts.Idle))
	if s.draining.Load() { // it may have come after the last look at those that wait
		c.SetReadDeadline(clock.Now() + int64(freshPatience))
	}
	if s.closed.Load() { // so may this
		c.breakOff()
	}
	if !c.Idle(c) {
		c.Start(c)
	}
}

// Open returns the number of connections.
func (s *Server) Open() int { return int(s.open.Load()) }

// Drain closes the connections that are idle and has the others close after the answer under way.
// Upgraded connections go on. Connections that come after it are served one exchange each. One on which
// nothing has come yet may have a request on its way, and gets a moment for it; one on which a part of a request has
// come gets the time for the rest of its head.
func (s *Server) Drain() {
	s.draining.Store(true)
	s.closeIdle(false)
	time.AfterFunc(freshPatience, func() { s.closeIdle(true) })
}

// freshPatience is how long a drain waits for the first byte of a connection.
const freshPatience = time.Second

// closeIdle closes the connections that wait for a request, those that wait for their first one only if
// fresh is set.
func (s *Server) closeIdle(fresh bool) {
	s.each(func(c *conn) {
		switch {
		case !c.reclaim(fresh):
		case len(c.partial) == 0 && c.Silent():
			c.close()
		default:
			c.SetReadDeadline(clock.Now() + int64(s.config.Load().Timeouts.Header))
			c.Start(c)
		}
	})
}

// Close breaks off all connections, and those that come after it.
func (s *Server) Close() {
	s.draining.Store(true)
	s.closed.Store(true)
	s.each((*conn).breakOff)
}

func (s *Server) each(f func(*conn)) {
	s.mu.Lock()
	list := make([]*conn, 0, s.open.Load())
	for c := s.conns; c != nil; c = c.next {
		list = append(list, c)
	}
	s.mu.Unlock()
	for _, c := range list {
		f(c)
	}
}

func (s *Server) forget(c *conn) {
	s.mu.Lock()
	if c.prev != nil {
		c.prev.next = c.next
	} else {
		s.conns = c.next
	}
	if c.next != nil {
		c.next.prev = c.prev
	}
	c.prev, c.next = nil, nil
	s.mu.Unlock()
	s.open.Add(-1)
	if c.done != nil {
		c.done()
	}
}
