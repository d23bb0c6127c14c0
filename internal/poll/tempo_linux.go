package poll

import (
	"errors"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"weir/internal/clock"
)

// A tempo is how the writing of a sock stands with its pace. There is none before a write has had to wait.
//
// That the kernel takes more is no measure of what the peer has taken: it tells of room only when a third of the buffer is
// free, for which a slow peer may need many windows, and some may turn up though the peer takes nothing. So a wait that
// lasts is judged by what the peer has yet to acknowledge, at a first look after a tenth of the window and at the window's
// end. Waits for a peer that takes what it gets are shorter and ask the kernel nothing.
type tempo struct {
	pacer
	look   atomic.Int64 // when the wheel wakes the writer for a look; 0: nobody waits
	looked int          // the window of the last look
	queued int64        // what was not acknowledged then
}

// lookPart is the part of a window after which it is looked first. What leaves before is not seen: so much less is asked for.
const lookPart = 10

var errLook = errors.New("time for a look")

// SetWritePace implements Conn.
func (s *sock) SetWritePace(p *Pace) {
	if s.pace.Load() != p {
		s.pace.Store(p)
	}
}

// waitPaced waits for room as long as the peer keeps the pace.
func (s *sock) waitPaced(pace Pace) error {
	t := s.tempo.Load()
	if t == nil {
		t = &tempo{looked: -1}
		s.tempo.Store(t)
	}
	for {
		s.arm(t.next(pace))
		err := s.wr.wait(s.pacedStop)
		if err == errLook {
			if t.keeps(pace, s.fd) {
				continue
			}
			err = ErrTimeout
		}
		if err != nil {
			t.pause()
		}
		return err
	}
}

// pacedStop is writeStop for one whose wait is looked at.
func (s *sock) pacedStop() error {
	if err := s.writeStop(); err != nil {
		return err
	}
	if s.late(&s.tempo.Load().look) {
		return errLook
	}
	return nil
}

// took notes that the kernel has taken n bytes.
func (s *sock) took(n int) {
	if t := s.tempo.Load(); t != nil && (t.since != 0 || t.waited != 0) {
		if pace := s.pace.Load(); pace != nil {
			t.took(int64(n), *pace, s.fd)
		}
	}
}

// next begins a wait, or goes on with one, and returns when to look at it.
func (t *tempo) next(pace Pace) int64 {
	at := t.wait(pace)
	if t.looked != t.window {
		at = min(at, t.since+int64(pace.Window)/lookPart)
	}
	t.look.Store(at)
	return at
}

// pause ends the wait.
func (t *tempo) pause() {
	t.rest()
	t.look.Store(0)
}

// took ends the wait with n bytes that the kernel has taken.
func (t *tempo) took(n int64, pace Pace, fd int32) {
	t.pause()
	t.moved += n
	if t.looked != t.window && t.moved >= pace.least() || t.looked == t.window && t.left(pace, unacknowledged(fd)) {
		t.begin()
	}
}

// left reports whether enough has left since the first look, by what is not acknowledged now.
func (t *tempo) left(pace Pace, queued int64) bool {
	return t.moved+t.queued-queued >= max(pace.least()-pace.Bytes/lookPart, 1)
}

// keeps looks at a wait, and reports whether it may go on. What a first look has come too late for counts for nobody.
func (t *tempo) keeps(pace Pace, fd int32) bool {
	queued, first := unacknowledged(fd), t.looked != t.window
	if first {
		t.since = max(t.since, clock.Now()-int64(pace.Window)/lookPart)
	}
	t.rest()
	if !first && t.left(pace, queued) {
		t.begin()
		first = true
	}
	if first {
		t.looked, t.queued = t.window, queued
	}
	return t.waited < int64(pace.Window)
}

// unacknowledged is how many bytes the peer has yet to acknowledge.
func unacknowledged(fd int32) int64 {
	n, err := unix.IoctlGetInt(int(fd), unix.SIOCOUTQ)
	if err != nil {
		return 0
	}
	return int64(n)
}
