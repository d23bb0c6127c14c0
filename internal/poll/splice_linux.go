package poll

import (
	"io"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"weir/internal/clock"
)

// pipeSize is what one splice moves at most: large enough to spare turns, small enough that a slow
// receiver does not hold much of the kernel's memory.
const pipeSize = 256 << 10

type pipe struct{ r, w int32 }

// A pipeStore keeps empty pipes for the next splice.
type pipeStore struct {
	mu   sync.Mutex // protects free
	free []*pipe
}

const maxPipes = 64

// take returns an empty pipe, or nil where none is to be had.
func (pipes *pipeStore) take() *pipe {
	pipes.mu.Lock()
	if n := len(pipes.free); n > 0 {
		p := pipes.free[n-1]
		pipes.free = pipes.free[:n-1]
		pipes.mu.Unlock()
		return p
	}
	pipes.mu.Unlock()
	var fd [2]int
	if unix.Pipe2(fd[:], unix.O_CLOEXEC|unix.O_NONBLOCK) != nil {
		return nil
	}
	unix.FcntlInt(uintptr(fd[1]), unix.F_SETPIPE_SZ, pipeSize)
	return &pipe{int32(fd[0]), int32(fd[1])}
}

func (pipes *pipeStore) put(p *pipe) {
	pipes.mu.Lock()
	if len(pipes.free) < maxPipes {
		pipes.free = append(pipes.free, p)
		p = nil
	}
	pipes.mu.Unlock()
	if p != nil {
		p.close()
	}
}

func (p *pipe) close() {
	closeFD(p.r)
	closeFD(p.w)
}

// Splice moves bytes by splice(2) through a pipe: they never enter this process.
func (s *sock) Splice(src Conn, n int64, from, to Pace) (int64, error) {
	source, ok := below(src).(*sock)
	if !ok {
		return 0, ErrNoSplice
	}
	if err := s.settle(); err != nil {
		return 0, &SinkError{err}
	}
	p := s.p.group.pipes.take()
	if p == nil {
		return 0, ErrNoSplice
	}
	moved, err := s.pump(source, p, n, &pacer{Pace: from}, &pacer{Pace: to})
	if err == nil {
		s.p.group.pipes.put(p)
	} else {
		p.close() // it may still hold bytes
	}
	return moved, err
}

// A pacer holds one side of a splice to its pace.
type pacer struct {
	Pace
	moved  int64 // since the window began
	waited int64 // within it, nanoseconds
	since  int64 // when the present wait began; 0: there is none
}

// wait notes that a wait begins, and sets when it must have ended. A wait that is woken for nothing goes on
// as it was, so that a deadline somebody else has set meanwhile is not lost.
func (p *pacer) wait(setDeadline func(int64)) {
	if p.since != 0 {
		return
	}
	p.since = clock.Now()
	if p.Window <= 0 {
		setDeadline(0)
		return
	}
	setDeadline(p.since + int64(p.Window) - p.waited)
}

func (p *pacer) progress(n int) {
	if p.since != 0 {
		p.waited += clock.Now() - p.since
		p.since = 0
	}
	if p.moved += int64(n); p.moved >= p.Bytes {
		p.moved, p.waited = 0, 0
	}
}

func (pipes *pipeStore) close() {
	pipes.mu.Lock()
	defer pipes.mu.Unlock()
	for _, p := range pipes.free {
		p.close()
	}
	pipes.free = nil
}

func (s *sock) pump(from *sock, p *pipe, n int64, in, out *pacer) (moved int64, err error) {
	g := gather{s: from}
	defer g.end()
	for n < 0 || moved < n {
		ask := pipeSize
		if n >= 0 {
			ask = int(min(int64(ask), n-moved))
		}
		got, err := from.fill(p, ask, in, &g)
		g.note(got, n-moved-int64(got))
		if err != nil {
			return moved, err
		}
		if got == 0 {
			if n < 0 {
				return moved, nil
			}
			return moved, io.ErrUnexpectedEOF
		}
		if err := s.drain(p, got, out); err != nil {
			return moved, &SinkError{err}
		}
		moved += int64(got)
	}
	return moved, nil
}

// fill moves up to ask bytes from the socket into the empty pipe; 0: the end.
func (s *sock) fill(p *pipe, ask int, pace *pacer, g *gather) (int, error) {
	for {
		if err := s.broken(); err != nil {
			return 0, err
		}
		s.rd.takeReady()
		n, e := splice(s.fd, p.w, ask)
		switch {
		case e == 0:
			s.drained = false
			pace.progress(n)
			return n, nil
		case e == syscall.EAGAIN:
			pace.wait(s.SetReadDeadline)
			if err := g.wait(); err != nil {
				return 0, err
			}
		case e != syscall.EINTR:
			return 0, sysError("splice", e)
		}
	}
}

// drain moves n bytes from the pipe into the socket.
func (s *sock) drain(p *pipe, n int, pace *pacer) error {
	for n > 0 {
		if err := s.broken(); err != nil {
			return err
		}
		s.wr.takeReady()
		m, e := splice(p.r, s.fd, n)
		switch {
		case e == 0:
			n -= m
			pace.progress(m)
		case e == syscall.EAGAIN:
			pace.wait(s.SetWriteDeadline)
			if err := s.waitRoom(); err != nil {
				return err
			}
		case e != syscall.EINTR:
			return sysError("splice", e)
		}
	}
	return nil
}
