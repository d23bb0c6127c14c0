package h1

import (
	"sync"
	"sync/atomic"

	"weir"
	"weir/internal/poll"
)

// A conn is the server's side of one client connection. Between requests it is all there is: the
// exchange, the buffers and the goroutine belong to [work].
type conn struct {
	poll.Conn
	srv   *Server
	facts weir.Conn
	done  func()

	prev, next *conn // of srv.conns

	partial   []byte      // a head that has begun and not ended while the connection sleeps
	headBegan int64       // when it began
	fresh     atomic.Bool // nothing has come yet

	watch watch // what to break off when the client goes

	mu       sync.Mutex // protects detached
	detached bool       // a relay has the connection: it is no more the server's to close
}

// Cancel is called by the poller when the client has gone.
func (c *conn) Cancel() { c.watch.cancel() }

// detach gives the connection to a relay.
func (c *conn) detach() {
	c.mu.Lock()
	c.detached = true
	c.mu.Unlock()
}

// reclaim takes the connection back from its sleep between two requests or, if fresh is set, before the first.
func (c *conn) reclaim(fresh bool) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return (fresh || !c.fresh.Load()) && !c.detached && c.Reclaim()
}

// breakOff ends whatever goes on; it may be called from anywhere.
func (c *conn) breakOff() {
	c.Conn.Cancel()
	c.Cancel()
}

// touch notes that the client has sent something at all.
func (c *conn) touch() {
	if c.fresh.Load() {
		c.fresh.Store(false)
	}
}

// Run serves what the client has sent, until it sends no more or the connection ends.
func (c *conn) Run(on *poll.Worker) {
	w, ok := on.Local.(*work)
	if !ok || w.conn != c {
		w = takeWork(c, on)
	}
	if !w.serve() {
		on.Local = nil // w was handed over
		return
	}
	w.release()
}

// close ends the connection; it is called by its last user.
func (c *conn) close() {
	c.OnHangup(nil)
	c.Conn.Close()
	c.srv.forget(c)
}

// serve reads and answers requests. It returns true when the connection sleeps or has ended, and
// false when it has been handed over together with w.
func (w *work) serve() bool {
	for first := true; ; first = false {
		switch err := w.nextHead(first); err {
		case nil:
		case errAsleep:
			return true
		default:
			w.end(err)
			return true
		}
		if w.head == preface && w.handOn() {
			return true
		}
		if !w.exchange() {
			return false
		}
		if !w.keep {
			w.hangUp()
			return true
		}
	}
}

// preface is the part of HTTP/2's connection preface (RFC 9113, section 3.4) that looks like a head.
const preface = "PRI * HTTP/2.0\r\n\r\n"

// handOn gives a connection that speaks HTTP/2 to who can; false: nobody here does. It is counted here until it is there,
// so that who closes both does not miss it.
func (w *work) handOn() bool {
	c, take := w.conn, w.conn.srv.config.Load().PriorKnowledge
	if take == nil || w.fault != nil {
		return false
	}
	already := append([]byte(w.head), w.in[w.r:w.w]...)
	done := c.done
	c.done = nil
	c.detach()
	c.OnHangup(nil)
	take(c.Conn, c.facts, done, already)
	c.srv.forget(c)
	return true
}

// exchange serves the request whose head stands in w.head.
func (w *work) exchange() (over bool) {
	if !w.early.parsed {
		w.open()
	}
	w.early.parsed = false
	if f := w.refused; f != nil {
		w.keep = false
		return weir.Serve(refusal{f}, &w.x, w, w.cfg.Observer)
	}
	if !weir.Serve(w.cfg.Handler, &w.x, w, w.cfg.Observer) {
		return false
	}
	if w.keep {
		w.keep = w.body.finish()
	}
	return true
}

// open makes an exchange of the head in w.head.
func (w *work) open() {
	cfg := w.conn.srv.config.Load()
	w.begin(cfg)
	w.refused = w.parse(cfg)
}

// begin makes w fit for the next exchange.
func (w *work) begin(cfg *ServerConfig) {
	w.cfg = cfg
	w.x.Reset(&w.conn.facts)
	w.x.Timing.Start = w.headBegan
	w.answered, w.keep, w.cut, w.said = false, true, false, false
	w.headBegan = 0
	w.body.reset()
}

// A refusal answers a request that could not be understood.
type refusal struct{ f *weir.Fault }

func (r refusal) ServeExchange(*weir.Exchange) error { return r.f }

func (w *work) parse(cfg *ServerConfig) *weir.Fault {
	if w.fault != nil {
		f := w.fault
		w.fault = nil
		return f
	}
	r := &w.x.Request
	r.Scheme = w.conn.facts.Scheme()
	if f := parseRequest(w.head, w.drawn, &cfg.Limits, r, &w.framing); f != nil {
		return f
	}
	w.keep = !w.framing.Close
	if w.framing.Chunked || w.framing.Length > 0 {
		w.body.begin(w)
		r.Body = &w.body
	}
	return nil
}

// isQuiet reports whether the connection is to be put to sleep without a look for input: most clients wait for an answer
// before they ask again. One that is encrypted can't sleep before it has been read to its end.
func (w *work) isQuiet() bool {
	return w.buffered() == 0 && w.conn.facts.TLS == nil && !w.conn.srv.draining.Load()
}

// readHead leaves the next request's head in w.head. errAsleep means that there is none and the
// connection has been given back to the poller. A head that is too large or ends wrongly is left as
// w.fault: the exchange will be its answer. first: the read deadline is the one the connection slept with; else
// it is left over from the last exchange, and says nothing.
func (w *work) readHead(first bool) error {
	c, scanned, blank := w.conn, 0, 0
	if !first && w.isQuiet() {
		if err := w.sleep(first); err != nil {
			return err
		}
	}
	for {
		if n := w.skipBlank(); n > 0 {
			scanned = 0
			if blank += n; blank > mostBlank {
				w.fault = badRequest(weir.CauseRequestLine, errBlank)
				return nil
			}
		}
		if w.buffered() > 0 {
			if w.headBegan == 0 {
				w.headBegan = c.Woken()
				if !first { // it may have come while the last exchange was under way
					w.headBegan = max(w.headBegan, w.x.Timing.End)
				}
			}
			end, f := w.scanHead(scanned)
			if f != nil {
				w.fault = f
				return nil
			}
			if end > 0 {
				w.head = w.x.Copy(w.in[w.r : w.r+end])
				w.r += end
				return nil
			}
			scanned = w.buffered()
		}
		n, err := w.read()
		if err == poll.ErrAgain || err == poll.ErrTimeout && !first {
			if err := w.sleep(first); err != nil {
				return err
			}
			first = true
			continue
		}
		if err != nil {
			return err
		}
		w.w += n
		c.touch()
	}
}
