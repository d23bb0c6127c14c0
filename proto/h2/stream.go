package h2

import (
	"cmp"
	"errors"
	"sync"
	"time"

	"weir"
	"weir/internal/poll"
)

// A stream is one exchange of a client connection, and the weir.Stream of it. It is pooled. Its exchange belongs to the
// goroutine that serves it; the reader changes the rest.
type stream struct {
	c   *conn
	id  uint32
	cfg *ServerConfig
	x   weir.Exchange

	fault     *weir.Fault // why the request is refused
	malformed bool        // and is not even answered

	head     []byte // a head being encoded
	answered bool   // a final answer has begun
	writer   answerWriter
	extended bool // the request is an extended CONNECT

	// Protected by c.mu.
	window  int         // what may be sent on it
	dead    error       // nothing more can be sent or received: why
	reset   bool        // and it was ended by RST_STREAM, of either side
	byPeer  bool        // the client's
	sentEnd bool        // we have ended our side
	recvEnd bool        // the client has ended its side
	waiting bool        // head has not been appended to the output yet
	sending waiter      // whoever sends
	body    requestBody // the request's

	late *time.Timer // sends the head without the body: see sendHeadSoon

	watching sync.Mutex // protects what follows
	lateMark uint64     // the mark that late was set with
	mark     uint64     // changes with every use of the struct; changed under both locks
	watched  weir.Canceler
	told     bool
}

var streams = sync.Pool{New: newStream}

func newStream() any {
	s := &stream{}
	s.sending.init()
	s.body.waiter.init()
	s.body.s = s
	s.mark = 1
	s.late = time.AfterFunc(time.Hour, s.sendLate)
	s.late.Stop()
	return s
}

// takeStream returns a stream for a request that begins.
func (c *conn) takeStream(id uint32, cfg *ServerConfig) *stream {
	s := streams.Get().(*stream)
	s.c, s.id, s.cfg = c, id, cfg
	s.x.Reset(&c.facts)
	s.x.Timing.Start = c.Woken()
	s.fault, s.malformed, s.answered, s.extended = nil, false, false, false
	s.dead, s.reset, s.byPeer, s.sentEnd, s.recvEnd, s.waiting = nil, false, false, false, false, false
	return s
}

// keepHead is how large a buffer a stream keeps for the next one.
const keepHead = 8 << 10

// free makes s hold nothing, and gives it back.
func (s *stream) free() {
	s.watching.Lock()
	s.mark++
	s.watched, s.told = nil, false
	s.watching.Unlock()
	s.c, s.cfg = nil, nil
	s.x.Request.Body, s.x.Response.Body = nil, nil
	if cap(s.x.Scratch) > keepHead {
		s.x.Scratch = nil
	}
	if cap(s.head) > keepHead {
		s.head = nil
	}
	s.body.free()
	streams.Put(s)
}

// Run serves the stream's exchange.
func (s *stream) Run(*poll.Worker) {
	h := s.cfg.Handler
	if s.fault != nil {
		h = refusal{s.fault}
	}
	if !weir.Serve(h, &s.x, s, s.cfg.Observer) {
		return
	}
	s.end()
}

// A refusal answers a request that could not be understood.
type refusal struct{ f *weir.Fault }

// ServeExchange implements weir.Handler.
func (r refusal) ServeExchange(*weir.Exchange) error { return r.f }

// end takes the stream, whose exchange is over, off its connection.
func (s *stream) end() {
	c := s.c
	c.mu.Lock()
	unread := !s.reset && !c.gone && !s.recvEnd
	if !unread || !c.remain(s) {
		if unread { // the rest of the request is not wanted: RFC 9113, section 8.1
			s.reset = true
			c.out = appendReset(c.out, s.id, codeNone)
		}
		c.past.add(s.id, s.reset && !s.byPeer && !s.recvEnd)
	}
	if s.sentEnd {
		c.calm.earn(worthAnswer)
	}
	delete(c.streams, s.id)
	if s.body.big {
		c.big--
	}
	if len(c.streams) == 0 {
		c.rested = s.x.Timing.End
		c.closeIfDone()
	}
	c.flushHeld()
	if len(c.streams) == 0 {
		c.dropOutput()
	}
	c.mu.Unlock()
	s.free()
	c.release()
}

// Why nothing more can be sent or received on a stream.
var (
	errGone     = errors.New("the client has closed the connection")
	errReset    = errors.New("the client has reset the stream")
	errWeReset  = errors.New("the client broke the rules of the stream")
	errUnsealed = errors.New("a record of TLS was forged, or damaged on its way")
	errAnswered = errors.New("an answer has begun already")
)

// stop ends what the stream waits for. c.mu is held; tell is to be called after it.
func (c *conn) stop(s *stream) {
	if s.dead == nil {
		s.dead = cmp.Or(c.spoilt, errGone)
	}
	s.sending.remove()
	s.sending.wake()
	s.body.wake(c)
	c.starved.wakeFirst()
}

// tell has whoever watches the stream know that the client has gone, unless the struct is another stream's by now. It
// holds the lock meanwhile, so that nobody is told after he has stopped watching.
func (s *stream) tell(mark uint64) {
	s.watching.Lock()
	defer s.watching.Unlock()
	if s.mark != mark {
		return
	}
	s.told = true
	if s.watched != nil {
		s.watched.Cancel()
	}
}

// Watch implements weir.Stream.
func (s *stream) Watch(w weir.Canceler) {
	s.watching.Lock()
	s.watched = w
	told := s.told
	s.watching.Unlock()
	if told && w != nil {
		w.Cancel()
	}
}

// Reset implements weir.Stream.
func (s *stream) Reset(f *weir.Fault) {
	c := s.c
	c.mu.Lock()
	if !s.reset && !s.sentEnd && !c.gone {
		s.reset = true
		s.waiting = false
		c.out = appendReset(c.out, s.id, resetCode(f))
	}
	c.mu.Unlock()
}

func resetCode(f *weir.Fault) errorCode {
	switch {
	case f == nil || f.Side != weir.SideClient:
		return codeInternal
	case f.Cause == weir.CauseRequestBody:
		return codeProtocol
	}
	return codeCancel
}

// Inform implements weir.Stream. It waits for room in the output: a server may have very many interim answers for a
// client that takes none.
func (s *stream) Inform(status int, h *weir.Header) error {
	if status < 100 || status > 199 || status == 101 {
		return nil
	}
	var local [512]byte
	block := appendStatus(local[:0], status)
	if h != nil {
		block = appendFields(block, h)
	}
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	if err := s.room(); err != nil {
		return err
	}
	return s.sayHeld(block)
}

// say sends 100 (Continue), which an upload may want to at any time.
func (s *stream) say(block []byte) error {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	return s.sayHeld(block)
}

// sayHeld sends an interim answer. c.mu is held.
func (s *stream) sayHeld(block []byte) error {
	c := s.c
	if s.dead != nil {
		return s.goneFault("write interim answer")
	}
	if s.waiting || s.sentEnd || s.answered {
		return nil
	}
	c.appendBlock(s.id, false, block)
	c.flushSoon()
	return nil
}

// appendBlock appends a head. c.mu is held.
func (c *conn) appendBlock(id uint32, end bool, block []byte) {
	if c.resize { // RFC 7541, section 4.2
		c.resize = false
		block = append([]byte{hpackResize}, block...)
	}
	c.out = appendHeaders(c.out, id, end, block, c.frameMost())
}

// frameMost is how long the payload of a frame to the client is at most.
func (c *conn) frameMost() int { return minFrameSize }

func (s *stream) goneFault(op string) *weir.Fault {
	f := &weir.Fault{Op: op, Side: weir.SideClient, Cause: weir.CauseClientGone, Err: s.dead}
	if s.dead == errWeReset || s.dead == errUnsealed && !s.recvEnd {
		f.Cause = weir.CauseRequestBody
	}
	return f
}

var _ weir.Stream = (*stream)(nil)
