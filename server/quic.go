package server

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"

	"weir"
	"weir/proto/h3"
)

// A datagrams is the UDP socket beside a listener's TCP socket, on the same port, and what is said on it: HTTP/3. While
// HTTP/3 is switched off, the socket stays open until the last connection has ended, and lets in no other one; so there is
// no moment at which it could be had by nobody when HTTP/3 is switched on again.
//
// A socket whose listener has got a wider address goes over to the wider listener and serves what comes to its own address,
// new connections included, until it has none. What comes then gets to the wider socket.
type datagrams struct {
	conn   net.PacketConn
	server *h3.Server
	ended  sync.WaitGroup
	owner  atomic.Pointer[listener] // whose connections they are; it changes under mu

	narrower []*datagrams // sockets of before that are to go over to this one's listener; protected by Server.mu

	mu    sync.Mutex // protects what follows
	open  int        // connections
	off   bool
	spare bool // a wider socket of its owner gets what comes when this one is closed
	over  bool // the socket is closed, or about to be
}

func newDatagrams(l *listener, conn net.PacketConn, narrower []*datagrams) *datagrams {
	d := &datagrams{conn: conn, narrower: narrower}
	d.owner.Store(l)
	return d
}

// enter counts a connection, and returns whose it is and how many those have now; nil: none is let in.
func (d *datagrams) enter() (l *listener, n int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.off || d.over {
		return nil, 0
	}
	d.open++
	l = d.owner.Load()
	return l, l.open.Add(1)
}

func (d *datagrams) leave() {
	d.mu.Lock()
	d.open--
	d.owner.Load().release()
	d.endIfIdle()
	d.mu.Unlock()
}

// endIfIdle closes the socket if nobody needs it. A spare one is closed while none can enter, so that nobody who comes is
// refused: the next datagram gets to the wider socket. d.mu is held.
func (d *datagrams) endIfIdle() {
	switch {
	case d.open > 0 || d.over:
	case d.spare:
		d.over = true
		d.conn.Close()
	case d.off:
		d.over = true
		go d.server.Drain()
	}
}

// goOver makes the socket, with its connections, a spare one of another listener.
func (d *datagrams) goOver(l *listener) {
	d.mu.Lock()
	defer d.mu.Unlock()
	l.open.Add(int64(d.open))
	from := d.owner.Swap(l)
	for range d.open {
		from.release()
	}
	d.off, d.spare = false, true
	d.endIfIdle()
}

// switchOff has HTTP/3 end when its connections have, which are asked to.
func (d *datagrams) switchOff() {
	d.mu.Lock()
	was := d.off
	d.off = true
	d.endIfIdle()
	d.mu.Unlock()
	if !was {
		d.server.Renew()
	}
}

// switchOn takes connections again; false: the socket has been given up.
func (d *datagrams) switchOn() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.off = false
	return !d.over
}

// isOver reports whether the socket is closed, or about to be.
func (d *datagrams) isOver() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.over
}

func (d *datagrams) addr() netip.AddrPort {
	if a, ok := d.conn.LocalAddr().(*net.UDPAddr); ok {
		return netip.AddrPortFrom(a.AddrPort().Addr().Unmap(), uint16(a.Port))
	}
	return netip.AddrPort{}
}

// sockets are the listener's UDP sockets; spare ones that have ended are forgotten.
func (l *listener) sockets() []*datagrams {
	l.spare = slices.DeleteFunc(l.spare, (*datagrams).isOver)
	if l.datagrams == nil {
		return l.spare
	}
	return append([]*datagrams{l.datagrams}, l.spare...)
}

// openDatagrams opens the UDP socket where the listener shall speak HTTP/3 and does not yet. inTheWay are the listeners whose
// connections may still need its port.
func (l *listener) openDatagrams(spec *ListenerSpec, inTheWay ...*listener) error {
	if !spec.speaksH3() {
		return nil
	}
	if d := l.datagrams; d != nil {
		if d.switchOn() {
			for _, d := range l.spare {
				d.switchOn()
			}
			return nil
		}
		l.datagrams = nil
		d.ended.Wait() // it has no connections any more
	}
	tcp, ok := l.source.Addr().(*net.TCPAddr)
	if !ok {
		return fmt.Errorf("HTTP/3 needs UDP, which %s has not", l.source.Addr())
	}
	conn, narrower, err := listenPacket(spec, tcp.Port, append(slices.Clone(inTheWay), l))
	if err != nil {
		return err
	}
	l.datagrams = newDatagrams(l, conn, narrower)
	return nil
}

// configureDatagrams changes what HTTP/3 is served with, and begins it where there is a socket for it, or ends it. renew:
// the connections that are there may not go on. It comes after the listener's settings have been stored.
func (l *listener) configureDatagrams(s *Snapshot, spec *ListenerSpec, renew bool) {
	for _, d := range l.sockets() {
		if d.server == nil {
			d.server = h3.NewServer(h3Config(s, spec))
			d.ended.Go(d.serve)
			continue
		}
		d.server.Configure(h3Config(s, spec))
		if !spec.speaksH3() {
			d.switchOff()
		} else if renew {
			d.server.Renew()
		}
	}
}

// adopt takes over the sockets that are narrower than the listener's. Their connections end as in a drain.
func (l *listener) adopt(s *Snapshot, spec *ListenerSpec) {
	if l.datagrams == nil {
		return
	}
	for _, d := range l.datagrams.narrower {
		from := d.owner.Load()
		if from.datagrams == d {
			from.datagrams = nil
		}
		is := func(o *datagrams) bool { return o == d }
		from.spare = slices.DeleteFunc(from.spare, is)
		d.server.Configure(h3Config(s, spec))
		d.goOver(l)
		d.server.Renew()
		l.spare = append(l.spare, d)
	}
	l.datagrams.narrower = nil
}

func h3Config(s *Snapshot, spec *ListenerSpec) h3.ServerConfig {
	l := spec.Limits
	return h3.ServerConfig{
		Handler: presently(s, spec), Observer: s.Observer,
		Limits:   h3.Limits{Line: l.Line, Head: l.Head, Fields: l.Fields, Trailer: l.Trailer, Streams: spec.Streams},
		Timeouts: spec.Timeouts,
	}
}

func (d *datagrams) serve() {
	l := d.owner.Load()
	err := d.server.ServePacket(h3.Socket{
		Conn: d.conn, TLS: &tls.Config{GetConfigForClient: d.configForClient, GetEncryptedClientHelloKeys: d.helloKeys},
		Admit:   func(netip.AddrPort) bool { return d.admit() },
		Done:    d.leave,
		Agreed:  func(c *tls.ConnectionState) { d.owner.Load().handshakes.succeed(c) },
		Failed:  func(err error) { d.owner.Load().handshakes.fail(err) },
		Facts:   func(remote, local netip.AddrPort) weir.Conn { return d.owner.Load().factsOf(remote, local) },
		Several: l.group.Collect, Log: l.log,
	})
	d.mu.Lock()
	closed := d.over
	d.over = true
	d.mu.Unlock()
	if err != nil && !closed {
		l.log.Error("HTTP/3 is not served any more", "listener", d.owner.Load().name(), "error", err)
	}
	d.conn.Close()
}

// configForClient returns the configuration of today for a handshake within QUIC.
func (d *datagrams) configForClient(hello *tls.ClientHelloInfo) (*tls.Config, error) {
	c := d.owner.Load().settings.Load().spec.TLS
	if c == nil {
		return nil, errNoMore
	}
	if c.GetConfigForClient != nil {
		if chosen, err := c.GetConfigForClient(hello); chosen != nil || err != nil {
			return chosen, err
		}
	}
	return c, nil
}

// helloKeys returns the keys of today for encrypted hellos, which are needed before anything else of the configuration.
func (d *datagrams) helloKeys(*tls.ClientHelloInfo) ([]tls.EncryptedClientHelloKey, error) {
	keys := []tls.EncryptedClientHelloKey{} // nil is not allowed
	if c := d.owner.Load().settings.Load().spec.TLS; c != nil {
		keys = append(keys, c.EncryptedClientHelloKeys...)
	}
	return keys, nil
}

// errNoMore ends a handshake of HTTP/3 with a listener that encrypts no more.
var errNoMore = errors.New("the listener is not encrypted any more")

// admit counts a connection; false: there are too many.
func (d *datagrams) admit() bool {
	l, n := d.enter()
	if l == nil {
		return false
	}
	if limit := l.settings.Load().spec.Limit; limit > 0 && n > int64(limit) {
		l.refused.Add(1)
		d.leave()
		return false
	}
	l.accepted.Add(1)
	return true
}

func (l *listener) factsOf(remote, local netip.AddrPort) weir.Conn {
	return l.facts(l.settings.Load(), remote, local)
}

// drainDatagrams has HTTP/3 end with its listener, when its connections have. Who comes meanwhile hears that it is refused.
func (l *listener) drainDatagrams() {
	for _, d := range l.sockets() {
		if d.server != nil {
			d.switchOff()
		}
	}
}

// closeDatagrams breaks off the connections of HTTP/3 and waits until their sockets are closed.
func (l *listener) closeDatagrams() {
	for _, d := range l.sockets() {
		if d.server == nil {
			d.conn.Close()
			continue
		}
		d.server.Close()
		d.ended.Wait()
	}
	l.datagrams, l.spare = nil, nil
}

// handler is what the exchanges of versions before HTTP/3 are served with.
func (l *listener) handler(s *Snapshot, spec *ListenerSpec) weir.Handler {
	h := presently(s, spec)
	if !spec.speaksH3() || l.datagrams == nil {
		return h
	}
	tcp, _ := l.source.Addr().(*net.TCPAddr)
	return &altSvc{h, h3.AltSvc(tcp.Port)}
}

// altSvc tells clients of the versions before HTTP/3 that it is spoken, too (RFC 7838).
type altSvc struct {
	next  weir.Handler
	value string
}

// ServeExchange implements weir.Handler.
func (a *altSvc) ServeExchange(x *weir.Exchange) error {
	err := a.next.ServeExchange(x)
	if err == nil && x.Response.Status >= 200 {
		if _, said := x.Response.Header.Lookup("Alt-Svc"); !said {
			x.Response.Header.Add("Alt-Svc", a.value)
		}
	}
	return err
}
