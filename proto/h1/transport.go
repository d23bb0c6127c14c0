package h1

import (
	"sync/atomic"
	"time"

	"weir"
	"weir/internal/clock"
	"weir/internal/poll"
	"weir/proto/internal/ask"
)

// TransportConfig is how a transport behaves. Zero values mean the defaults.
type TransportConfig struct {
	Group     *poll.Group   // whose pollers carry the connections; required
	Connect   time.Duration // to establish a connection; default 5s
	FirstByte time.Duration // from the end of the request to the end of the answer's head; default 60s
	Stall     time.Duration // silence in the middle of an answer, or of a server that takes no more; default 60s
	KeepAlive int           // idle connections kept, at most; default 1024; negative: none
	KeepIdle  time.Duration // how long an idle one is kept; default 60s
	Limits    Limits        // of answers

	// Dial makes a connection to address until deadline, and breaks off when the client goes; nil: Group does. An
	// error that is a *weir.Fault tells its cause.
	Dial func(x *weir.Exchange, address string, deadline int64) (poll.Conn, error)

	// CauseOf tells what an error of reading means that only a Conn of Dial's kind has, such as an alert of TLS: a
	// server judges weir's certificate after the handshake. CauseNone: nothing special. nil: there are none such.
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
	if c.Dial == nil {
		c.Dial = ask.Dial(c.Group)
	}
	if c.KeepAlive == 0 {
		c.KeepAlive = 1024
	}
	c.Limits = c.Limits.orDefaults()
	return c
}

// A Transport is a weir.Transport that speaks HTTP/1.1 with one server.
type Transport struct {
	ep     *weir.Endpoint
	cfg    TransportConfig
	closed atomic.Bool
	places places
	shards []idleShard
}

var _ weir.Transport = (*Transport)(nil)

// NewTransport returns the transport to ep.
func NewTransport(ep *weir.Endpoint, c TransportConfig) *Transport {
	t := &Transport{ep: ep, cfg: c.orDefaults(), shards: make([]idleShard, c.Group.Shards())}
	t.places.init(t.cfg.KeepAlive, len(t.shards))
	return t
}

// Idle returns the number of kept connections.
func (t *Transport) Idle() (n int) {
	for i := range t.shards {
		n += t.shards[i].size()
	}
	return n
}

// Close closes the kept connections; those under way are closed when their exchange ends.
func (t *Transport) Close() {
	t.closed.Store(true)
	for i := range t.shards {
		for _, u := range t.shards[i].empty(&t.places) {
			if u.Reclaim() {
				u.Conn.Close()
			}
		}
	}
}

// RoundTrip implements weir.Transport. A request that fails on a kept connection before any byte of an
// answer goes out once more on a new one, if it may: the server has most likely closed the old one
// while the request was on its way.
func (t *Transport) RoundTrip(x *weir.Exchange) error {
	if !sendable(&x.Request) {
		return &weir.Fault{Op: "upstream \"" + t.ep.Upstream + "\": write request head", Side: weir.SideWeir, Cause: weir.CauseInternal, Err: errTarget}
	}
	u := t.take(x)
	for {
		kept := u != nil
		if !kept {
			var f *weir.Fault
			if u, f = t.dial(x); f != nil {
				return f
			}
		}
		f := u.roundTrip(x)
		if f == nil {
			return nil
		}
		if !kept || !ask.MayRepeat(x, f) {
			return f
		}
		u = nil
	}
}

// take returns a kept connection, or nil. It looks at the client's own poller first.
func (t *Transport) take(x *weir.Exchange) *upConn {
	n := len(t.shards)
	for i := range n {
		s := &t.shards[(x.Conn.Shard+i)%n]
		for {
			u := s.pop(&t.places)
			if u == nil {
				break
			}
			if !u.Reclaim() {
				continue
			}
			if i == 0 && x.Timing.Start-u.since < trustFor || u.Silent() {
				return u
			}
			u.Conn.Close()
		}
	}
	return nil
}

// trustFor is how long a connection that has fallen asleep on this poller is known to be silent without asking the
// kernel: the poller wakes what has something to say before it hands out the requests that came with it. A
// connection of another poller may have said something that one has not noticed yet, and what a server has sent
// unasked must never be taken for the next answer.
const trustFor = int64(20 * time.Millisecond)

// put keeps a connection on which an exchange has ended well, at now or shortly before.
func (t *Transport) put(u *upConn, now int64) {
	u.since = now
	u.SetReadDeadline(now + int64(t.cfg.KeepIdle))
	switch kept := !t.closed.Load() && t.shardOf(u).push(u, &t.places); {
	case !kept:
		u.Conn.Close()
	case t.closed.Load():
		t.Close()
	}
}

func (t *Transport) shardOf(u *upConn) *idleShard { return &t.shards[u.Shard()%len(t.shards)] }

// Run is the task of a kept connection: the server closed it, sent something unasked, or its time is over. What TLS
// says of itself, such as a ticket for another session, does not count.
func (u *upConn) Run(*poll.Worker) {
	u.t.shardOf(u).remove(u, &u.t.places)
	var one [1]byte
	if _, err := u.TryRead(one[:]); err == poll.ErrAgain {
		u.t.put(u, u.since)
		return
	}
	u.Conn.Close()
}

// asleep makes the connection idle; false: something has come that nobody asked for.
func (u *upConn) asleep() bool {
	if u.Idle(u) {
		return true
	}
	var one [1]byte
	_, err := u.TryRead(one[:])
	return err == poll.ErrAgain && u.Idle(u)
}

func (t *Transport) dial(x *weir.Exchange) (*upConn, *weir.Fault) {
	c, err := t.cfg.Dial(x, t.ep.Address, clock.Now()+int64(t.connectTime(x.Route)))
	if err != nil {
		return nil, ask.DialFault(t.ep, err)
	}
	return &upConn{Conn: c, t: t}, nil
}

func (t *Transport) fault(c weir.Cause, r weir.Retry, op string, err error) *weir.Fault {
	return ask.Fault(t.ep, c, r, op, err)
}

// readFault makes a fault of an error that ended the wait for an answer's head.
func (u *upConn) readFault(err error, begun bool) *weir.Fault {
	if err == poll.ErrCanceled {
		return u.canceled()
	}
	return ask.ReadFault(u.t.ep, err, begun, u.t.causeOf(err))
}

// causeOf is the cause of an error of reading that no rule of HTTP knows.
func (t *Transport) causeOf(err error) weir.Cause {
	if t.cfg.CauseOf != nil {
		if c := t.cfg.CauseOf(err); c != weir.CauseNone {
			return c
		}
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
