package h3

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"

	"github.com/quic-go/quic-go"

	"weir"
)

// Protocol is how HTTP/3 is called in ALPN.
const Protocol = "h3"

// A Socket is what a server listens on.
type Socket struct {
	Conn net.PacketConn // a *net.UDPConn, for speed; whoever opened it closes it when ServePacket has returned
	TLS  *tls.Config    // certificates and what else a handshake takes; ALPN and the version are seen to

	// Admit, if not nil, is asked before anything is done for a connection; false refuses it. The address has not been
	// proven yet. It must not block.
	Admit func(remote netip.AddrPort) bool

	// Done, if not nil, is called when a connection that Admit has let in has ended, or has not come about.
	Done func()

	// Agreed, if not nil, is called when the handshake of a connection has ended well. It must not block.
	Agreed func(*tls.ConnectionState)

	// Failed, if not nil, is called with the reason when a connection that Admit has let in ends before its handshake has:
	// an error of crypto/tls, or what kept it from getting so far. It must not block.
	Failed func(error)

	// Facts describes a client, and again when it has got another address. Protocol, TLS and Opened need not be filled
	// in. It must not block.
	Facts func(remote, local netip.AddrPort) weir.Conn

	// Several, if not nil, is called for each request of a connection that has several under way; shard is that of their
	// exchanges (weir.Conn). It must not block.
	Several func(shard int)

	Log *slog.Logger // events; nil: none
}

// A socket is a Socket that is being served.
type socket struct {
	Socket
	srv      *Server
	local    netip.AddrPort
	tr       *quic.Transport
	ln       *quic.EarlyListener
	halves   atomic.Int64 // connections whose handshake has not ended
	whose    tally        // those of them whose address is proven
	accepted atomic.Uint64
	once     sync.Once
	crew     *crew
	nursery  nursery
}

// refuseTimes is how many times Limits.Handshakes there may be before clients are refused.
const refuseTimes = 8

var errRefused = errors.New("the connection is refused")

// ServePacket serves the connections that come to a socket. It returns nil after Drain or Close, when the last one has
// ended; an error means that the socket can't be used.
func (s *Server) ServePacket(k Socket) error {
	sock := &socket{Socket: k, srv: s, local: addrPort(k.Conn.LocalAddr()), crew: newCrew()}
	sock.nursery.open()
	if sock.Log == nil {
		sock.Log = slog.New(slog.DiscardHandler)
	}
	if err := sizeBuffers(k.Conn); err != nil {
		sock.Log.Warn("small socket buffers", "address", k.Conn.LocalAddr().String(), "error", err)
	}
	if err := sock.listen(); err != nil {
		return err
	}
	err := sock.serve()
	sock.tr.Close()
	sock.crew.end()
	sock.nursery.timer.Stop()
	return err
}

func (k *socket) listen() error {
	var reset quic.StatelessResetKey
	rand.Read(reset[:])
	k.tr = &quic.Transport{
		Conn:                k.Conn,
		ConnectionIDLength:  8,
		StatelessResetKey:   &reset,
		VerifySourceAddress: func(net.Addr) bool { return k.crowd() >= 1 },
		ConnContext:         k.admit,
	}
	ln, err := k.tr.ListenEarly(withProtocol(k.TLS), k.config())
	if err != nil {
		return err
	}
	k.ln = ln
	k.srv.mu.Lock()
	k.srv.sockets[k] = struct{}{}
	draining := k.srv.draining
	k.srv.mu.Unlock()
	if draining {
		k.close()
	}
	return nil
}

// config returns what QUIC is told for a connection by the present configuration.
func (k *socket) config() *quic.Config {
	c := k.quicConfig()
	c.GetConfigForClient = func(*quic.ClientInfo) (*quic.Config, error) { return k.quicConfig(), nil }
	return c
}

func (k *socket) quicConfig() *quic.Config {
	c := k.srv.config.Load()
	return &quic.Config{
		HandshakeIdleTimeout:           c.Timeouts.Header,
		MaxIdleTimeout:                 c.Timeouts.Idle,
		InitialStreamReceiveWindow:     streamWindowFirst,
		MaxStreamReceiveWindow:         streamWindowLast,
		InitialConnectionReceiveWindow: connWindowFirst,
		MaxConnectionReceiveWindow:     connWindowLast,
		MaxIncomingStreams:             int64(c.Limits.Streams),
		MaxIncomingUniStreams:          uniStreams,
		RequireStreamCreditRelease:     true, // a request that its client resets counts until its work has stopped
		Allow0RTT:                      !c.NoEarly,
	}
}

// acceptors is how many goroutines accept connections. QUIC refuses clients while 32 that have come wait for them, and on a
// busy machine one alone does not get its turn in time.
const acceptors = 16

// serve accepts connections until the socket is closed, and waits for their end.
func (k *socket) serve() error {
	var all sync.WaitGroup
	ends := make(chan error, acceptors)
	for range acceptors {
		go func() { ends <- k.accept(&all) }()
	}
	err := <-ends
	k.close()
	for range acceptors - 1 {
		<-ends
	}
	all.Wait()
	if errors.Is(err, quic.ErrServerClosed) {
		return nil
	}
	return err
}

// accept accepts connections, each of which is served by one more of all.
func (k *socket) accept(all *sync.WaitGroup) error {
	for {
		q, err := k.ln.Accept(context.Background())
		if err != nil {
			return err
		}
		if g := guestOf(q); g != nil {
			g.conn.Store(q)
		}
		all.Go(func() { k.serveConn(q) })
	}
}

func (k *socket) close() {
	k.once.Do(func() {
		k.srv.mu.Lock()
		delete(k.srv.sockets, k)
		k.srv.mu.Unlock()
		k.ln.Close()
	})
}

// A guest is a connection that has been let in.
type guest struct {
	sock   *socket
	age    int64                     // of the server when it was let in
	from   netip.Addr                // as its socket's tally has it; not valid: that does not
	conn   atomic.Pointer[quic.Conn] // nil: there is nothing to serve yet
	proven sync.Once                 // its handshake is no longer unfinished
}

type guestKey struct{}

func guestOf(q *quic.Conn) *guest {
	g, _ := q.Context().Value(guestKey{}).(*guest)
	return g
}

// crowd is how many times as many handshakes as are usual have not ended.
func (k *socket) crowd() int64 { return k.halves.Load() / int64(k.srv.config.Load().Limits.Handshakes) }

// admit decides on a connection before anything is done for it.
func (k *socket) admit(ctx context.Context, info *quic.ClientInfo) (context.Context, error) {
	if k.crowd() >= refuseTimes {
		return nil, errRefused
	}
	remote := addrPort(info.RemoteAddr)
	g := &guest{sock: k, age: k.srv.age.Load()}
	if info.AddrVerified {
		g.from = party(remote.Addr())
		if !k.whose.enter(g.from, k.share()) {
			return nil, errRefused
		}
	}
	if k.Admit != nil && !k.Admit(remote) {
		g.forget()
		return nil, errRefused
	}
	k.halves.Add(1)
	context.AfterFunc(ctx, func() { g.leave(context.Cause(ctx)) })
	return context.WithValue(ctx, guestKey{}, g), nil
}

// prove notes that the handshake has ended.
func (g *guest) prove() {
	g.proven.Do(func() {
		g.forget()
		g.sock.halves.Add(-1)
	})
}

func (g *guest) forget() {
	if g.from.IsValid() {
		g.sock.whose.leave(g.from)
	}
}

func (g *guest) leave(why error) {
	if q := g.conn.Load(); g.sock.Failed != nil && (q == nil || !isAgreed(q)) {
		g.sock.Failed(handshakeError(why))
	}
	g.prove()
	if g.sock.Done != nil {
		g.sock.Done()
	}
}

// isAgreed reports whether a connection's handshake has ended well.
func isAgreed(q *quic.Conn) bool {
	select {
	case <-q.HandshakeComplete():
		return true
	default:
		return false
	}
}

// The codes of QUIC that are alerts of TLS (RFC 9001, section 4.8).
const (
	cryptoFirst quic.TransportErrorCode = 0x100
	cryptoLast  quic.TransportErrorCode = 0x1ff
)

// handshakeError makes of an alert that came by QUIC what crypto/tls makes of one.
func handshakeError(err error) error {
	var q *quic.TransportError
	if errors.As(err, &q) && q.Remote && q.ErrorCode >= cryptoFirst && q.ErrorCode <= cryptoLast {
		return &net.OpError{Op: "remote error", Err: tls.AlertError(q.ErrorCode - cryptoFirst)}
	}
	return err
}

// withProtocol returns c for HTTP/3.
func withProtocol(c *tls.Config) *tls.Config {
	c.DecryptTicket(nil, tls.ConnectionState{}) // makes the keys of tickets, which a clone would else make anew
	c = c.Clone()
	c.NextProtos = []string{Protocol}
	c.MinVersion = tls.VersionTLS13
	if of := c.GetConfigForClient; of != nil {
		c.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			chosen, err := of(hello)
			if chosen == nil || err != nil {
				return chosen, err
			}
			return withProtocol(chosen), nil
		}
	}
	return c
}

// addrPort returns the address of a UDP socket, the zero value for others. An IPv4 address is one in either family.
func addrPort(a net.Addr) netip.AddrPort {
	u, ok := a.(*net.UDPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	ap := u.AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}
