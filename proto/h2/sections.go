package h2

import (
	"weir/internal/clock"
	"weir/proto/internal/section"
)

// A gathering is a field section whose frames have not all come.
type gathering struct {
	stream uint32 // 0: there is none
	end    bool   // the stream ends with it
	self   bool   // the stream was said to depend on itself
	frames int    // CONTINUATION frames so far
	began  int64
	p      []byte
}

func (g *gathering) open() bool { return g.stream != 0 }

// continuationsMost is how many CONTINUATION frames a section may take: one of any size fits into a few.
const continuationsMost = 32

func (c *conn) headers(f *frame, p []byte) *connError {
	if f.stream&1 == 0 {
		return protocolError("HEADERS on a stream that no client may begin")
	}
	p, err := unpad(f, p)
	if err != nil {
		return err
	}
	p, on, err := unprioritize(f, p)
	if err != nil {
		return err
	}
	g := gathering{stream: f.stream, end: f.has(flagEndStream), self: f.has(flagPriority) && on == f.stream}
	if f.has(flagEndHeaders) {
		return c.section(&g, p)
	}
	g.began, g.p = clock.Now(), append(c.block.p[:0], p...)
	c.block = g
	return nil
}

func (c *conn) continuation(f *frame, p []byte) *connError {
	g := &c.block
	if !g.open() {
		return protocolError("CONTINUATION without HEADERS")
	}
	g.p = append(g.p, p...)
	if g.frames++; g.frames > continuationsMost || len(g.p) > c.srv.config.Load().Limits.blockMost() {
		return &connError{codeCalm, "a field section larger than any limit"}
	}
	if !f.has(flagEndHeaders) {
		return nil
	}
	err := c.section(g, g.p)
	c.block = gathering{}
	return err
}

// section takes in a whole field section: a request's head, or its trailer.
func (c *conn) section(g *gathering, block []byte) *connError {
	cfg := c.srv.config.Load()
	c.mu.Lock()
	s := c.streams[g.stream]
	known, ours := false, false
	if s == nil && g.stream <= c.last {
		known, ours = c.past.find(g.stream)
	}
	late := c.going == goingFinal
	c.buryOld(cfg.Limits.Streams)
	remnant := s == nil && c.remnant(g.stream) >= 0
	full := len(c.streams) >= cfg.Limits.Streams
	over := s != nil && (s.recvEnd || s.byPeer)
	c.mu.Unlock()
	switch {
	case over, known && !ours:
		return &connError{codeStreamClosed, "HEADERS on a stream that has ended"}
	case s != nil:
		return c.trailer(s, g, block)
	case remnant:
		return c.lateTrailer(g, block)
	case g.stream <= c.last && !known:
		return protocolError("a stream's number is not higher than those before it")
	case known && !g.end: // no trailer, whenever it was sent
		return c.refuse(g, block, codeProtocol)
	case known, late:
		return c.refuse(g, block, codeNone)
	case full:
		return c.refuse(g, block, codeRefusedStream)
	}
	return c.open(g, block, cfg)
}

// refuse passes over a field section that can't begin a stream; the client is told of it if there is a code.
func (c *conn) refuse(g *gathering, block []byte, code errorCode) *connError {
	if err := c.fields.skip(block, &c.srv.config.Load().Limits); err != nil {
		return err.(*connError)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if code != codeNone {
		c.out = appendReset(c.out, g.stream, code)
	}
	if g.stream > c.last && c.going != goingFinal {
		c.last = g.stream
		c.past.add(g.stream, true)
	}
	return c.spend(1)
}

// open begins a stream with the head of its request.
func (c *conn) open(g *gathering, block []byte, cfg *ServerConfig) *connError {
	s := c.takeStream(g.stream, cfg)
	err := c.fields.read(block, section.Request, &cfg.Limits, &s.x.Request.Header)
	if fatal, ok := err.(*connError); ok {
		s.free()
		return fatal
	}
	if g.self && err == nil {
		err = errSelf
	}
	s.request(c.fields, g.end, err)
	s.recvEnd = g.end
	s.body.begin(c.fields.Length)
	c.mu.Lock()
	if c.streams == nil {
		c.streams = make(map[uint32]*stream, 8)
	}
	c.last = g.stream
	c.streams[g.stream] = s
	c.users++
	c.takeOutput()
	s.window = int(c.peer.window)
	var calm *connError
	if s.malformed {
		calm = c.spend(1)
	}
	c.mu.Unlock()
	if g.end {
		c.Start(s)
	} else {
		c.opened = append(c.opened, s)
	}
	return calm
}

// startOpened starts the streams whose requests have a body. Until then what has come of it together with the head has
// been taken in, too.
func (c *conn) startOpened() {
	for i, s := range c.opened {
		c.opened[i] = nil
		c.Start(s)
	}
	c.opened = c.opened[:0]
}

// trailer takes in the field section that ends a request.
func (c *conn) trailer(s *stream, g *gathering, block []byte) *connError {
	lim := &c.srv.config.Load().Limits
	c.mu.Lock()
	wanted := !s.reset && s.dead == nil
	c.mu.Unlock()
	if !wanted {
		if err := c.fields.skip(block, lim); err != nil {
			return err.(*connError)
		}
	}
	var err error
	if wanted {
		err = c.fields.read(block, section.Trailer, lim, &c.trail)
	}
	if fatal, ok := err.(*connError); ok {
		return fatal
	}
	c.mu.Lock()
	mark := s.mark
	if c.streams[g.stream] != s {
		c.mu.Unlock()
		return c.waste(1)
	}
	if err == nil && !g.end {
		err = section.ErrPseudo
	}
	if err == nil && wanted {
		s.body.trailer, c.trail = c.trail, s.body.trailer
		err = s.endBody()
	}
	return c.judge(s, mark, err, codeProtocol)
}

// lateTrailer takes in the field section that ends a stream whose exchange is over.
func (c *conn) lateTrailer(g *gathering, block []byte) *connError {
	if err := c.fields.skip(block, &c.srv.config.Load().Limits); err != nil {
		return err.(*connError)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.remnantTrailer(c.remnant(g.stream), g.end)
}
