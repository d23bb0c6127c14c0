package h2

import (
	"sync"
	"sync/atomic"

	"weir"
	"weir/internal/clock"
	"weir/internal/poll"
	shared "weir/proto/internal/floor"
	"weir/proto/internal/tell"
)

// ServerConfig is what a server does with the connections it is given. It is immutable.
type ServerConfig struct {
	Handler  weir.Handler
	Observer weir.Observer
	Limits   Limits
	Timeouts Timeouts

	pace poll.Pace // that clients have to keep who take what is sent
}

// Timeouts of a server. The zero value means the defaults.
type Timeouts = tell.Timeouts

// A Server speaks HTTP/2 with the connections it is given. All methods may be called concurrently.
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
	c.pace = shared.Sending(c.Timeouts.BodyFloor)
	s.config.Store(&c)
}

// Serve takes over a connection that has not been read, and returns at once. facts describes it. done, if not nil, is
// called when the connection has been closed.
func (s *Server) Serve(pc poll.Conn, facts weir.Conn, done func()) {
	c := s.adopt(pc, facts, done)
	c.SetReadDeadline(c.facts.Opened + int64(s.config.Load().Timeouts.Idle))
	if !c.Idle(c) {
		c.Start(c)
	}
}

// ServeRead is Serve for a connection of which already has been read: its first bytes told that it speaks HTTP/2.
func (s *Server) ServeRead(pc poll.Conn, facts weir.Conn, done func(), already []byte) {
	c := s.adopt(pc, facts, done)
	c.partial = append([]byte(nil), already...)
	if len(already) > 0 {
		c.began = clock.Now()
	}
	c.Start(c)
}

func (s *Server) adopt(pc poll.Conn, facts weir.Conn, done func()) *conn {
	c := &conn{Conn: pc, srv: s, facts: facts, done: done, fields: newFieldReader()}
	c.begin(s.config.Load())
	c.SetWritePace(&s.config.Load().pace)
	c.SetWriteDeadline(0)
	s.open.Add(1)
	s.mu.Lock()
	if c.next = s.conns; c.next != nil {
		c.next.prev = c
	}
	s.conns = c
	s.mu.Unlock()
	if s.draining.Load() {
		c.drain()
	}
	if s.closed.Load() { // it may have come after the last look
		c.Conn.Cancel()
	}
	return c
}

// Open returns the number of connections.
func (s *Server) Open() int { return int(s.open.Load()) }

// Drain tells all clients to send new requests elsewhere, at first without refusing those that are on their way, a moment
// later for good (RFC 9113, section 6.8). What is under way by then is finished, and each connection closed after its
// last stream. Connections that come later are treated so from their beginning.
func (s *Server) Drain() {
	s.draining.Store(true)
	s.each((*conn).drain)
}

// Close breaks off all connections, and those that come after it.
func (s *Server) Close() {
	s.draining.Store(true)
	s.closed.Store(true)
	s.each(func(c *conn) { c.Conn.Cancel() })
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
