package poll

import (
	"io"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// A sock is a Conn on a poller. Readiness is edge-triggered: an edge that nobody waits for is
// remembered in the wait word, and a read that filled less than its buffer proves that the socket is
// empty, so that the next read waits for an edge without asking the kernel first.
type sock struct {
	fd     int32
	gen    uint32
	p      *poller
	outbox *outbox // of p
	rd, wr waitWord

	drained bool        // the reader's: the last read was short
	untried bool        // the reader's: a newcomer that nobody has tried to read from
	known   atomic.Bool // the epoll set has it, or had it
	room    atomic.Bool // somebody has waited for room to write, and is told of it
	hup     atomic.Bool
	dead    atomic.Bool // canceled
	closed  atomic.Bool
	task    Task

	readBy, writeBy atomic.Int64 // deadlines; 0: none
	pace            atomic.Pointer[Pace]
	tempo           atomic.Pointer[tempo] // how writing stands with it; nil: no write has had to wait

	post    atomic.Uint32 // how it is with what was posted
	rest    atomic.Pointer[remainder]
	postErr atomic.Pointer[PostError]

	wheelNext, wheelPrev *sock // protected by the poller's wheel, like the next two
	slot                 uint8
	inFar                bool
	lookAt               atomic.Int64 // when the wheel looks at this connection; 0: it does not

	hangMu sync.Mutex // protects hang, and known from Close
	hang   Canceler

	local, remote netip.AddrPort
}

var _ Conn = (*sock)(nil)

func (s *sock) Read(p []byte) (int, error) {
	for {
		n, err := s.TryRead(p)
		if err != ErrAgain {
			return n, err
		}
		if err := s.waitRead(); err != nil {
			return 0, err
		}
	}
}

func (s *sock) TryRead(p []byte) (int, error) {
	if err := s.broken(); err != nil {
		return 0, err
	}
	if s.rd.takeReady() || s.hup.Load() {
		s.drained = false
	}
	if s.drained {
		return 0, s.nothing()
	}
	for {
		n, e := recv(s.fd, p, 0)
		switch {
		case e == syscall.EAGAIN:
			s.drained = true
			s.tried()
			return 0, s.nothing()
		case e == syscall.EINTR:
		case e != 0:
			return 0, s.over(sysError("recv", e))
		case n == 0 && len(p) > 0:
			s.hup.Store(true)
			return 0, s.over(io.EOF)
		default:
			s.drained = n < len(p)
			return n, nil
		}
	}
}

// WaitReadable asks the kernel only where the last read does not say already that there is nothing.
func (s *sock) WaitReadable() error {
	if err := s.broken(); err != nil {
		return err
	}
	if !s.drained || s.hup.Load() || s.rd.isReady() {
		return nil
	}
	return s.waitRead()
}

func (s *sock) waitRead() error {
	err := s.register(connEvents)
	if err == nil {
		err = s.rd.wait(s.readStop)
	}
	if err == nil {
		s.drained = false
	}
	return err
}

func (s *sock) readStop() error {
	if err := s.broken(); err != nil {
		return err
	}
	if err := s.lost(); err != nil {
		return err
	}
	if s.late(&s.readBy) {
		return ErrTimeout
	}
	return nil
}

func (s *sock) writeStop() error {
	if err := s.broken(); err != nil {
		return err
	}
	if s.late(&s.writeBy) {
		return ErrTimeout
	}
	return nil
}

// broken returns why nothing more can be done with the connection, or nil.
func (s *sock) broken() error {
	switch {
	case s.closed.Load():
		return ErrClosed
	case s.dead.Load():
		return ErrCanceled
	}
	return nil
}

// over is why nothing more will come: where something posted could not be sent, that.
func (s *sock) over(err error) error {
	if lost := s.lost(); lost != nil {
		return lost
	}
	return err
}

// nothing is why there is nothing to read.
func (s *sock) nothing() error {
	if err := s.lost(); err != nil {
		return err
	}
	if s.late(&s.readBy) {
		return ErrTimeout
	}
	return ErrAgain
}

// late reports whether a deadline has passed. It goes by the times of the poller's and the wheel's last turns, which cost
// nothing: a deadline that has passed since then is still in the wheel, and who waits for it is woken.
func (s *sock) late(by *atomic.Int64) bool {
	t := by.Load()
	return t != 0 && (t <= s.p.now.Load() || t <= s.p.wheel.fired.Load())
}

func (s *sock) Write(p []byte) (int, error) {
	if err := s.settle(); err != nil {
		return 0, err
	}
	return s.write(p)
}

// write is Write where nothing is posted that has to leave before.
func (s *sock) write(p []byte) (int, error) {
	sent := 0
	for sent < len(p) {
		if err := s.broken(); err != nil {
			return sent, err
		}
		s.wr.takeReady()
		n, e := send(s.fd, p[sent:])
		switch {
		case e == 0:
			sent += n
			s.took(n)
		case e == syscall.EAGAIN:
			if err := s.waitRoom(); err != nil {
				return sent, err
			}
		case e != syscall.EINTR:
			return sent, sysError("send", e)
		}
	}
	return sent, nil
}

func (s *sock) WriteBuffers(head, body, tail []byte) error {
	if err := s.settle(); err != nil {
		return err
	}
	for len(head)+len(body) > 0 && len(body)+len(tail) > 0 {
		if err := s.broken(); err != nil {
			return err
		}
		s.wr.takeReady()
		n, e := sendThree(s.fd, head, body, tail)
		switch {
		case e == 0:
			s.took(n)
			head, n = skip(head, n)
			body, n = skip(body, n)
			tail, _ = skip(tail, n)
		case e == syscall.EAGAIN:
			if err := s.waitRoom(); err != nil {
				return err
			}
		case e != syscall.EINTR:
			return sysError("sendmsg", e)
		}
	}
	for _, rest := range [...][]byte{head, body, tail} {
		if _, err := s.write(rest); err != nil {
			return err
		}
	}
	return nil
}

// skip drops the first n bytes of p, and returns what of n is left.
func skip(p []byte, n int) ([]byte, int) {
	k := min(n, len(p))
	return p[k:], n - k
}

func (s *sock) Idle(t Task) bool {
	if !s.drained || s.hup.Load() {
		return false
	}
	s.task = t
	if s.untried {
		s.untried = false // the poller is about to have it read; see welcome
	} else if s.register(connEvents) != nil {
		return false
	}
	if !s.rd.setIdle() {
		s.drained = false
		return false
	}
	return s.readStop() == nil || !s.rd.endIdle()
}

func (s *sock) Reclaim() bool {
	return s.rd.endIdle()
}

// Silent is false for a connection that still has something to deliver, too.
func (s *sock) Silent() bool {
	if !s.settled() {
		return false
	}
	var one [1]byte
	_, e := recv(s.fd, one[:], syscall.MSG_PEEK)
	if s.drained = e == syscall.EAGAIN; !s.drained {
		return false
	}
	s.tried()
	return true
}

func (s *sock) SetReadDeadline(t int64) {
	if t, moved := s.later(s.readBy.Load(), t); moved {
		s.readBy.Store(t)
		s.arm(t)
	}
}

// SetWriteDeadline leaves the wheel alone: most writes never wait.
func (s *sock) SetWriteDeadline(t int64) {
	if t, moved := s.later(s.writeBy.Load(), t); moved {
		s.writeBy.Store(t)
	}
}

// later returns what deadline to set where have stands and t is asked for: of one that is not soon up to a quarter of a
// second after it, so that the next ones asked for, most of which are a little later, need not be set at all.
func (s *sock) later(have, t int64) (int64, bool) {
	if t == have {
		return 0, false
	}
	left := t - s.p.now.Load()
	if left <= int64(time.Second) { // never, past, or soon
		return t, true
	}
	latest := t + min(max(left>>6, int64(Tick)), int64(mostSlack))
	return latest, have < t || have > latest
}

// waitRoom waits for room to write after the kernel has told that there is none.
func (s *sock) waitRoom() error {
	if !s.room.Load() {
		s.room.Store(true)
		if err := s.askForRoom(); err != nil {
			return err
		}
	}
	s.arm(s.writeBy.Load())
	if pace := s.pace.Load(); pace != nil && pace.Window > 0 {
		return s.waitPaced(*pace)
	}
	return s.wr.wait(s.writeStop)
}

// askForRoom makes an event if there is some by now.
func (s *sock) askForRoom() error {
	if err := s.register(roomEvents); err != nil {
		return err
	}
	return sysError("epoll_ctl", epollChange(s.p.ep, s.fd, roomEvents, s.gen))
}

// arm has the wheel look at s when t has come; 0: never.
func (s *sock) arm(t int64) {
	if t == 0 || !s.known.Load() {
		return
	}
	if at := s.lookAt.Load(); at == 0 || t < at-int64(Tick) {
		s.p.wheel.put(s, t)
	}
}

// expire is called by the wheel when it takes s out of a slot.
func (s *sock) expire(now int64) {
	next := min(s.due(&s.readBy, &s.rd, now), s.due(&s.writeBy, &s.wr, now))
	if t := s.tempo.Load(); t != nil {
		next = min(next, s.due(&t.look, &s.wr, now))
	}
	if next != never && !s.closed.Load() {
		s.p.wheel.put(s, next)
		if s.closed.Load() {
			s.p.wheel.drop(s)
		}
	}
}

// due wakes whoever waits where a deadline has passed, and returns when it will otherwise.
func (s *sock) due(by *atomic.Int64, w *waitWord, now int64) int64 {
	t := by.Load()
	switch {
	case t == 0:
	case t <= now:
		s.notify(w)
	default:
		return t
	}
	return never
}

func (s *sock) notify(w *waitWord) {
	if w.notify() == wokeTask {
		s.drained = false
		s.p.run(s.task)
	}
}

// hungUp is called by the poller when the peer has closed its side or all of it.
func (s *sock) hungUp() {
	s.hup.Store(true)
	s.hangMu.Lock()
	c := s.hang
	s.hangMu.Unlock()
	if c != nil {
		c.Cancel()
	}
}

func (s *sock) OnHangup(c Canceler) {
	s.hangMu.Lock()
	s.hang = c
	s.hangMu.Unlock()
	if c != nil && s.hup.Load() {
		c.Cancel()
	}
}

func (s *sock) Cancel() {
	s.dead.Store(true)
	s.notify(&s.rd)
	s.notify(&s.wr)
}

func (s *sock) CloseWrite() error {
	if err := s.settle(); err != nil {
		return err
	}
	return sysError("shutdown", shutdownWrite(s.fd))
}

// Close has a goroutine of its own wait where there is no room yet for what was posted.
func (s *sock) Close() error {
	if r := s.deliverNow(); r != nil {
		s.p.group.closing.Store(s, nil)
		go func() {
			<-r.done
			s.close()
			s.p.group.closing.Delete(s)
		}()
		return nil
	}
	return s.close()
}

// close closes the connection, with a reset where something posted did not leave: what the peer got is not the whole.
func (s *sock) close() error {
	s.hangMu.Lock() // who registers a newcomer has done so, or sees that it is closed
	again := s.closed.Swap(true)
	s.hangMu.Unlock()
	if again {
		return nil
	}
	if s.known.Load() {
		s.p.wheel.drop(s)
		s.p.group.table.drop(s)
	}
	if s.lost() != nil {
		setLinger(s.fd)
	}
	closeFD(s.fd)
	return nil
}

func (s *sock) Abort() {
	if s.closed.Load() {
		return
	}
	if s.post.Load() == postQueued {
		s.Cancel()
		s.settle() // what is posted is sent by this descriptor now, or not at all
	}
	setLinger(s.fd)
	s.Close()
}

func (s *sock) LocalAddr() netip.AddrPort {
	if !s.local.IsValid() {
		s.local = localAddr(s.fd)
	}
	return s.local
}

func (s *sock) RemoteAddr() netip.AddrPort { return s.remote }

func (s *sock) Start(t Task) { s.p.run(t) }

func (s *sock) Woken() int64 { return s.p.now.Load() }

func (s *sock) Shard() int { return s.p.shard }
