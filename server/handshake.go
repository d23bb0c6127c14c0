package server

import (
	"crypto/tls"
	"errors"
	"sync"
	"time"

	"weir"
	"weir/internal/clock"
	"weir/internal/poll"
)

// A handshake is a connection of which TLS has not been agreed on yet. Until its first bytes come it holds neither
// goroutine nor buffer; then it blocks on a worker for as long as Timeouts.Header allows.
type handshake struct {
	sealed *poll.Sealed
	l      *listener
	set    *settings
	facts  weir.Conn
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
func (l *listener) seal(c poll.Conn, set *settings, facts weir.Conn) {
	h := &handshake{sealed: poll.SealServer(c, set.spec.TLS), l: l, set: set, facts: facts}
	l.arrivals.add(h.sealed)
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

// Run implements poll.Task.
func (h *handshake) Run(*poll.Worker) {
	err := h.sealed.Handshake()
	h.l.arrivals.remove(h.sealed)
	if err != nil {
		h.fail(err)
		return
	}
	state := h.sealed.State()
	h.l.handshakes.succeed(&state)
	if state.NegotiatedProtocol == acmeProtocol { // it has served its purpose (RFC 8737, section 3)
		h.end()
		return
	}
	h.facts.TLS = &state // the deadline of writing stays: TLS answers by itself (KeyUpdate) before HTTP sets another one
	h.set.codecs.serve(h.sealed, h.set.spec.Versions, state.NegotiatedProtocol, &h.facts, h.l.done)
}

const acmeProtocol = "acme-tls/1"

// fail ends a connection that did not agree on keys.
func (h *handshake) fail(err error) {
	h.l.handshakes.fail(err)
	h.l.log.Debug("handshake failed", "listener", h.set.spec.Name, "client", h.facts.RemoteIP, "error", err.Error())
	var plain tls.RecordHeaderError
	if errors.As(err, &plain) && speaksHTTP(plain.RecordHeader) {
		h.answerPlain()
		return
	}
	h.end()
}

func (h *handshake) end() {
	h.sealed.Below().Close()
	h.l.release()
}

// speaksHTTP reports whether a client began with a request line where a handshake was due.
func speaksHTTP(begin [5]byte) bool {
	switch string(begin[:]) {
	case "GET /", "HEAD ", "POST ", "PUT /", "OPTIO", "PATCH", "DELET":
		return true
	}
	return false
}

const wrongScheme = "HTTP/1.1 400 Bad Request\r\n" +
	"Connection: close\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 64\r\n\r\n" +
	"400 Bad Request\nThis port speaks HTTPS; write https:// instead.\n"

// answerPlain tells a client that speaks HTTP without TLS so, and waits a moment until it has read that.
func (h *handshake) answerPlain() {
	c := h.sealed.Below()
	r := &refused{Conn: c, l: h.l, until: clock.Now() + int64(refusalTime)}
	h.l.release()
	if h.l.refusals.Add(1) > maxRefusals {
		r.end()
		return
	}
	c.SetReadDeadline(r.until)
	c.SetWriteDeadline(r.until)
	c.Write([]byte(wrongScheme))
	c.CloseWrite()
	r.Run(nil)
}
