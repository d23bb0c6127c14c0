package h2

import (
	"errors"
	"io"
	"sync"
	"time"

	"weir"
	"weir/internal/clock"
	"weir/internal/poll"
	"weir/proto/internal/ask"
	"weir/proto/internal/section"
)

// TransportConfig is how a transport behaves. Zero values mean the defaults.
type TransportConfig struct {
	Group *poll.Group // whose pollers carry the connections; required

	// Dial makes a connection that speaks HTTP/2 from its first byte on, within Connect. x is a copy of an exchange that
	// asks for it, or has nothing but the Shard of its Conn; others share the connection. Errors that are no *weir.Fault
	// become one. nil: an ordinary connection to the endpoint's address, HTTP/2 by prior knowledge (RFC 9113, section 3.3).
	Dial   func(x *weir.Exchange) (poll.Conn, error)
	Scheme string // what servers are told in :scheme; default "http"

	// CauseOf tells what an error of reading means that only a Conn of Dial's kind has, such as an alert of TLS: a
	// server judges weir's certificate after the handshake. CauseNone: nothing special. nil: there are none such.
	CauseOf func(err error) weir.Cause

	Connect   time.Duration // to establish a connection, the server's SETTINGS included, or to wait for room on one; default 5s
	FirstByte time.Duration // from the end of the request to the end of the answer's head; default 60s
	Stall     time.Duration // silence in the middle of an answer, or of a server that takes no more; default 60s
	KeepIdle  time.Duration // how long a connection without streams is kept; default 60s

	// Ping is how long a connection with open streams may be silent before it is asked for a sign of life, which has to
	// come within as long again; default 30s, since some servers do one thing at a time; negative: it is not asked.
	Ping time.Duration

	// Connections is how many connections to the server there are at most; default 256. A further one is opened only
	// where those there are have no room, or none is on the poller that asks: so there are as many as there are pollers,
	// or as the exchanges under way need, and the limit is there for a server that has gone mad, or mute.
	Connections int
	Streams     int // most exchanges at a time on one connection, and never more than the server allows; default 100
	Window      int // bytes of an answer that are kept for a client that takes them slowly; default 256 KiB, at least 64 KiB

	Limits Limits // of answers
}

func (c TransportConfig) orDefaults() TransportConfig {
	times := func(d *time.Duration, v time.Duration) {
		if *d <= 0 {
			*d = v
		}
	}
	numbers := func(n *int, v int) {
		if *n <= 0 {
			*n = v
		}
	}
	times(&c.Connect, 5*time.Second)
	times(&c.FirstByte, time.Minute)
	times(&c.Stall, time.Minute)
	times(&c.KeepIdle, time.Minute)
	if c.Ping == 0 {
		c.Ping = 30 * time.Second
	}
	numbers(&c.Connections, 256)
	numbers(&c.Streams, 100)
	numbers(&c.Window, 256<<10)
	c.Window = min(max(c.Window, startWindow+1), upConnWindow)
	if c.Scheme == "" {
		c.Scheme = "http"
	}
	c.Limits = c.Limits.orDefaults()
	return c
}

// A Transport is a weir.Transport that speaks HTTP/2 with one server, many exchanges on one connection.
type Transport struct {
	ep  *weir.Endpoint
	cfg TransportConfig

	mu      sync.Mutex // protects all below, and load, limit, suspect and leaving of the connections
	conns   []*upConn  // those that take new streams
	opening int        // dials under way
	stuck   int64      // when a further connection could not be opened; 0: that has not happened
	warmed  int64      // when a connection was last opened for nobody; see warm
	first   *upWaiter  // those who wait for room, in order
	last    *upWaiter
	waiting int
	closed  bool
}

var _ weir.Transport = (*Transport)(nil)

// NewTransport returns the transport to ep.
func NewTransport(ep *weir.Endpoint, c TransportConfig) *Transport {
	return &Transport{ep: ep, cfg: c.orDefaults()}
}

// Idle returns the number of connections that carry no exchange.
func (t *Transport) Idle() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := 0
	for _, c := range t.conns {
		if c.load == 0 {
			n++
		}
	}
	return n
}

// Close closes the connections that carry no exchange, and the others when their last one has ended.
func (t *Transport) Close() {
	t.mu.Lock()
	t.closed = true
	var idle []*upConn
	for _, c := range t.conns {
		if c.leaving = true; c.load == 0 {
			idle = append(idle, c)
		}
	}
	t.conns = nil
	t.mu.Unlock()
	for _, c := range idle {
		c.retire()
	}
}

// RoundTrip implements weir.Transport. A request that fails before any byte of an answer goes out once more, on another
// connection where there can be one, if the server has certainly not acted on it, or has most likely closed the
// connection while the request was on its way.
func (t *Transport) RoundTrip(x *weir.Exchange) error {
	if !upSendable(&x.Request) {
		return &weir.Fault{Op: "upstream \"" + t.ep.Upstream + "\": write request head", Side: weir.SideWeir, Cause: weir.CauseInternal, Err: errUpTarget}
	}
	var avoid *upConn
	repeated := false
	for begun := 0; ; {
		c, fresh, f := t.acquire(x, avoid)
		if f != nil {
			return f
		}
		f = c.roundTrip(x, begun == 0)
		switch {
		case f == nil:
			return nil
		case f.Err == errUpNotBegun && begun < mostFalseStarts:
			begun++ // it was about to close when it was chosen
		case repeated || !mayRepeatUp(x, f, fresh):
			return f
		default:
			repeated = true
		}
		avoid = c
	}
}

// mostFalseStarts is how many connections may be lost between being chosen and being used.
const mostFalseStarts = 8

// mayRepeatUp reports whether x may be sent once more after f. fresh: it was the first on its connection.
func mayRepeatUp(x *weir.Exchange, f *weir.Fault, fresh bool) bool {
	if x.Request.Touched {
		return false
	}
	if f.Retry == weir.RetryAlways {
		return true
	}
	if fresh || f.Retry != weir.RetryIdempotent || !x.Request.Idempotent() {
		return false
	}
	return f.Cause == weir.CauseUpstreamClosed || f.Cause == weir.CauseUpstreamReset || f.Cause == weir.CauseUpstreamWrite
}

var (
	errUpTarget   = errors.New("method, target or host can't stand in a request")
	errUpNotBegun = errors.New("the connection takes no more requests")
)

// upSendable reports whether what r asks for can stand in a head. What a codec has read can; what a handler has made of
// it may not.
func upSendable(r *weir.Request) bool {
	return section.IsToken(r.Method) && r.Method != "CONNECT" &&
		r.Path != "" && (r.Path[0] == '/' || r.Path == "*") && section.IsTarget(r.Path) && section.IsTarget(r.Query) && section.IsTarget(r.Authority)
}

// connect establishes a connection: x is nobody's exchange, only a copy.
func (t *Transport) connect(x *weir.Exchange) (*upConn, *weir.Fault) {
	by := clock.Now() + int64(t.connectTime(x.Route))
	dial := t.cfg.Dial
	if dial == nil {
		dial = func(x *weir.Exchange) (poll.Conn, error) {
			return t.cfg.Group.Dial(t.ep.Address, x.Conn.Shard, by, nil)
		}
	}
	conn, err := dial(x)
	if err != nil {
		var f *weir.Fault
		if errors.As(err, &f) {
			return nil, f
		}
		return nil, ask.DialFault(t.ep, err)
	}
	c := newUpConn(t, conn)
	if f := c.greet(by); f != nil {
		return nil, f
	}
	return c, nil
}

func (t *Transport) fault(c weir.Cause, r weir.Retry, op string, err error) *weir.Fault {
	return ask.Fault(t.ep, c, r, op, err)
}

// goneFault is the fault of an exchange whose client has gone.
func (t *Transport) goneFault() *weir.Fault {
	return ask.Gone(t.ep)
}

// deadlineFault is the fault of a gRPC call whose time is over.
func (t *Transport) deadlineFault() *weir.Fault {
	return &weir.Fault{Op: "wait for " + t.ep.Name, Side: weir.SideClient, Cause: weir.CauseClientDeadline, Err: poll.ErrTimeout}
}

// cause is that of an error of reading from, or writing to, a server.
func (t *Transport) cause(err error, writing bool) weir.Cause {
	if t.cfg.CauseOf != nil {
		if c := t.cfg.CauseOf(err); c != weir.CauseNone {
			return c
		}
	}
	var broken *connError
	switch {
	case errors.As(err, &broken):
		return weir.CauseUpstreamProtocol
	case err == errUpMute:
		return weir.CauseUpstreamUnreachable
	case writing:
		return weir.CauseUpstreamWrite
	case err == io.EOF, err == io.ErrUnexpectedEOF:
		return weir.CauseUpstreamClosed
	}
	return weir.CauseUpstreamReset
}

// patience returns how long the server may take: as the route says, or else the transport.
func (t *Transport) patience(r *weir.Route) (firstByte, stall time.Duration) {
	return ask.Patience(r, t.cfg.FirstByte, t.cfg.Stall)
}

func (t *Transport) connectTime(r *weir.Route) time.Duration {
	return ask.ConnectTime(r, t.cfg.Connect)
}
