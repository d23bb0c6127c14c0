package h3

import (
	"sync"
	"sync/atomic"

	"weir"
	"weir/proto/internal/tell"
)

// ServerConfig is what a server does with the connections it is given. It is immutable.
type ServerConfig struct {
	Handler  weir.Handler
	Observer weir.Observer
	Limits   Limits
	Timeouts Timeouts

	// NoEarly refuses 0-RTT. Where it is let be, requests with safe methods alone are served before the handshake has
	// ended, marked with Early-Data (RFC 8470); the others wait for its end.
	NoEarly bool
}

// Timeouts of a server. The zero value means the defaults.
type Timeouts = tell.Timeouts

// A Server speaks HTTP/3 on the sockets it is given. All methods may be called concurrently.
type Server struct {
	config atomic.Pointer[ServerConfig]
	open   atomic.Int64
	age    atomic.Int64 // how many times Renew has been called

	mu       sync.Mutex // protects all below
	conns    map[*conn]struct{}
	sockets  map[*socket]struct{}
	draining bool
}

// NewServer returns a server with configuration c.
func NewServer(c ServerConfig) *Server {
	s := &Server{conns: map[*conn]struct{}{}, sockets: map[*socket]struct{}{}}
	s.Configure(c)
	return s
}

// Configure changes what later exchanges are served with; those under way keep what they began with. Limits.Streams,
// Timeouts.Idle and NoEarly hold for later connections.
func (s *Server) Configure(c ServerConfig) {
	c.Timeouts = c.Timeouts.OrDefaults()
	c.Limits = c.Limits.orDefaults()
	s.config.Store(&c)
}

// Open returns the number of connections.
func (s *Server) Open() int { return int(s.open.Load()) }

// Drain takes no more connections, and has each of those that are there end when its requests have been answered. The
// client is told twice (RFC 9114, section 5.2): first that the end is near, then, when what was on its way has come,
// which requests will not be served any more. Upgraded streams go on. ServePacket returns when the last connection has
// ended.
func (s *Server) Drain() {
	s.mu.Lock()
	s.draining = true
	sockets, conns := s.snapshot()
	s.mu.Unlock()
	for _, k := range sockets {
		k.close()
	}
	for _, c := range conns {
		c.drain()
	}
}

// Renew has each connection that is there end as Drain does, those included whose handshake is under way, and goes on
// taking new ones.
func (s *Server) Renew() {
	s.age.Add(1)
	s.mu.Lock()
	_, conns := s.snapshot()
	s.mu.Unlock()
	for _, c := range conns {
		c.drain()
	}
}

// Close breaks off all connections. ServePacket returns soon after.
func (s *Server) Close() {
	s.mu.Lock()
	s.draining = true
	sockets, conns := s.snapshot()
	s.mu.Unlock()
	for _, k := range sockets {
		k.close()
	}
	var closing sync.WaitGroup
	for _, c := range conns {
		closing.Go(func() { c.q.CloseWithError(codeNone.conn(), "") })
	}
	closing.Wait()
}

func (s *Server) snapshot() (sockets []*socket, conns []*conn) {
	for k := range s.sockets {
		sockets = append(sockets, k)
	}
	for c := range s.conns {
		conns = append(conns, c)
	}
	return sockets, conns
}

// enter adds a connection; false: the server takes no more.
func (s *Server) enter(c *conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.draining {
		return false
	}
	s.conns[c] = struct{}{}
	s.open.Add(1)
	return true
}

func (s *Server) leave(c *conn) {
	s.mu.Lock()
	delete(s.conns, c)
	s.mu.Unlock()
	s.open.Add(-1)
}
