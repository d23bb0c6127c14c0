package server

import (
	"log/slog"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"weir"
	"weir/internal/clock"
	"weir/internal/poll"
	"weir/proto/proxyproto"
)

// A listener is one listening socket, what is done with its connections, and their count.
type listener struct {
	key       string
	inherited bool
	source    net.Listener
	done      func() // release, made once
	polled    *poll.Listener
	retired   []*codecs // drain, because the listener has changed too much for their connections; protected by Server.mu

	settings atomic.Pointer[settings]
	open     atomic.Int64
	accepted atomic.Uint64
	refused  atomic.Uint64
	refusals atomic.Int64 // of those that were refused: how many still read why

	strangers  atomic.Uint64 // connections without a proper PROXY header
	handshakes handshakes

	arrivals  arrivals
	datagrams *datagrams   // nil: there is no HTTP/3; protected by Server.mu, as is the next
	spare     []*datagrams // of narrower listeners, whose places this one has taken
	group     *poll.Group
	log       *slog.Logger

	lastPeer atomic.Pointer[peer]

	draining  atomic.Bool
	drainOnce sync.Once
	emptyOnce sync.Once
	empty     chan struct{} // closed when it drains and the last connection has ended
}

// settings are what a snapshot says of the listener.
type settings struct {
	spec    *ListenerSpec
	trusted func(netip.Addr) bool
	codecs  *codecs
}

func newListener(spec *ListenerSpec, source net.Listener, inherited bool, c *Config) *listener {
	l := &listener{key: spec.key(), source: source, inherited: inherited, group: c.Group, log: c.Log, empty: make(chan struct{})}
	l.done = l.release
	l.settings.Store(&settings{spec: spec})
	return l
}

func (l *listener) name() string { return l.settings.Load().spec.Name }

// address is what a reader of a log recognises: the real port where the configured one is 0.
func (l *listener) address() string {
	spec := l.settings.Load().spec
	if network, address := spec.network(); network != "unix" && hasPortZero(address) {
		return l.source.Addr().String()
	}
	return spec.Address
}

// configure changes what connections and exchanges to come are served with. inTheWay are the listeners of before.
func (l *listener) configure(s *Snapshot, spec *ListenerSpec, inTheWay ...*listener) {
	old := l.settings.Load()
	if old.spec.Mode != spec.Mode && !l.inherited {
		setMode(spec)
	}
	if err := l.openDatagrams(spec, inTheWay...); err != nil {
		l.log.Error("HTTP/3 cannot be served", "listener", spec.Name, "error", err)
	}
	c, h := old.codecs, l.handler(s, spec)
	kept := c == nil || spec.keeps(old.spec)
	if c != nil {
		c.configure(h, s, spec)
	}
	l.configureRetired(h, s, spec)
	if c == nil || !kept {
		c = newCodecs(h, s, spec)
	}
	l.settings.Store(&settings{spec: spec, trusted: s.Trusted, codecs: c})
	if !kept {
		old.codecs.drain()
		l.retired = append(l.retired, old.codecs)
	}
	l.configureDatagrams(s, spec, !kept)
}

// configureRetired is configure for what drains. What has ended is forgotten.
func (l *listener) configureRetired(h weir.Handler, s *Snapshot, spec *ListenerSpec) {
	l.retired = slices.DeleteFunc(l.retired, func(c *codecs) bool { return c.open() == 0 })
	for _, c := range l.retired {
		c.configure(h, s, spec)
	}
}

// enter returns the present settings for a connection that is going to be served by their codecs, which are not forgotten
// until it has left them.
func (l *listener) enter() *settings {
	for {
		set := l.settings.Load()
		set.codecs.expected.Add(1)
		if now := l.settings.Load(); now.codecs == set.codecs {
			return now
		}
		set.codecs.leave()
	}
}

func (l *listener) start() (err error) {
	l.polled, err = l.group.Listen(l.source, l.accept)
	return err
}

// accept takes over a connection. It is called on a poller's goroutine and does not block.
func (l *listener) accept(c poll.Conn) {
	set := l.settings.Load()
	if n := l.open.Add(1); set.spec.Limit > 0 && n > int64(set.spec.Limit) {
		l.refuse(c)
		return
	}
	l.accepted.Add(1)
	l.receive(c, set)
}

// receive begins with a connection of which nothing has been read.
func (l *listener) receive(c poll.Conn, set *settings) {
	if set.spec.Proxied != NotProxied {
		l.announced(c, set)
		return
	}
	l.welcome(c, c.RemoteAddr(), c.LocalAddr(), false)
}

// welcome begins to serve a connection whose ends are known. told: by a PROXY header, which may be required by now.
func (l *listener) welcome(c poll.Conn, remote, local netip.AddrPort, told bool) {
	set := l.enter()
	defer set.codecs.leave()
	if !told && set.spec.Proxied == ProxiedAlways {
		c.Close()
		l.unannounced(c, proxyproto.ErrNone.Error())
		return
	}
	facts := l.facts(set, remote, local)
	facts.Shard, facts.Opened = c.Shard(), clock.Now()
	if set.spec.TLS != nil {
		l.seal(c, set, facts, told)
		return
	}
	set.codecs.serve(c, set.spec.Versions, "", &facts, l.done)
}

// facts is what is known of a client by its address.
func (l *listener) facts(set *settings, remote, local netip.AddrPort) weir.Conn {
	f := weir.Conn{Listener: set.spec.Name, Local: local, Remote: remote}
	if remote.IsValid() {
		f.RemoteIP = l.text(remote.Addr())
		f.Trusted = set.trusted != nil && set.trusted(remote.Addr())
	}
	return f
}

// A peer is an address and its text.
type peer struct {
	addr netip.Addr
	text string
}

// text returns the address as text. Clients often open several connections, and those share one.
func (l *listener) text(a netip.Addr) string {
	if p := l.lastPeer.Load(); p != nil && p.addr == a {
		return p.text
	}
	p := &peer{a, a.String()}
	l.lastPeer.Store(p)
	return p.text
}

// release counts a connection that has ended.
func (l *listener) release() {
	if l.open.Add(-1) == 0 && l.draining.Load() {
		l.emptyOnce.Do(func() { close(l.empty) })
	}
}

// drain stops accepting and has connections end as soon as they have no exchange under way.
func (l *listener) drain() {
	l.drainOnce.Do(func() {
		if l.polled != nil {
			l.polled.Close()
		} else {
			l.source.Close()
		}
		l.removeSocket()
		l.draining.Store(true)
		if c := l.settings.Load().codecs; c != nil {
			c.drain()
		}
		l.drainDatagrams()
		time.AfterFunc(arrivalPatience, l.arrivals.cancel)
		if l.open.Load() == 0 {
			l.emptyOnce.Do(func() { close(l.empty) })
		}
	})
}

// closeConns breaks off all connections.
func (l *listener) closeConns() {
	l.arrivals.cancel()
	for _, c := range l.retired {
		c.close()
	}
	l.settings.Load().codecs.close()
	l.closeDatagrams()
}

// abandon takes back that the listener was opened: the change that it was opened for has not come about. Who has connected
// meanwhile is cut off. A socket that was inherited stays open.
func (l *listener) abandon() {
	switch {
	case l.polled != nil && l.inherited:
		l.polled.Detach()
	case l.polled != nil:
		l.polled.Close()
	case !l.inherited:
		l.source.Close()
	}
	l.removeSocket()
	if l.settings.Load().codecs != nil {
		l.closeConns()
	} else {
		l.closeDatagrams()
	}
}

// removeSocket removes the file of a unix socket that is ours.
func (l *listener) removeSocket() {
	network, path := l.settings.Load().spec.network()
	if network == "unix" && !l.inherited && !strings.HasPrefix(path, "@") {
		os.Remove(path)
	}
}

func (l *listener) status() ListenerStatus {
	spec := l.settings.Load().spec
	return ListenerStatus{
		Name: spec.Name, Address: l.address(), Inherited: l.inherited, Draining: l.draining.Load(),
		Open: l.open.Load(), Limit: spec.Limit, Accepted: l.accepted.Load(), Refused: l.refused.Load(),
		Strangers: l.strangers.Load(), TLS: spec.TLS != nil, Versions: spec.Versions, Handshakes: l.handshakes.counts(),
	}
}
