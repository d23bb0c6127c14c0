package server

import (
	"crypto/tls"
	"errors"
	"sync"
	"time"

	"weir"
	"weir/internal/poll"
)

// A handshake is a connection of which TLS has not been agreed on yet. Until its first bytes come it holds neither
// goroutine nor buffer; then it blocks on a worker for as long as Timeouts.Header allows.
type handshake struct {
	conn  poll.Conn
	l     *listener
	set   *settings // that it was received with
	facts weir.Conn
	told  bool // whose it is, by a PROXY header
}

// arrivals are the connections of a listener that are not served yet: their clients have not said who they are (PROXY
// protocol), or have not agreed on keys.
type arrivals struct {
	mu   sync.Mutex // protects list and cut
	list map[poll.Canceler]struct{}
	cut  bool // new ones are broken off
}

func (a *arrivals) add(c poll.Canceler) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.list == nil {
		a.list = map[poll.Canceler]struct{}{}
	}
	a.list[c] = struct{}{}
	if a.cut {
		c.Cancel()
	}
}

func (a *arrivals) remove(c poll.Canceler) {
	a.mu.Lock()
	delete(a.list, c)
	a.mu.Unlock()
}

// arrivalPatience is how long arrivals may go on once the listener drains.
const arrivalPatience = time.Second

// cancel breaks all of them off, and those to come.
func (a *arrivals) cancel() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.cut = true
	for c := range a.list {
		c.Cancel()
	}
}

// seal begins TLS on a connection that has just been accepted.
func (l *listener) seal(c poll.Conn, set *settings, facts weir.Conn, told bool) {
	h := &handshake{conn: c, l: l, set: set, facts: facts, told: told}
	l.arrivals.add(c)
	end := facts.Opened + int64(handshakeTime(set.spec))
	c.SetReadDeadline(end)
	c.SetWriteDeadline(end)
	if !c.Idle(h) {
		c.Start(h)
	}
}

// handshakeTime is how long a client may take to agree on keys: as long as for a request head.
func handshakeTime(spec *ListenerSpec) time.Duration {
	if spec.Timeouts.Header > 0 {
		return spec.Timeouts.Header
	}
	return 10 * time.Second
}

// Run implements poll.Task. What has changed since the connection was received holds for it, as long as nothing was said.
// When it has been agreed on it is served as those are with which it was begun: if these drain by then, so does it.
func (h *handshake) Run(*poll.Worker) {
	if h.conn.Silent() && h.conn.Idle(h) {
		return
	}
	set := h.l.enter()
	defer set.codecs.leave()
	if !set.spec.keeps(h.set.spec) {
		h.l.arrivals.remove(h.conn)
		h.again(set)
		return
	}
	sealed := poll.SealServer(h.conn, set.spec.TLS)
	err := sealed.Handshake()
	h.l.arrivals.remove(h.conn)
	if err != nil {
		h.fail(err)
		return
	}
	state := sealed.State()
	h.l.handshakes.succeed(&state)
	if state.NegotiatedProtocol == acmeProtocol { // it has served its purpose (RFC 8737, section 3)
		h.l.dismiss(h.conn, "")
		return
	}
	h.facts.TLS = &state // the deadline of writing stays: TLS answers by itself (KeyUpdate) before HTTP sets another one
	set.codecs.serve(sealed, set.spec.Versions, state.NegotiatedProtocol, &h.facts, h.l.done)
}

// again begins anew with a connection whose listener has changed before anything was said.
func (h *handshake) again(set *settings) {
	if h.set.spec.Proxied == NotProxied {
		h.l.receive(h.conn, set)
		return
	}
	h.l.welcome(h.conn, h.facts.Remote, h.facts.Local, h.told)
}

const acmeProtocol = "acme-tls/1"

// fail ends a connection that did not agree on keys.
func (h *handshake) fail(err error) {
	h.l.handshakes.fail(err)
	h.l.log.Debug("handshake failed", "listener", h.facts.Listener, "client", h.facts.RemoteIP, "error", err.Error())
	var plain tls.RecordHeaderError
	switch {
	case err == poll.ErrTimeout || err == poll.ErrCanceled:
		h.conn.Close()
		h.l.release()
	case errors.As(err, &plain) && AnswersPlain(string(plain.RecordHeader[:])):
		h.l.dismiss(h.conn, wrongScheme)
	default:
		h.l.dismiss(h.conn, "") // there may be an alert on its way
	}
}

// AnswersPlain reports whether a client is told of its mistake that begins with this where a handshake is due: with a
// request line.
func AnswersPlain(begin string) bool {
	if len(begin) < 5 {
		return false
	}
	switch begin[:5] {
	case "GET /", "HEAD ", "POST ", "PUT /", "OPTIO", "PATCH", "DELET":
		return true
	}
	return false
}

const wrongScheme = "HTTP/1.1 400 Bad Request\r\n" +
	"Connection: close\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 64\r\n\r\n" +
	"400 Bad Request\nThis port speaks HTTPS; write https:// instead.\n"
