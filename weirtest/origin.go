package weirtest

import (
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"
)

// originAddress is where origins listen: a loopback address that no client's port can get in the way of when
// a killed origin comes back to its port.
var originAddress = [4]byte{127, 0, 0, 2}

// A target is something that listens: a scripted origin, a server, an nginx.
type target interface {
	Address() string // host:port or unix:path
	kill()
	revive() error
	free() // after kill, for good
}

// A socket is a listening socket that may be taken away and brought back.
type socket struct {
	address string // as weir's configuration has it
	listen  func() (net.Listener, error)
	l       net.Listener
	place   *place // of TCP; nil at a unix socket
}

// open opens a socket on a free port, or on the unix socket path if there is one; "local" is a port where the
// name localhost leads to, "v6" one of ::1.
func open(path string) (*socket, error) {
	if path == "v6" {
		return openV6()
	}
	if path == "local" {
		return openTCP([4]byte{127, 0, 0, 1})
	}
	if path != "" {
		s := &socket{address: "unix:" + path, listen: func() (net.Listener, error) {
			os.Remove(path)
			return net.Listen("unix", path)
		}}
		return s, s.reopen()
	}
	return openTCP(originAddress)
}

func openV6() (*socket, error) {
	l, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		return nil, err
	}
	address := l.Addr().String()
	return &socket{address: address, l: l, listen: func() (net.Listener, error) { return net.Listen("tcp6", address) }}, nil
}

func openTCP(ip [4]byte) (*socket, error) {
	p, err := newPlace(ip)
	if err != nil {
		return nil, err
	}
	s := &socket{address: p.address, listen: p.listen, place: p}
	if err := s.reopen(); err != nil {
		p.free()
		return nil, err
	}
	return s, nil
}

func (s *socket) reopen() (err error) {
	for try := 0; try < 50; try++ { // a connection of before may still hold the port for a moment
		if s.l, err = s.listen(); err == nil {
			return nil
		}
		time.Sleep(20 * time.Millisecond)
	}
	return err
}

// shut stops listening for good, also where a program that is just being started has the socket as well: between fork
// and exec it would take connections that nobody serves.
func (s *socket) shut() {
	if c, ok := s.l.(syscall.Conn); ok {
		if raw, err := c.SyscallConn(); err == nil {
			raw.Control(func(fd uintptr) { syscall.Shutdown(int(fd), syscall.SHUT_RDWR) })
		}
	}
	s.l.Close()
}

func (s *socket) Address() string { return s.address }

func (s *socket) free() {
	if s.place != nil {
		s.place.free()
	}
}

// An origin answers what the script says, byte by byte.
type origin struct {
	*socket
	arrived chan net.Conn

	mu    sync.Mutex // protects conns
	conns []net.Conn
}

func newOrigin(path string) (*origin, error) {
	s, err := open(path)
	if err != nil {
		return nil, err
	}
	o := &origin{socket: s, arrived: make(chan net.Conn, 1024)}
	go o.accept(s.l)
	return o, nil
}

func (o *origin) accept(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		o.mu.Lock()
		o.conns = append(o.conns, c)
		o.mu.Unlock()
		o.arrived <- c
	}
}

func (o *origin) next(limit time.Duration) (*peer, error) {
	select {
	case c := <-o.arrived:
		return newPeer(c), nil
	case <-time.After(limit):
		return nil, fmt.Errorf("nobody connected within %s", limit)
	}
}

func (o *origin) kill() {
	o.shut()
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, c := range o.conns {
		if t, ok := c.(*net.TCPConn); ok {
			t.SetLinger(0)
		}
		c.Close()
	}
	o.conns = nil
}

func (o *origin) revive() error {
	if err := o.reopen(); err != nil {
		return err
	}
	go o.accept(o.l)
	return nil
}

// pathOf returns what open takes for an origin of that kind: where its unix socket belongs, if it is to have one.
func pathOf(dir, name, kind string) string {
	if kind = strings.TrimSpace(kind); kind == "unix" {
		return dir + "/" + name + ".sock"
	}
	return kind
}
