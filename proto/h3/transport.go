package h3

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/quic-go/quic-go"

	"weir"
	"weir/internal/clock"
	"weir/proto/internal/ask"
	"weir/proto/internal/section"
)

// TransportConfig is how a transport behaves. Zero values mean the defaults.
type TransportConfig struct {
	TLS         *tls.Config   // whom it trusts and who it is; ALPN and the version are seen to; required
	Connect     time.Duration // to establish a connection, and for room on one; default 5s
	FirstByte   time.Duration // from the end of the request to the end of the answer's head; default 60s
	Stall       time.Duration // silence in the middle of an answer, or of a server that takes no more; default 60s
	KeepIdle    time.Duration // how long a connection without requests is kept; default 60s
	Connections int           // at most; default 256, each opened only where those there are have no room
	Streams     int           // requests under way on one connection before there is another; default 100
	Limits      Limits        // of answers

	// CauseOf, if not nil, tells the cause of an error of the handshake; CauseNone: it does not know it.
	CauseOf func(err error) weir.Cause
}

func (c TransportConfig) orDefaults() TransportConfig {
	def := func(d *time.Duration, v time.Duration) {
		if *d <= 0 {
			*d = v
		}
	}
	def(&c.Connect, 5*time.Second)
	def(&c.FirstByte, time.Minute)
	def(&c.Stall, time.Minute)
	def(&c.KeepIdle, time.Minute)
	if c.Connections <= 0 {
		c.Connections = 256
	}
	if c.Streams <= 0 {
		c.Streams = 100
	}
	if c.CauseOf == nil {
		c.CauseOf = func(error) weir.Cause { return weir.CauseNone }
	}
	c.Limits = c.Limits.orDefaults()
	c.TLS = c.TLS.Clone()
	c.TLS.NextProtos = []string{Protocol}
	c.TLS.MinVersion = tls.VersionTLS13
	return c
}

// A Transport is a weir.Transport that speaks HTTP/3 with one server.
type Transport struct {
	ep  *weir.Endpoint
	cfg TransportConfig

	mu      sync.Mutex // protects all below
	udp     *net.UDPConn
	quic    *quic.Transport // over udp; nil: no connection has been wanted yet
	conns   []*upConn       // that take requests
	dialing *dialing        // nil: no connection is being made
	all     int             // connections that have not ended
	closed  bool
}

var _ weir.Transport = (*Transport)(nil)

// NewTransport returns the transport to ep, whose address is that of a UDP socket.
func NewTransport(ep *weir.Endpoint, c TransportConfig) *Transport {
	return &Transport{ep: ep, cfg: c.orDefaults()}
}

// Idle returns the number of connections without a request.
func (t *Transport) Idle() (n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, u := range t.conns {
		if u.active == 0 {
			n++
		}
	}
	return n
}

// Close closes the connections without a request; the others, and those that late requests make, are closed when their
// last one ends.
func (t *Transport) Close() {
	t.mu.Lock()
	t.closed = true
	var idle []*upConn
	for _, u := range slices.Clone(t.conns) {
		if u.remove(); u.active == 0 {
			idle = append(idle, u)
		}
	}
	t.mu.Unlock()
	for _, u := range idle {
		u.q.CloseWithError(codeNone.conn(), "")
	}
	t.shut()
}

// shut closes the socket when nobody uses it any more.
func (t *Transport) shut() {
	t.mu.Lock()
	tr, udp := t.quic, t.udp
	if !t.closed || t.all > 0 || t.dialing != nil || tr == nil {
		t.mu.Unlock()
		return
	}
	t.quic, t.udp = nil, nil
	t.mu.Unlock()
	tr.Close()
	udp.Close()
}

var errTarget = errors.New("malformed request target")

// RoundTrip implements weir.Transport. A request that a server says it has not looked at goes out once more; so does one
// that fails on a connection that was there before, without a byte of an answer, if it may: the server has most likely
// left while the request was on its way.
func (t *Transport) RoundTrip(x *weir.Exchange) error {
	if !sendable(&x.Request) {
		return &weir.Fault{Op: fmt.Sprintf("upstream %q: write request head", t.ep.Upstream), Side: weir.SideWeir, Cause: weir.CauseInternal, Err: errTarget}
	}
	for tries := 1; ; tries++ {
		u, kept, f := t.take(x)
		if f != nil {
			return f
		}
		f = u.roundTrip(x)
		if f == nil {
			return nil
		}
		if tries == mostTries || !kept && f.Retry != weir.RetryAlways || !ask.MayRepeat(x, f) {
			return f
		}
	}
}

// mostTries is how many times a request goes out to one server.
const mostTries = 3

// sendable reports whether what r asks for can stand in a head.
func sendable(r *weir.Request) bool {
	return r.Path != "" && (r.Path[0] == '/' || r.Path == "*") && section.IsToken(r.Method) &&
		section.IsTarget(r.Path) && section.IsTarget(r.Query) && visible(r.Authority)
}

func visible(s string) bool {
	return s != "" && strings.IndexByte(s, ' ') < 0 && strings.IndexByte(s, '\t') < 0 && section.IsValue(s)
}

// A dialing is a connection that is being made, by a goroutine of its own: whoever asked for it first may leave.
type dialing struct {
	done  chan struct{} // closed when it is over
	fault *weir.Fault   // valid after done
}

// take returns a connection with a place for x, and whether it was there before. The place is given back by leave.
func (t *Transport) take(x *weir.Exchange) (u *upConn, kept bool, f *weir.Fault) {
	u, d := t.place()
	if u != nil {
		return u, true, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), ask.ConnectTime(x.Route, t.cfg.Connect))
	defer cancel()
	x.Watch(canceler(cancel))
	defer x.Watch(nil)
	for u == nil {
		select {
		case <-d.done:
		case <-ctx.Done():
			return nil, false, t.waitFault(ctx)
		}
		if d.fault != nil {
			return nil, false, d.fault
		}
		u, d = t.place()
	}
	return u, false, nil
}

// A canceler is a function as a weir.Canceler.
type canceler func()

// Cancel calls c.
func (c canceler) Cancel() { c() }

// place takes a place on the connection with the fewest requests, or tells what to wait for.
func (t *Transport) place() (*upConn, *dialing) {
	t.mu.Lock()
	defer t.mu.Unlock()
	var best *upConn
	for _, u := range t.conns {
		if ended := u.q.Context().Err() != nil; !ended && (best == nil || u.active < best.active) {
			best = u
		}
	}
	if best != nil && (best.active < t.cfg.Streams || len(t.conns) >= t.cfg.Connections) {
		best.enter()
		return best, nil
	}
	if t.dialing == nil {
		t.dialing = &dialing{done: make(chan struct{})}
		go t.dial(t.dialing)
	}
	return nil, t.dialing
}

// waitFault tells why nobody waits any more for a connection.
func (t *Transport) waitFault(ctx context.Context) *weir.Fault {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return t.fault(weir.CauseUpstreamConnectTimeout, weir.RetryAlways, "dial", ctx.Err())
	}
	return &weir.Fault{Op: "dial " + t.ep.Name, Side: weir.SideClient, Cause: weir.CauseClientGone, Err: ctx.Err()}
}

func (t *Transport) fault(c weir.Cause, r weir.Retry, op string, err error) *weir.Fault {
	return ask.Fault(t.ep, c, r, op, err)
}

// dial makes a connection.
func (t *Transport) dial(d *dialing) {
	ctx, cancel := context.WithTimeout(context.Background(), t.cfg.Connect)
	defer cancel()
	q, err := t.connect(ctx)
	t.mu.Lock()
	t.dialing = nil
	if err != nil {
		d.fault = t.dialFault(err)
	} else {
		t.all++
		u := &upConn{t: t, q: q, rounds: map[quic.StreamID]*round{}, since: clock.Now()}
		u.peer = newPeer(q, true, u.goAway)
		t.conns = append(t.conns, u)
		u.begin()
	}
	t.mu.Unlock()
	close(d.done)
	t.shut()
}

func (t *Transport) connect(ctx context.Context) (*quic.Conn, error) {
	addr, err := netip.ParseAddrPort(t.ep.Address)
	if err != nil {
		return nil, err
	}
	tr, err := t.socket(addr)
	if err != nil {
		return nil, err
	}
	return tr.Dial(ctx, net.UDPAddrFromAddrPort(addr), t.cfg.TLS, &quic.Config{
		HandshakeIdleTimeout:           t.cfg.Connect,
		MaxIdleTimeout:                 mostSilence,
		KeepAlivePeriod:                keepAlive,
		InitialStreamReceiveWindow:     streamWindowFirst,
		MaxStreamReceiveWindow:         streamWindowLast,
		InitialConnectionReceiveWindow: connWindowFirst,
		MaxConnectionReceiveWindow:     connWindowLast,
		MaxIncomingStreams:             -1, // a server has no requests
		MaxIncomingUniStreams:          uniStreams,
		RequireStreamCreditRelease:     true,
	})
}

// keepAlive is after how much silence a connection is tried, since a request may wait long for its answer, and
// mostSilence after how much it is given up.
const (
	keepAlive   = 10 * time.Second
	mostSilence = 30 * time.Second
)

// socket returns what connections to addr are made from.
func (t *Transport) socket(addr netip.AddrPort) (*quic.Transport, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.quic != nil {
		return t.quic, nil
	}
	network := "udp4"
	if addr.Addr().Is6() {
		network = "udp6"
	}
	udp, err := net.ListenUDP(network, nil)
	if err != nil {
		return nil, err
	}
	sizeBuffers(udp)
	t.udp, t.quic = udp, &quic.Transport{Conn: udp, ConnectionIDLength: 8}
	return t.quic, nil
}

func (t *Transport) dialFault(err error) *weir.Fault {
	f := t.fault(weir.CauseUpstreamUnreachable, weir.RetryAlways, "dial", err)
	var refused *quic.TransportError
	var late *quic.HandshakeTimeoutError
	var idle *quic.IdleTimeoutError
	var none *quic.VersionNegotiationError
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &late), errors.As(err, &idle):
		f.Cause = weir.CauseUpstreamConnectTimeout
	case errors.As(err, &none):
		f.Cause = weir.CauseUpstreamProtocol
	case errors.As(err, &refused) && refused.ErrorCode == quic.ConnectionRefused:
		f.Cause = weir.CauseUpstreamConnect
	default:
		if c := t.handshakeCause(err); c != weir.CauseNone {
			f.Cause = c
		}
	}
	return f
}

// handshakeCause tells what a handshake failed at. That a server does not like who weir is comes as late as with the first
// request. CauseNone: it has not failed at anything that TLS knows.
func (t *Transport) handshakeCause(err error) weir.Cause {
	var e *quic.TransportError
	if !errors.As(err, &e) || !e.ErrorCode.IsCryptoError() {
		return weir.CauseNone
	}
	if e.Remote { // as crypto/tls would tell it over TCP
		err = &net.OpError{Op: "remote error", Err: tls.AlertError(e.ErrorCode - cryptoErrors)}
	}
	if c := t.cfg.CauseOf(err); c != weir.CauseNone {
		return c
	}
	return weir.CauseUpstreamTLSHandshake
}

// cryptoErrors is where QUIC's codes for TLS's alerts begin (RFC 9001, section 4.8).
const cryptoErrors = 0x100
