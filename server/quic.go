package server

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"sync"

	"weir"
	"weir/proto/h3"
)

// A datagrams is the UDP socket beside a listener's TCP socket, on the same port, and what is said on it: HTTP/3.
type datagrams struct {
	conn   net.PacketConn
	server *h3.Server
	ended  sync.WaitGroup
}

// openDatagrams opens the UDP socket where the listener shall speak HTTP/3 and does not yet.
func (l *listener) openDatagrams(spec *ListenerSpec) error {
	if !spec.speaksH3() || l.datagrams != nil {
		return nil
	}
	tcp, ok := l.source.Addr().(*net.TCPAddr)
	if !ok {
		return fmt.Errorf("HTTP/3 needs UDP, which %s has not", l.source.Addr())
	}
	network, address := spec.network()
	host, _, _ := net.SplitHostPort(address)
	udp := map[string]string{"tcp": "udp", "tcp4": "udp4", "tcp6": "udp6"}[network]
	conn, err := new(net.ListenConfig).ListenPacket(context.Background(), udp, net.JoinHostPort(host, strconv.Itoa(tcp.Port)))
	if err != nil {
		return fmt.Errorf("listen for HTTP/3: %w", err)
	}
	l.datagrams = &datagrams{conn: conn}
	return nil
}

// configureDatagrams changes what HTTP/3 is served with, and begins it where there is a socket for it, or ends it. It
// comes after the listener's settings have been stored.
func (l *listener) configureDatagrams(s *Snapshot, spec *ListenerSpec) {
	if !spec.speaksH3() {
		l.leaveDatagrams()
		return
	}
	d := l.datagrams
	if d == nil {
		return
	}
	if d.server != nil {
		d.server.Configure(h3Config(s, spec))
		return
	}
	d.server = h3.NewServer(h3Config(s, spec))
	d.ended.Go(func() { l.serveDatagrams(d) })
}

func h3Config(s *Snapshot, spec *ListenerSpec) h3.ServerConfig {
	l, t := spec.Limits, spec.Timeouts
	return h3.ServerConfig{
		Handler: s.Router, Observer: s.Observer,
		Limits:   h3.Limits{Line: l.Line, Head: l.Head, Fields: l.Fields, Trailer: l.Trailer, Streams: spec.Streams},
		Timeouts: h3.Timeouts(t),
	}
}

func (l *listener) serveDatagrams(d *datagrams) {
	err := d.server.ServePacket(h3.Socket{
		Conn: d.conn, TLS: &tls.Config{GetConfigForClient: l.configForClient, GetEncryptedClientHelloKeys: l.helloKeys},
		Admit: l.admit, Done: l.release, Agreed: l.handshakes.succeed, Facts: l.factsOf, Log: l.log,
	})
	if err != nil {
		l.log.Error("HTTP/3 is not served any more", "listener", l.name(), "error", err)
	}
	d.conn.Close()
}

// configForClient returns the configuration of today for a handshake within QUIC.
func (l *listener) configForClient(hello *tls.ClientHelloInfo) (*tls.Config, error) {
	c := l.settings.Load().spec.TLS
	if c.GetConfigForClient != nil {
		if chosen, err := c.GetConfigForClient(hello); chosen != nil || err != nil {
			return chosen, err
		}
	}
	return c, nil
}

// helloKeys returns the keys of today for encrypted hellos, which are needed before anything else of the configuration.
func (l *listener) helloKeys(*tls.ClientHelloInfo) ([]tls.EncryptedClientHelloKey, error) {
	return append([]tls.EncryptedClientHelloKey{}, l.settings.Load().spec.TLS.EncryptedClientHelloKeys...), nil // nil is not allowed
}

// admit counts a connection; false: there are too many.
func (l *listener) admit(netip.AddrPort) bool {
	limit := l.settings.Load().spec.Limit
	if n := l.open.Add(1); limit > 0 && n > int64(limit) {
		l.refused.Add(1)
		l.release()
		return false
	}
	l.accepted.Add(1)
	return true
}

func (l *listener) factsOf(remote, local netip.AddrPort) weir.Conn {
	return l.facts(l.settings.Load(), remote, local)
}

// leaveDatagrams has HTTP/3 end when its connections have.
func (l *listener) leaveDatagrams() {
	d := l.datagrams
	l.datagrams = nil
	switch {
	case d == nil:
	case d.server == nil:
		d.conn.Close()
	default:
		d.server.Drain()
		l.leftDatagrams = append(l.leftDatagrams, d)
	}
}

// closeDatagrams breaks off the connections of HTTP/3 and waits until their sockets are closed.
func (l *listener) closeDatagrams() {
	for _, d := range l.leftDatagrams {
		d.server.Close()
		d.ended.Wait()
	}
	l.leftDatagrams = nil
}

// handler is what the exchanges of versions before HTTP/3 are served with.
func (l *listener) handler(s *Snapshot, spec *ListenerSpec) weir.Handler {
	if !spec.speaksH3() || l.datagrams == nil {
		return s.Router
	}
	tcp, _ := l.source.Addr().(*net.TCPAddr)
	return &altSvc{s.Router, h3.AltSvc(tcp.Port)}
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
