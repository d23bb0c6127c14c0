package server

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"

	"weir"
	"weir/proto/h3"
)

// A datagrams is the UDP socket beside a listener's TCP socket, on the same port, and what is said on it: HTTP/3. While
// HTTP/3 is switched off, the socket stays open until the last connection has ended, and lets in no other one; so there is
// no moment at which it could be had by nobody when HTTP/3 is switched on again.
type datagrams struct {
	conn   net.PacketConn
	server *h3.Server
	ended  sync.WaitGroup

	mu   sync.Mutex // protects what follows
	open int        // connections
	off  bool
	over bool // the socket is closed, or about to be
}

// enter counts a connection; false: none is let in.
func (d *datagrams) enter() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.off || d.over {
		return false
	}
	d.open++
	return true
}

func (d *datagrams) leave() {
	d.mu.Lock()
	d.open--
	d.endIfOff()
	d.mu.Unlock()
}

// endIfOff closes the socket if nobody needs it. d.mu is held.
func (d *datagrams) endIfOff() {
	if d.off && d.open == 0 && !d.over {
		d.over = true
		go d.server.Drain()
	}
}

// switchOff has HTTP/3 end when its connections have, which are asked to.
func (d *datagrams) switchOff() {
	d.mu.Lock()
	was := d.off
	d.off = true
	d.endIfOff()
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

// openDatagrams opens the UDP socket where the listener shall speak HTTP/3 and does not yet. inTheWay are the listeners whose
// connections may still need its port.
func (l *listener) openDatagrams(spec *ListenerSpec, inTheWay ...*listener) error {
	if !spec.speaksH3() {
		return nil
	}
	if d := l.datagrams; d != nil {
		if d.switchOn() {
			return nil
		}
		l.datagrams = nil
		d.ended.Wait() // it has no connections any more
	}
	tcp, ok := l.source.Addr().(*net.TCPAddr)
	if !ok {
		return fmt.Errorf("HTTP/3 needs UDP, which %s has not", l.source.Addr())
	}
	conn, err := listenPacket(spec, tcp.Port, inTheWay)
	if err != nil {
		return err
	}
	l.datagrams = &datagrams{conn: conn}
	return nil
}

// configureDatagrams changes what HTTP/3 is served with, and begins it where there is a socket for it, or ends it. renew:
// the connections that are there may not go on. It comes after the listener's settings have been stored.
func (l *listener) configureDatagrams(s *Snapshot, spec *ListenerSpec, renew bool) {
	d := l.datagrams
	switch {
	case d == nil:
	case d.server == nil:
		d.server = h3.NewServer(h3Config(s, spec))
		d.ended.Go(func() { l.serveDatagrams(d) })
	default:
		d.server.Configure(h3Config(s, spec))
		if !spec.speaksH3() {
			d.switchOff()
		} else if renew {
			d.server.Renew()
		}
	}
}

func h3Config(s *Snapshot, spec *ListenerSpec) h3.ServerConfig {
	l := spec.Limits
	return h3.ServerConfig{
		Handler: presently(s, spec), Observer: s.Observer,
		Limits:   h3.Limits{Line: l.Line, Head: l.Head, Fields: l.Fields, Trailer: l.Trailer, Streams: spec.Streams},
		Timeouts: spec.Timeouts,
	}
}

func (l *listener) serveDatagrams(d *datagrams) {
	err := d.server.ServePacket(h3.Socket{
		Conn: d.conn, TLS: &tls.Config{GetConfigForClient: l.configForClient, GetEncryptedClientHelloKeys: l.helloKeys},
		Admit:  func(netip.AddrPort) bool { return l.admit(d) },
		Done:   func() { l.release(); d.leave() },
		Agreed: l.handshakes.succeed, Failed: l.handshakes.fail, Facts: l.factsOf, Several: l.group.Collect, Log: l.log,
	})
	if err != nil {
		l.log.Error("HTTP/3 is not served any more", "listener", l.name(), "error", err)
	}
	d.mu.Lock()
	d.over = true
	d.mu.Unlock()
	d.conn.Close()
}

// configForClient returns the configuration of today for a handshake within QUIC.
func (l *listener) configForClient(hello *tls.ClientHelloInfo) (*tls.Config, error) {
	c := l.settings.Load().spec.TLS
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
func (l *listener) helloKeys(*tls.ClientHelloInfo) ([]tls.EncryptedClientHelloKey, error) {
	keys := []tls.EncryptedClientHelloKey{} // nil is not allowed
	if c := l.settings.Load().spec.TLS; c != nil {
		keys = append(keys, c.EncryptedClientHelloKeys...)
	}
	return keys, nil
}

// errNoMore ends a handshake of HTTP/3 with a listener that encrypts no more.
var errNoMore = errors.New("the listener is not encrypted any more")

// admit counts a connection; false: there are too many.
func (l *listener) admit(d *datagrams) bool {
	if !d.enter() {
		return false
	}
	limit := l.settings.Load().spec.Limit
	if n := l.open.Add(1); limit > 0 && n > int64(limit) {
		l.refused.Add(1)
		l.release()
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
	if d := l.datagrams; d != nil && d.server != nil {
		d.switchOff()
	}
}

// closeDatagrams breaks off the connections of HTTP/3 and waits until their socket is closed.
func (l *listener) closeDatagrams() {
	switch d := l.datagrams; {
	case d == nil:
	case d.server == nil:
		d.conn.Close()
	default:
		d.server.Close()
		d.ended.Wait()
	}
	l.datagrams = nil
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
