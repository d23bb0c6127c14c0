package h3

import (
	"errors"
	"io"
	"os"
	"sync"
	"time"

	"github.com/quic-go/quic-go"

	"weir"
	"weir/internal/clock"
	"weir/proto/internal/section"
	"weir/proto/internal/websocket"
)

// A work is what it takes to serve one request on its stream: the exchange, the input, the state of the request's body
// and of the answer. It is the Stream of its exchange. It is pooled.
type work struct {
	conn *conn
	str  *quic.Stream
	cfg  *ServerConfig
	x    weir.Exchange

	in     input
	sec    section.Section
	body   requestBody
	writer answerWriter
	out    []byte // the answer's head, and small pieces of its body behind it
	letter letter // the answer, where it is whole and leaves at the end; no text: it has left
	came   bool   // something of the request has come

	bad      *badRequest // why there is no proper request; nil: there is one
	upgrade  string      // what Sec-WebSocket-Accept must say; "": the request was no extended CONNECT
	answered bool        // a final answer has begun
	told     bool        // it has ended with a trailer that says that it failed
	reset    bool        // the stream has been reset
	givenUp  bool        // by the client

	saying sync.Mutex // protects said, and that interim answers do not mix
	said   bool       // none may follow
	spoke  bool       // there has been one

	mu      sync.Mutex    // protects what follows
	turn    int           // which exchange it is
	watched weir.Canceler // what to break off when the client goes
	gone    bool
	minded  bool        // the nursery has been told
	stop    func() bool // ends the watch over the stream; nil: there is none

	young young // the nursery's
}

var works = sync.Pool{New: func() any { return new(work) }}

// serve carries the request on a stream.
func (c *conn) serve(str *quic.Stream) {
	if !c.begin(str.StreamID()) {
		str.CancelRead(codeRequestRejected.stream())
		str.CancelWrite(codeRequestRejected.stream())
		str.ReleaseStreamCredit()
		return
	}
	w := works.Get().(*work)
	w.begin(c, str)
	if w.readHead() {
		w.exchange()
	}
	gone := w.end()
	works.Put(w)
	c.end(gone)
}

func (w *work) begin(c *conn, str *quic.Stream) {
	w.conn, w.str, w.cfg = c, str, c.srv.config.Load()
	w.in.reset(str)
	w.body.reset(w)
	w.came, w.answered, w.reset, w.said, w.spoke = false, false, false, false, false
	w.bad, w.upgrade, w.givenUp, w.told = nil, "", false, false
	w.x.Reset(c.who())
	w.x.Timing.Start = clock.Now()
}

// end leaves the stream, and reports whether the client had given it up.
func (w *work) end() (gone bool) {
	gone = w.unwatch() || w.givenUp
	w.conn.peer.wishes.leave(w.str.StreamID())
	switch {
	case w.reset:
		w.str.ReleaseStreamCredit()
	case w.letter.text != nil:
		w.conn.post(w.letter)
		w.letter = letter{}
	default:
		gone = gone || w.str.Context().Err() != nil && !w.answered
		w.str.Close()
		w.conn.credit.pay()
		w.conn.credit.owe(w.str, w.conn.used())
	}
	if !w.in.ended {
		w.str.CancelRead(codeNone.stream()) // RFC 9114, section 4.1
	}
	w.in.release()
	w.in.src = nil
	w.conn, w.str, w.cfg = nil, nil, nil
	w.x.Request.Body, w.x.Response.Body = nil, nil
	w.x.Conn = nil
	if cap(w.x.Scratch) > keepScratch {
		w.x.Scratch = nil
	}
	return gone
}

// keepScratch is how large an output buffer is kept for the next exchange.
const keepScratch = 64 << 10

// cancel resets both directions.
func (w *work) cancel(c code) {
	w.reset = true
	w.str.CancelWrite(c.stream())
	w.str.CancelRead(c.stream())
}

// readHead reads the request's head; false: there is nothing to serve.
func (w *work) readHead() bool {
	w.str.SetReadDeadline(at(w.x.Timing.Start + int64(w.cfg.Timeouts.Header)))
	_, length, err := w.in.next()
	w.came = err == nil || w.in.buffered() > 0
	if err == nil {
		err = w.readSection(length)
	}
	if err == nil {
		err = w.ahead()
	}
	return err == nil || w.excuse(err)
}

// excuse deals with a head that has not come whole, and reports whether there shall be an exchange all the same.
func (w *work) excuse(err error) bool {
	switch e := err.(type) {
	case *tooLarge:
		w.bad = refuse(weir.CauseRequestHeaderTooLarge, e)
		return true
	case *connError:
		w.conn.peer.fail(e)
		w.cancel(codeNone)
		return false
	case *quic.StreamError:
		w.givenUp = true
		w.cancel(codeRequestCancelled)
		return false
	}
	if isTimeout(err) && w.came {
		w.bad = refuse(weir.CauseClientHeaderTimeout, err)
		return true
	}
	w.givenUp = true
	w.cancel(codeRequestIncomplete)
	return false
}

func isTimeout(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }

// readSection reads the request's section of that length.
func (w *work) readSection(length uint64) error {
	lim := &w.cfg.Limits
	if length > uint64(lim.Head) {
		return errTooLarge
	}
	p, err := w.in.payload(int(length))
	if err != nil {
		return err
	}
	w.in.phase = phaseContent
	d := decoders.Get().(*sectionDecoder)
	defer decoders.Put(d)
	if err := d.decode(p, lim.Head, lim.Fields+pseudoCount); err != nil {
		return err
	}
	r := &w.x.Request
	r.Protocol, r.Scheme = "HTTP/3", w.x.Conn.Scheme()
	if err := readSection(&w.sec, section.Request, d, w.x.Copy(d.text), &r.Header); err != nil {
		w.bad = malformed(sectionCause(err), err)
		w.sec.Describe(r)
		r.Header.Reset()
		return nil
	}
	if r.Header.Len() > lim.Fields {
		return errTooMany
	}
	w.bad = parseRequest(&w.sec, lim, r)
	urgency, incremental, ok := priority(r.Header.Get("Priority"))
	w.conn.peer.wishes.join(w.str.StreamID(), w.str, wish{urgency, incremental}, ok)
	return nil
}

// pseudoCount is how many pseudo fields a request may have.
const pseudoCount = 5

// aheadWait is how long a request that should have no content is waited for to say that it has none. That it ends comes
// with the head, or right behind it.
const aheadWait = 100 * time.Millisecond

// ahead finds out whether there is content.
func (w *work) ahead() error {
	if w.bad != nil {
		return nil
	}
	r, in := &w.x.Request, &w.in
	if r.Upgrade != "" {
		return nil
	}
	waits := !in.ended && (w.sec.Length == 0 || w.sec.Length < 0 && bodiless(r.Method))
	if waits {
		w.str.SetReadDeadline(time.Now().Add(aheadWait))
	}
	for in.left == 0 && in.trailer < 0 && (waits || in.ended || in.buffered() > 0) {
		switch err := in.step(); {
		case err == nil:
		case err == io.EOF && w.sec.Length > 0:
			w.bad = malformed(weir.CauseRequestFraming, errContent)
			return nil
		case err == io.EOF:
			return nil
		case isTimeout(err):
			waits = false
		default:
			return err
		}
	}
	if w.sec.Length == 0 && in.left > 0 {
		w.bad = malformed(weir.CauseRequestFraming, errContent)
		return nil
	}
	w.expectBody()
	return nil
}

func (w *work) expectBody() {
	if w.sec.Length != 0 || w.in.trailer >= 0 {
		w.body.begin(w.sec.Length)
		w.x.Request.Expect = w.sec.Expect != ""
		w.x.Request.Body = &w.body
	}
}

// bodiless reports whether requests with a method have no content as a rule.
func bodiless(method string) bool {
	switch method {
	case "GET", "HEAD", "OPTIONS", "DELETE":
		return true
	}
	return false
}

// exchange serves the request.
func (w *work) exchange() {
	if w.bad == nil && w.upgrade == "" && w.x.Request.Upgrade != "" {
		key := websocket.NewKey()
		w.x.Request.Header.Set(websocket.KeyField, key)
		w.upgrade = websocket.Accept(key)
	}
	if w.bad == nil && w.conn.early() && !w.settleEarly() {
		w.cancel(codeRequestRejected)
		return
	}
	h := w.cfg.Handler
	if w.bad != nil {
		h = w
	}
	weir.Serve(h, &w.x, w, w.cfg.Observer)
}

// ServeExchange implements weir.Handler for requests that are not served.
func (w *work) ServeExchange(*weir.Exchange) error { return w.bad.fault }

// settleEarly deals with a request that came before the handshake has ended, and so may be somebody's recording of it
// (RFC 8470): one that only reads goes on with a mark, any other waits. false: the handshake has not ended well.
func (w *work) settleEarly() bool {
	if w.x.Request.Safe() && w.x.Request.Upgrade == "" {
		w.x.Request.Header.Set("Early-Data", "1")
		return true
	}
	select {
	case <-w.conn.q.HandshakeComplete():
		w.x.Conn = w.conn.who()
		w.x.Client, w.x.ClientIP = w.x.Conn.Remote.Addr(), w.x.Conn.RemoteIP
		return true
	case <-w.conn.q.Context().Done():
		return false
	}
}

// Inform implements weir.Stream.
func (w *work) Inform(status int, h *weir.Header) error {
	if w.answered {
		return nil
	}
	out := appendStatus(appendPrefix(openHeaders(make([]byte, 0, 256))), status)
	if h != nil {
		out = appendFields(out, h)
	}
	return w.say(closeHeaders(out, 0))
}

// say writes an interim answer, unless the final one has begun. An upload may want to say 100 (Continue) at any time.
func (w *work) say(p []byte) error {
	w.saying.Lock()
	defer w.saying.Unlock()
	if w.said {
		return nil
	}
	w.spoke = true
	w.str.SetWriteDeadline(time.Now().Add(floorWindow))
	_, err := w.str.Write(p)
	return err
}

// Reset implements weir.Stream.
func (w *work) Reset(f *weir.Fault) {
	switch {
	case w.reset, w.told:
	case f.Side == weir.SideClient:
		w.givenUp = true
		w.cancel(codeRequestCancelled)
	default:
		w.cancel(codeInternal)
	}
}

var _ weir.Stream = (*work)(nil)
