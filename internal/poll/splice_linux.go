package poll

import (
	"io"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
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
func (s *sock) Splice(src Conn, n int64, from Pace) (int64, error) {
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
	moved, err := s.pump(source, p, n, from)
	if err == nil {
		s.p.group.pipes.put(p)
	} else {
		p.close() // it may still hold bytes
	}
	return moved, err
}

func (pipes *pipeStore) close() {
	pipes.mu.Lock()
	defer pipes.mu.Unlock()
	for _, p := range pipes.free {
		p.close()
	}
	pipes.free = nil
}

func (s *sock) pump(from *sock, p *pipe, n int64, pace Pace) (moved int64, err error) {
	g := gather{s: from}
	var in pacer
	defer g.end()
	for n < 0 || moved < n {
		ask := pipeSize
		if n >= 0 {
			ask = int(min(int64(ask), n-moved))
		}
		got, err := from.fill(p, ask, pace, &in, &g)
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
		if err := s.drain(p, got); err != nil {
			return moved, &SinkError{err}
		}
		moved += int64(got)
	}
	return moved, nil
}

// fill moves up to ask bytes from the socket into the empty pipe; 0: the end.
func (s *sock) fill(p *pipe, ask int, pace Pace, in *pacer, g *gather) (int, error) {
	for {
		if err := s.broken(); err != nil {
			return 0, err
		}
		s.rd.takeReady()
		n, e := splice(s.fd, p.w, ask)
		switch {
		case e == 0:
			s.drained = false
			in.progress(int64(n), pace)
			return n, nil
		case e == syscall.EAGAIN:
			if in.since == 0 { // else a deadline that somebody else has set meanwhile would be lost
				s.SetReadDeadline(in.wait(pace))
			}
			if err := g.wait(); err != nil {
				return 0, err
			}
		case e != syscall.EINTR:
			return 0, sysError("splice", e)
		}
	}
}

// drain moves n bytes from the pipe into the socket.
func (s *sock) drain(p *pipe, n int) error {
	for n > 0 {
		if err := s.broken(); err != nil {
			return err
		}
		s.wr.takeReady()
		m, e := splice(p.r, s.fd, n)
		switch {
		case e == 0:
			n -= m
			s.took(m)
		case e == syscall.EAGAIN:
			if err := s.waitRoom(); err != nil {
				return err
			}
		case e != syscall.EINTR:
			return sysError("splice", e)
		}
	}
	return nil
}
