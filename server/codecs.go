package server

import (
	"sync/atomic"

	"weir"
	"weir/internal/poll"
	"weir/proto/h1"
	"weir/proto/h2"
)

// codecs are the servers of the versions of HTTP that come over TCP, for the connections of one listener.
type codecs struct {
	h1 *h1.Server
	h2 *h2.Server

	expected atomic.Int64 // connections on their way here; see listener.enter
}

func newCodecs(h weir.Handler, s *Snapshot, spec *ListenerSpec) *codecs {
	c := &codecs{h2: h2.NewServer(h2Config(h, s, spec))}
	c.h1 = h1.NewServer(c.h1Config(h, s, spec))
	return c
}

func (c *codecs) h1Config(h weir.Handler, s *Snapshot, spec *ListenerSpec) h1.ServerConfig {
	cfg := h1.ServerConfig{Handler: h, Observer: s.Observer, Limits: spec.Limits, Timeouts: spec.Timeouts}
	if spec.TLS == nil && spec.Versions.H2 {
		cfg.PriorKnowledge = func(pc poll.Conn, facts weir.Conn, done func(), already []byte) {
			facts.Protocol = "HTTP/2"
			c.h2.ServeRead(pc, facts, done, already)
		}
	}
	return cfg
}

func h2Config(h weir.Handler, s *Snapshot, spec *ListenerSpec) h2.ServerConfig {
	l := spec.Limits
	return h2.ServerConfig{
		Handler: h, Observer: s.Observer,
		Limits:   h2.Limits{Line: l.Line, Head: l.Head, Fields: l.Fields, Trailer: l.Trailer, Streams: spec.Streams},
		Timeouts: spec.Timeouts,
	}
}

// configure changes what later exchanges are served with.
func (c *codecs) configure(h weir.Handler, s *Snapshot, spec *ListenerSpec) {
	c.h1.Configure(c.h1Config(h, s, spec))
	c.h2.Configure(h2Config(h, s, spec))
}

// serve takes over a connection that has not been read, or whose handshake has just ended with the choice of a
// protocol (ALPN; "" where there was none). It closes one that could only speak a version that the listener does not.
func (c *codecs) serve(pc poll.Conn, v Versions, chosen string, facts *weir.Conn, done func()) {
	if v.H2 && (chosen == "h2" || chosen == "" && !v.H1) {
		facts.Protocol = "HTTP/2"
		c.h2.Serve(pc, *facts, done)
		return
	}
	if !v.H1 && (v.H2 || v.H3) {
		pc.Close()
		done()
		return
	}
	facts.Protocol = "HTTP/1.1"
	c.h1.Serve(pc, *facts, done)
}

func (c *codecs) drain() {
	c.h1.Drain()
	c.h2.Drain()
}

func (c *codecs) close() {
	c.h1.Close()
	c.h2.Close()
}

// open is the number of connections, those included that are on their way here.
func (c *codecs) open() int { return int(c.expected.Load()) + c.h1.Open() + c.h2.Open() }

// leave is the end of what listener.enter began.
func (c *codecs) leave() { c.expected.Add(-1) }
