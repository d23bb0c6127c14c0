package poll

import (
	"syscall"
	"time"

	"weir/internal/clock"
)

// A gather has the kernel wake the reader of a fast, long stream not for each packet, but when there is a good
// piece to move (SO_RCVLOWAT): waking up costs more than moving the bytes.
//
// It gathers only where nobody can notice: the rest of a body of known length is longer than gatherFrom, the last
// piece was large, and the socket's buffer has grown to hold twice what is waited for. What has come after gatherTime
// is moved, however little it is, and the next wait is an ordinary one.
type gather struct {
	s    *sock
	want int  // what to wait for next; 0: anything
	set  bool // the socket's mark is not the usual one
	big  bool // its buffer is large enough
}

const (
	gatherFrom  = 1 << 20
	gatherPiece = 128 << 10
	gatherFast  = 32 << 10
	gatherTime  = 20 * time.Millisecond
)

// note takes in that a piece of got bytes was moved and rest are to come; negative: who knows.
func (g *gather) note(got int, rest int64) {
	g.want = 0
	if got >= gatherFast && rest >= gatherFrom {
		g.want = gatherPiece
	}
}

// wait waits for something to read.
func (g *gather) wait() error {
	s := g.s
	if g.want == 0 || !g.mark(g.want) {
		g.end()
		return s.waitRead()
	}
	g.want = 0
	by := s.readBy.Load()
	soon := clock.Now() + int64(gatherTime)
	if by != 0 && by < soon {
		return s.waitRead()
	}
	s.readBy.Store(soon)
	s.arm(soon)
	err := s.waitRead()
	if s.readBy.CompareAndSwap(soon, by) && by != 0 {
		s.p.wheel.put(s, by)
	}
	if err == ErrTimeout {
		return nil
	}
	return err
}

// mark sets the socket's mark; false: its buffer is too small.
func (g *gather) mark(n int) bool {
	if g.set {
		return true
	}
	if !g.big {
		have, err := syscall.GetsockoptInt(int(g.s.fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF)
		if err != nil || have < 4*n {
			return false
		}
		g.big = true
	}
	setInt(g.s.fd, syscall.SOL_SOCKET, syscall.SO_RCVLOWAT, n)
	g.set = true
	return true
}

// end makes the socket an ordinary one again.
func (g *gather) end() {
	if g.set {
		setInt(g.s.fd, syscall.SOL_SOCKET, syscall.SO_RCVLOWAT, 1)
		g.set = false
	}
}
