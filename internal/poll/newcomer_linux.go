package poll

import (
	"sync/atomic"
	"time"
)

// Newcomers are connections just accepted that the epoll set does not know yet. Under load the first request has come
// by then, and is simply read; where the connection ends after the answer, as many do, it never has to be registered,
// nor looked at by the wheel, at all. It is registered as soon as somebody waits for it, and after newcomerTime so that
// a client who goes away is noticed.
//
// Where there was nothing to read, which is so while the machine has little to do, the next ones are registered at once.
type newcomers struct {
	queue  queue[newcomer]
	missed atomic.Bool // there was nothing to read at one of the last
	skip   int         // so many of the next ones are registered at once
	skips  int         // how many they were after the last miss
	hits   int         // since the last miss
}

type newcomer struct {
	s     *sock
	since int64
}

const (
	newcomerTime  = 20 * time.Millisecond
	mostSkips     = 64
	manyHits      = 32
	newcomersTurn = 256 // so many are looked at in one turn
)

func (n *newcomers) any() bool { return len(n.queue.list) > 0 }

// promising reports whether the next connection is likely to have sent something already. After each miss twice as many
// are taken not to have, unless misses are rare.
func (n *newcomers) promising() bool {
	if n.missed.Load() {
		n.missed.Store(false)
		if n.skips = min(2*n.skips+1, mostSkips); n.hits >= manyHits {
			n.skips = 1
		}
		n.skip, n.hits = n.skips, 0
	}
	if n.skip > 0 {
		n.skip--
		return false
	}
	n.hits++
	return true
}

// welcome hands a connection that is not registered to accept, and has it read at once if accept leaves it to the poller.
func (p *poller) welcome(s *sock, accept func(Conn)) {
	s.untried = true
	p.newcomers.queue.add(newcomer{s, p.now.Load()})
	accept(s)
	p.count(s.rd.notify(), s)
}

// registerNewcomers registers those who came before time t and are still there.
func (p *poller) registerNewcomers(t int64) {
	q := &p.newcomers.queue
	n := 0
	for _, c := range q.first(newcomersTurn) {
		if c.since > t {
			break
		}
		c.s.register(connEvents)
		n++
	}
	q.drop(n)
}

// register has the epoll set and the wheel know s, if they do not. On failure s is broken.
func (s *sock) register(events uint32) error {
	if s.known.Load() {
		return nil
	}
	if err := s.introduce(events); err != nil {
		s.Cancel()
		return err
	}
	s.arm(s.readBy.Load())
	return nil
}

func (s *sock) introduce(events uint32) error {
	s.hangMu.Lock()
	defer s.hangMu.Unlock()
	if s.known.Load() || s.closed.Load() {
		return nil
	}
	g := s.p.group
	g.table.put(s)
	if e := epollAdd(s.p.ep, s.fd, events, s.gen); e != 0 {
		g.table.drop(s)
		return sysError("epoll_ctl", e)
	}
	s.known.Store(true)
	return nil
}

// tried notes that there was nothing to read.
func (s *sock) tried() {
	if s.untried = false; !s.known.Load() {
		s.p.newcomers.missed.Store(true)
	}
}
