package weirtest

import (
	"context"
	"fmt"
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// A place is an address that stays with its origin while the origin is killed: a bound socket that never
// listens holds the port, so that nobody else gets it and whoever connects meanwhile is refused.
type place struct {
	fd      int
	address string
}

func newPlace(ip [4]byte) (*place, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	p := &place{fd: fd}
	if err := p.bind(ip); err != nil {
		p.free()
		return nil, err
	}
	return p, nil
}

func (p *place) bind(ip [4]byte) error {
	if err := shared(p.fd); err != nil {
		return err
	}
	if err := unix.Bind(p.fd, &unix.SockaddrInet4{Addr: ip}); err != nil {
		return err
	}
	sa, err := unix.Getsockname(p.fd)
	if err != nil {
		return err
	}
	p.address = fmt.Sprintf("%s:%d", net.IP(ip[:]), sa.(*unix.SockaddrInet4).Port)
	return nil
}

// listen listens beside the socket that holds the port.
func (p *place) listen() (net.Listener, error) {
	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) (err error) {
		if failed := c.Control(func(fd uintptr) { err = shared(int(fd)) }); failed != nil {
			return failed
		}
		return err
	}}
	return lc.Listen(context.Background(), "tcp4", p.address)
}

// shared lets several sockets of this user be bound to one port.
func shared(fd int) error { return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1) }

// free gives the port back.
func (p *place) free() { unix.Close(p.fd) }
