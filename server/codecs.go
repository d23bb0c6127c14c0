package server

import (
	"weir"
	"weir/internal/poll"
	"weir/proto/h1"
)

// codecs are the servers of the versions of HTTP that one listener's connections speak.
type codecs struct {
	h1 *h1.Server
}

func newCodecs(s *Snapshot, spec *ListenerSpec) *codecs {
	return &codecs{h1: h1.NewServer(h1Config(s, spec))}
}

func h1Config(s *Snapshot, spec *ListenerSpec) h1.ServerConfig {
	return h1.ServerConfig{Handler: s.Router, Observer: s.Observer, Limits: spec.Limits, Timeouts: spec.Timeouts}
}

// configure changes what later exchanges are served with.
func (c *codecs) configure(s *Snapshot, spec *ListenerSpec) {
	c.h1.Configure(h1Config(s, spec))
}

// serve takes over a connection that has not been read, or whose handshake has just ended with the choice of a
// protocol (ALPN; "" where there was none).
func (c *codecs) serve(pc poll.Conn, chosen string, facts *weir.Conn, done func()) {
	facts.Protocol = "HTTP/1.1"
	c.h1.Serve(pc, *facts, done)
}

func (c *codecs) drain() { c.h1.Drain() }

func (c *codecs) close() { c.h1.Close() }

func (c *codecs) open() int { return c.h1.Open() }
