package weirtest

import (
	"fmt"
	"net"
	"time"

	"golang.org/x/sys/unix"
)

// A full is an address where connections are not accepted and not refused: the queue of its socket is full, as
// that of a server that hangs.
type full struct {
	fd      int
	address string
	waiting []net.Conn
}

func newFull() (*full, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	f := &full{fd: fd}
	if err := f.fill(); err != nil {
		f.kill()
		return nil, err
	}
	return f, nil
}

// fill connects until a connection is left waiting.
func (f *full) fill() error {
	if err := unix.Bind(f.fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 2}}); err != nil {
		return err
	}
	if err := unix.Listen(f.fd, 0); err != nil {
		return err
	}
	sa, err := unix.Getsockname(f.fd)
	if err != nil {
		return err
	}
	f.address = fmt.Sprintf("127.0.0.2:%d", sa.(*unix.SockaddrInet4).Port)
	for range 8 {
		c, err := net.DialTimeout("tcp", f.address, 500*time.Millisecond)
		if err != nil {
			return nil
		}
		f.waiting = append(f.waiting, c)
	}
	return fmt.Errorf("%s takes ever more connections", f.address)
}

// Address returns where nothing happens.
func (f *full) Address() string { return f.address }

func (f *full) kill() {
	for _, c := range f.waiting {
		c.Close()
	}
	unix.Close(f.fd)
}

func (f *full) revive() error { return fmt.Errorf("%s cannot be revived", f.address) }

func (f *full) free() {}
